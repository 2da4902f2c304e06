"""What a station remembers over restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pki_factory import NOW, ROLE, shared_pki
from plugpass.ids import EMAID
from plugpass.ports.charging import TransactionPhase, TransactionReport
from plugpass.roles.station.transaction import interrupted
from plugpass.store.database import Database
from plugpass.store.station import InstalledRoot, StationMemory

START = TransactionReport(
    phase=TransactionPhase.STARTED,
    transaction_id="t-1",
    emaid=EMAID.parse("DEPLUC12345678Q"),
    evse=1,
    sequence=0,
    at=NOW,
    energy_wh=100,
)


@pytest.fixture
async def memory() -> AsyncIterator[StationMemory]:
    database = await Database.in_memory()
    yield StationMemory(database)
    await database.close()


def after(report: TransactionReport, phase: TransactionPhase, **changes: object) -> TransactionReport:
    return replace(report, phase=phase, sequence=report.sequence + 1, at=report.at + timedelta(seconds=1), **changes)


async def test_reports_wait_in_order_until_delivered(memory: StationMemory) -> None:
    update = after(START, TransactionPhase.UPDATED, signed_receipt=b"exi")
    for report in (START, update):
        await memory.keep_report(report, offline=report is update)
    pending = await memory.pending_reports()
    assert [item.report for item in pending] == [START, update]
    assert [item.offline for item in pending] == [False, True]
    await memory.report_delivered(START)
    assert [item.report for item in await memory.pending_reports()] == [update]


async def test_report_is_kept_once(memory: StationMemory) -> None:
    await memory.keep_report(START, offline=False)
    await memory.keep_report(replace(START, energy_wh=999), offline=True)
    (pending,) = await memory.pending_reports()
    assert pending.report == START


async def test_delivered_transaction_is_forgotten_when_it_is_over(memory: StationMemory) -> None:
    end = after(START, TransactionPhase.ENDED, reason="StoppedByEV")
    await memory.keep_report(START, offline=False)
    await memory.report_delivered(START)
    assert await memory.unfinished() == (START,)
    await memory.keep_report(end, offline=False)
    assert await memory.unfinished() == ()
    await memory.report_delivered(end)
    # nothing is left of it: the same id could start over
    await memory.keep_report(START, offline=False)
    assert [item.report for item in await memory.pending_reports()] == [START]


async def test_interrupted_transaction_ends_with_the_next_number(memory: StationMemory) -> None:
    update = after(START, TransactionPhase.UPDATED, energy_wh=350)
    for report in (START, update):
        await memory.keep_report(report, offline=False)
    (last,) = await memory.unfinished()
    end = interrupted(last, NOW + timedelta(hours=1))
    assert (end.phase, end.sequence, end.energy_wh, end.reason) == (TransactionPhase.ENDED, 2, 350, "PowerLoss")


async def test_transaction_without_an_emaid(memory: StationMemory) -> None:
    await memory.keep_report(replace(START, emaid=None), offline=False)
    (pending,) = await memory.pending_reports()
    assert pending.report.emaid is None


async def test_roots_are_kept_by_use(memory: StationMemory) -> None:
    encoded = shared_pki()[ROLE.V2G_ROOT].der
    as_v2g = InstalledRoot(use="V2GRootCertificate", certificate=encoded)
    as_mo = InstalledRoot(use="MORootCertificate", certificate=encoded)
    for root in (as_v2g, as_mo, as_v2g):
        await memory.save_root(root, NOW)
    assert set(await memory.roots()) == {as_v2g, as_mo}
    await memory.remove_root(as_mo)
    assert await memory.roots() == (as_v2g,)


async def test_security_events_are_cut_to_what_ocpp_takes(memory: StationMemory) -> None:
    await memory.keep_security_event("InvalidChargingStationCertificate", NOW, "x" * 1000)
    (event,) = await memory.pending_security_events()
    assert len(event.detail) == 255
    await memory.security_event_delivered(event)
    assert await memory.pending_security_events() == ()
