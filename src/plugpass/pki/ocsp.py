"""OCSP (RFC 6960) for the profiles: requests, signed responses, and the verdict on a response.

Own encoding, so that a request may name several certificates and any `Signer` can answer. Fetching is someone else's
business. `certificate_hash_data` gives what OCPP calls OCSPRequestDataType.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from hashlib import new as new_hash
from typing import Final, Literal, TypeAlias

from plugpass.errors import PeerError
from plugpass.pki import der, oids
from plugpass.pki.assemble import extensions
from plugpass.pki.certificate import Certificate, CertificateLike, Extension, as_certificate, parse, public_key
from plugpass.pki.keys import InvalidPublicKey, Signer, algorithm_identifier, verify
from plugpass.pki.profiles import KeyUsage
from plugpass.pki.reasons import Reason

MAX_AGE: Final = timedelta(days=7)  #: [V2G2-649], [V2G2-876]
CLOCK_SKEW: Final = timedelta(minutes=5)
MAX_REQUESTED: Final = 16

HashName: TypeAlias = Literal["SHA1", "SHA256", "SHA384", "SHA512"]

_HASH_OIDS: Final[dict[HashName, str]] = {
    "SHA1": oids.SHA1,
    "SHA256": oids.SHA256,
    "SHA384": oids.SHA384,
    "SHA512": oids.SHA512,
}
_HASH_NAMES: Final = {oid: name for name, oid in _HASH_OIDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertId:
    """Which certificate is meant (RFC 6960 §4.1.1): hashes of its issuer's name and key, and its serial number."""

    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    hash_algorithm: HashName = "SHA256"

    @property
    def issuer_name_hash_hex(self) -> str:
        """Lower-case hex, as OCPP has it."""
        return self.issuer_name_hash.hex()

    @property
    def issuer_key_hash_hex(self) -> str:
        """Lower-case hex, as OCPP has it."""
        return self.issuer_key_hash.hex()

    @property
    def serial_hex(self) -> str:
        """Hex without leading zeros, as OCPP has it."""
        return f"{self.serial:x}"

    @classmethod
    def from_hex(
        cls, *, issuer_name_hash: str, issuer_key_hash: str, serial_number: str, hash_algorithm: HashName = "SHA256"
    ) -> CertId:
        """From OCPP's strings, upper or lower case. Raises MalformedOcsp."""
        try:
            return cls(
                issuer_name_hash=bytes.fromhex(issuer_name_hash),
                issuer_key_hash=bytes.fromhex(issuer_key_hash),
                serial=int(serial_number, 16),
                hash_algorithm=hash_algorithm,
            )
        except ValueError:
            raise MalformedOcsp("the certificate hash data are not hexadecimal") from None


class MalformedOcsp(PeerError):
    """An OCSP request or hash data cannot be read."""


class OcspRejected(PeerError):
    """An OCSP response proves nothing about the certificate; `reason` says which rule it breaks."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CertStatus(StrEnum):
    """What a responder says of a certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


class RevocationReason(IntEnum):
    """CRLReason (RFC 5280 §5.3.1), by its ASN.1 names."""

    unspecified = 0
    keyCompromise = 1
    cACompromise = 2
    affiliationChanged = 3
    superseded = 4
    cessationOfOperation = 5
    certificateHold = 6
    removeFromCRL = 8
    privilegeWithdrawn = 9
    aACompromise = 10


class ResponseError(IntEnum):
    """OCSPResponseStatus of an answer without content (RFC 6960 §4.2.1)."""

    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIG_REQUIRED = 5
    UNAUTHORIZED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleStatus:
    """The status of one certificate at a time; `next_update` is when a newer word can be had."""

    cert_id: CertId
    status: CertStatus
    this_update: datetime
    next_update: datetime | None = None
    revoked_at: datetime | None = None
    revocation_reason: RevocationReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspRequest:
    """What a client asks."""

    cert_ids: tuple[CertId, ...]
    nonce: bytes | None = None


def cert_id(certificate: CertificateLike, issuer: CertificateLike, *, hash_algorithm: HashName = "SHA256") -> CertId:
    """The CertID of `certificate`, which `issuer` has signed."""
    name_hash, key_hash = _hashes_of(as_certificate(issuer), hash_algorithm)
    return CertId(
        issuer_name_hash=name_hash,
        issuer_key_hash=key_hash,
        serial=as_certificate(certificate).serial,
        hash_algorithm=hash_algorithm,
    )


