"""Signing and writing down: no certificate leaves an authority that its ledger does not know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plugpass.clock import Clock
from plugpass.ids import EVSEID
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.issue import RandomBytes, cross_certify, issue, new_serial, self_signed
from plugpass.pki.keys import PublicKey, Signer
from plugpass.pki.profiles import Cell, CertificateRole, KeyUsage, Profile
from plugpass.ports.issuing import CertificateLedger, CertificateRecord
from plugpass.ports.keys import Credential

log = structlog.get_logger(__name__)

#: Their common names identify a driver's contract or a vehicle: the ledger knows them, the log has the serial number.
PERSONAL_ROLES = frozenset({CertificateRole.CONTRACT, CertificateRole.OEM_PROVISIONING, CertificateRole.VEHICLE_LEAF})
CROSS_ROLE = CertificateRole.CROSS


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingCa:
    """A CA that can sign: its role, and its chain up to and without the root (only itself for a root)."""

    role: CertificateRole
    credential: Credential

    @property
    def certificate(self) -> Certificate:
        """The CA's own certificate."""
        return parse(self.credential.chain[0])

    @property
    def key_id(self) -> str:
        """Hex SHA-1 of the public key (RFC 6960 issuerKeyHash): under it the ledger files what this CA signed."""
        return sha1(self.certificate.key.bits, usedforsecurity=False).hexdigest()

    @property
    def crl_name(self) -> str:
        """The file name of its CRL: each key has a list of its own."""
        return f"{self.key_id[:16]}.crl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be signed, decided and checked."""

    role: CertificateRole
    subject: x509.Name
    public_key: PublicKey
    owner: str = ""
    evse_id: EVSEID | None = None
    validity: timedelta | None = None
    key_usage: frozenset[KeyUsage] | None = None  #: None: what the profile issues
    request_digest: str = ""


class Registrar:
    """Signs orders with a CA and files the result in the ledger before anybody sees it."""

    def __init__(
        self,
        *,
        ledger: CertificateLedger,
        clock: Clock,
        random: RandomBytes,
        profiles: Mapping[CertificateRole, Profile],
        ocsp_base_url: str,
        crl_base_url: str | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._profiles = profiles
        self._ocsp_base_url = ocsp_base_url.rstrip("/")
        self._crl_base_url = crl_base_url.rstrip("/") if crl_base_url else None

    def profile(self, role: CertificateRole) -> Profile:
        """The profile that certificates of `role` are signed by."""
        return self._profiles[role]

    def ocsp_url(self, issuer: CertificateRole) -> str:
        """Where the status of certificates signed by the CA `issuer` is asked for."""
        return f"{self._ocsp_base_url}/ocsp/{issuer}"

    def crl_url(self, issuer: IssuingCa) -> str | None:
        """Where the CRL of the key of `issuer` is fetched, None where certificates name no distribution point."""
        return f"{self._crl_base_url}/crl/{issuer.crl_name}" if self._crl_base_url else None

    async def sign_root(self, role: CertificateRole, subject: x509.Name, signer: Signer) -> bytes:
        """A self-signed root, DER."""
        now = self._clock.now()
        root = self_signed(self.profile(role), subject, signer, now=now, serial=new_serial(self._random))
        der = root.public_bytes(Encoding.DER)
        issuer = IssuingCa(role=role, credential=Credential(chain=(der,), signer=signer))
        await self._file(der, issuer, role, now=now)
        return der

    async def sign(self, order: Order, issuer: IssuingCa) -> bytes:
        """The certificate, DER. Raises ProfileViolation where it would break its profile."""
        now = self._clock.now()
        profile = self.profile(order.role)
        # An OCSP signer is not asked about itself (id-pkix-ocsp-nocheck, RFC 6960 §4.2.2.2.1).
        offered = order.role is not CertificateRole.OCSP_SIGNER
        certificate = issue(
            profile,
            order.subject,
            order.public_key,
            issuer.certificate,
            issuer.credential.signer,
            now=now,
            serial=new_serial(self._random),
            validity=order.validity,
            ocsp_url=self.ocsp_url(issuer.role) if offered and _may(profile.authority_information_access) else None,
            crl_url=self.crl_url(issuer) if offered and _may(profile.crl_distribution_points) else None,
            evse_id=order.evse_id,
            key_usage=order.key_usage,
        )
        der = certificate.public_bytes(Encoding.DER)
        await self._file(der, issuer, order.role, now=now, owner=order.owner, request_digest=order.request_digest)
        return der

    async def sign_cross(self, issuer: IssuingCa, other: Certificate) -> bytes:
        """The name and key of the root `other`, certified by the root `issuer`, DER."""
        now, profile = self._clock.now(), self.profile(CROSS_ROLE)
        certificate = cross_certify(
            profile,
            other,
            issuer.certificate,
            issuer.credential.signer,
            now=now,
            serial=new_serial(self._random),
            ocsp_url=self.ocsp_url(issuer.role),
            crl_url=self.crl_url(issuer),
        )
        der = certificate.public_bytes(Encoding.DER)
        await self._file(der, issuer, CROSS_ROLE, now=now)
        return der

    async def cross_certificate(self, issuer: IssuingCa, other: Certificate) -> bytes | None:
        """The newest valid cross certificate of this kind, or None."""
        now, wanted = self._clock.now(), (other.subject.key, other.key.encoded)
        for record in reversed(await self._ledger.all()):
            mine = record.role is CROSS_ROLE and record.issuer_key_id == issuer.key_id and record.revoked_at is None
            if mine and now < record.not_after:
                certificate = parse(record.certificate)
                if (certificate.subject.key, certificate.key.encoded) == wanted:
                    return record.certificate
        return None

    async def _file(
        self,
        der: bytes,
        issuer: IssuingCa,
        role: CertificateRole,
        *,
        now: datetime,
        owner: str = "",
        request_digest: str = "",
    ) -> None:
        certificate = parse(der)
        record = CertificateRecord(
            issuer_key_id=issuer.key_id,
            serial=certificate.serial,
            role=role,
            subject=certificate.common_name,
            owner=owner,
            certificate=der,
            issued_at=now,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            request_digest=request_digest,
        )
        await self._ledger.add(record)
        log.info(
            "ca.issued",
            ca=issuer.role.value,
            role=role.value,
            subject="(personal)" if role in PERSONAL_ROLES else record.subject,
            owner=owner,
            serial=f"{record.serial:x}",
            not_after=record.not_after.isoformat(),
        )


def name_of(certificate: Certificate) -> x509.Name:
    """The subject of a certificate, to be certified again."""
    return x509.load_der_x509_certificate(certificate.encoded).subject


def _may(cell: Cell) -> bool:
    return cell is not Cell.FORBIDDEN
