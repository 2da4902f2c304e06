"""TransactionEvent and the small notifications."""

from __future__ import annotations

import base64
import math
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ocpp_support import EMAID_TEXT, IDENTITY, Bench, authorize
from pki_factory import NOW, ROLE
from plugpass.errors import LocalError
from plugpass.ids import EMAID
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ports.charging import TransactionPhase, TransactionReport
from plugpass.ports.stations import SecurityEvent

TOKEN = m.IdToken(id_token=EMAID_TEXT, type=e.IdTokenType.EMAID)


def reading(value: float, **options: object) -> m.MeterValue:
    return m.MeterValue(timestamp=NOW, sampled_value=(m.SampledValue(value=value, **options),))  # type: ignore[arg-type]  # a test's shorthand


def event(
    sequence: int = 0,
    phase: TransactionPhase = TransactionPhase.STARTED,
    *,
    token: m.IdToken | None = None,
    values: tuple[m.MeterValue, ...] | None = None,
    stopped: e.StopReason | None = None,
    evse: int = 1,
) -> m.TransactionEventRequest:
    return m.TransactionEventRequest(
        event_type=phase,
        timestamp=NOW,
        trigger_reason=e.TriggerReason.AUTHORIZED,
        seq_no=sequence,
        transaction_info=m.Transaction(transaction_id="t1", stopped_reason=stopped),
        evse=m.EVSE(id=evse),
        id_token=token,
        meter_value=values,
    )


async def stored(bench: Bench) -> list[TransactionReport]:
    return [report for _, report in await bench.registry.transactions(IDENTITY)]


async def test_a_transaction_is_kept_from_start_to_end(bench: Bench) -> None:
    await bench.link.send(event(token=TOKEN, values=(reading(1000.0),)))
    await bench.link.send(event(1, TransactionPhase.UPDATED, values=(reading(1500.4),)))
    await bench.link.send(
        event(2, TransactionPhase.ENDED, values=(reading(2000.0),), stopped=e.StopReason.EV_DISCONNECTED)
    )
    first, second, third = await stored(bench)
    assert first == TransactionReport(
        phase=TransactionPhase.STARTED,
        transaction_id="t1",
        emaid=EMAID.parse(EMAID_TEXT),
        evse=1,
        sequence=0,
        at=NOW,
        energy_wh=1000,
    )
    assert (second.sequence, second.energy_wh, second.emaid) == (1, 1500, None)
    assert (third.phase, third.reason) == (TransactionPhase.ENDED, "EVDisconnected")


async def test_a_repeated_event_is_answered_and_changes_nothing(bench: Bench) -> None:
    first = await bench.link.send(event(token=TOKEN))
    assert await bench.link.send(event(token=TOKEN, values=(reading(5.0),))) == first
    assert [report.energy_wh for report in await stored(bench)] == [None]


@pytest.mark.parametrize(
    ("values", "energy"),
    [
        ((reading(1.5, unit_of_measure=m.UnitOfMeasure(unit="kWh")),), 1500),
        ((reading(15.0, unit_of_measure=m.UnitOfMeasure(multiplier=2)),), 1500),
        ((reading(1500000.0, unit_of_measure=m.UnitOfMeasure(multiplier=-3)),), 1500),
        ((reading(1.0), reading(2.0)), 2),
        ((reading(7.0, measurand=e.Measurand.POWER_ACTIVE_IMPORT),), None),
        ((reading(7.0), reading(2.0, phase="L1")), 7),
        ((reading(7.0, unit_of_measure=m.UnitOfMeasure(unit="furlong")),), None),
        ((reading(7.0, unit_of_measure=m.UnitOfMeasure(multiplier=300)),), None),
        (None, None),
    ],
)
async def test_energy_in_watt_hours(bench: Bench, values: tuple[m.MeterValue, ...] | None, energy: int | None) -> None:
    await bench.link.send(event(values=values))
    assert [report.energy_wh for report in await stored(bench)] == [energy]


@pytest.mark.parametrize(
    ("value", "multiplier"), [(1e308, 12), (1e300, 0), (-1e300, 0), (math.inf, 0), (math.nan, 0), (2.0**54, 0)]
)
async def test_energy_no_meter_shows_is_refused(bench: Bench, value: float, multiplier: int) -> None:
    with pytest.raises(CallRefused, match="energy register") as caught:
        await bench.link.send(event(values=(reading(value, unit_of_measure=m.UnitOfMeasure(multiplier=multiplier)),)))
    assert caught.value.wire == ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert await stored(bench) == []


