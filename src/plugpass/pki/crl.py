"""Certificate revocation lists (RFC 5280 §5): signed by any `Signer`, read strictly, judged before they are believed.

Only complete lists that a CA issues about its own certificates are taken. Indirect, delta and partitioned lists say
nothing definite about a certificate they do not mention, so they are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from plugpass.errors import PeerError
from plugpass.pki import assemble, der, oids
from plugpass.pki.bundle import decode_armour, pem_block
from plugpass.pki.certificate import Certificate, CertificateLike, Extension, as_certificate, public_key
from plugpass.pki.keys import InvalidPublicKey, Signer, algorithm_identifier, verify
from plugpass.pki.names import Name, parse_name
from plugpass.pki.ocsp import CLOCK_SKEW, RevocationReason
from plugpass.pki.profiles import KeyUsage
from plugpass.pki.reasons import Reason

MAX_CRL_BYTES: Final = 4 * 1024 * 1024
PEM_LABEL: Final = "X509 CRL"

_V2: Final = 1
_UNDERSTOOD: Final = frozenset({oids.CRL_NUMBER, oids.AUTHORITY_KEY_IDENTIFIER, oids.CRL_REASON, oids.INVALIDITY_DATE})
#: Extensions that narrow what a list is about, and what a list with one is called.
_SCOPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        oids.ISSUING_DISTRIBUTION_POINT: "indirect or partitioned",
        oids.DELTA_CRL_INDICATOR: "a delta",
        oids.CERTIFICATE_ISSUER: "indirect",
    }
)


class MalformedCrl(PeerError):
    """Bytes are no certificate revocation list."""


class CrlRejected(PeerError):
    """A revocation list proves nothing about the certificate; `reason` says which rule it breaks."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedCertificate:
    """One entry of a list."""

    serial: int
    revoked_at: datetime
    reason: RevocationReason | None = None  #: None where the entry gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """A certificate revocation list taken apart. Two are equal where their encodings are."""

    encoded: bytes
    tbs: bytes = field(compare=False)
    issuer: Name = field(compare=False)
    this_update: datetime = field(compare=False)
    next_update: datetime | None = field(compare=False)
    revoked: Mapping[int, RevokedCertificate] = field(compare=False)
    signature_algorithm: str = field(compare=False)
    signature: bytes = field(compare=False)
    number: int | None = field(compare=False, default=None)
    authority_key_identifier: bytes | None = field(compare=False, default=None)
    scope: str = field(compare=False, default="")  #: why the list is not about all certificates of its issuer; "" if so
    unknown_critical: tuple[str, ...] = field(compare=False, default=())  #: OIDs

    def entry(self, certificate: CertificateLike) -> RevokedCertificate | None:
        """The entry about a certificate of this list's issuer; None where it is not revoked."""
        return self.revoked.get(as_certificate(certificate).serial)

    def __repr__(self) -> str:
        return f"Crl({self.issuer}, number {self.number}, {len(self.revoked)} entries)"


# --- making --------------------------------------------------------------------------------------------------------


