"""Tools for breaking certificate chains, and the matrix that the broken ones are entered in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pki_factory import (
    ISSUER_OF,
    NOW,
    ROLE,
    Minted,
    Tweak,
    forge,
    shared_pki,
    tbs_of,
    with_extension,
)
from plugpass.pki import assemble, der, oids
from plugpass.pki.keys import LocalSigner
from plugpass.pki.policy import ANNEX_F, Policy
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, KeyUsage
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

Oracle = Literal["rejects", "accepts"]
R = Reason
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is put before the validator."""

    chain: tuple[bytes, ...]
    role: CertificateRole = ROLE.SECC_LEAF
    at: datetime = NOW
    anchors: TrustAnchors = field(default_factory=lambda: shared_pki().anchors)
    policy: Policy = ANNEX_F
    revocation: Mapping[bytes, bytes] | None = None
    expected_cn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadChain:
    """A case with what must come of it."""

    number: int  #: of the list of negative cases in the project's reference; 0 for one of our own
    title: str
    reasons: frozenset[Reason]
    make: Callable[[], Case]
    oracle: Oracle | None


CASES: dict[str, BadChain] = {}


def bad(
    name: str, number: int, title: str, *reasons: Reason, oracle: Oracle | None
) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Enter a case into the matrix."""

    def enter(make: Callable[[], Case]) -> Callable[[], Case]:
        assert name not in CASES
        CASES[name] = BadChain(number=number, title=title, reasons=frozenset(reasons), make=make, oracle=oracle)
        return make

    return enter


# --- tools ---------------------------------------------------------------------------------------------------------

NAMES = {ROLE.SECC_LEAF: "DE*PLU*E45B*78C", ROLE.CONTRACT: "DEPLUC12345678Q", ROLE.CPS_LEAF: "CPS 1"}


def leaf_case(tweak: Tweak, role: CertificateRole = ROLE.SECC_LEAF, name: str | None = None, **more: object) -> Case:
    """A chain whose leaf is broken by `tweak`."""
    pki, issuer = shared_pki(), ISSUER_OF[role]
    encoded, _ = forge(PROFILES_ISO2[role], name or NAMES.get(role, "WPLUG000000000017A"), pki[issuer], tweak)
    chain = (encoded, *(item.public_bytes(serialization.Encoding.DER) for item in pki.above(issuer)))
    return replace(Case(chain=chain, role=role), **more)


def authority(
    role: CertificateRole, issuer: Minted, tweak: Tweak = lambda tbs: tbs, *, name: str = "Forged CA", **more: object
) -> Minted:
    """A CA broken by `tweak`, with a working key."""
    encoded, key = forge(PROFILES_ISO2[role], name, issuer, tweak, **more)
    return Minted(certificate=raw_certificate(encoded), signer=key)


def raw_certificate(encoded: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(encoded)


def sub_ca_case(tweak1: Tweak = lambda t: t, tweak2: Tweak = lambda t: t, **more: object) -> Case:
    """A SECC chain with its own Sub-CAs, one or both broken."""
    pki = shared_pki()
    sub1 = authority(ROLE.CPO_SUB1, pki[ROLE.V2G_ROOT], tweak1, name="Forged Sub1")
    sub2 = authority(ROLE.CPO_SUB2, sub1, tweak2, name="Forged Sub2")
    leaf, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], sub2)
    return replace(Case(chain=(leaf, sub2.der, sub1.der)), **more)


def unchanged(tbs: assemble.Tbs) -> assemble.Tbs:
    return tbs


def root_like(root: Minted, tweak: Tweak = unchanged, key: LocalSigner | None = None) -> bytes:
    """A self-signed certificate with the subject of `root`, and its key unless another is given."""
    signer = key or root.signer
    issuer = Minted(certificate=root.certificate, signer=signer)
    tbs = tbs_of(PROFILES_ISO2[ROLE.V2G_ROOT], "replaced below", signer, issuer)
    return assemble.sign(tweak(replace(tbs, subject=root.certificate.subject.public_bytes())), signer)


def good(role: CertificateRole = ROLE.SECC_LEAF, **more: object) -> Case:
    return replace(Case(chain=shared_pki().leaf(role).chain, role=role), **more)


def subject_of(*pairs: tuple[str, str]) -> Tweak:
    """A subject with exactly these attributes, whatever they are."""
    encoded = der.sequence(
        *(
            der.set_of(der.sequence(der.oid(kind), der.element(der.UTF8_STRING, value.encode())))
            for kind, value in pairs
        )
    )
    return lambda tbs: replace(tbs, subject=encoded)


def common_names(*names: str, domain: str | None = "CPO") -> Tweak:
    pairs = [(oids.COMMON_NAME, name) for name in names] + [(oids.ORGANIZATION, "O"), (oids.COUNTRY, "DE")]
    return subject_of(*pairs, *([(oids.DOMAIN_COMPONENT, domain)] if domain else []))


def usage(*usages: KeyUsage) -> Tweak:
    return with_extension(assemble.key_usage(usages))


def not_critical(oid: str) -> Tweak:
    return lambda tbs: replace(
        tbs,
        extensions=tuple(replace(item, critical=False) if item.oid == oid else item for item in tbs.extensions),
    )


def flip_signature(encoded: bytes) -> bytes:
    return encoded[:-1] + bytes((encoded[-1] ^ 1,))


def key_of(key: PublicKeyTypes) -> Tweak:
    """A certificate for a key that no profile knows."""
    info = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return lambda tbs: replace(tbs, key=info)


def algorithm(oid: str) -> bytes:
    return der.sequence(der.oid(oid))
