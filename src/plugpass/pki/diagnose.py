"""What is the matter with a file or a bundle of certificates, in words: for command lines and logs.

`validate` does not mind the order of Sub-CAs, duplicates and strangers; people who wonder why a peer does mind want to
be told. Everything here is about form; whether a chain is to be believed is the validator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from plugpass.errors import PeerError
from plugpass.pki import der, oids
from plugpass.pki.building import signed_by
from plugpass.pki.bundle import MAX_BUNDLE_BYTES, MAX_CERTIFICATES, MalformedBundle, read_certificates
from plugpass.pki.certificate import Certificate, CertificateLike, as_certificate, parse, parse_key
from plugpass.pki.keys import Curve
from plugpass.pki.names import Name

_PRIVATE_KEY_LABELS: Final = (b"PRIVATE KEY-----",)
_OTHER_LABELS: Final = (
    (b"BEGIN CERTIFICATE REQUEST", "a certificate request (PKCS#10)"),
    (b"BEGIN NEW CERTIFICATE REQUEST", "a certificate request (PKCS#10)"),
    (b"BEGIN X509 CRL", "a revocation list"),
    (b"BEGIN PUBLIC KEY", "a public key"),
)
_PKCS12_VERSION: Final = b"\x02\x01\x03"


class UnusableInput(PeerError):
    """A file holds no certificates that can be worked with; the message says what it holds instead."""


# --- files ---------------------------------------------------------------------------------------------------------


def read_chain(data: bytes) -> tuple[Certificate, ...]:
    """The certificates of a file, in its order. Raises UnusableInput with one line that says what is wrong."""
    if not data.strip():
        raise UnusableInput("the file is empty")
    if len(data) > MAX_BUNDLE_BYTES:
        raise UnusableInput(
            f"the file has {len(data):,} octets; a bundle of certificates has at most {MAX_BUNDLE_BYTES:,}"
        )
    try:
        encoded = read_certificates(data)
    except MalformedBundle as error:
        raise UnusableInput(_instead(data) or f"the file holds no certificates: {error}") from None
    except der.MalformedDer as error:
        raise UnusableInput(_instead(data) or f"the file is neither PEM nor DER: {error}") from None
    certificates = []
    for number, one in enumerate(encoded, start=1):
        try:
            certificates.append(parse(one))
        except der.MalformedDer as error:
            raise UnusableInput(_instead(data) or f"certificate {number} of the file cannot be read: {error}") from None
    return tuple(certificates)


def holds_private_key(data: bytes) -> bool:
    """Whether a PEM file carries a private key: worth a warning before it is passed on."""
    return any(label in data for label in _PRIVATE_KEY_LABELS)


def _instead(data: bytes) -> str:
    """What a file without certificates is, where that can be told; else ""."""
    if holds_private_key(data) and b"BEGIN CERTIFICATE-" not in data:
        return "the file holds a private key, not a certificate"
    for label, what in _OTHER_LABELS:
        if label in data:
            return f"the file holds {what}, not a certificate"
    if data[:1] == b"\x30" and _PKCS12_VERSION in data[:8]:
        return "the file is a PKCS#12 container; open it with its password first"
    return ""


# --- chains --------------------------------------------------------------------------------------------------------


class Oddity(StrEnum):
    """What may be odd about a bundle."""

    ORDER = "order"
    DUPLICATE = "duplicate"
    ROOT_INCLUDED = "root-included"
    STRANGER = "stranger"
    GAP = "gap"
    BROKEN_LINK = "broken-link"
    SEVERAL_LEAVES = "several-leaves"
    OVERSIZE = "oversize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One oddity, in one line."""

    oddity: Oddity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A bundle put in order."""

    chain: tuple[Certificate, ...]  #: leaf first, as far as the bundle goes
    strangers: tuple[Certificate, ...]  #: of no use to the leaf
    remarks: tuple[Remark, ...]

    @property
    def next_issuer(self) -> Name:
        """Who must vouch for the end of the chain."""
        return self.chain[-1].issuer


def arrange(certificates: Iterable[CertificateLike], *, max_size: int | None = None) -> Arrangement:
    """Put a bundle in order (leaf, Sub-CA 2, Sub-CA 1, root) and say what was odd about it.

    `max_size` is the limit of a profile, octets of one certificate. Raises MalformedDer, and UnusableInput for nothing
    or for more than 64 certificates.
    """
    given = tuple(map(as_certificate, certificates))
    if not 1 <= len(given) <= MAX_CERTIFICATES:
        raise UnusableInput(f"{len(given)} certificates; a bundle has 1 to {MAX_CERTIFICATES}")
    distinct = tuple(dict.fromkeys(given))
    leaf = _leaf(distinct)
    chain = _climb(leaf, distinct)
    strangers = tuple(item for item in distinct if item not in chain)
    return Arrangement(
        chain=chain,
        strangers=strangers,
        remarks=(
            *_about_bundle(given, distinct, chain, strangers),
            *_about_links(chain),
            *_about_sizes(distinct, max_size),
        ),
    )


def _leaf(certificates: Sequence[Certificate]) -> Certificate:
    """The end entity: no CA; else the first that issued none of the others."""
    leaves = [item for item in certificates if not _is_ca(item)]
    issuers = {item.issuer.key for item in certificates if not item.self_issued}
    ends = [item for item in certificates if item.subject.key not in issuers]
    return (leaves or ends or list(certificates))[0]


def _is_ca(certificate: Certificate) -> bool:
    constraints = certificate.extensions.basic_constraints
    return constraints is not None and constraints.ca


def _climb(leaf: Certificate, certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    chain = [leaf]
    while not chain[-1].self_issued:
        above = [item for item in certificates if item.subject.key == chain[-1].issuer.key and item not in chain]
        if not above:
            break
        chain.append(next((item for item in above if signed_by(chain[-1], item)), above[0]))
    return tuple(chain)


def _about_bundle(
    given: Sequence[Certificate],
    distinct: Sequence[Certificate],
    chain: Sequence[Certificate],
    strangers: Sequence[Certificate],
) -> Iterable[Remark]:
    if repeated := len(given) - len(distinct):
        yield Remark(oddity=Oddity.DUPLICATE, text=f"{repeated} certificates are in the bundle more than once")
    if [item for item in distinct if item in chain] != list(chain):
        order = ", ".join(item.common_name or str(item.subject) for item in chain)
        yield Remark(oddity=Oddity.ORDER, text=f"the bundle is not in the order leaf to root, which is: {order}")
    if len(chain) > 1 and chain[-1].self_issued:
        text = f"the root {chain[-1].subject} is in the bundle; chains on the wire are sent without it"
        yield Remark(oddity=Oddity.ROOT_INCLUDED, text=text)
    if len([item for item in distinct if not _is_ca(item)]) > 1:
        yield Remark(oddity=Oddity.SEVERAL_LEAVES, text=f"several leaves; the chain is that of {chain[0].subject}")
    for item in strangers:
        yield Remark(oddity=Oddity.STRANGER, text=f"{item.subject} is not above the leaf {chain[0].subject}")


def _about_links(chain: Sequence[Certificate]) -> Iterable[Remark]:
    for child, issuer in pairwise(chain):
        if not signed_by(child, issuer):
            text = f"{child.subject} names {issuer.subject} as its issuer but was not signed with its key"
            yield Remark(oddity=Oddity.BROKEN_LINK, text=text)
    if len(chain) == 1 and not chain[0].self_issued:
        yield Remark(oddity=Oddity.GAP, text=f"the issuer of the leaf, {chain[0].issuer}, is not in the bundle")


def _about_sizes(certificates: Sequence[Certificate], max_size: int | None) -> Iterable[Remark]:
    for item in certificates:
        if max_size is not None and len(item.encoded) > max_size:
            text = f"{item.subject} has {len(item.encoded)} octets, at most {max_size} are allowed"
            yield Remark(oddity=Oddity.OVERSIZE, text=text)


# --- keys ----------------------------------------------------------------------------------------------------------

#: Bits of security of the curves of the profiles (NIST SP 800-57 part 1, table 2).
_STRENGTH: Final = {Curve.P256: 128, Curve.P521: 256, Curve.ED448: 224}
_RSA_BITS_AT_LEAST: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """What a public key is worth."""

    kind: str  #: "EC secp256r1", "RSA 2048", ...
    curve: Curve | None  #: None where no V2G profile knows it
    strength: int | None  #: bits of security; None where not assessed
    problem: str  #: why no profile takes it; ""


def key_report(info: bytes) -> KeyReport:
    """What the key of a DER SubjectPublicKeyInfo is worth. Raises MalformedDer."""
    key = parse_key(info)
    if not key.named_curve:
        return KeyReport(
            kind="EC", curve=None, strength=None, problem="explicit EC parameters instead of a named curve"
        )
    if key.curve is not None:
        kind = key.curve.value if key.curve is Curve.ED448 else f"EC {key.curve}"
        return KeyReport(kind=kind, curve=key.curve, strength=_STRENGTH[key.curve], problem="")
    if key.algorithm == oids.RSA_ENCRYPTION:
        bits = _rsa_bits(key.bits)
        weak = f" and {bits} bits are weak" if bits < _RSA_BITS_AT_LEAST else ""
        problem = f"no V2G profile uses RSA{weak}"
        return KeyReport(kind=f"RSA {bits}", curve=None, strength=None, problem=problem)
    kind = oids.name_of(_curve_oid(info) if key.algorithm == oids.EC_PUBLIC_KEY else key.algorithm)
    return KeyReport(kind=kind, curve=None, strength=None, problem=f"no V2G profile uses {kind} keys")


def _rsa_bits(bits: bytes) -> int:
    return der.read_integer(der.read_sequence(bits).next()).bit_length()


def _curve_oid(info: bytes) -> str:
    algorithm = der.read_sequence(der.read_sequence(info).next(der.SEQUENCE).encoded)
    algorithm.next(der.OID)
    return der.read_oid(algorithm.next(der.OID))
