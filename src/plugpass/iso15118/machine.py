"""What every sans-IO session machine of ISO 15118 has in common: bytes and `now` in, bytes, events and deadlines out.

`plugpass.net` drives any machine through this Protocol; the events of a generation live beside its machines. `now` is
monotonic time in seconds (`Clock.monotonic`), used for timers only; wall-clock time, where certificates are judged, is
asked from the `wall_clock` callable that a machine gets in its configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something the host should know or do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """A complete message of the peer has been decoded and judged."""

    name: str  #: the schema's element name, such as "SessionSetupReq"
    size: int  #: octets of EXI
    response_code: str | None = None  #: of a response


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A message of ours is in the output buffer."""

    name: str
    size: int
    response_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event):
    """The last event: nothing more will be sent, the host closes the connection once the output is flushed.

    `ok` is true only after a completed SessionStop; `reason` is one line for logs and people.
    """

    ok: bool
    reason: str


class Machine(Protocol):
    """One session over one connection."""

    def receive(self, data: bytes, now: float) -> None:
        """Take octets from the peer, in any split; empty bytes mean that the peer closed the connection."""
        ...

    def data_to_send(self) -> bytes:
        """The octets to send next; each call returns whole V2GTP frames and empties the buffer."""
        ...

    def next_event(self) -> Event | None:
        """The oldest event not yet taken."""
        ...

    def deadline(self) -> float | None:
        """When `handle_timeout` must be called at the latest, in the time of `now`; None where no timer runs."""
        ...

    def handle_timeout(self, now: float) -> None:
        """Act on timers that have run out by `now`; calling it early is harmless."""
        ...