def _hashes_of(issuer: Certificate, algorithm: HashName) -> tuple[bytes, bytes]:
    """The hashes of an issuer's name and key, as a CertID has them."""
    octets = (issuer.subject.encoded, issuer.key.bits)
    name_hash, key_hash = (new_hash(algorithm.lower(), item, usedforsecurity=False).digest() for item in octets)
    return name_hash, key_hash


certificate_hash_data = cert_id  #: what OCPP calls it


def ocsp_url(certificate: CertificateLike) -> str | None:
    """The responder's address in the certificate: the first http or https URL, None where there is none."""
    urls = as_certificate(certificate).extensions.ocsp_urls
    return next((url for url in urls if url.startswith(("http://", "https://"))), None)


# --- requests ------------------------------------------------------------------------------------------------------


def build_request(cert_ids: Iterable[CertId], *, nonce: bytes | None = None) -> bytes:
    """A DER OCSPRequest for one or more certificates."""
    requests = der.sequence(*(der.sequence(_encode_cert_id(item)) for item in cert_ids))
    return der.sequence(der.sequence(requests, *((der.explicit(2, _nonce_extension(nonce)),) if nonce else ())))


def _encode_cert_id(item: CertId) -> bytes:
    return der.sequence(
        der.sequence(der.oid(_HASH_OIDS[item.hash_algorithm]), der.null()),
        der.octet_string(item.issuer_name_hash),
        der.octet_string(item.issuer_key_hash),
        der.integer(item.serial),
    )


def _nonce_extension(nonce: bytes) -> bytes:
    return extensions((Extension(oids.OCSP_NONCE, False, der.octet_string(nonce)),))


def parse_request(data: bytes) -> OcspRequest:
    """Read a DER OCSPRequest; a request signature is ignored. Raises MalformedOcsp, also above 16 certificates."""
    try:
        fields = der.Reader(der.read_sequence(data).next(der.SEQUENCE).content)
        fields.optional(der.context(0))
        fields.optional(der.context(1))
        wanted = der.split(fields.next(der.SEQUENCE).content)
        if not 1 <= len(wanted) <= MAX_REQUESTED:
            raise MalformedOcsp(f"the request names {len(wanted)} certificates, 1 to {MAX_REQUESTED} are answered")
        cert_ids = tuple(_read_cert_id(der.Reader(entry.content).next(der.SEQUENCE)) for entry in wanted)
        return OcspRequest(cert_ids=cert_ids, nonce=_read_nonce(fields.optional(der.context(2)), 2))
    except der.MalformedDer as error:
        raise MalformedOcsp(f"the OCSP request cannot be read: {error}") from None


def _read_cert_id(item: der.Element) -> CertId:
    fields = der.Reader(item.content)
    algorithm = der.read_oid(der.Reader(fields.next(der.SEQUENCE).content).next())
    if algorithm not in _HASH_NAMES:
        raise der.MalformedDer("the CertID uses an unknown hash algorithm")
    return CertId(
        hash_algorithm=_HASH_NAMES[algorithm],
        issuer_name_hash=fields.next(der.OCTET_STRING).content,
        issuer_key_hash=fields.next(der.OCTET_STRING).content,
        serial=der.read_integer(fields.next()),
    )


def _read_nonce(field: der.Element | None, number: int) -> bytes | None:
    if field is None:
        return None
    for item in der.split(der.read_explicit(field, number).content):
        parts = der.Reader(item.content)
        if der.read_oid(parts.next()) == oids.OCSP_NONCE:
            parts.optional(der.BOOLEAN)
            return der.parse(parts.next(der.OCTET_STRING).content, der.OCTET_STRING).content
    return None


# --- responses: making ---------------------------------------------------------------------------------------------


def build_response(
    statuses: Iterable[SingleStatus],
    signer: Signer,
    responder: CertificateLike,
    *,
    produced_at: datetime,
    nonce: bytes | None = None,
    include_responder: bool = True,
) -> bytes:
    """A DER OCSPResponse signed by `signer`, whose certificate is `responder`: the issuer itself or its delegate.

    The delegate's certificate travels along; the issuer's own need not (`include_responder=False`).
    """
    certificate = as_certificate(responder)
    body = der.sequence(
        der.explicit(1, certificate.subject.encoded),
        der.generalized_time(produced_at),
        der.sequence(*map(_encode_single, statuses)),
        *((der.explicit(1, _nonce_extension(nonce)),) if nonce else ()),
    )
    certificates = (der.explicit(0, der.sequence(certificate.encoded)),) if include_responder else ()
    basic = der.sequence(
        body, algorithm_identifier(signer.public_key), der.bit_string(signer.sign(body)), *certificates
    )
    content = der.sequence(der.oid(oids.OCSP_BASIC), der.octet_string(basic))
    return der.sequence(der.integer(0, der.ENUMERATED), der.explicit(0, content))


