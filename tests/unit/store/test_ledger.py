"""The ledger: nothing issued is forgotten or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from plugpass.errors import LocalError
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.issuing import CertificateRecord
from plugpass.store.authority import SqlCertificateLedger
from plugpass.store.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ISSUER = "ab" * 20
RECORD = CertificateRecord(
    issuer_key_id=ISSUER,
    serial=2**159 + 1,
    role=CertificateRole.SECC_LEAF,
    subject="DEICEE45B78C",
    owner="csms",
    certificate=b"DER",
    issued_at=NOW,
    not_before=NOW - timedelta(minutes=5),
    not_after=NOW + timedelta(days=60),
    request_digest="cd" * 32,
)


@pytest.fixture
async def ledger() -> AsyncIterator[SqlCertificateLedger]:
    database = await Database.in_memory()
    yield SqlCertificateLedger(database)
    await database.close()


async def test_finds_what_was_added(ledger: SqlCertificateLedger) -> None:
    await ledger.add(RECORD)
    assert await ledger.find(ISSUER, RECORD.serial) == RECORD
    assert await ledger.find(ISSUER, 1) is None
    assert await ledger.find("00" * 20, RECORD.serial) is None


async def test_a_serial_number_is_used_once(ledger: SqlCertificateLedger) -> None:
    await ledger.add(RECORD)
    with pytest.raises(LocalError, match="used before"):
        await ledger.add(replace(RECORD, subject="DEICEE45B78D"))
    await ledger.add(replace(RECORD, issuer_key_id="ef" * 20))
    assert len(await ledger.all()) == 2


async def test_finds_the_newest_unrevoked_answer_to_a_request(ledger: SqlCertificateLedger) -> None:
    await ledger.add(RECORD)
    await ledger.add(replace(RECORD, serial=7))
    assert (found := await ledger.find_request(RECORD.request_digest))
    assert found.serial == 7
    await ledger.revoke(ISSUER, 7, NOW, "superseded")
    assert await ledger.find_request(RECORD.request_digest) == RECORD
    assert await ledger.find_request("00" * 32) is None


async def test_the_first_revocation_stands(ledger: SqlCertificateLedger) -> None:
    await ledger.add(RECORD)
    assert await ledger.revoke(ISSUER, RECORD.serial, NOW, "keyCompromise")
    assert await ledger.revoke(ISSUER, RECORD.serial, NOW + timedelta(days=1), "superseded")
    assert not await ledger.revoke(ISSUER, 1, NOW, "superseded")
    assert (found := await ledger.find(ISSUER, RECORD.serial))
    assert (found.revoked_at, found.revocation_reason) == (NOW, "keyCompromise")


async def test_all_is_in_order_of_issuing(ledger: SqlCertificateLedger) -> None:
    for serial in (9, 3, 5):
        await ledger.add(replace(RECORD, serial=serial))
    assert [record.serial for record in await ledger.all()] == [9, 3, 5]
