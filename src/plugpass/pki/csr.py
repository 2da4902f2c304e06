"""Certificate requests (PKCS#10, RFC 2986): made with any `Signer`, read with proof of possession checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from plugpass.errors import PeerError
from plugpass.ids import EVSEID, InvalidIdentifier
from plugpass.pki import assemble, der, oids
from plugpass.pki.bundle import decode_armour
from plugpass.pki.certificate import Extensions, parse_extensions, parse_key
from plugpass.pki.keys import (
    Curve,
    InvalidPublicKey,
    PublicKey,
    Signer,
    algorithm_identifier,
    load_public_key,
    public_key_info,
    signature_algorithm,
    verify,
)
from plugpass.pki.names import Name, build_name, parse_name
from plugpass.pki.profiles import KeyUsage, Profile, SanPolicy

MAX_CSR_BYTES: Final = 16 * 1024

_EVSEID_URN: Final = "urn:evseid:"


class CsrRefused(PeerError):
    """A certificate request cannot be granted; `wire` is the HTTP status EST answers with."""

    def __init__(self, message: str, *, wire: str = "400") -> None:
        super().__init__(message, wire=wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Csr:
    """A certificate request whose signature has been verified: the sender holds the private key."""

    encoded: bytes
    subject: Name
    public_key: PublicKey
    extensions: Extensions  #: what the sender wishes; the profile decides
    challenge_password: str | None = None

    @property
    def common_name(self) -> str:
        """The subject's CN (there is exactly one)."""
        return self.subject.common_name

    @property
    def has_san(self) -> bool:
        """Whether any SubjectAltName is asked for."""
        return self.extensions.find(oids.SUBJECT_ALT_NAME) is not None


def create_csr(
    signer: Signer,
    *,
    common_name: str,
    organization: str,
    country: str | None = None,
    domain: str | None = None,
    evse_id: EVSEID | None = None,
    key_usage: Iterable[KeyUsage] = (KeyUsage.DIGITAL_SIGNATURE,),
    challenge_password: str | None = None,
) -> bytes:
    """A DER PKCS#10 request.

    `evse_id` is carried as SubjectAltName `urn:evseid:`; KeyUsage is critical, as the pre-certification of the pools
    demands. `challenge_password` binds the request to a TLS channel (RFC 7030 §3.5).
    """
    return create_csr_for(
        build_name(common_name=common_name, organization=organization, country=country, domain=domain),
        signer,
        evse_id=evse_id,
        key_usage=key_usage,
        challenge_password=challenge_password,
    )


def create_csr_for(
    subject: x509.Name,
    signer: Signer,
    *,
    evse_id: EVSEID | None = None,
    key_usage: Iterable[KeyUsage] = (KeyUsage.DIGITAL_SIGNATURE,),
    challenge_password: str | None = None,
) -> bytes:
    """As `create_csr`, for a subject that exists already (EST simplereenroll keeps it, RFC 7030 §4.2.2)."""
    wishes = [assemble.key_usage(key_usage)]
    if evse_id:
        wishes.append(assemble.subject_alt_name((evse_id.uri,)))
    attributes = [_attribute(oids.EXTENSION_REQUEST, assemble.extensions(wishes))]
    if challenge_password:
        attributes.append(
            _attribute(oids.CHALLENGE_PASSWORD, der.element(der.PRINTABLE_STRING, challenge_password.encode("ascii")))
        )
    body = der.sequence(
        der.integer(0),
        subject.public_bytes(),
        public_key_info(signer.public_key),
        der.explicit(0, *sorted(attributes)),
    )
    return assemble.signed(body, algorithm_identifier(signer.public_key), signer.sign(body))


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.oid(oid), der.set_of(value))


def parse_csr(data: bytes | str, *, curves: Iterable[Curve] = (Curve.P256,)) -> Csr:
    """The request in `data`: DER, PEM, or base64 in one line or wrapped.

    Raises CsrRefused: unreadable, too large, signature does not verify, key of another curve than `curves`, or a
    subject without exactly one CN.
    """
    raw = data.encode("ascii", "replace") if isinstance(data, str) else data
    if len(raw) > 2 * MAX_CSR_BYTES:
        raise CsrRefused(f"the request has {len(raw)} octets, more than any request needs", wire="413")
    try:
        return _read(decode_armour(raw, "CERTIFICATE REQUEST"), frozenset(curves))
    except der.MalformedDer as error:
        raise CsrRefused(f"the request is no PKCS#10: {error}") from None
    except InvalidPublicKey as error:
        raise CsrRefused(f"the request is refused: {error}") from None


