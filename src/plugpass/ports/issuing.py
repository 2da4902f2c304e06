"""Certificate issuing: who signs a CSR (step 1 and 2 of the chain)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from plugpass.pki.profiles import CertificateRole


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedChain:
    """A freshly issued certificate with its Sub-CAs: DER, leaf first, no root."""

    certificates: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """The issued certificate, DER."""
        return self.certificates[0]


class CertificateIssuer(Protocol):
    """Signs certificates of the roles it is responsible for; the profile is the issuer's, whatever the CSR wishes."""

    async def issue(self, csr: bytes, role: CertificateRole) -> IssuedChain:
        """The chain for the PKCS#10 `csr` (DER).

        Raises PeerError where the request is refused: broken signature, wrong key, an identity of another owner.
        """
        ...

    async def ca_certificates(self, role: CertificateRole) -> tuple[bytes, ...]:
        """The CA certificates above `role`, DER: issuing CA first, root last."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    """What an authority remembers of a certificate it signed."""

    issuer_key_id: str  #: hex SHA-1 of the issuer's public key (RFC 6960 issuerKeyHash): tells re-keyed CAs apart
    serial: int
    role: CertificateRole
    subject: str  #: subject CN: EVSEID, PCID, EMAID, or a CA's name
    owner: str  #: the authenticated requester, "" for the authority's own CAs
    certificate: bytes  #: DER
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    #: hex SHA-256 of issuer, owner and what the CSR asks for: an identical request gets the same certificate
    request_digest: str = ""
    revoked_at: datetime | None = None
    revocation_reason: str | None = None  #: RFC 5280 reason name such as "cessationOfOperation"


class CertificateLedger(Protocol):
    """An authority's memory of what it issued and revoked."""

    async def add(self, record: CertificateRecord) -> None:
        """Remember `record`; the pair (issuer_key_id, serial) is unique."""
        ...

    async def find(self, issuer_key_id: str, serial: int) -> CertificateRecord | None:
        """The record of that certificate, or None."""
        ...

    async def find_request(self, request_digest: str) -> CertificateRecord | None:
        """The newest unrevoked record that answered the same request, or None."""
        ...

    async def revoke(self, issuer_key_id: str, serial: int, at: datetime, reason: str) -> bool:
        """Mark it revoked; False where it is unknown. Revoking twice keeps the first time and reason."""
        ...

    async def revocations(self) -> int:
        """How many certificates were ever revoked: a number that has not changed says that no record has."""
        ...

    async def all(self) -> tuple[CertificateRecord, ...]:
        """Everything ever issued, oldest first."""
        ...


class CertificateAuthority(CertificateIssuer, Protocol):
    """An authority that answers for what it signed: it knows its requesters, revokes, and speaks OCSP."""

    async def issue_for(self, csr: bytes, role: CertificateRole, *, owner: str) -> IssuedChain:
        """As `issue`, remembering the authenticated requester `owner` with the certificate."""
        ...

    async def record_of(self, certificate: bytes) -> CertificateRecord | None:
        """The record of the DER `certificate` where this authority signed it; None for every other certificate."""
        ...

    async def revoke(self, certificate: bytes, reason: str) -> bool:
        """Revoke the DER `certificate` now, for an RFC 5280 reason name; False where it is not of this authority."""
        ...

    async def respond_ocsp(self, request: bytes) -> bytes:
        """The signed DER OCSPResponse to a DER OCSPRequest; a bad request gets OCSP's own error response."""
        ...
