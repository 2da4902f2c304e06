"""Reports on their way to the CSMS: order, refusals, outages, and what they look like in OCPP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from pki_factory import NOW
from plugpass.errors import LocalError, PeerError, Unavailable
from plugpass.ids import EMAID
from plugpass.net.clock import ManualClock
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.ocpp.codec import encode_request
from plugpass.ports.charging import TransactionPhase, TransactionReport
from plugpass.roles.station.reporting import RETRY, Reporter, transaction_event
from plugpass.store.database import Database
from plugpass.store.station import PendingReport, StationMemory

START = TransactionReport(
    phase=TransactionPhase.STARTED,
    transaction_id="t-1",
    emaid=EMAID.parse("DEPLUC12345678Q"),
    evse=1,
    sequence=0,
    at=NOW,
    energy_wh=100,
)
UPDATE = replace(START, phase=TransactionPhase.UPDATED, sequence=1, energy_wh=350, signed_receipt=b"exi")
END = replace(START, phase=TransactionPhase.ENDED, sequence=2, energy_wh=600, reason="StoppedByEV")


@dataclass
class Csms:
    """Takes what it is sent; `answers` are given first."""

    answers: list[Exception | m.TransactionEventResponse] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    online: bool = True

    async def call(self, request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # the port's
        if not self.online:
            raise Unavailable("there is no connection to the CSMS")
        encode_request(request)  # as the real one: what breaks the official schema is a LocalError here
        self.got.append(request)
        self.news.set()
        answer = self.answers.pop(0) if self.answers else m.TransactionEventResponse()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def next(self) -> None:
        await self.news.wait()
        self.news.clear()


@dataclass(kw_only=True)
class Bench:
    reporter: Reporter
    csms: Csms
    clock: ManualClock
    memory: StationMemory
    deauthorized: list[str]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    database = await Database.in_memory()
    memory, csms, clock, deauthorized = StationMemory(database), Csms(), ManualClock(NOW), []

    async def note(transaction_id: str) -> None:
        deauthorized.append(transaction_id)

    reporter = Reporter(memory=memory, uplink=csms, clock=clock, ready=lambda: csms.online, on_deauthorized=note)
    task = asyncio.create_task(reporter.run())
    yield Bench(reporter=reporter, csms=csms, clock=clock, memory=memory, deauthorized=deauthorized)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.close()


async def delivered(bench: Bench) -> None:
    """Until everything is delivered, with as much time passing as that takes."""
    done = asyncio.create_task(bench.reporter.wait_delivered())
    while not done.done():
        bench.clock.advance(RETRY)
        await asyncio.sleep(0)


async def test_reports_are_delivered_in_order(bench: Bench) -> None:
    for report in (START, UPDATE, END):
        await bench.reporter.keep(report)
    await delivered(bench)
    assert [request.seq_no for request in bench.csms.got] == [0, 1, 2]
    assert await bench.memory.unfinished() == ()


async def test_outage_delays_and_marks_reports(bench: Bench) -> None:
    bench.csms.online = False
    await bench.reporter.keep(START)
    await bench.reporter.keep(UPDATE)
    assert bench.csms.got == []
    bench.csms.online = True
    await bench.reporter.keep(END)
    await delivered(bench)
    assert [(request.seq_no, request.offline) for request in bench.csms.got] == [(0, True), (1, True), (2, False)]


async def test_lost_connection_repeats_the_same_report(bench: Bench) -> None:
    bench.csms.answers = [Unavailable("lost")]
    await bench.reporter.keep(START)
    await delivered(bench)
    assert [request.seq_no for request in bench.csms.got] == [0, 0]


async def test_report_that_is_refused_again_and_again_does_not_block_the_others(bench: Bench) -> None:
    assert START.emaid is not None
    bench.csms.answers = [PeerError(f"no {START.emaid} here", wire="InternalError")] * 3
    with capture_logs() as logs:
        await bench.reporter.keep(START)
        await bench.reporter.keep(UPDATE)
        await delivered(bench)
    assert START.emaid.key not in repr(logs)
    assert [request.seq_no for request in bench.csms.got] == [0, 0, 0, 1]


async def test_report_that_can_never_be_sent_is_given_up_alone(bench: Bench) -> None:
    impossible = replace(START, transaction_id="x" * 37)
    with pytest.raises(LocalError):
        encode_request(transaction_event(PendingReport(report=impossible, offline=False)))
    with capture_logs() as logs:
        await bench.reporter.keep(impossible)
        await bench.reporter.keep(START)
        await delivered(bench)
    assert [request.transaction_info.transaction_id for request in bench.csms.got] == ["t-1"]
    (given_up,) = [entry for entry in logs if entry["event"] == "report_given_up"]
    assert (given_up["log_level"], given_up["transaction"]) == ("error", impossible.transaction_id)
    await bench.reporter.keep(UPDATE)
    await delivered(bench)
    assert len(bench.csms.got) == 2, "the delivery goes on"


async def test_transaction_that_ends_for_an_unheard_of_reason_is_told_as_other(bench: Bench) -> None:
    with capture_logs() as logs:
        await bench.reporter.keep(replace(END, reason="Lightning"))
        await delivered(bench)
    (told,) = bench.csms.got
    assert told.transaction_info.stopped_reason is e.StopReason.OTHER
    assert [entry["reason"] for entry in logs if entry["event"] == "stop_reason_unknown"] == ["Lightning"]


async def test_security_event_that_can_never_be_sent_is_given_up_alone(bench: Bench) -> None:
    with capture_logs() as logs:
        await bench.reporter.keep_security_event("x" * 51, "longer than OCPP takes")
        await bench.reporter.keep(START)
        await delivered(bench)
    assert [request.seq_no for request in bench.csms.got] == [0]
    assert [entry["event"] for entry in logs] == ["security_event_given_up"]


async def test_withdrawn_authorization_reaches_the_station(bench: Bench) -> None:
    refused = m.TransactionEventResponse(id_token_info=m.IdTokenInfo(status=e.AuthorizationStatus.BLOCKED))
    bench.csms.answers = [refused]
    await bench.reporter.keep(START)
    await delivered(bench)
    assert bench.deauthorized == ["t-1"]


async def test_security_events_go_first(bench: Bench) -> None:
    bench.csms.online = False
    await bench.reporter.keep(START)
    await bench.reporter.keep_security_event("InvalidChargingStationCertificate", "expired")
    bench.csms.online = True
    bench.reporter.wake()
    await delivered(bench)
    assert [type(request).__name__ for request in bench.csms.got] == [
        "SecurityEventNotificationRequest",
        "TransactionEventRequest",
    ]


@pytest.mark.parametrize(
    ("report", "trigger", "context"),
    [
        (START, "ChargingStateChanged", "Transaction.Begin"),
        (UPDATE, "SignedDataReceived", "Sample.Periodic"),
        (replace(UPDATE, signed_receipt=None), "MeterValuePeriodic", "Sample.Periodic"),
        (END, "ChargingStateChanged", "Transaction.End"),
        (replace(END, reason="EVDisconnected"), "EVCommunicationLost", "Transaction.End"),
        (replace(END, reason="DeAuthorized"), "Deauthorized", "Transaction.End"),
        (replace(END, reason="PowerLoss"), "AbnormalCondition", "Transaction.End"),
        (replace(END, reason="EmergencyStop"), "AbnormalCondition", "Transaction.End"),
    ],
)
def test_report_as_transaction_event(report: TransactionReport, trigger: str, context: str) -> None:
    event = transaction_event(PendingReport(report=report, offline=False))
    encode_request(event)  # the official schema agrees
    assert event.trigger_reason == trigger
    assert event.meter_value is not None
    (value,) = event.meter_value[0].sampled_value
    assert value.context == context
    assert value.value == report.energy_wh
    if report.signed_receipt:
        assert value.signed_meter_value is not None
        assert base64.b64decode(value.signed_meter_value.signed_meter_data) == report.signed_receipt
    assert event.transaction_info.stopped_reason == (report.reason or None)


def test_report_without_energy_or_emaid() -> None:
    event = transaction_event(PendingReport(report=replace(START, energy_wh=None, emaid=None), offline=True))
    encode_request(event)
    assert event.meter_value is None
    assert event.id_token is None
    assert event.offline
