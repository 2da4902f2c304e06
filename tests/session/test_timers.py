"""Timers, with a clock that only moves when it is told to."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from charging_pair import Pair, Station, drain, ended, evcc_config, of_type, only, payment_details, secc_config

from plugpass.iso15118.iso2 import Evcc, Secc, events
from plugpass.iso15118.iso2.flow import RESPONSE_OF, Phase
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import EVSEProcessing
from plugpass.iso15118.timing import ISO2_TIMING, MessageTimes, Timer, Timers


def test_the_table_names_messages_that_exist() -> None:
    names = {request.__name__ for request in RESPONSE_OF}
    assert ISO2_TIMING.messages.keys() <= names


@pytest.mark.parametrize(
    ("request_", "timeout", "performance"),
    [
        ("SessionSetupReq", 2.0, 1.5),
        ("AuthorizationReq", 2.0, 1.5),
        ("ServiceDetailReq", 5.0, 4.5),
        ("PaymentDetailsReq", 5.0, 4.5),
        ("PowerDeliveryReq", 5.0, 4.5),
        ("CertificateInstallationReq", 5.0, 4.5),
        ("CurrentDemandReq", 0.25, 0.025),
    ],
)
def test_message_times(request_: str, timeout: float, performance: float) -> None:
    assert ISO2_TIMING.of(request_) == MessageTimes(timeout=timeout, performance=performance)


def test_relaxed_times_leave_the_session_timers_alone() -> None:
    slow = ISO2_TIMING.relaxed(4)
    assert slow.of("SessionSetupReq").timeout == 8.0
    assert slow.of("PaymentDetailsReq").timeout == 20.0
    assert slow.sequence_timeout == 60.0


def test_timers_expire_in_order() -> None:
    timers = Timers()
    timers.start(Timer.SEQUENCE, 10.0)
    timers.start(Timer.PACE, 5.0)
    assert timers.deadline() == 5.0
    assert timers.expire(4.9) is None
    assert timers.expire(20.0) is Timer.PACE
    assert timers.expire(20.0) is Timer.SEQUENCE
    assert timers.expire(20.0) is None
    assert timers.deadline() is None


@pytest.mark.parametrize("phase", [Phase.SERVICE_DISCOVERY, Phase.AUTHORIZATION, Phase.AC_CHARGING, Phase.STOPPED])
def test_a_silent_vehicle_is_given_up_after_the_sequence_timeout(phase: Phase) -> None:
    station = Station().reach(phase)
    assert station.secc.deadline() == station.now + 60.0
    station.tick(59.9)
    assert not station.secc.ended
    station.tick(0.1)
    assert "sequence timeout" in ended(station.events).reason
    stopped = phase in (Phase.AC_CHARGING, Phase.STOPPED)
    assert len(of_type(station.events, events.ChargingStopped)) == stopped


@pytest.mark.parametrize("negotiated", [False, True])
def test_a_vehicle_that_sets_up_no_session_is_given_up(negotiated: bool) -> None:
    secc = Secc(secc_config(), random=os.urandom, now=0.0)
    if negotiated:
        station = Station()
        station.handshake()
        secc, start = station.secc, station.now
    else:
        start = 0.0
    assert secc.deadline() == start + 18.0
    secc.handle_timeout(start + 17.9)
    assert not secc.ended
    secc.handle_timeout(start + 18.0)
    assert "communication setup" in ended(drain(secc)).reason


def test_the_sequence_timer_rests_while_the_vehicle_waits_for_us() -> None:
    station = Station(verdict=None).reach(Phase.PAYMENT_DETAILS)
    station.tick(59.0)
    assert station.ask(payment_details()) is None
    assert station.secc.deadline() == station.now + 4.5
    station.tick(4.5)
    assert station.response() is not None
    assert station.secc.deadline() == station.now + 60.0


def test_calling_too_early_is_harmless() -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    before = station.secc.deadline()
    station.secc.handle_timeout(station.now)
    assert station.secc.deadline() == before
    assert not station.secc.ended


@pytest.mark.parametrize(
    ("silent_after", "seconds"),
    [
        ("supportedAppProtocolReq", 2.0),
        ("SessionSetupReq", 2.0),
        ("ServiceDetailReq", 5.0),
        ("CertificateInstallationReq", 5.0),
        ("PaymentDetailsReq", 5.0),
        ("AuthorizationReq", 2.0),
        ("PowerDeliveryReq", 5.0),
        ("ChargingStatusReq", 2.0),
        ("SessionStopReq", 2.0),
    ],
)
def test_a_silent_station_is_given_up_after_the_message_timeout(silent_after: str, seconds: float) -> None:
    pair = Pair(evcc_config=evcc_config(contract=None))
    while pair.requests()[-1:] != [silent_after]:
        data = pair.evcc.data_to_send()
        pair.vehicle += drain(pair.evcc)
        if pair.requests()[-1:] == [silent_after]:
            break
        pair.secc.receive(data, pair.now)
        pair._collect()
        pair.evcc.receive(pair.secc.data_to_send(), pair.now)
        pair._collect()
    pair.evcc.data_to_send()
    assert pair.evcc.deadline() == pair.now + seconds
    pair.evcc.handle_timeout(pair.now + seconds - 0.01)
    assert not pair.evcc.ended
    pair.evcc.handle_timeout(pair.now + seconds)
    pair.vehicle += drain(pair.evcc)
    reason = ended(pair.vehicle).reason
    assert "message timeout" in reason
    assert silent_after in reason or silent_after == "supportedAppProtocolReq"
    assert pair.evcc.data_to_send() == b""


def test_communication_setup_limits_the_vehicle_too() -> None:
    slow = ISO2_TIMING.relaxed(100)
    evcc = Evcc(evcc_config(timing=slow), random=os.urandom, now=0.0)
    evcc.handle_timeout(20.0)
    assert "communication setup" in ended(drain(evcc)).reason


def test_the_vehicle_waits_for_a_verdict_at_its_own_pace_and_not_for_ever() -> None:
    pair = Pair(
        verdict=None,
        evcc_config=evcc_config(ongoing_interval=2.0),
        # The station's own limit is out of the way.
        secc_config=secc_config(timing=replace(ISO2_TIMING, ongoing_timeout=1000.0)),
    ).run()
    assert "ongoing timeout" in ended(pair.vehicle).reason
    first = 104.5 + 0.75
    assert pair.now == pytest.approx(first + 60.0)
    assert pair.requests().count("AuthorizationReq") <= 60 / 2 + 1


def test_the_stations_limit_comes_first_where_both_keep_to_the_standard() -> None:
    pair = Pair(verdict=None).run()
    refusal = only(pair.vehicle, events.ContractRefused)
    assert refusal.request == "AuthorizationReq"
    assert 160.0 <= pair.now <= 166.5


def test_charge_parameters_may_take_a_while() -> None:
    remaining = iter([True] * 5 + [False])

    def ongoing(message: iso2.V2GMessage) -> iso2.V2GMessage:
        body = message.body.element
        if isinstance(body, iso2.ChargeParameterDiscoveryRes) and next(remaining):
            waiting = replace(body, evse_processing=EVSEProcessing.ONGOING, sa_schedules=None)
            return replace(message, body=iso2.Body(waiting))
        return message

    pair = Pair(rewrite_response=ongoing).run()
    assert ended(pair.vehicle).ok
    assert pair.requests().count("ChargeParameterDiscoveryReq") == 6
    assert pair.now == pytest.approx(100.0 + 5 * 0.25)


def test_the_loop_keeps_its_pace() -> None:
    pair = Pair(evcc_config=evcc_config(loop_interval=3.0, max_loops=5)).run()
    assert ended(pair.vehicle).ok
    assert pair.now == pytest.approx(100.0 + 4 * 3.0)


@pytest.mark.parametrize("side", ["secc", "evcc"])
def test_a_closed_connection_ends_the_session_at_once(side: str) -> None:
    pair = Pair(evcc_config=evcc_config(loop_interval=1.0))
    pair.run(until=102.0)
    machine = pair.secc if side == "secc" else pair.evcc
    machine.receive(b"", pair.now)
    stopped, end = drain(machine)
    assert isinstance(stopped, events.ChargingStopped)
    assert "closed" in ended([end]).reason
    assert machine.deadline() is None
