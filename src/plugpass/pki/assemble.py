"""Putting X.509 structures together, octet by octet, so that any `Signer` (also a token) can sign them.

Extension builders give the content of extnValue. Nothing here judges what it assembles: `issue` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1

from plugpass.pki import der, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.keys import PublicKey, Signer, algorithm_identifier, public_key_bits
from plugpass.pki.profiles import KEY_USAGE_BITS, KeyUsage


@dataclass(frozen=True, slots=True, kw_only=True)
class Tbs:
    """The fields of a TBSCertificate; names, key and algorithm are DER."""

    serial: int
    algorithm: bytes  #: AlgorithmIdentifier of the signature to come
    issuer: bytes
    not_before: datetime
    not_after: datetime
    subject: bytes
    key: bytes  #: SubjectPublicKeyInfo
    extensions: tuple[Extension, ...]
    version: int = 3

    def encode(self) -> bytes:
        """DER TBSCertificate."""
        version = der.explicit(0, der.integer(self.version - 1)) if self.version > 1 else b""
        return der.sequence(
            version,
            der.integer(self.serial),
            self.algorithm,
            self.issuer,
            der.sequence(der.time(self.not_before), der.time(self.not_after)),
            self.subject,
            self.key,
            der.explicit(3, extensions(self.extensions)) if self.extensions else b"",
        )


def signed(body: bytes, algorithm: bytes, signature: bytes) -> bytes:
    """The SEQUENCE of a body, an AlgorithmIdentifier and a signature: certificate, request, and the like."""
    return der.sequence(body, algorithm, der.bit_string(signature))


def sign(tbs: Tbs, signer: Signer) -> bytes:
    """The DER certificate."""
    body = tbs.encode()
    return signed(body, algorithm_identifier(signer.public_key), signer.sign(body))


def extensions(items: Iterable[Extension]) -> bytes:
    """DER Extensions; a criticality of FALSE is the default and stays out."""
    return der.sequence(
        *(
            der.sequence(der.oid(item.oid), der.boolean(True) if item.critical else b"", der.octet_string(item.value))
            for item in items
        )
    )


def basic_constraints(*, ca: bool, path_length: int | None = None) -> Extension:
    """BasicConstraints, critical."""
    length = b"" if path_length is None else der.integer(path_length)
    return Extension(oids.BASIC_CONSTRAINTS, True, der.sequence(der.boolean(True) if ca else b"", length))


def key_usage(usages: Iterable[KeyUsage]) -> Extension:
    """KeyUsage, critical."""
    return Extension(oids.KEY_USAGE, True, der.named_bits(frozenset(KEY_USAGE_BITS[usage] for usage in usages)))


def extended_key_usage(purposes: Iterable[str], *, critical: bool = False) -> Extension:
    """ExtendedKeyUsage."""
    return Extension(
        oids.EXTENDED_KEY_USAGE, critical, der.sequence(*(der.oid(purpose) for purpose in sorted(purposes)))
    )


def key_identifier(key: PublicKey, method: int) -> bytes:
    """A key identifier by RFC 5280 §4.2.1.2: method 1 (20 octets) or method 2 (8 octets: 0100 and 60 bits)."""
    digest = sha1(public_key_bits(key), usedforsecurity=False).digest()
    return digest if method == 1 else bytes((0x40 | digest[12] & 0x0F,)) + digest[13:]


def subject_key_identifier(identifier: bytes) -> Extension:
    """SubjectKeyIdentifier."""
    return Extension(oids.SUBJECT_KEY_IDENTIFIER, False, der.octet_string(identifier))


def authority_key_identifier(identifier: bytes) -> Extension:
    """AuthorityKeyIdentifier with the key identifier only."""
    content = der.element(der.context(0, constructed=False), identifier)
    return Extension(oids.AUTHORITY_KEY_IDENTIFIER, False, der.sequence(content))


def authority_information_access(*, ocsp: str | None, ca_issuers: str | None = None) -> Extension:
    """AuthorityInformationAccess with the URLs that are given."""
    pairs = ((oids.ACCESS_OCSP, ocsp), (oids.ACCESS_CA_ISSUERS, ca_issuers))
    return Extension(
        oids.AUTHORITY_INFORMATION_ACCESS,
        False,
        der.sequence(*(der.sequence(der.oid(method), uri_name(url)) for method, url in pairs if url)),
    )


def crl_distribution_points(url: str) -> Extension:
    """CRLDistributionPoints with one point, whose full name is a URL."""
    name = der.explicit(0, der.element(der.context(0), uri_name(url)))
    return Extension(oids.CRL_DISTRIBUTION_POINTS, False, der.sequence(der.sequence(name)))


def uri_name(uri: str) -> bytes:
    """GeneralName uniformResourceIdentifier."""
    return der.element(der.context(6, constructed=False), uri.encode("ascii"))


def subject_alt_name(uris: Iterable[str]) -> Extension:
    """SubjectAltName with URIs."""
    return Extension(oids.SUBJECT_ALT_NAME, False, der.sequence(*map(uri_name, uris)))


def ocsp_no_check() -> Extension:
    """id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1)."""
    return Extension(oids.OCSP_NO_CHECK, False, der.null())
