"""What the -2 machines tell their hosts, beside the generic events of `plugpass.iso15118.machine`.

Events that ask something carry a `request_id`; the answer repeats it, so that an answer that comes too late is never
taken for the answer to a later question.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from plugpass.ids import EMAID
from plugpass.iso15118.iso2.config import ContractCredential, MeterReading
from plugpass.iso15118.machine import Event

# --- both sides -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolAgreed(Event):
    """SupportedAppProtocol has come to a result."""

    protocol: str  #: such as "ISO 15118-2"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEstablished(Event):
    """SessionSetup is done."""

    session_id: bytes  #: 8 octets
    evcc_id: bytes  #: the EVCC's MAC address, 6 octets
    evse_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStarted(Event):
    """PowerDelivery(Start) is agreed: the SECC's host closes the contactors, the EVCC's host takes power."""

    max_power_w: int  #: what the schedule agreed on allows at its start


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterRecorded(Event):
    """A meter reading has been sent to the vehicle, or received from the station."""

    reading: MeterReading


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStopped(Event):
    """Power delivery is over, or a session that was charging has broken off: the contactors open."""

    reason: str


# --- SECC -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractInstallationRequested(Event):
    """The vehicle asks for a contract certificate; answer with `Secc.provide_installation` before `deadline`."""

    request_id: int
    exi: bytes = field(repr=False)  #: the complete request as received, to be relayed unread
    namespace: str
    action: Literal["Install", "Update"]
    deadline: float  #: in the time of `now`; the vehicle gets a refusal then


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequested(Event):
    """May this contract charge? Answer with `Secc.provide_authorization`.

    Asked when the payment details arrive, because their response has the time and the response codes for the answer.
    An answer by `deadline` goes into PaymentDetailsRes; a later one goes into AuthorizationRes, until the ongoing
    timeout. The vehicle charges only when it has also proven to hold the contract's key.
    """

    request_id: int
    emaid: EMAID
    chain: tuple[bytes, ...] = field(repr=False)  #: DER: contract leaf first, then the Sub-CAs as sent
    validated: bool  #: whether the chain has been validated here; where not, the backend has to do it (OCPP C07)
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAuthorizationRequested(Event):
    """The customer pays by other means (EIM); answer with `Secc.provide_authorization` once known."""

    request_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptAccepted(Event):
    """The vehicle has signed for a reading; the signature has been verified with the contract's key."""

    reading: MeterReading
    exi: bytes = field(repr=False)  #: the complete MeteringReceiptReq as received


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """A request got a FAILED response; `reason` is for the station's log, the vehicle sees the code only."""

    request: str
    response_code: str
    reason: str


# --- EVCC -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractInstalled(Event):
    """A contract certificate has arrived and passed every check; the session goes on with it."""

    contract: ContractCredential


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationFailed(Event):
    """No contract certificate could be installed; a stored contract, if there is one, stays in use."""

    response_code: str  #: the station's, or the code that names what was wrong with its answer
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRefused(Event):
    """The station refused the contract."""

    request: str  #: "PaymentDetailsReq" or "AuthorizationReq"
    response_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExpiresSoon(Event):
    """The station advises to renew the contract certificate (OK_CertificateExpiresSoon)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized(Event):
    """The vehicle may charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptSent(Event):
    """A reading has been signed for, and the station has taken the receipt."""

    reading: MeterReading
