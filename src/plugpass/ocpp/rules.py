"""OCPP 2.0.1 rules as pure functions and tables: boot, certificates, contract authorization, back-off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from types import MappingProxyType

from plugpass.ocpp.enums import (
    AuthorizationStatus,
    AuthorizeCertificateStatus,
    RegistrationStatus,
)
from plugpass.ocpp.frames import ErrorCode
from plugpass.ocpp.messages import (
    AuthorizeResponse,
    CertificateHashData,
    CertificateHashDataChain,
    OCSPRequestData,
    Response,
)

# Boot (B01-B03) ------------------------------------------------------------------------------------------------------

#: What a station may always send: its boot.
_BEFORE_BOOT = frozenset({"BootNotification"})


def boot_refusal(action: str, boot: RegistrationStatus | None) -> ErrorCode | None:
    """The error code for a station's CALL before its boot was accepted, None where the CALL is welcome.

    A rejected or absent boot admits nothing else (B03.FR.07 and errata: SecurityError); a pending one neither, as far
    as the CSMS did not ask for the message itself (B02.FR.09).
    """
    if boot is RegistrationStatus.ACCEPTED or action in _BEFORE_BOOT:
        return None
    return ErrorCode.SECURITY_ERROR


# Certificates named by their hash data (M03, M04) --------------------------------------------------------------------

HashKey = tuple[str, str, str, str]


def hash_key(data: CertificateHashData | OCSPRequestData) -> HashKey:
    """Hash data in the one form that can be compared: lower case, the serial without leading zeros."""
    serial = data.serial_number.lower().lstrip("0") or "0"
    return data.hash_algorithm, data.issuer_name_hash.lower(), data.issuer_key_hash.lower(), serial


def installed_keys(chains: Iterable[CertificateHashDataChain] | None) -> frozenset[HashKey]:
    """The certificates a GetInstalledCertificateIdsResponse lists, children included."""
    return frozenset(
        hash_key(data)
        for chain in chains or ()
        for data in (chain.certificate_hash_data, *(chain.child_certificate_hash_data or ()))
    )


# Contract authorization (C07) ----------------------------------------------------------------------------------------


class ChainFinding(IntEnum):
    """What is known of a contract certificate chain; of several findings the greatest counts."""

    VALID = 0
    NOT_VERIFIABLE = 1  #: no root, no or unknown OCSP status, a broken signature: C07.FR.17
    EXPIRED = 2  #: C07.FR.15
    REVOKED = 3  #: C07.FR.16


def combine(findings: Iterable[ChainFinding]) -> ChainFinding:
    """One finding of all: hash data and certificate must both pass, neither overwrites the other.

    Nothing found at all is nothing verified.
    """
    return max(findings, default=ChainFinding.NOT_VERIFIABLE)


_REFUSED_CHAINS: Mapping[ChainFinding, tuple[AuthorizeCertificateStatus, AuthorizationStatus]] = MappingProxyType(
    {
        ChainFinding.EXPIRED: (AuthorizeCertificateStatus.CERTIFICATE_EXPIRED, AuthorizationStatus.EXPIRED),
        ChainFinding.REVOKED: (AuthorizeCertificateStatus.CERTIFICATE_REVOKED, AuthorizationStatus.INVALID),
        ChainFinding.NOT_VERIFIABLE: (AuthorizeCertificateStatus.CERT_CHAIN_ERROR, AuthorizationStatus.INVALID),
    }
)

_CANCELLED = frozenset(
    {
        AuthorizationStatus.BLOCKED,
        AuthorizationStatus.EXPIRED,
        AuthorizationStatus.INVALID,
        AuthorizationStatus.UNKNOWN,
    }
)


def contract_verdict(
    chain: ChainFinding, token: AuthorizationStatus
) -> tuple[AuthorizeCertificateStatus, AuthorizationStatus]:
    """The pair of verdicts of C07.FR.13-17; `token` (the eMSP's word) counts only where the chain is valid."""
    if chain is not ChainFinding.VALID:
        return _REFUSED_CHAINS[chain]
    if token in _CANCELLED:
        return AuthorizeCertificateStatus.CONTRACT_CANCELLED, token  # C07.FR.13
    return AuthorizeCertificateStatus.ACCEPTED, token  # C07.FR.14


# Back-off ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRetry:
    """When a station repeats an unanswered SignCertificate (SecurityCtrlr.CertSigningWaitMinimum and -RepeatTimes)."""

    wait_minimum: timedelta = timedelta(seconds=30)
    repeat_times: int = 3

    def delay(self, attempt: int) -> timedelta | None:
        """The wait for CertificateSigned after try number `attempt` (from 0); None: give up (A02.FR.19).

        It doubles with each try (A02.FR.17, A02.FR.18).
        """
        return self.wait_minimum * 2**attempt if attempt <= self.repeat_times else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """When a station connects again (OCPPCommCtrlr.RetryBackOffWaitMinimum, -RepeatTimes, -RandomRange); seconds."""

    wait_minimum: float = 1.0
    repeat_times: int = 6
    random_range: float = 2.0

    def delay(self, attempt: int, fraction: float) -> float:
        """The wait before try number `attempt` (from 0); `fraction` in [0, 1) spreads a fleet that lost its CSMS."""
        return self.wait_minimum * 2.0 ** min(attempt, self.repeat_times) + self.random_range * fraction


# Reading answers -----------------------------------------------------------------------------------------------------

_NEGATIVE = frozenset({"Rejected", "Failed", "NotImplemented", "Pending"})


def outcome(response: Response) -> tuple[bool, str]:
    """Whether `response` is a positive answer, and the status word or words worth showing."""
    if isinstance(response, AuthorizeResponse):
        words = [word for word in (response.certificate_status, response.id_token_info.status) if word]
        return all(word == "Accepted" for word in words), "/".join(words)
    status = getattr(response, "status", "")
    return status not in _NEGATIVE, str(status)
