"""Certificates as OCPP names them: by the hashes of their issuer and by their serial number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from plugpass.ocpp.enums import HashAlgorithm
from plugpass.ocpp.messages import CertificateHashData, OCSPRequestData
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.ocsp import cert_id, ocsp_url
from plugpass.pki.trust import TrustAnchors

MAX_HASH_DATA = 4  #: entries of iso15118CertificateHashData, and of childCertificateHashData


def hash_data(certificate: bytes, issuer: bytes) -> CertificateHashData:
    """The name of `certificate` (RFC 6960 CertID with SHA-256)."""
    name = cert_id(certificate, issuer)
    return CertificateHashData(
        hash_algorithm=HashAlgorithm.SHA256,
        issuer_name_hash=name.issuer_name_hash_hex,
        issuer_key_hash=name.issuer_key_hash_hex,
        serial_number=name.serial_hex,
    )


def ocsp_request_data(certificate: bytes, issuer: bytes) -> OCSPRequestData | None:
    """Its name and where its status can be asked for; None where the certificate does not say."""
    url = ocsp_url(certificate)
    if url is None:
        return None
    name = cert_id(certificate, issuer)
    return OCSPRequestData(
        hash_algorithm=HashAlgorithm.SHA256,
        issuer_name_hash=name.issuer_name_hash_hex,
        issuer_key_hash=name.issuer_key_hash_hex,
        serial_number=name.serial_hex,
        responder_url=url,
    )


def with_issuers(chain: Sequence[bytes], anchors: TrustAnchors) -> Iterator[tuple[bytes, bytes]]:
    """Each certificate of a chain (leaf first) with its issuer: the next of the chain, or else an installed root.

    A certificate whose issuer is unknown is left out.
    """
    parsed = [parse(encoded) for encoded in chain]
    for position, certificate in enumerate(parsed):
        above: Certificate | None = parsed[position + 1] if position + 1 < len(parsed) else None
        if above is None or above.subject.key != certificate.issuer.key:
            above = next((anchor.certificate for anchor in anchors.issuers_of(certificate)), None)
        if above is not None:
            yield certificate.encoded, above.encoded
