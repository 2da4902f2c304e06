"""Between station and backend, and between CSMS and the parties that decide (steps 7 and 8 of the chain)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from plugpass.ids import EMAID

# The verdicts and phases are OCPP's own words, so they are defined once, in `plugpass.ocpp`, and named here.
from plugpass.ocpp.enums import AuthorizationStatus as TokenStatus
from plugpass.ocpp.enums import AuthorizeCertificateStatus as CertificateStatus
from plugpass.ocpp.enums import TransactionEventType as TransactionPhase

__all__ = [
    "AuthorizationVerdict",
    "Authorizer",
    "CertificateStatus",
    "ContractAuthorization",
    "ContractProvider",
    "ExpiringItem",
    "InstallationAnswer",
    "Inventory",
    "OcspRequestData",
    "Renewer",
    "RevocationSource",
    "StationBackend",
    "TokenStatus",
    "TransactionPhase",
    "TransactionReport",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspRequestData:
    """RFC 6960 CertID of one certificate and where to ask (OCPP OCSPRequestDataType); hashes in lower-case hex."""

    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str  #: hex without leading zeros
    responder_url: str
    hash_algorithm: Literal["SHA256", "SHA384", "SHA512"] = "SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAuthorization:
    """A vehicle asks to charge on its contract: everything a backend may want to check."""

    emaid: EMAID
    chain: tuple[bytes, ...]  #: DER: contract leaf first, then the Sub-CAs as the vehicle sent them
    evse_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationVerdict:
    """The backend's answer: charging starts only when both parts are Accepted."""

    certificate_status: CertificateStatus
    token_status: TokenStatus
    reason: str = ""  #: for logs and people, never shown to the vehicle

    @property
    def accepted(self) -> bool:
        """Whether the vehicle may charge."""
        return self.certificate_status is CertificateStatus.ACCEPTED and self.token_status is TokenStatus.ACCEPTED


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionReport:
    """One report about a charging transaction; energy in watt-hours of the meter's register."""

    phase: TransactionPhase
    transaction_id: str
    emaid: EMAID | None  #: None where the transaction was not authorized by a contract
    evse: int  #: OCPP evse id, from 1; 0 where the report names none
    sequence: int  #: OCPP seqNo, from 0, no gaps
    at: datetime
    energy_wh: int | None = None
    signed_receipt: bytes | None = None  #: the vehicle's MeteringReceiptReq as EXI, where there was one
    reason: str = ""  #: with ENDED, an OCPP ReasonEnumType such as "EVDisconnected", "Local", "DeAuthorized"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationAnswer:
    """The backend's answer to a relayed CertificateInstallationReq or CertificateUpdateReq."""

    accepted: bool
    exi: bytes  #: the complete response for the vehicle; empty where the backend had none
    reason: str = ""


class StationBackend(Protocol):
    """What a station needs from whoever operates it. Adapters: OCPP 2.0.1 to a CSMS, or local decisions."""

    async def install_contract(
        self, exi_request: bytes, namespace: str, action: Literal["Install", "Update"]
    ) -> InstallationAnswer:
        """Relay the vehicle's request, unread. The caller has a time budget of 4.5 s and gives up after it."""
        ...

    async def authorize(self, request: ContractAuthorization) -> AuthorizationVerdict:
        """Decide on a contract. Raises Unavailable where no decision can be had: the caller then refuses."""
        ...

    async def report(self, report: TransactionReport) -> None:
        """Take a transaction report; kept and delivered later where the backend is away."""
        ...


class ContractProvider(Protocol):
    """CSMS side: hands a vehicle's installation request to a contract pool (OCPP M01, M02)."""

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        """The CertificateInstallationRes (EXI). Raises Unavailable or PeerError where the pool gives no EXI at all."""
        ...


class Authorizer(Protocol):
    """CSMS side: the eMSP's word on a contract."""

    async def authorize(self, emaid: EMAID) -> TokenStatus:
        """Whether the contract may charge now. Raises Unavailable where the eMSP cannot be asked."""
        ...


class RevocationSource(Protocol):
    """Fetches OCSP responses; verifying them is the caller's business (`plugpass.pki.ocsp`)."""

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        """The DER OCSPResponse for the DER OCSPRequest. Raises Unavailable within a hard time budget."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringItem:
    """One certificate in somebody's inventory, with the window in which it should be renewed."""

    item_id: str  #: stable: "secc:<station>:<evse>" or "contract:<emaid>"
    kind: Literal["secc", "contract", "cps", "station-tls", "ca", "oem-provisioning"]
    subject: str
    serial: int
    not_before: datetime
    not_after: datetime
    labels: dict[str, str] = field(default_factory=dict)


class Inventory(Protocol):
    """Lists what can expire."""

    async def items(self) -> tuple[ExpiringItem, ...]:
        """Every certificate in use that this party is responsible for."""
        ...


class Renewer(Protocol):
    """Renews one item of an inventory."""

    async def renew(self, item: ExpiringItem) -> None:
        """Start and finish the renewal; returns when the new certificate is in place. Raises where it failed."""
        ...
