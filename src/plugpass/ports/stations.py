"""A CSMS's memory of its stations and what it told them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from plugpass.ports.charging import CertificateStatus, TokenStatus, TransactionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRecord:
    """A charging station known to the CSMS, and the operator it belongs to."""

    identity: str  #: OCPP identity, the CN of its TLS client certificate
    operator: str  #: operator prefix of its EVSE ids, such as "DEPLU"
    evse_ids: tuple[str, ...]  #: one SECC leaf for each
    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    last_boot: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationCertificate:
    """A SECC leaf as the station accepted it."""

    station: str
    evse_id: str
    chain: tuple[bytes, ...]  #: DER, leaf first
    serial: int
    not_before: datetime
    not_after: datetime
    installed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRecord:
    """One Authorize and how it was answered, with the reason."""

    station: str
    emaid: str
    certificate_status: CertificateStatus
    token_status: TokenStatus
    reason: str
    at: datetime


class AttemptStatus(StrEnum):
    """What became of an attempt to bring a certificate to a station."""

    TRIGGERED = "Triggered"  #: the station was asked for a CSR
    RECEIVED = "Received"  #: its CSR arrived
    REFUSED = "Refused"  #: we refused the CSR
    ISSUED = "Issued"  #: the CA signed it
    ACCEPTED = "Accepted"  #: the station installed it
    REJECTED = "Rejected"  #: the station refused it
    FAILED = "Failed"  #: something on the way did not work


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAttempt:
    """One fact about bringing a certificate to a station: kept, so that a stuck one can be found."""

    station: str
    use: str  #: OCPP's word: "V2GCertificate", "ChargingStationCertificate", "V2GRootCertificate", "MORootCertificate"
    subject: str  #: EVSE ID of a leaf, subject CN of a root
    status: AttemptStatus
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """A SecurityEventNotification of a station (A04)."""

    station: str
    type: str
    tech_info: str
    at: datetime  #: the station's time


class StationRegistry(Protocol):
    """What the CSMS must not forget: stations, their certificates, authorizations, transactions."""

    async def save_station(self, record: StationRecord) -> None:
        """Add the station, or replace what is known of it."""
        ...

    async def station(self, identity: str) -> StationRecord | None:
        """The station, or None where it is unknown."""
        ...

    async def stations(self) -> tuple[StationRecord, ...]:
        """All stations, by identity."""
        ...

    async def save_certificate(self, certificate: StationCertificate) -> None:
        """Add a SECC leaf that a station accepted; the same certificate again changes nothing."""
        ...

    async def certificates(self, station: str | None = None) -> tuple[StationCertificate, ...]:
        """The newest certificate of each EVSE."""
        ...

    async def record_authorization(self, record: AuthorizationRecord) -> None:
        """Keep how an Authorize was answered."""
        ...

    async def authorizations(self, station: str | None = None) -> tuple[AuthorizationRecord, ...]:
        """Oldest first."""
        ...

    async def record_transaction(self, station: str, report: TransactionReport) -> bool:
        """Store it; False where (transaction_id, sequence) is already known: a repeated report changes nothing."""
        ...

    async def transactions(self, station: str | None = None) -> tuple[tuple[str, TransactionReport], ...]:
        """(station, report), in order of arrival."""
        ...

    async def record_attempt(self, attempt: CertificateAttempt) -> None:
        """Keep a fact about a certificate on its way to a station."""
        ...

    async def attempts(self, station: str | None = None) -> tuple[CertificateAttempt, ...]:
        """Oldest first."""
        ...

    async def record_security_event(self, event: SecurityEvent) -> None:
        """Keep a security event."""
        ...

    async def security_events(self, station: str | None = None) -> tuple[SecurityEvent, ...]:
        """Oldest first."""
        ...
