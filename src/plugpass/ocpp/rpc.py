"""One OCPP-J connection without I/O: correlation by id, one outstanding CALL per direction, deadlines as values.

The shell feeds `receive` with texts, `handle_timeout` with the time, and sends what `data_to_send` hands out. Time is
monotonic seconds, passed in.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from plugpass.errors import LocalError
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

#: CALLs of the peer in work at the same time. A peer sends one after the other (Part 4 §4.1.1), but one that has given
#: up waiting sends the next; more than this is no patience but a flood.
MAX_IN_WORK: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReceived:
    """The peer asks; answer with `RpcConnection.answer` or `refuse`."""

    message_id: str
    action: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """Our CALL was answered; `size` counts the octets of both texts."""

    message_id: str
    action: str
    payload: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """Our CALL came to nothing: refused by a CALLERROR, or `code` is None where no answer came in time."""

    message_id: str
    action: str
    code: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDropped:
    """What was received fits nothing: malformed, or an answer nobody waits for. `answered` tells whether we said so."""

    cause: str
    answered: bool


Event = CallReceived | CallAnswered | CallFailed | FrameDropped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    message_id: str
    action: str
    text: str
    timeout: float


class RpcConnection:
    """The state of one connection. `prefix` makes our message ids differ from those of earlier connections."""

    def __init__(self, *, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0
        self._waiting: OrderedDict[str, _Outgoing] = OrderedDict()
        self._current: _Outgoing | None = None
        self._deadline: float | None = None
        self._in_work: dict[str, str] = {}
        self._texts: deque[str] = deque()

    def call(self, action: str, payload: bytes, *, now: float, timeout: float) -> str:
        """Send a CALL as soon as the one before is done with; returns its message id.

        `timeout` seconds count from the moment it is sent. The outcome comes as CallAnswered or CallFailed.
        """
        self._count += 1
        message_id = f"{self._prefix}-{self._count}"
        text = encode(Call(message_id=message_id, action=action, payload=payload))
        self._waiting[message_id] = _Outgoing(message_id=message_id, action=action, text=text, timeout=timeout)
        self._advance(now)
        return message_id

    def withdraw(self, message_id: str) -> None:
        """Forget a CALL that was not sent yet; one that was sent keeps its slot until answered or timed out."""
        self._waiting.pop(message_id, None)

    def answer(self, message_id: str, payload: bytes) -> None:
        """Answer a CallReceived. Raises LocalError where it is not in work (never asked, or answered before)."""
        self._done(message_id)
        self._send(CallResult(message_id=message_id, payload=payload))

    def refuse(self, message_id: str, code: str, description: str) -> None:
        """Refuse a CallReceived. Raises LocalError as `answer` does."""
        self._done(message_id)
        self._send(CallError(message_id=message_id, code=code, description=description))

    def receive(self, text: str | bytes, *, now: float) -> list[Event]:
        """Take one message of the peer; malformed ones are answered here."""
        try:
            frame = decode(text)
        except MalformedFrame as error:
            if error.message_id is not None:
                self._send(CallError(message_id=error.message_id, code=error.wire, description=str(error)))
            return [FrameDropped(cause=str(error), answered=error.message_id is not None)]
        match frame:
            case Call():
                return [self._received(frame)]
            case CallResult() | CallError():
                return [self._answered(frame, len(text), now)]

    def data_to_send(self) -> list[str]:
        """The texts to send now, in order; each is handed out once."""
        texts = list(self._texts)
        self._texts.clear()
        return texts

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`, or None."""
        return self._deadline

    def handle_timeout(self, now: float) -> list[Event]:
        """Give up the outstanding CALL if its time is over."""
        if self._current is None or self._deadline is None or now < self._deadline:
            return []
        lost = self._current
        self._current = self._deadline = None
        self._advance(now)
        return [_failed(lost, f"no answer within {lost.timeout:g} s")]

    def close(self) -> list[Event]:
        """The connection is gone: every CALL of ours that is not answered has failed."""
        lost = [*([self._current] if self._current else []), *self._waiting.values()]
        self._current = self._deadline = None
        self._waiting.clear()
        self._in_work.clear()
        self._texts.clear()
        return [_failed(outgoing, "the connection was lost") for outgoing in lost]

    def _received(self, call: Call) -> Event:
        if call.message_id in self._in_work or len(self._in_work) >= MAX_IN_WORK:
            in_work = call.message_id in self._in_work
            cause = "a CALL of this message id is in work" if in_work else f"{MAX_IN_WORK} CALLs are in work already"
            code = ErrorCode.RPC_FRAMEWORK_ERROR if in_work else ErrorCode.GENERIC_ERROR
            self._send(CallError(message_id=call.message_id, code=code, description=cause))
            return FrameDropped(cause=cause, answered=True)
        self._in_work[call.message_id] = call.action
        return CallReceived(message_id=call.message_id, action=call.action, payload=call.payload)

    def _answered(self, frame: CallResult | CallError, size: int, now: float) -> Event:
        current = self._current
        if current is None or frame.message_id != current.message_id:
            return FrameDropped(cause="an answer to no outstanding CALL (late, repeated or made up)", answered=False)
        self._current = self._deadline = None
        self._advance(now)
        if isinstance(frame, CallResult):
            size += len(current.text)
            return CallAnswered(message_id=current.message_id, action=current.action, payload=frame.payload, size=size)
        return CallFailed(
            message_id=current.message_id, action=current.action, code=frame.code, description=frame.description
        )

    def _advance(self, now: float) -> None:
        # One outstanding CALL per direction (Part 4 §4.1.1).
        if self._current is None and self._waiting:
            _, self._current = self._waiting.popitem(last=False)
            self._deadline = now + self._current.timeout
            self._texts.append(self._current.text)

    def _done(self, message_id: str) -> None:
        if self._in_work.pop(message_id, None) is None:
            raise LocalError(f"CALL {message_id!r} is not in work: answer each CALL exactly once")

    def _send(self, frame: Frame) -> None:
        self._texts.append(encode(frame))


def _failed(outgoing: _Outgoing, why: str) -> CallFailed:
    return CallFailed(message_id=outgoing.message_id, action=outgoing.action, code=None, description=why)
