"""Certificates as plain values, read by our own strict reader.

A general library refuses a certificate as a whole where one extension is not DER; a V2G validator has to say which
rule was broken, and to go on where a policy tolerates exactly that. So `parse` takes the structure apart and reports
what it finds; judging is left to `lint` and `path`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plugpass.pki import der, oids
from plugpass.pki.keys import Curve, PublicKey, load_public_key
from plugpass.pki.names import Name, parse_name
from plugpass.pki.profiles import KEY_USAGE_BITS, KeyUsage

MAX_CERTIFICATE_BYTES: Final = 16 * 1024  #: far above any profile; nothing larger is even looked at

_CURVES: Final = {oids.SECP256R1: Curve.P256, oids.SECP521R1: Curve.P521}
_USAGE_OF_BIT: Final = {bit: usage for usage, bit in KEY_USAGE_BITS.items()}


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension as encoded."""

    oid: str
    critical: bool
    value: bytes  #: content of extnValue


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicConstraints:
    """BasicConstraints; `explicit_default` says that `cA FALSE` was written out, which DER forbids."""

    ca: bool
    path_length: int | None
    explicit_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """SubjectPublicKeyInfo before the key itself is looked at."""

    encoded: bytes
    algorithm: str  #: OID
    curve: Curve | None  #: None where no V2G profile knows it
    named_curve: bool  #: False for an EC key with explicit parameters
    bits: bytes  #: content of subjectPublicKey: what key identifiers are computed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """The extensions a V2G profile speaks of, decoded; None or empty where absent."""

    all: tuple[Extension, ...] = ()
    malformed: tuple[str, ...] = ()  #: OIDs whose content could not be read
    basic_constraints: BasicConstraints | None = None
    key_usage: frozenset[KeyUsage] | None = None
    extended_key_usage: tuple[str, ...] | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    ocsp_urls: tuple[str, ...] = ()
    ca_issuers_urls: tuple[str, ...] = ()
    crl_urls: tuple[str, ...] = ()
    san_uris: tuple[str, ...] = ()
    san_others: int = 0  #: alternative names that are no URI

    def find(self, oid: str) -> Extension | None:
        """The first extension of that kind."""
        return next((extension for extension in self.all if extension.oid == oid), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An X.509 certificate taken apart. Two are equal where their encodings are."""

    encoded: bytes
    tbs: bytes = field(compare=False)
    version: int = field(compare=False)  #: 1, 2 or 3
    serial: int = field(compare=False)
    serial_octets: int = field(compare=False)
    signature_algorithm: str = field(compare=False)  #: OID of the outer AlgorithmIdentifier
    algorithms_agree: bool = field(compare=False)  #: whether inner and outer AlgorithmIdentifier are the same octets
    issuer: Name = field(compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)
    subject: Name = field(compare=False)
    key: SubjectKey = field(compare=False)
    extensions: Extensions = field(compare=False)
    signature: bytes = field(compare=False)

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same name (RFC 5280 §6.1)."""
        return self.issuer.key == self.subject.key

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the encoding, lower-case hex."""
        return sha256(self.encoded).hexdigest()

    @property
    def common_name(self) -> str:
        """The subject's first CN, "" where there is none."""
        return self.subject.common_name

    def __repr__(self) -> str:
        return f"Certificate({self.subject}, serial {self.serial:x})"


CertificateLike: TypeAlias = bytes | x509.Certificate | Certificate


def der_of(certificate: CertificateLike) -> bytes:
    """The DER encoding of a certificate in any of our forms."""
    if isinstance(certificate, bytes):
        return certificate
    return certificate.encoded if isinstance(certificate, Certificate) else certificate.public_bytes(Encoding.DER)


def as_certificate(certificate: CertificateLike) -> Certificate:
    """The certificate taken apart, from any of our forms. Raises MalformedDer."""
    return certificate if isinstance(certificate, Certificate) else parse(der_of(certificate))


@lru_cache(maxsize=2048)
def public_key(info: bytes) -> PublicKey:
    """The key of a DER SubjectPublicKeyInfo, remembered. Raises InvalidPublicKey."""
    return load_public_key(info)


@lru_cache(maxsize=2048)
def parse(encoded: bytes) -> Certificate:
    """Take a DER certificate apart. Raises MalformedDer where it is no certificate, not DER, or has trailing octets.

    The results are remembered: Sub-CAs and roots come by again and again.
    """
    if len(encoded) > MAX_CERTIFICATE_BYTES:
        raise der.MalformedDer(f"a certificate of {len(encoded)} octets is above the limit of {MAX_CERTIFICATE_BYTES}")
    tbs, outer_algorithm, signature = der.fields_of(der.parse(encoded), 3)
    fields = der.Reader(der.content_of(tbs))
    version = fields.optional(der.context(0))
    serial = fields.next(der.INTEGER)
    inner_algorithm = fields.next(der.SEQUENCE)
    issuer, (not_before, not_after) = fields.next(der.SEQUENCE), der.fields_of(fields.next(), 2)
    subject, key = fields.next(der.SEQUENCE), fields.next(der.SEQUENCE)
    extensions = fields.optional(der.context(3))
    fields.end()  # unique identifiers ([1], [2]) are no part of any profile
    return Certificate(
        encoded=encoded,
        tbs=tbs.encoded,
        version=1 + der.read_integer(der.read_explicit(version, 0)) if version else 1,
        serial=der.read_integer(serial),
        serial_octets=len(serial.content),
        signature_algorithm=_algorithm(der.content_of(outer_algorithm)),
        algorithms_agree=inner_algorithm.encoded == outer_algorithm.encoded,
        issuer=parse_name(issuer.encoded),
        not_before=der.read_time(not_before),
        not_after=der.read_time(not_after),
        subject=parse_name(subject.encoded),
        key=parse_key(key.encoded),
        extensions=_extensions(der.read_explicit(extensions, 3)) if extensions else Extensions(),
        signature=der.read_bit_string(signature),
    )


@lru_cache(maxsize=64)
def _algorithm(content: bytes) -> str:
    """The OID of an AlgorithmIdentifier."""
    return der.read_oid(der.Reader(content).next())


def parse_key(encoded: bytes) -> SubjectKey:
    """Take a SubjectPublicKeyInfo apart without loading the key. Raises MalformedDer."""
    algorithm, bits = der.fields_of(der.parse(encoded), 2)
    oid, named, curve = _key_type(der.content_of(algorithm))
    return SubjectKey(encoded=encoded, algorithm=oid, curve=curve, named_curve=named, bits=der.read_bit_string(bits))


@lru_cache(maxsize=64)
def _key_type(content: bytes) -> tuple[str, bool, Curve | None]:
    """OID, whether a curve is named, and the curve, of a key's AlgorithmIdentifier."""
    algorithm = der.Reader(content)
    oid = der.read_oid(algorithm.next())
    parameters = next(algorithm.rest(), None)
    if oid != oids.EC_PUBLIC_KEY:
        return oid, True, Curve.ED448 if oid == oids.ED448 else None
    if parameters is None or parameters.tag != der.OID:
        return oid, False, None
    return oid, True, _CURVES.get(der.read_oid(parameters))


def parse_extensions(encoded: bytes) -> Extensions:
    """Take a DER `Extensions` apart; content that cannot be read is listed, not raised. Raises MalformedDer."""
    return _extensions(der.parse(encoded))


def _extensions(element: der.Element) -> Extensions:
    found: list[Extension] = []
    decoded: dict[str, Any] = {}
    malformed: list[str] = []
    for item in der.split(der.content_of(element)):
        extension, content = _extension(der.content_of(item))
        found.append(extension)
        if content is None:
            malformed.append(extension.oid)
        else:
            decoded |= content
    return Extensions(all=tuple(found), malformed=tuple(malformed), **decoded)


@lru_cache(maxsize=1024)
def _extension(content: bytes) -> tuple[Extension, Mapping[str, Any] | None]:
    """An extension and the fields of `Extensions` it fills (None: unreadable), remembered since most recur."""
    fields = der.Reader(content)
    oid, flag, value = der.read_oid(fields.next()), fields.optional(der.BOOLEAN), fields.next(der.OCTET_STRING)
    fields.end()
    if flag is not None and not der.read_boolean(flag):
        raise der.MalformedDer("BER: the default of an extension's criticality is written out")
    extension = Extension(oid, flag is not None, value.content)
    decode = _DECODERS.get(oid)
    try:
        return extension, decode(value.content) if decode else {}
    except der.MalformedDer:
        return extension, None


# --- content of the known extensions: each gives the fields of `Extensions` it fills ---------------------------------


def _basic_constraints(value: bytes) -> dict[str, Any]:
    fields = der.read_sequence(value)
    flag, length = fields.optional(der.BOOLEAN), fields.optional(der.INTEGER)
    fields.end()
    ca = flag is not None and der.read_boolean(flag)
    path_length = None if length is None else der.read_integer(length)
    if path_length is not None and path_length < 0:
        raise der.MalformedDer("pathLenConstraint is negative")
    constraints = BasicConstraints(ca=ca, path_length=path_length, explicit_default=flag is not None and not ca)
    return {"basic_constraints": constraints}


def _key_usage(value: bytes) -> dict[str, Any]:
    bits = der.read_named_bits(der.parse(value))
    if unknown := bits - _USAGE_OF_BIT.keys():
        raise der.MalformedDer(f"KeyUsage bits {sorted(unknown)} do not exist")
    return {"key_usage": frozenset(_USAGE_OF_BIT[bit] for bit in bits)}


def _extended_key_usage(value: bytes) -> dict[str, Any]:
    purposes = tuple(der.read_oid(purpose) for purpose in der.read_sequence(value).rest())
    if not purposes:
        raise der.MalformedDer("ExtendedKeyUsage lists nothing")
    return {"extended_key_usage": purposes}


def _subject_key_identifier(value: bytes) -> dict[str, Any]:
    return {"subject_key_identifier": der.parse(value, der.OCTET_STRING).content}


def _authority_key_identifier(value: bytes) -> dict[str, Any]:
    identifier = der.read_sequence(value).optional(der.context(0, constructed=False))
    return {"authority_key_identifier": identifier.content if identifier else None}


_URI: Final = der.context(6, constructed=False)


def _ascii(element: der.Element) -> str:
    try:
        return element.content.decode("ascii")
    except UnicodeDecodeError:
        raise der.MalformedDer("a URI is not ASCII") from None


def _authority_information_access(value: bytes) -> dict[str, Any]:
    urls: dict[str, list[str]] = {oids.ACCESS_OCSP: [], oids.ACCESS_CA_ISSUERS: []}
    for description in der.read_sequence(value).rest():
        fields = der.read_sequence(description.encoded)
        method, location = der.read_oid(fields.next()), fields.next()
        fields.end()
        if method in urls and location.tag == _URI:
            urls[method].append(_ascii(location))
    return {"ocsp_urls": tuple(urls[oids.ACCESS_OCSP]), "ca_issuers_urls": tuple(urls[oids.ACCESS_CA_ISSUERS])}


def _crl_distribution_points(value: bytes) -> dict[str, Any]:
    urls: list[str] = []
    for point in der.read_sequence(value).rest():
        name = der.read_sequence(point.encoded).optional(der.context(0))
        full = der.parse(name.content) if name else None
        if full is not None and full.tag == der.context(0):
            urls += (_ascii(item) for item in der.split(full.content) if item.tag == _URI)
    return {"crl_urls": tuple(urls)}


def _subject_alt_name(value: bytes) -> dict[str, Any]:
    names = tuple(der.read_sequence(value).rest())
    if not names:
        raise der.MalformedDer("SubjectAltName lists nothing")
    uris = tuple(_ascii(name) for name in names if name.tag == _URI)
    return {"san_uris": uris, "san_others": len(names) - len(uris)}


_DECODERS: Final[dict[str, Callable[[bytes], dict[str, Any]]]] = {
    oids.BASIC_CONSTRAINTS: _basic_constraints,
    oids.KEY_USAGE: _key_usage,
    oids.EXTENDED_KEY_USAGE: _extended_key_usage,
    oids.SUBJECT_KEY_IDENTIFIER: _subject_key_identifier,
    oids.AUTHORITY_KEY_IDENTIFIER: _authority_key_identifier,
    oids.AUTHORITY_INFORMATION_ACCESS: _authority_information_access,
    oids.CRL_DISTRIBUTION_POINTS: _crl_distribution_points,
    oids.SUBJECT_ALT_NAME: _subject_alt_name,
}
