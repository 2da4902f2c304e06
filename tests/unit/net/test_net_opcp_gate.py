"""Guessing at client secrets: counted by client and by address, before any secret is hashed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plugpass.net import opcp_http
from plugpass.net.clock import ManualClock
from plugpass.net.opcp_http import FAILURE_WINDOW, MAX_FAILURES, OpcpGate
from plugpass.opcp import bodies
from plugpass.opcp.errors import OpcpError
from plugpass.opcp.rights import Account, Party
from plugpass.store.accounts import SqlAccountStore
from plugpass.store.database import Database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def gate(clock: ManualClock, tmp_path: Path) -> AsyncIterator[OpcpGate]:
    database = await Database.at(tmp_path / "accounts.db")
    gate = OpcpGate(accounts=SqlAccountStore(database), clock=clock, random=os.urandom)
    await gate.add_account(Account(client_id="csms", parties=frozenset({Party.CPO})), "secret")
    yield gate
    await database.close()


async def ask(gate: OpcpGate, client_id: str, secret: str = "guess", address: str = "192.0.2.1") -> int:
    wanted = bodies.TokenRequest(
        grant_type="client_credentials", client_id=client_id, client_secret=secret, audience="pools"
    )
    try:
        await gate.grant(wanted, address)
    except OpcpError as error:
        return error.status
    return 200


async def test_a_flood_is_counted_before_it_is_hashed(gate: OpcpGate) -> None:
    statuses = await asyncio.gather(*(ask(gate, "csms") for _ in range(2 * MAX_FAILURES)))
    assert sorted(statuses) == [401] * MAX_FAILURES + [429] * MAX_FAILURES


async def test_invented_names_share_the_share_of_their_address(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock, gate: OpcpGate
) -> None:
    monkeypatch.setattr(gate._of_address, "_most", 3)
    assert [await ask(gate, f"name-{number}") for number in range(5)] == [401] * 3 + [429] * 2
    assert await ask(gate, "csms", "secret", address="192.0.2.2") == 200, "another address is not affected"
    clock.advance(FAILURE_WINDOW + timedelta(seconds=1))
    assert await ask(gate, "csms", "secret") == 200


async def test_all_addresses_of_an_ipv6_network_are_one(monkeypatch: pytest.MonkeyPatch, gate: OpcpGate) -> None:
    monkeypatch.setattr(gate._of_address, "_most", 2)
    statuses = [await ask(gate, f"name-{number}", address=f"2001:db8::{number}") for number in range(1, 4)]
    assert statuses == [401, 401, 429]


async def test_what_succeeds_is_not_counted(gate: OpcpGate) -> None:
    assert [await ask(gate, "csms", "secret") for _ in range(MAX_FAILURES + 2)] == [200] * (MAX_FAILURES + 2)


def test_an_address_may_fail_more_often_than_a_client() -> None:
    assert opcp_http.MAX_ADDRESS_FAILURES > MAX_FAILURES
