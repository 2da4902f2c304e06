"""No octets a peer can send make a machine raise, hang, or keep timers after its end."""

from __future__ import annotations

import os
from itertools import cycle

from charging_pair import Pair, Station, contract, drain, evcc_config, installation_response, power_delivery
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plugpass.exi import encode
from plugpass.iso15118.iso2 import Evcc, Secc
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.machine import SessionEnded
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import ChargeProgress
from plugpass.iso15118.v2gtp import EXI_ISO2, frame

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PHASES = st.sampled_from(
    [None, Phase.SESSION_SETUP, Phase.SERVICE_SELECTION, Phase.PAYMENT_DETAILS, Phase.AUTHORIZATION, Phase.AC_CHARGING]
)


def check(machine: Secc | Evcc) -> None:
    """The invariants of any machine at any time."""
    events = drain(machine)
    ends = [event for event in events if isinstance(event, SessionEnded)]
    assert len(ends) == machine.ended
    if machine.ended:
        assert events[-1] is ends[0]
        assert machine.deadline() is None
    else:
        assert machine.deadline() is not None


def station(phase: Phase | None) -> Secc:
    made = Station() if phase is None else Station().reach(phase)
    made.response()
    return made.secc


@QUICK
@given(phase=PHASES, chunks=st.lists(st.binary(max_size=40), max_size=6))
def test_any_octets_at_the_station(phase: Phase | None, chunks: list[bytes]) -> None:
    secc = station(phase)
    for chunk in chunks:
        secc.receive(chunk, 101.0)
    check(secc)


@QUICK
@given(phase=PHASES, messages=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_any_framed_octets_at_the_station(phase: Phase | None, messages: list[bytes]) -> None:
    secc = station(phase)
    for message in messages:
        secc.receive(frame(EXI_ISO2, message), 101.0)
    check(secc)


@QUICK
@given(chunks=st.lists(st.binary(max_size=60), min_size=1, max_size=4), framed=st.booleans())
def test_any_octets_at_the_vehicle(chunks: list[bytes], framed: bool) -> None:
    evcc = Evcc(evcc_config(), random=os.urandom, now=0.0)
    for chunk in chunks:
        evcc.receive(frame(EXI_ISO2, chunk) if framed else chunk, 1.0)
    check(evcc)


def samples() -> list[tuple[Phase, bytes]]:
    """Good messages for some phases."""
    made = Station().reach(Phase.AUTHORIZATION)
    authorization = made.message(made.authorization_req(), contract().signer)
    charging = Station().reach(Phase.AC_START)
    return [
        (Phase.AUTHORIZATION, encode("iso2", authorization)),
        (Phase.AC_START, encode("iso2", charging.message(power_delivery(ChargeProgress.START)))),
        (Phase.SESSION_SETUP, encode("iso2", Station().message(iso2.SessionSetupReq(evcc_id=bytes(6))))),
    ]


@QUICK
@given(data=st.data())
def test_damaged_messages_at_the_station(data: st.DataObject) -> None:
    phase, exi = data.draw(st.sampled_from(SAMPLES))
    damaged = bytearray(exi)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(exi) - 1))] = data.draw(st.integers(0, 255))
    secc = station(phase)
    secc.receive(frame(EXI_ISO2, bytes(damaged)), 101.0)
    check(secc)


@QUICK
@given(data=st.data())
def test_a_damaged_installation_response_installs_nothing_or_the_contract(data: st.DataObject) -> None:
    exi = bytearray(installation_response())
    exi[data.draw(st.integers(0, len(exi) - 1))] ^= data.draw(st.integers(1, 255))
    pair = Pair(evcc_config=evcc_config(contract=None), installation=lambda: bytes(exi)).run()
    assert pair.evcc.ended
    assert pair.secc.ended


@QUICK
@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_any_split_gives_the_same_session(cuts: list[int]) -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=2))
    sizes = cycle(cuts)
    pair._chunks = lambda data: _cut(data, sizes)  # type: ignore[method-assign]  # the wire under test
    pair.run()
    assert [type(event) for event in pair.vehicle] == REFERENCE


def _cut(data: bytes, sizes) -> list[bytes]:  # type: ignore[no-untyped-def]  # a test's helper
    chunks = []
    while data:
        size = next(sizes)
        chunks.append(data[:size])
        data = data[size:]
    return chunks


SAMPLES = samples()
REFERENCE = [type(event) for event in Pair(evcc_config=evcc_config(max_loops=2)).run().vehicle]
