"""What the EVCC knows of a session, and what a handler is given and gives back. All values are frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plugpass.errors import PeerError
from plugpass.iso15118.iso2.config import ContractCredential, EvccConfig, MeterReading
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.machine import Event
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import ChargeProgress, EVSENotification, PaymentOption
from plugpass.pki.keys import Signer

NEW_SESSION = b"\x00"
"""SessionID of the first request: zero, in the one-octet form that is common in the field."""


class Giveup(PeerError):
    """The vehicle cannot go on in this session and leaves it in an orderly way."""

    def __init__(self, reason: str, *events: Event) -> None:
        super().__init__(reason)
        self.events = events


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The state of one session; `phase` is what the station waits for."""

    phase: Phase = Phase.SESSION_SETUP
    session_id: bytes = NEW_SESSION
    evse_id: str = ""
    charge_service: int = 1
    payment_option: PaymentOption | None = None
    installing: bool = False
    parameter_set: int | None = None  #: of the certificate service
    contract: ContractCredential | None = None
    challenge: bytes | None = field(default=None, repr=False)
    schedule: iso2.SAScheduleTuple | None = None
    progress: ChargeProgress = ChargeProgress.START  #: of the last PowerDeliveryReq
    charging: bool = False
    charged: bool = False
    loops: int = 0
    first_wh: int | None = None
    reading: MeterReading | None = None
    notification: EVSENotification = EVSENotification.NONE
    stop_wanted: bool = False
    failure: str = ""  #: why the session is being left


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a handler may use beside the session and the response's body."""

    config: EvccConfig
    header: iso2.MessageHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next request and what comes before it."""

    session: Session
    request: iso2.BodyElement
    signer: Signer | None = None  #: signs the request's body
    delay: float = 0.0  #: seconds to wait before sending
    ongoing: bool = False  #: the station has asked for patience
    events: tuple[Event, ...] = ()


Handler = Callable[[Session, Any, Context], Step]
"""Takes the session, a positive response (of the type it is registered for) and the context. Raises Giveup."""
