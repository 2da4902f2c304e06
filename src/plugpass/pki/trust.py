"""Trust anchors by type. Who may vouch for what is decided by the type, never by the certificate itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from plugpass.errors import LocalError
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate
from plugpass.pki.der import MalformedDer
from plugpass.pki.profiles import RootType


class UnusableTrustAnchor(LocalError):
    """A certificate cannot be a trust anchor: it is unreadable or no CA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAnchor:
    """A root certificate that is trusted as a root of one type."""

    root_type: RootType
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """A set of trust anchors; several of one type are normal (markets, roll-over)."""

    anchors: tuple[TrustAnchor, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        v2g: Iterable[CertificateLike] = (),
        mo: Iterable[CertificateLike] = (),
        oem: Iterable[CertificateLike] = (),
        pe: Iterable[CertificateLike] = (),
    ) -> Self:
        """Anchors from certificates (DER or objects) by type. Raises UnusableTrustAnchor."""
        groups = ((RootType.V2G, v2g), (RootType.MO, mo), (RootType.OEM, oem), (RootType.PE, pe))
        result = cls()
        for root_type, certificates in groups:
            for certificate in certificates:
                result = result.adding(root_type, certificate)
        return result

    def adding(self, root_type: RootType, certificate: CertificateLike) -> Self:
        """These anchors and one more; adding one twice changes nothing. Raises UnusableTrustAnchor."""
        try:
            parsed = as_certificate(certificate)
        except MalformedDer as error:
            raise UnusableTrustAnchor(f"the {root_type} root cannot be read: {error}") from None
        constraints = parsed.extensions.basic_constraints
        if constraints is None or not constraints.ca:
            raise UnusableTrustAnchor(f"{parsed.subject} is no CA certificate, so it cannot be a {root_type} root")
        anchor = TrustAnchor(root_type=root_type, certificate=parsed)
        return self if anchor in self.anchors else type(self)((*self.anchors, anchor))

    def without(self, fingerprint: str) -> Self:
        """These anchors except the certificate with this SHA-256 fingerprint (hex)."""
        wanted = fingerprint.lower()
        return type(self)(tuple(item for item in self.anchors if item.certificate.fingerprint != wanted))

    def issuers_of(self, certificate: Certificate) -> tuple[TrustAnchor, ...]:
        """The anchors whose subject is the certificate's issuer, of any type."""
        return tuple(item for item in self.anchors if item.certificate.subject.key == certificate.issuer.key)

    def of_type(self, *root_types: RootType) -> tuple[bytes, ...]:
        """The anchors of these types, DER."""
        return tuple(item.certificate.encoded for item in self.anchors if item.root_type in root_types)

    def __len__(self) -> int:
        return len(self.anchors)