def _read(encoded: bytes, curves: frozenset[Curve]) -> Csr:
    outer = der.read_sequence(encoded)
    body, algorithm, signature = outer.next(der.SEQUENCE), outer.next(der.SEQUENCE), der.read_bit_string(outer.next())
    outer.end()
    fields = der.Reader(body.content)
    if der.read_integer(fields.next()) != 0:
        raise CsrRefused("the request has an unknown version")
    subject, info = parse_name(fields.next(der.SEQUENCE).encoded), fields.next(der.SEQUENCE).encoded
    wishes, challenge = _attributes(fields.optional(der.context(0)))
    fields.end()
    key = _key(info, curves)
    named = der.read_oid(der.Reader(algorithm.content).next())
    if named != signature_algorithm(key).oid or not verify(key, signature, body.encoded):
        raise CsrRefused("the request's signature does not verify: no proof that the sender holds the key")
    if len(subject.values(oids.COMMON_NAME)) != 1:
        raise CsrRefused("the request's subject must have exactly one common name")
    return Csr(encoded=encoded, subject=subject, public_key=key, extensions=wishes, challenge_password=challenge)


def _key(info: bytes, curves: frozenset[Curve]) -> PublicKey:
    key = parse_key(info)
    if not key.named_curve or key.curve not in curves:
        wanted = " or ".join(sorted(curves))
        offered = key.curve or oids.name_of(key.algorithm)
        raise CsrRefused(f"the request's key is of type {offered}, this authority signs {wanted}")
    return load_public_key(info)


def _attributes(field: der.Element | None) -> tuple[Extensions, str | None]:
    """The extension wishes and the challenge password of the attributes; others are ignored."""
    wishes, challenge = Extensions(), None
    for attribute in der.split(field.content) if field else ():
        pair = der.read_sequence(attribute.encoded)
        oid, values = der.read_oid(pair.next()), der.split(pair.next(der.SET).content)
        if len(values) == 1 and oid == oids.EXTENSION_REQUEST:
            wishes = parse_extensions(values[0].encoded)
        elif len(values) == 1 and oid == oids.CHALLENGE_PASSWORD:
            challenge = der.read_string(values[0])
    if wishes.malformed:
        raise CsrRefused(f"the request's {oids.name_of(wishes.malformed[0])} extension is unreadable")
    return wishes, challenge


def evse_id_for(csr: Csr, policy: SanPolicy, *, operator_prefix: str) -> EVSEID | None:
    """The EVSE id to put into the certificate as SubjectAltName, by switch S10; None for none.

    Under `copy` a `urn:evseid:` URI must be valid, occur once, belong to the operator (5 characters, as authenticated)
    and agree with a CN that is an EVSEID; names of other kinds are dropped. Raises CsrRefused.
    """
    if policy is SanPolicy.STRICT and csr.has_san:
        raise CsrRefused("this authority takes no request with a SubjectAltName")
    if policy is not SanPolicy.COPY:
        return None
    uris = [uri for uri in csr.extensions.san_uris if uri.lower().startswith(_EVSEID_URN)]
    if not uris:
        return None
    if len(uris) > 1:
        raise CsrRefused("the request has more than one urn:evseid: name")
    try:
        evse_id = EVSEID.from_uri(uris[0])
    except InvalidIdentifier as error:
        raise CsrRefused(f"the request's SubjectAltName is refused: {error}") from None
    if evse_id.operator_prefix != operator_prefix.upper():
        raise CsrRefused(f"EVSE id {evse_id} does not belong to operator {operator_prefix}", wire="403")
    if (named := _as_evse_id(csr.common_name)) and named != evse_id:
        raise CsrRefused(f"SubjectAltName {evse_id} and common name {named} name different EVSEs")
    return evse_id


def _as_evse_id(text: str) -> EVSEID | None:
    try:
        return EVSEID.parse(text)
    except InvalidIdentifier:
        return None


def key_usage_for(csr: Csr, profile: Profile, *, honour: bool) -> frozenset[KeyUsage]:
    """The KeyUsage to issue (switch S12): the profile's, or the wishes of the request as far as the profile goes."""
    rule, wishes = profile.key_usage, csr.extensions.key_usage
    if not honour or not wishes:
        return rule.issue
    return rule.required | wishes & rule.accepted
