"""The registry keeps what it is given, once, and gives it back unchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from ocpp_support import EMAID_TEXT, IDENTITY, STATION
from pki_factory import NOW, ROLE, shared_pki
from plugpass.ids import EMAID
from plugpass.ports.charging import CertificateStatus, TokenStatus, TransactionPhase, TransactionReport
from plugpass.ports.stations import (
    AttemptStatus,
    AuthorizationRecord,
    CertificateAttempt,
    SecurityEvent,
    StationCertificate,
)
from plugpass.store.csms import SqlStationRegistry
from plugpass.store.database import Database

CERTIFICATE = StationCertificate(
    station=IDENTITY,
    evse_id="DE*PLU*E1",
    chain=(b"leaf", b"sub"),
    serial=(1 << 150) + 7,  # wider than any database integer
    not_before=NOW,
    not_after=NOW + timedelta(days=60),
    installed_at=NOW,
)
REPORT = TransactionReport(
    phase=TransactionPhase.STARTED,
    transaction_id="t1",
    emaid=EMAID.parse(EMAID_TEXT),
    evse=1,
    sequence=0,
    at=NOW,
    energy_wh=1234,
    signed_receipt=b"\x80\x98",
)


async def test_stations(registry: SqlStationRegistry) -> None:
    assert await registry.station(IDENTITY) is None
    await registry.save_station(STATION)
    booted = replace(STATION, vendor="Plugpass", model="One", serial_number="1", last_boot=NOW)
    await registry.save_station(booted)
    other = replace(STATION, identity="CS-000")
    await registry.save_station(other)
    assert await registry.station(IDENTITY) == booted
    assert await registry.stations() == (other, booted)


async def test_the_newest_certificate_of_each_evse(registry: SqlStationRegistry) -> None:
    newer = replace(CERTIFICATE, serial=8)
    second = replace(CERTIFICATE, evse_id="DE*PLU*E2")
    foreign = replace(CERTIFICATE, station="CS-002")
    for certificate in (CERTIFICATE, newer, second, foreign, newer):
        await registry.save_certificate(certificate)
    assert await registry.certificates() == (newer, second, foreign)
    assert await registry.certificates("CS-002") == (foreign,)


async def test_a_repeated_transaction_report_changes_nothing(registry: SqlStationRegistry) -> None:
    assert await registry.record_transaction(IDENTITY, REPORT)
    assert not await registry.record_transaction(IDENTITY, replace(REPORT, energy_wh=9999))
    ended = replace(REPORT, phase=TransactionPhase.ENDED, sequence=1, emaid=None, energy_wh=None, signed_receipt=None)
    assert await registry.record_transaction(IDENTITY, ended)
    assert await registry.record_transaction("CS-002", REPORT)  # another station's transaction of the same id
    assert await registry.transactions(IDENTITY) == ((IDENTITY, REPORT), (IDENTITY, ended))
    assert len(await registry.transactions()) == 3


async def test_authorizations_attempts_and_security_events(registry: SqlStationRegistry) -> None:
    authorization = AuthorizationRecord(
        station=IDENTITY,
        emaid=EMAID_TEXT,
        certificate_status=CertificateStatus.CONTRACT_CANCELLED,
        token_status=TokenStatus.BLOCKED,
        reason="the eMSP answers Blocked",
        at=NOW,
    )
    attempt = CertificateAttempt(
        station=IDENTITY,
        use="V2GCertificate",
        subject="DE*PLU*E1",
        status=AttemptStatus.ISSUED,
        reason="serial 7",
        at=NOW,
    )
    event = SecurityEvent(station=IDENTITY, type="InvalidChargingStationCertificate", tech_info="other key", at=NOW)
    await registry.record_authorization(authorization)
    await registry.record_attempt(attempt)
    await registry.record_security_event(event)
    assert await registry.authorizations(IDENTITY) == (authorization,)
    assert await registry.attempts() == (attempt,)
    assert await registry.security_events(IDENTITY) == (event,)
    assert await registry.security_events("CS-002") == ()


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        database = await Database.at(tmp_path / "csms.db")
        registry = SqlStationRegistry(database)
        await registry.save_station(STATION)
        await registry.save_certificate(replace(CERTIFICATE, chain=shared_pki().leaf(ROLE.SECC_LEAF).chain))
        await registry.record_transaction(IDENTITY, REPORT)
        assert await registry.stations() == (STATION,)
        assert len(await registry.certificates()) == 1
        assert await registry.transactions() == ((IDENTITY, REPORT),)
        await database.close()