def _encode_single(single: SingleStatus) -> bytes:
    return der.sequence(
        _encode_cert_id(single.cert_id),
        _encode_status(single),
        der.generalized_time(single.this_update),
        *((der.explicit(0, der.generalized_time(single.next_update)),) if single.next_update else ()),
    )


def _encode_status(single: SingleStatus) -> bytes:
    if single.status is CertStatus.REVOKED:
        reason = single.revocation_reason
        encoded = () if reason is None else (der.explicit(0, der.integer(reason, der.ENUMERATED)),)
        return der.explicit(1, der.generalized_time(single.revoked_at or single.this_update), *encoded)
    return der.element(der.context(0 if single.status is CertStatus.GOOD else 2, constructed=False), b"")


def error_response(error: ResponseError) -> bytes:
    """A DER OCSPResponse that carries nothing but the reason for having no content."""
    return der.sequence(der.integer(error, der.ENUMERATED))


# --- responses: judging --------------------------------------------------------------------------------------------


def verify_response(
    response: bytes,
    wanted: CertId,
    issuer: CertificateLike,
    *,
    at: datetime,
    nonce: bytes | None = None,
    max_age: timedelta = MAX_AGE,
    clock_skew: timedelta = CLOCK_SKEW,
) -> SingleStatus:
    """What the DER OCSPResponse proves about the certificate `wanted`, which `issuer` signed.

    Checked: the responder is the issuer or was certified by it for OCSP signing, its signature, the CertID, and the
    freshness (thisUpdate <= at < nextUpdate, age at most `max_age`, both with `clock_skew`). With `nonce` the response
    must carry it. Raises OcspRejected; the status itself, also "unknown", is returned.
    """
    above = as_certificate(issuer)
    try:
        body, algorithm, signature, certificates = _open(response)
        responder_id, singles, echoed = _read_body(body)
        signer = _authorised_signer(responder_id, certificates, above, at, clock_skew)
        if not verify(public_key(signer.key.encoded), signature, body.encoded, algorithm=algorithm):
            raise OcspRejected(Reason.OCSP_SIGNATURE, "the OCSP response's signature does not verify")
    except der.MalformedDer as error:
        raise OcspRejected(Reason.OCSP_MALFORMED, f"the OCSP response cannot be read: {error}") from None
    except InvalidPublicKey as error:
        raise OcspRejected(Reason.OCSP_SIGNER, f"the OCSP responder's key is unusable: {error}") from None
    if nonce is not None and echoed != nonce:
        raise OcspRejected(Reason.OCSP_MISMATCH, "the OCSP response does not carry the request's nonce")
    single = next((item for item in singles if same_certificate(item.cert_id, wanted, above)), None)
    if single is None:
        raise OcspRejected(Reason.OCSP_MISMATCH, "the OCSP response is about another certificate")
    _check_freshness(single, at, max_age, clock_skew)
    return single


def same_certificate(answered: CertId, wanted: CertId, issuer: CertificateLike) -> bool:
    """Whether two CertIDs mean the same certificate of `issuer`, also where they use different hash algorithms."""
    if answered.serial != wanted.serial:
        return False
    above = as_certificate(issuer)
    return all(
        _hashes_of(above, item.hash_algorithm) == (item.issuer_name_hash, item.issuer_key_hash)
        for item in (answered, wanted)
    )


def _open(response: bytes) -> tuple[der.Element, str, bytes, tuple[Certificate, ...]]:
    """ResponseData, signature algorithm, signature and certificates of a successful basic response."""
    outer = der.read_sequence(response)
    status = der.read_integer(outer.next(), der.ENUMERATED)
    if status != 0:
        raise OcspRejected(Reason.OCSP_REFUSED, f"the OCSP responder answers with status {status} instead of content")
    content = der.read_sequence(der.read_explicit(outer.next(), 0).encoded)
    if der.read_oid(content.next()) != oids.OCSP_BASIC:
        raise der.MalformedDer("the response is of no known type")
    fields = der.read_sequence(content.next(der.OCTET_STRING).content)
    body, algorithm, signature = fields.next(der.SEQUENCE), fields.next(der.SEQUENCE), fields.next()
    extra = fields.optional(der.context(0))
    certificates = der.split(der.read_explicit(extra, 0).content) if extra else ()
    return (
        body,
        der.read_oid(der.Reader(algorithm.content).next()),
        der.read_bit_string(signature),
        tuple(parse(item.encoded) for item in certificates[:4]),
    )


