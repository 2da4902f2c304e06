"""Correlation without I/O: two connections in memory, time as a number."""

from __future__ import annotations

import json

import pytest

from plugpass.errors import LocalError
from plugpass.ocpp.frames import ErrorCode
from plugpass.ocpp.rpc import MAX_IN_WORK, CallAnswered, CallFailed, CallReceived, FrameDropped, RpcConnection


def carry(sender: RpcConnection, receiver: RpcConnection, now: float = 0.0) -> list[object]:
    return [event for text in sender.data_to_send() for event in receiver.receive(text, now=now)]


@pytest.fixture
def pair() -> tuple[RpcConnection, RpcConnection]:
    return RpcConnection(prefix="a"), RpcConnection(prefix="b")


def test_a_call_is_answered(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    message_id = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    (received,) = carry(left, right)
    assert received == CallReceived(message_id=message_id, action="Heartbeat", payload=b"{}")
    right.answer(message_id, b'{"currentTime":"x"}')
    (answered,) = carry(right, left)
    assert isinstance(answered, CallAnswered)
    assert (answered.message_id, answered.action, answered.payload) == (
        message_id,
        "Heartbeat",
        b'{"currentTime":"x"}',
    )
    assert left.next_timeout() is None


def test_a_call_is_refused(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    message_id = left.call("Reset", b"{}", now=0.0, timeout=10)
    carry(left, right)
    right.refuse(message_id, ErrorCode.NOT_SUPPORTED, "not here")
    assert carry(right, left) == [
        CallFailed(message_id=message_id, action="Reset", code="NotSupported", description="not here")
    ]


def test_one_call_is_outstanding_at_a_time(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    first = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    second = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    assert len(carry(left, right)) == 1
    right.answer(first, b"{}")
    carry(right, left, now=4.0)
    assert left.next_timeout() == 14.0  # the clock of a call starts when it is sent
    (received,) = carry(left, right)
    assert isinstance(received, CallReceived)
    assert received.message_id == second


def test_both_directions_are_independent(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    outgoing = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    incoming = right.call("TriggerMessage", b"{}", now=0.0, timeout=10)
    carry(left, right)
    carry(right, left)
    left.answer(incoming, b"{}")
    right.answer(outgoing, b"{}")
    assert [type(event) for event in carry(left, right) + carry(right, left)] == [CallAnswered, CallAnswered]


def test_a_call_times_out_and_the_next_one_goes_on(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    first = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    second = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    carry(left, right)
    assert left.handle_timeout(9.9) == []
    (failed,) = left.handle_timeout(10.0)
    assert isinstance(failed, CallFailed)
    assert (failed.message_id, failed.code) == (first, None)
    assert json.loads(left.data_to_send()[0])[1] == second
    right.answer(first, b"{}")  # too late
    (dropped,) = carry(right, left)
    assert isinstance(dropped, FrameDropped)
    assert not dropped.answered


def test_a_waiting_call_can_be_withdrawn(pair: tuple[RpcConnection, RpcConnection]) -> None:
    left, right = pair
    first = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    second = left.call("Heartbeat", b"{}", now=0.0, timeout=10)
    left.withdraw(second)
    carry(left, right)
    right.answer(first, b"{}")
    carry(right, left)
    assert left.data_to_send() == []
    assert left.next_timeout() is None


def test_malformed_text_is_answered_once_and_answers_to_nothing_never() -> None:
    connection = RpcConnection(prefix="a")
    (dropped,) = connection.receive("nonsense", now=0.0)
    assert isinstance(dropped, FrameDropped)
    assert dropped.answered
    (text,) = connection.data_to_send()
    assert json.loads(text)[:3] == [4, "-1", "RpcFrameworkError"]
    for text in ('[3,"nobody",{}]', '[4,"nobody","GenericError","",{}]', "[3,1,{}]"):
        (dropped,) = connection.receive(text, now=0.0)
        assert isinstance(dropped, FrameDropped)
        assert not dropped.answered
    assert connection.data_to_send() == []


def test_an_id_in_work_is_refused_a_second_time() -> None:
    connection = RpcConnection(prefix="a")
    connection.receive('[2,"7","Heartbeat",{}]', now=0.0)
    (dropped,) = connection.receive('[2,"7","Heartbeat",{}]', now=0.0)
    assert isinstance(dropped, FrameDropped)
    # the refusal carries the same id, but the first one is still in work and is answered too
    assert json.loads(connection.data_to_send()[0])[:3] == [4, "7", "RpcFrameworkError"]
    connection.answer("7", b"{}")
    with pytest.raises(LocalError):
        connection.answer("7", b"{}")


def test_a_flood_of_calls_is_refused() -> None:
    connection = RpcConnection(prefix="a")
    for number in range(MAX_IN_WORK):
        connection.receive(f'[2,"{number}","Heartbeat",{{}}]', now=0.0)
    assert connection.data_to_send() == []
    connection.receive('[2,"more","Heartbeat",{}]', now=0.0)
    assert json.loads(connection.data_to_send()[0])[:3] == [4, "more", "GenericError"]
    connection.answer("0", b"{}")
    (received,) = connection.receive('[2,"next","Heartbeat",{}]', now=0.0)
    assert isinstance(received, CallReceived)


def test_closing_fails_every_call_of_ours() -> None:
    connection = RpcConnection(prefix="a")
    ids = [connection.call("Heartbeat", b"{}", now=0.0, timeout=10) for _ in range(3)]
    events = connection.close()
    assert [event.message_id for event in events if isinstance(event, CallFailed)] == ids
    assert connection.data_to_send() == []
    assert connection.next_timeout() is None


def test_ids_of_two_connections_differ() -> None:
    first, second = (RpcConnection(prefix=prefix).call("Heartbeat", b"{}", now=0.0, timeout=1) for prefix in "ab")
    assert first != second
