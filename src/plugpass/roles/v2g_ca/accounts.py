"""Who may enrol: accounts with salted scrypt password hashes and the rights of their owners."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from plugpass.errors import ConfigurationError
from plugpass.est.authorization import Identity

# scrypt cost (RFC 7914 §2): 16 MiB and some 50 ms for each attempt.
_COST, _BLOCK, _PARALLEL = 2**14, 8, 1
_SALT = 16
_AT_ONCE = 2  #: digests computed at the same time: strangers must not take all memory and all threads


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, dklen=32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A party that enrols with a password; only the salted hash is kept."""

    identity: Identity
    salt: bytes = field(repr=False)
    password_hash: bytes = field(repr=False)

    @classmethod
    def create(cls, identity: Identity, password: str, *, random: Callable[[int], bytes]) -> Account:
        """An account for `identity`. Raises ConfigurationError for an unusable name or password."""
        if not identity.name or ":" in identity.name:
            raise ConfigurationError(f"account name {identity.name!r} cannot be used: no colon, at least one character")
        if not password:
            raise ConfigurationError(f"account {identity.name!r} has no password: choose one")
        salt = random(_SALT)
        return cls(identity=identity, salt=salt, password_hash=_digest(password, salt))


class Accounts:
    """The accounts of one authority."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_name = {account.identity.name: account for account in accounts}
        # An unknown name costs as much time as a wrong password: names are not to be found out by timing.
        self._hashing = asyncio.Semaphore(_AT_ONCE)
        self._nobody = Account(identity=Identity(name="-"), salt=bytes(_SALT), password_hash=bytes(32))

    async def check(self, name: str, password: str) -> Identity | None:
        """The identity of the account, or None where name or password is wrong; compares in constant time."""
        account = self._by_name.get(name, self._nobody)
        async with self._hashing:
            digest = await asyncio.to_thread(_digest, password, account.salt)
        matches = hmac.compare_digest(digest, account.password_hash)
        return account.identity if matches and account is not self._nobody else None

    def identity(self, name: str) -> Identity | None:
        """The identity of the account called `name`: for requesters known by a certificate."""
        account = self._by_name.get(name)
        return account.identity if account else None