def build_crl(
    revoked: Iterable[RevokedCertificate],
    issuer: CertificateLike,
    signer: Signer,
    *,
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """A DER version 2 list with CRL number and AuthorityKeyIdentifier, signed by `signer`, whose CA is `issuer`."""
    above = as_certificate(issuer)
    identifier = above.extensions.subject_key_identifier or assemble.key_identifier(signer.public_key, 1)
    entries = tuple(_encode_entry(entry) for entry in sorted(revoked, key=lambda entry: entry.serial))
    algorithm = algorithm_identifier(signer.public_key)
    body = der.sequence(
        der.integer(_V2),
        algorithm,
        above.subject.encoded,
        der.time(this_update),
        der.time(next_update),
        der.sequence(*entries) if entries else b"",  # absent where nothing is revoked (RFC 5280 §5.1.2.6)
        der.explicit(
            0,
            assemble.extensions(
                (
                    assemble.authority_key_identifier(identifier),
                    Extension(oids.CRL_NUMBER, False, der.integer(number)),
                )
            ),
        ),
    )
    return assemble.signed(body, algorithm, signer.sign(body))


def _encode_entry(entry: RevokedCertificate) -> bytes:
    wanted = entry.reason not in (None, RevocationReason.unspecified)  # left out when unspecified (RFC 5280 §5.3.1)
    reason = Extension(oids.CRL_REASON, False, der.integer(entry.reason or 0, der.ENUMERATED))
    return der.sequence(
        der.integer(entry.serial),
        der.time(entry.revoked_at),
        assemble.extensions((reason,)) if wanted else b"",
    )


def crl_pem(encoded: bytes) -> str:
    """The list as PEM."""
    return pem_block(encoded, PEM_LABEL)


# --- reading -------------------------------------------------------------------------------------------------------


def parse_crl(data: bytes) -> Crl:
    """The list in `data`: DER, PEM or base64. Raises MalformedCrl."""
    if len(data) > 2 * MAX_CRL_BYTES:
        raise MalformedCrl(f"{len(data)} octets are more than a revocation list needs")
    try:
        return _parse(decode_armour(data, "CRL"))
    except der.MalformedDer as error:
        raise MalformedCrl(f"the revocation list cannot be read: {error}") from None


@lru_cache(maxsize=16)
def _parse(encoded: bytes) -> Crl:
    if len(encoded) > MAX_CRL_BYTES:
        raise MalformedCrl(f"a revocation list of {len(encoded)} octets is above the limit of {MAX_CRL_BYTES}")
    outer = der.read_sequence(encoded)
    body, algorithm, signature = outer.next(der.SEQUENCE), outer.next(der.SEQUENCE), der.read_bit_string(outer.next())
    outer.end()
    fields = der.Reader(body.content)
    version = fields.optional(der.INTEGER)
    if version is not None and der.read_integer(version) != _V2:
        raise der.MalformedDer("unknown version")
    if fields.next(der.SEQUENCE).encoded != algorithm.encoded:
        raise der.MalformedDer("inner and outer signature algorithm differ")
    issuer, this_update = parse_name(fields.next(der.SEQUENCE).encoded), der.read_time(fields.next())
    next_update = fields.optional(der.UTC_TIME) or fields.optional(der.GENERALIZED_TIME)
    entries, own = fields.optional(der.SEQUENCE), fields.optional(der.context(0))
    fields.end()
    extensions = _extensions(der.read_explicit(own, 0)) if own else {}
    revoked, inner = _entries(entries)
    named = {**inner, **extensions}
    return Crl(
        encoded=encoded,
        tbs=body.encoded,
        issuer=issuer,
        this_update=this_update,
        next_update=der.read_time(next_update) if next_update else None,
        revoked=MappingProxyType(revoked),
        signature_algorithm=der.read_oid(der.Reader(algorithm.content).next()),
        signature=signature,
        number=_number(extensions.get(oids.CRL_NUMBER)),
        authority_key_identifier=_key_identifier(extensions.get(oids.AUTHORITY_KEY_IDENTIFIER)),
        scope=next((text for oid, text in _SCOPES.items() if oid in named), ""),
        unknown_critical=tuple(oid for oid, item in named.items() if item.critical and oid not in _UNDERSTOOD),
    )


def _extensions(field_: der.Element) -> dict[str, Extension]:
    found: dict[str, Extension] = {}
    for item in der.split(field_.content):
        parts = der.read_sequence(item.encoded)
        oid, critical, value = der.read_oid(parts.next()), parts.optional(der.BOOLEAN), parts.next(der.OCTET_STRING)
        parts.end()
        if oid in found:
            raise der.MalformedDer(f"extension {oids.name_of(oid)} occurs twice")
        found[oid] = Extension(oid, critical is not None and der.read_boolean(critical), value.content)
    return found


def _entries(field_: der.Element | None) -> tuple[dict[int, RevokedCertificate], dict[str, Extension]]:
    """The entries by serial number, and every kind of extension that any of them has."""
    revoked: dict[int, RevokedCertificate] = {}
    kinds: dict[str, Extension] = {}
    for item in der.split(field_.content) if field_ else ():
        parts = der.Reader(item.content)
        serial, at = der.read_integer(parts.next()), der.read_time(parts.next())
        more = parts.optional(der.SEQUENCE)
        parts.end()
        own = _extensions(more) if more else {}
        kinds |= own
        revoked[serial] = RevokedCertificate(serial=serial, revoked_at=at, reason=_reason(own.get(oids.CRL_REASON)))
    return revoked, kinds


def _reason(extension: Extension | None) -> RevocationReason | None:
    if extension is None:
        return None
    number = der.read_integer(der.parse(extension.value), der.ENUMERATED)
    known = number in RevocationReason.__members__.values()
    return RevocationReason(number) if known else RevocationReason.unspecified


def _number(extension: Extension | None) -> int | None:
    return der.read_integer(der.parse(extension.value)) if extension else None


def _key_identifier(extension: Extension | None) -> bytes | None:
    if extension is None:
        return None
    identifier = der.read_sequence(extension.value).optional(der.context(0, constructed=False))
    return identifier.content if identifier else None


# --- judging -------------------------------------------------------------------------------------------------------


def verify_crl(crl: Crl | bytes, issuer: CertificateLike, *, at: datetime, clock_skew: timedelta = CLOCK_SKEW) -> Crl:
    """The list, where it can be believed about the certificates of `issuer` at the time `at` (RFC 5280 §6.3.3).

    Checked: issuer name and key identifier, cRLSign, signature, scope (a complete list, no unknown critical extension),
    and freshness: thisUpdate <= at < nextUpdate, which must be there. Raises CrlRejected.
    """
    try:
        parsed = crl if isinstance(crl, Crl) else parse_crl(crl)
    except MalformedCrl as error:
        raise CrlRejected(Reason.CRL_MALFORMED, str(error)) from None
    above = as_certificate(issuer)
    _check_issuer(parsed, above)
    if not _signature_holds(parsed, above.key.encoded):
        raise CrlRejected(Reason.CRL_SIGNATURE, "the revocation list's signature does not verify")
    if parsed.scope:
        raise CrlRejected(Reason.CRL_SCOPE, f"the revocation list is {parsed.scope}, only complete ones are taken")
    if parsed.unknown_critical:
        names = ", ".join(map(oids.name_of, parsed.unknown_critical))
        raise CrlRejected(Reason.CRL_SCOPE, f"the revocation list has the unknown critical extension {names}")
    if parsed.this_update > at + clock_skew:
        raise CrlRejected(Reason.CRL_STALE, "the revocation list is from the future")
    if parsed.next_update is None:  # RFC 5280 §5.1.2.5
        raise CrlRejected(Reason.CRL_STALE, "the revocation list does not say when the next one comes")
    if at - clock_skew >= parsed.next_update:
        raise CrlRejected(Reason.CRL_STALE, f"the revocation list was to be renewed by {parsed.next_update:%Y-%m-%d}")
    return parsed


def _check_issuer(crl: Crl, issuer: Certificate) -> None:
    wanted, offered = crl.authority_key_identifier, issuer.extensions.subject_key_identifier
    usage = issuer.extensions.key_usage
    problems = {
        f"is issued by {crl.issuer}, not by {issuer.subject}": crl.issuer.key != issuer.subject.key,
        f"is made with another key of {issuer.subject}": None not in (wanted, offered) and wanted != offered,
        f"is issued by {issuer.subject}, which may not sign lists": usage is not None
        and KeyUsage.CRL_SIGN not in usage,
    }
    for problem, present in problems.items():
        if present:
            raise CrlRejected(Reason.CRL_ISSUER, f"the revocation list {problem}")


@lru_cache(maxsize=64)
def _signature_holds(crl: Crl, key_info: bytes) -> bool:
    try:
        key = public_key(key_info)
    except InvalidPublicKey:
        return False
    return verify(key, crl.signature, crl.tbs, algorithm=crl.signature_algorithm)
