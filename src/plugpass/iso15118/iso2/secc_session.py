"""What the SECC knows of a session, and what a handler is given and gives back. All values are frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plugpass.errors import PeerError
from plugpass.iso15118.iso2.chains import Contract
from plugpass.iso15118.iso2.config import MeterReading, RandomSource, SeccConfig
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.machine import Event
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import PaymentOption, ResponseCode


class Refused(PeerError):
    """A request gets a FAILED response; `wire` is its response code."""

    def __init__(self, code: ResponseCode, reason: str) -> None:
        super().__init__(reason, wire=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something asked of the host, by number, and its answer once it is there."""

    request_id: int
    answer: Any = None
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The state of one session."""

    phase: Phase = Phase.SESSION_SETUP
    session_id: bytes = b""
    payment_option: PaymentOption | None = None
    installation: Question | None = None  #: answered with the EXI of the response, or None
    contract: Contract | None = None
    challenge: bytes | None = field(default=None, repr=False)
    authorization: Question | None = None  #: answered with a ResponseCode
    proven: bool = False  #: the vehicle has signed the challenge with the contract's key
    ongoing_until: float | None = None
    max_power_w: int = 0  #: of the schedule offered
    charging: bool = False
    loops: int = 0
    receipt_due: MeterReading | None = None  #: the reading a receipt has been asked for
    stop_wanted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a handler may use beside the session and the request's body."""

    config: SeccConfig
    random: RandomSource
    now: float
    header: iso2.MessageHeader
    exi: bytes = field(repr=False)  #: the request as received
    next_id: int  #: for a question


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The response and what follows from it."""

    response: iso2.BodyElement
    session: Session
    events: tuple[Event, ...] = ()
    header: iso2.MessageHeader | None = None  #: of a relayed message; its SessionID is replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """No response yet: `resume` makes it when the host has answered, or at `until` at the latest."""

    session: Session
    resume: Callable[[Session, Context], Reply | Hold]
    until: float
    events: tuple[Event, ...] = ()


Outcome = Reply | Hold
Handler = Callable[[Session, Any, Context], Outcome]
"""Takes the session, the request's body (of the type it is registered for) and the context. Raises Refused."""
