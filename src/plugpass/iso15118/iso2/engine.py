"""What both -2 machines share: framing, codec, events, timers and a clean end. The rules are in `secc` and `evcc`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

import structlog

from plugpass.errors import PeerError
from plugpass.exi import encode
from plugpass.iso15118.machine import Event, MessageReceived, MessageSent, SessionEnded
from plugpass.iso15118.messages import iso2, sap
from plugpass.iso15118.timing import Timer, Timers
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, PayloadType, frame

log = structlog.get_logger(__name__)

Message = iso2.V2GMessage | sap.SupportedAppProtocolReq | sap.SupportedAppProtocolRes


class SessionMachine(ABC):
    """One side of a session: `plugpass.iso15118.machine.Machine`, but for what the messages mean."""

    def __init__(self, role: str) -> None:
        self.timers = Timers()
        self._role = role
        self._frames = FrameDecoder()
        self._output = bytearray()
        self._events: deque[Event] = deque()
        self._ended = False

    # --- Machine ----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take octets from the peer, in any split; empty bytes mean that the peer closed the connection."""
        if self._ended:
            return
        if not data:
            self.end("the peer closed the connection before the session was over")
            return
        try:
            for payload_type, payload in self._frames.receive(data):
                if self.ended:
                    return
                self._take(payload_type, payload, now)
        except PeerError as error:
            # V2GTP and EXI have no negative answer: an unreadable message ends the session.
            self.end(str(error))

    def data_to_send(self) -> bytes:
        """The octets to send next, whole V2GTP frames; empties the buffer."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def next_event(self) -> Event | None:
        """The oldest event not yet taken."""
        return self._events.popleft() if self._events else None

    def deadline(self) -> float | None:
        """When `handle_timeout` must be called at the latest."""
        return self.timers.deadline()

    def handle_timeout(self, now: float) -> None:
        """Act on the timers that have run out by `now`."""
        while not self._ended and (timer := self.timers.expire(now)) is not None:
            self.on_timer(timer, now)

    # --- for the machines -------------------------------------------------------------------------------------------

    @abstractmethod
    def on_message(self, exi: bytes, now: float) -> None:
        """Decode and judge a message. A PeerError ends the session."""

    @abstractmethod
    def on_timer(self, timer: Timer, now: float) -> None:
        """A timer has run out; it no longer runs."""

    @abstractmethod
    def on_end(self, reason: str) -> None:
        """The session is about to end: emit what the host has to undo."""

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._ended

    def emit(self, *events: Event) -> None:
        """Queue events for the host."""
        self._events.extend(events)

    def received(self, message: object, exi: bytes) -> None:
        """Report a decoded message."""
        self.emit(MessageReceived(name=_name(message), size=len(exi), response_code=_code(message)))

    def send(self, message: Message) -> None:
        """Encode a message into one V2GTP frame."""
        exi = encode("iso2" if isinstance(message, iso2.V2GMessage) else "sap", message)
        self._output += frame(EXI_ISO2, exi)
        content = _content(message)
        self.emit(MessageSent(name=_name(content), size=len(exi), response_code=_code(content)))

    def end(self, reason: str, *, ok: bool = False) -> None:
        """End the session, once: stop all timers and emit the last events."""
        if self._ended:
            return
        self.on_end(reason)
        self._ended = True
        self.timers.stop_all()
        self.emit(SessionEnded(ok=ok, reason=reason))
        if not ok:
            log.warning("session_ended", role=self._role, reason=reason)

    def _take(self, payload_type: PayloadType, payload: bytes, now: float) -> None:
        if payload_type is not EXI_ISO2:
            raise PeerError(f"V2GTP payload type 0x{payload_type:04x} is not part of an ISO 15118-2 session")
        self.on_message(payload, now)


def _content(message: Message) -> object:
    return message.body.element if isinstance(message, iso2.V2GMessage) else message


_SAP_NAMES = {
    sap.SupportedAppProtocolReq: "supportedAppProtocolReq",
    sap.SupportedAppProtocolRes: "supportedAppProtocolRes",
}


def _name(content: object) -> str:
    return _SAP_NAMES.get(type(content), type(content).__name__)


def _code(content: object) -> str | None:
    code = getattr(content, "response_code", None)
    return None if code is None else str(code)
