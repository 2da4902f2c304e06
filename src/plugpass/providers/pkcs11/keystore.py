"""A key store whose keys are in a token, with their certificates beside them.

Each version of a credential has a number, which the labels of its certificates end with: `ca:v2g-root@3`. The leaf
certificate is written last and deleted first; with it a version begins and ceases to exist, so that a process killed
at any point leaves the version that was there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from pkcs11 import Attribute, CertificateType, ObjectClass
from pkcs11.types import Object, Session

from plugpass.errors import LocalError
from plugpass.pki import der
from plugpass.pki.certificate import parse
from plugpass.pki.keys import Signer, public_key_info
from plugpass.ports.keys import Credential, KeyStore
from plugpass.providers.pkcs11.signer import TokenSigner
from plugpass.providers.pkcs11.token import KEY_ID_OCTETS, Token, destroy_key

T = TypeVar("T")

PREVIOUS: Final = "#previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """One version of a credential as it is in the token."""

    name: str
    number: int
    key_id: bytes
    chain: tuple[bytes, ...]  #: DER; empty where the leaf is missing: a version that was never finished
    objects: tuple[Object, ...]  #: leaf first

    @property
    def complete(self) -> bool:
        return bool(self.chain)


class TokenKeyStore:
    """`plugpass.ports.keys.KeyStore` in a token, for CA keys above all.

    A credential whose key is of this process and not of the token goes to `others`, such as the short-lived OCSP
    signers of a CA. A name is either here or there.
    """

    def __init__(self, token: Token, *, others: KeyStore | None = None) -> None:
        self._token = token
        self._others = others

    async def put(self, name: str, credential: Credential) -> None:
        """Store it, replacing the one of the same name, which stays readable as `<name>#previous`.

        Raises LocalError where the name contains "#", where the key is not in a token and there is no other store,
        or where the name is taken in the other place.
        """
        if "#" in name:
            raise LocalError(f"credential name {name!r} contains '#', which marks replaced ones: choose another")
        signer = credential.signer
        if not isinstance(signer, TokenSigner):
            await self._put_elsewhere(name, credential)
            return
        if self._others is not None and await self._others.get(name) is not None:
            raise LocalError(f"credential {name!r} is in the other key store: delete it there before it moves")
        if not credential.chain:
            raise LocalError(f"credential {name!r} has no certificate: a token finds its keys by them")
        await self._in_token(lambda session: _put(session, name, signer, credential.chain))

    async def get(self, name: str) -> Credential | None:
        """The credential, or None where there is none of that name. Raises LocalError where its key is missing."""
        plain, back = (name.removesuffix(PREVIOUS), 2) if name.endswith(PREVIOUS) else (name, 1)
        versions = await self._in_token(lambda session: _versions(session, plain))
        if not versions:
            return await self._others.get(name) if self._others is not None else None
        if len(versions) < back:
            return None
        return await asyncio.to_thread(self._credential, versions[-back])

    async def delete(self, name: str) -> None:
        """Forget it together with its `#previous` one, the keys included; unknown names are fine."""
        await self._in_token(lambda session: _delete(session, name))
        if self._others is not None:
            await self._others.delete(name)

    async def names(self, prefix: str = "") -> tuple[str, ...]:
        """All names that begin with `prefix`, sorted, without the `#previous` ones."""
        here = await self._in_token(lambda session: {item.name for item in _all(session) if item.complete})
        there = await self._others.names(prefix) if self._others is not None else ()
        return tuple(sorted({name for name in here if name.startswith(prefix)} | set(there)))

    async def unused_keys(self) -> tuple[bytes, ...]:
        """CKA_IDs of keys that no certificate belongs to: made, and their making then interrupted.

        They may be destroyed (`Token.destroy`) while nobody is creating a hierarchy.
        """
        used = await self._in_token(lambda session: {item.key_id for item in _all(session)})
        return tuple(key_id for key_id in await asyncio.to_thread(self._token.key_ids) if key_id not in used)

    async def _put_elsewhere(self, name: str, credential: Credential) -> None:
        if self._others is None:
            raise LocalError(f"the key of {name!r} is not in token {self._token.label!r}: generate it there")
        if await self._in_token(lambda session: _versions(session, name)):
            raise LocalError(
                f"credential {name!r} is in token {self._token.label!r}: its key cannot be replaced by this"
            )
        await self._others.put(name, credential)

    def _credential(self, version: _Version) -> Credential:
        signer: Signer = self._token.signer(version.key_id)
        if parse(version.chain[0]).key.encoded != public_key_info(signer.public_key):
            raise LocalError(f"the certificate of {version.name!r} in token {self._token.label!r} is of another key")
        return Credential(chain=version.chain, signer=signer)

    async def _in_token(self, operation: Callable[[Session], T]) -> T:
        return await asyncio.to_thread(self._token.run, operation)


def _all(session: Session) -> list[_Version]:
    """Every version in the token, oldest first; unfinished ones as well."""
    found: dict[tuple[str, int, bytes], dict[int, Object]] = {}
    for item in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}):
        name, marked, number = str(item[Attribute.LABEL]).rpartition("@")
        identifier = bytes(item[Attribute.ID])
        if marked and number.isdecimal() and len(identifier) in (KEY_ID_OCTETS, KEY_ID_OCTETS + 1):
            position = identifier[KEY_ID_OCTETS] if len(identifier) > KEY_ID_OCTETS else 0
            found.setdefault((name, int(number), identifier[:KEY_ID_OCTETS]), {})[position] = item
    return [
        _Version(
            name=name,
            number=number,
            key_id=key_id,
            chain=_chain(parts),
            objects=tuple(parts[position] for position in sorted(parts)),
        )
        for (name, number, key_id), parts in sorted(found.items())
    ]


def _chain(parts: dict[int, Object]) -> tuple[bytes, ...]:
    if 0 not in parts:
        return ()
    return tuple(bytes(parts[position][Attribute.VALUE]) for position in sorted(parts))


def _versions(session: Session, name: str) -> list[_Version]:
    """The finished versions of a credential, oldest first."""
    return [item for item in _all(session) if item.name == name and item.complete]


def _put(session: Session, name: str, signer: TokenSigner, chain: tuple[bytes, ...]) -> None:
    versions = _versions(session, name)
    newest = versions[-1] if versions else None
    if newest is not None and (newest.key_id, newest.chain) == (signer.key_id, chain):
        return  # a repeated message: the one before it stays the previous one
    number = newest.number + 1 if newest else 1
    unfinished = [item for item in _all(session) if item.name == name and not item.complete]
    _remove(session, unfinished, keep=signer.key_id)
    for position, certificate in reversed(list(enumerate(chain))):
        write_certificate(
            session, label=f"{name}@{number}", key_id=signer.key_id, position=position, encoded=certificate
        )
    _remove(session, versions[:-1])


def write_certificate(session: Session, *, label: str, key_id: bytes, position: int, encoded: bytes) -> None:
    """Put the DER certificate at `position` of a chain (0: the leaf) beside its key."""
    certificate = parse(encoded)
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.CERTIFICATE,
            Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: False,
            Attribute.LABEL: label,
            # The leaf has its key's CKA_ID, as tools expect; what is above it, that and its position.
            Attribute.ID: key_id + bytes([position] if position else []),
            Attribute.SUBJECT: certificate.subject.encoded,
            Attribute.ISSUER: certificate.issuer.encoded,
            Attribute.SERIAL_NUMBER: der.integer(certificate.serial),
            Attribute.VALUE: encoded,
        }
    )


def _delete(session: Session, name: str) -> None:
    _remove(session, [item for item in _all(session) if item.name == name])


def _remove(session: Session, versions: Iterable[_Version], *, keep: bytes = b"") -> None:
    """Delete versions, oldest first, and each key with the last certificate of it, except the key `keep`."""
    for version in versions:
        for item in version.objects:
            item.destroy()
        if version.key_id != keep and not any(other.key_id == version.key_id for other in _all(session)):
            destroy_key(session, version.key_id)