def _read_body(body: der.Element) -> tuple[der.Element, tuple[SingleStatus, ...], bytes | None]:
    fields = der.Reader(body.content)
    fields.optional(der.context(0))
    responder = fields.next()
    fields.next(der.GENERALIZED_TIME)  # producedAt: RFC 6960 §3.2 asks for the other two times only
    singles = tuple(_read_single(item) for item in der.split(fields.next(der.SEQUENCE).content))
    return responder, singles, _read_nonce(fields.optional(der.context(1)), 1)


def _read_single(item: der.Element) -> SingleStatus:
    fields = der.Reader(item.content)
    answered = _read_cert_id(fields.next(der.SEQUENCE))
    status, revoked_at, reason = _read_status(fields.next())
    this_update = der.read_time(fields.next(der.GENERALIZED_TIME))
    following = fields.optional(der.context(0))
    return SingleStatus(
        cert_id=answered,
        status=status,
        this_update=this_update,
        next_update=der.read_time(der.read_explicit(following, 0)) if following else None,
        revoked_at=revoked_at,
        revocation_reason=reason,
    )


def _read_status(item: der.Element) -> tuple[CertStatus, datetime | None, RevocationReason | None]:
    if item.tag == der.context(0, constructed=False):
        return CertStatus.GOOD, None, None
    if item.tag == der.context(2, constructed=False):
        return CertStatus.UNKNOWN, None, None
    if item.tag != der.context(1):
        raise der.MalformedDer("the certificate status is none of good, revoked, unknown")
    fields = der.Reader(item.content)
    at, reason = der.read_time(fields.next(der.GENERALIZED_TIME)), fields.optional(der.context(0))
    number = der.read_integer(der.read_explicit(reason, 0), der.ENUMERATED) if reason else 0
    known = number in RevocationReason.__members__.values()
    return CertStatus.REVOKED, at, RevocationReason(number) if known else RevocationReason.unspecified


def _authorised_signer(
    responder_id: der.Element,
    certificates: tuple[Certificate, ...],
    issuer: Certificate,
    at: datetime,
    skew: timedelta,
) -> Certificate:
    """The certificate named by the ResponderID, if it may speak for `issuer` (RFC 6960 §4.2.2.2)."""
    named = next((item for item in (issuer, *certificates) if _is_named(responder_id, item)), None)
    if named is None:
        raise OcspRejected(Reason.OCSP_SIGNER, "the OCSP responder is neither the issuer nor among the certificates")
    if named.encoded == issuer.encoded or named.key.encoded == issuer.key.encoded:
        return named
    usage = named.extensions.key_usage
    problems = {
        "was not certified by the issuer": not _issued_by(named, issuer),
        "is not certified for OCSP signing": oids.OCSP_SIGNING not in (named.extensions.extended_key_usage or ()),
        "may not sign": usage is not None and KeyUsage.DIGITAL_SIGNATURE not in usage,
        "has a certificate that is not valid now": at + skew < named.not_before or at - skew > named.not_after,
    }
    for problem, present in problems.items():
        if present:
            raise OcspRejected(Reason.OCSP_SIGNER, f"the OCSP responder {named.subject} {problem}")
    return named


def _is_named(responder_id: der.Element, certificate: Certificate) -> bool:
    """ResponderID by name [1] or by SHA-1 of the key [2]."""
    if responder_id.tag == der.context(1):
        return responder_id.content == certificate.subject.encoded
    if responder_id.tag == der.context(2):
        digest = new_hash("sha1", certificate.key.bits, usedforsecurity=False).digest()
        return der.read_explicit(responder_id, 2).content == digest
    raise der.MalformedDer("the ResponderID is neither a name nor a key hash")


def _issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    return certificate.issuer.key == issuer.subject.key and verify(
        public_key(issuer.key.encoded),
        certificate.signature,
        certificate.tbs,
        algorithm=certificate.signature_algorithm,
    )


def _check_freshness(single: SingleStatus, at: datetime, max_age: timedelta, skew: timedelta) -> None:
    if single.this_update > at + skew:
        raise OcspRejected(Reason.OCSP_STALE, "the OCSP response is from the future")
    if single.next_update is not None and at - skew >= single.next_update:
        raise OcspRejected(Reason.OCSP_STALE, f"the OCSP response was to be renewed by {single.next_update:%Y-%m-%d}")
    if at - single.this_update > max_age + skew:
        raise OcspRejected(Reason.OCSP_STALE, f"the OCSP response is older than {max_age.days} days")
