"""Who may ask, and how often."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from plugpass.errors import ConfigurationError
from plugpass.est.authorization import Identity
from plugpass.roles.v2g_ca import accounts
from plugpass.roles.v2g_ca.accounts import Account, Accounts
from plugpass.roles.v2g_ca.rate import Rate, RateLimiter

ACCOUNT = Account.create(Identity(name="csms"), "correct horse", random=os.urandom)
ACCOUNTS = Accounts([ACCOUNT])


async def test_the_right_password_gives_the_identity() -> None:
    assert await ACCOUNTS.check("csms", "correct horse") == ACCOUNT.identity
    assert ACCOUNTS.identity("csms") == ACCOUNT.identity


@pytest.mark.parametrize(
    ("name", "password"), [("csms", "wrong"), ("csms", ""), ("nobody", "correct horse"), ("-", ""), ("", "")]
)
async def test_anything_else_gives_nobody(name: str, password: str) -> None:
    assert await ACCOUNTS.check(name, password) is None


async def test_only_two_passwords_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    digest, lock = accounts._digest, threading.Lock()
    running, seen = 0, list[int]()

    def counted(password: str, salt: bytes) -> bytes:
        nonlocal running
        with lock:
            running += 1
            seen.append(running)
        result = digest(password, salt)
        with lock:
            running -= 1
        return result

    monkeypatch.setattr(accounts, "_digest", counted)
    own = Accounts([ACCOUNT])
    assert await asyncio.gather(*(own.check("csms", "guess") for _ in range(6))) == [None] * 6
    assert max(seen) <= 2


def test_neither_password_nor_hash_is_shown() -> None:
    assert "correct horse" not in repr(ACCOUNT)
    assert ACCOUNT.password_hash.hex() not in repr(ACCOUNT)
    assert "password_hash" not in repr(ACCOUNT)


def test_two_accounts_with_one_password_have_two_hashes() -> None:
    assert Account.create(Identity(name="b"), "correct horse", random=os.urandom).password_hash != ACCOUNT.password_hash


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("a:b", "x"), ("csms", "")])
def test_unusable_accounts_are_not_created(name: str, password: str) -> None:
    with pytest.raises(ConfigurationError):
        Account.create(Identity(name=name), password, random=os.urandom)


def test_a_burst_then_the_rate() -> None:
    limiter = RateLimiter(Rate(burst=2, per_minute=6))
    assert [limiter.admit("a", 0.0) for _ in range(3)] == [None, None, 10]
    assert limiter.admit("b", 0.0) is None, "another requester is not affected"
    assert limiter.admit("a", 9.0) == 1
    assert limiter.admit("a", 10.0) is None
    assert [limiter.admit("a", 1000.0) for _ in range(3)] == [None, None, 10], "never more than the burst"


def test_only_so_many_requesters_are_remembered() -> None:
    limiter = RateLimiter(Rate(burst=1, per_minute=1), remembered=2)
    for requester in ("a", "b", "c"):
        assert limiter.admit(requester, 0.0) is None
    assert limiter.admit("c", 0.0) is not None
    assert limiter.admit("a", 0.0) is None, "forgotten, the oldest first"