@pytest.mark.parametrize(
    ("data", "encoding", "receipt"),
    [
        (base64.b64encode(b"\x80\x98").decode(), "EXI", b"\x80\x98"),
        ("no base64", "EXI", None),
        ("AAAA", "OCMF", None),
    ],
)
async def test_a_signed_receipt(bench: Bench, data: str, encoding: str, receipt: bytes | None) -> None:
    signed = m.SignedMeterValue(
        signed_meter_data=data, signing_method="ECDSA-SHA256", encoding_method=encoding, public_key=""
    )
    await bench.link.send(event(values=(reading(1.0, signed_meter_value=signed),)))
    assert [report.signed_receipt for report in await stored(bench)] == [receipt]


@pytest.mark.parametrize(("sequence", "evse"), [(-1, 1), (2**31, 1), (10**30, 1), (0, -1), (0, 2**40)])
async def test_numbers_no_counter_reaches_are_refused(bench: Bench, sequence: int, evse: int) -> None:
    with pytest.raises(CallRefused) as caught:
        await bench.link.send(event(sequence, evse=evse))
    assert caught.value.wire == ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
    assert await stored(bench) == []


async def test_a_token_is_answered_as_it_was_authorized(bench: Bench) -> None:
    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT)
    await bench.link.send(authorize(contract.chain))
    answer = await bench.link.send(event(token=TOKEN))
    assert answer.id_token_info.status is e.AuthorizationStatus.ACCEPTED
    assert len(bench.emsp.asked) == 1  # not asked again a moment later
    bench.emsp.status = e.AuthorizationStatus.BLOCKED
    bench.clock.advance(timedelta(minutes=11))
    answer = await bench.link.send(event(1, TransactionPhase.UPDATED, token=TOKEN))
    assert answer.id_token_info.status is e.AuthorizationStatus.BLOCKED


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (m.IdToken(id_token="", type=e.IdTokenType.NO_AUTHORIZATION), e.AuthorizationStatus.ACCEPTED),
        (m.IdToken(id_token="04A1", type=e.IdTokenType.ISO14443), e.AuthorizationStatus.UNKNOWN),
        (m.IdToken(id_token="nobody", type=e.IdTokenType.EMAID), e.AuthorizationStatus.UNKNOWN),
        (TOKEN, e.AuthorizationStatus.ACCEPTED),
    ],
)
async def test_tokens_without_an_authorize(bench: Bench, token: m.IdToken, status: e.AuthorizationStatus) -> None:
    answer = await bench.link.send(event(token=token))
    assert answer.id_token_info.status is status


async def test_an_event_without_a_token_needs_no_answer(bench: Bench) -> None:
    assert await bench.link.send(event()) == m.TransactionEventResponse()


async def test_notifications(bench: Bench) -> None:
    assert (await bench.link.send(m.HeartbeatRequest())).current_time == bench.clock.now()
    status = m.StatusNotificationRequest(
        timestamp=NOW, connector_status=e.ConnectorStatus.OCCUPIED, evse_id=1, connector_id=1
    )
    assert await bench.link.send(status) == m.StatusNotificationResponse()
    notified = m.SecurityEventNotificationRequest(
        type="InvalidChargingStationCertificate", timestamp=NOW, tech_info="another key"
    )
    with capture_logs() as lines:
        assert await bench.link.send(notified) == m.SecurityEventNotificationResponse()
    assert [line["event"] for line in lines] == ["csms.security_event"]
    assert await bench.registry.security_events() == (
        SecurityEvent(station=IDENTITY, type="InvalidChargingStationCertificate", tech_info="another key", at=NOW),
    )


async def test_a_station_that_vanished_from_the_registry_cannot_boot(bench: Bench) -> None:
    bench.link._identity = "CS-404"
    with pytest.raises(LocalError):
        await bench.boot()


async def test_who_may_connect_and_what_may_be_sent(bench: Bench) -> None:
    assert await bench.csms.admit(IDENTITY)
    assert not await bench.csms.admit("CS-404")
    assert bench.csms.refusal(IDENTITY, "Heartbeat") is ErrorCode.SECURITY_ERROR
    await bench.boot()
    assert bench.csms.refusal(IDENTITY, "Heartbeat") is None
