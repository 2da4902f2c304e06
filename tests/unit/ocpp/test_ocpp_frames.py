"""OCPP-J frames: what is sent, and that nothing a peer sends goes unanswered or raises anything unexpected."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.ocpp.frames import (
    Call,
    CallError,
    CallResult,
    ErrorCode,
    Frame,
    MalformedFrame,
    decode,
    encode,
)

FRAMES = [
    Call(message_id="1", action="Heartbeat", payload=b"{}"),
    CallResult(message_id="1", payload=b'{"currentTime":"2026-06-01T12:00:00Z"}'),
    CallError(message_id="1", code="NotImplemented", description="no", details={"a": 1}),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_survives_the_round_trip(frame: Frame) -> None:
    assert decode(encode(frame)) == frame


def test_the_text_is_what_the_standard_says() -> None:
    assert json.loads(encode(FRAMES[0])) == [2, "1", "Heartbeat", {}]
    assert json.loads(encode(FRAMES[1])) == [3, "1", {"currentTime": "2026-06-01T12:00:00Z"}]
    assert json.loads(encode(FRAMES[2])) == [4, "1", "NotImplemented", "no", {"a": 1}]


def test_a_description_is_cut_to_what_the_peer_must_accept() -> None:
    text = encode(CallError(message_id="1", code="GenericError", description="x" * 1000))
    assert len(json.loads(text)[3]) == 255


RPC, TYPE = ErrorCode.RPC_FRAMEWORK_ERROR, ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED


@pytest.mark.parametrize(
    ("text", "wire", "message_id"),
    [
        ("", RPC, "-1"),
        ("hello", RPC, "-1"),
        ("{}", RPC, "-1"),
        ("[]", RPC, "-1"),
        ('["2","1","Heartbeat",{}]', RPC, "-1"),
        ("[2.5]", RPC, "-1"),
        (b"\xff\xfe\x00", RPC, "-1"),
        ("[" * 100_000, RPC, "-1"),
        ('[2,"1","Heartbeat",{}', RPC, "-1"),
        ('[2,7,"Heartbeat",{}]', RPC, "-1"),
        ('[2,"","Heartbeat",{}]', RPC, "-1"),
        (f'[2,"{"x" * 37}","Heartbeat",{{}}]', RPC, "-1"),
        ('[2,"1","Heartbeat"]', RPC, "1"),
        ('[2,"1","Heartbeat",{},{}]', RPC, "1"),
        ('[2,"1",5,{}]', RPC, "1"),
        ('[6,"1","NotifyPeriodicEventStream",{}]', TYPE, "1"),
        ('[99,"1"]', TYPE, "1"),
        ("[99]", TYPE, "-1"),
        # answers to nothing are never answered: two peers would not stop
        ('[3,"1"]', RPC, None),
        ("[3,5,{}]", RPC, None),
        ('[4,"1"]', RPC, None),
        ('[4,"1","GenericError",5,{}]', RPC, None),
        ('[4,"1","GenericError","",[]]', RPC, None),
    ],
)
def test_malformed_text_is_refused_with_the_id_to_answer(text: str, wire: ErrorCode, message_id: str | None) -> None:
    with pytest.raises(MalformedFrame) as caught:
        decode(text)
    assert caught.value.wire == wire
    assert caught.value.message_id == message_id


def test_a_call_error_without_details_is_understood() -> None:
    assert decode('[4,"1","GenericError"]') == CallError(message_id="1", code="GenericError")
    assert decode('[4,"1","GenericError","why"]') == CallError(message_id="1", code="GenericError", description="why")


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text_is_a_frame_or_malformed(text: str | bytes) -> None:
    with suppress(MalformedFrame):
        decode(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6))
def test_any_json_array_is_a_frame_or_malformed(elements: list[object]) -> None:
    with suppress(MalformedFrame):
        frame = decode(json.dumps(elements))
        assert 0 < len(frame.message_id) <= 36
        assert decode(encode(frame)) == frame
