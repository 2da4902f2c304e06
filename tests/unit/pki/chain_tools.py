"""Tools for breaking certificate chains, and the matrix that the broken ones are entered in.

Every case is made for every `World` it makes sense in: ISO 15118-2, and ISO 15118-20 with either of its algorithms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from OpenSSL import crypto

from pki_factory import (
    COMMON_NAMES,
    ISSUER_OF,
    NOW,
    ROLE,
    Minted,
    Pki,
    Tweak,
    forge,
    shared_pki,
    tbs_of,
    with_extension,
)
from plugpass.pki import assemble, der, oids
from plugpass.pki.keys import Curve, LocalSigner, generate
from plugpass.pki.path import Verdict, validate
from plugpass.pki.policy import ANNEX_F, Policy
from plugpass.pki.profiles import CertificateRole, Generation, KeyUsage, Profile
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

Oracle = Literal["rejects", "accepts"]
R = Reason
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A generation with one algorithm, and its hierarchies."""

    name: str
    generation: Generation
    curve: Curve

    @property
    def pki(self) -> Pki:
        """Shared: for reading only."""
        return shared_pki(self.generation, self.curve)

    @property
    def profiles(self) -> Mapping[CertificateRole, Profile]:
        return self.pki.profiles

    @property
    def secc_domain(self) -> str:
        return "CPO" if self.generation is Generation.ISO2 else "CSO"

    def key(self) -> LocalSigner:
        return generate(self.curve)

    def case(self, chain: tuple[bytes, ...], **more: object) -> Case:
        """What is put before the validator, with the defaults of this world."""
        return replace(Case(chain=chain, anchors=self.pki.anchors, profiles=self.profiles), **more)


ISO2 = World(name="iso2", generation=Generation.ISO2, curve=Curve.P256)
ISO20 = World(name="iso20-p521", generation=Generation.ISO20, curve=Curve.P521)
ISO20_ED448 = World(name="iso20-ed448", generation=Generation.ISO20, curve=Curve.ED448)
WORLDS = (ISO2, ISO20, ISO20_ED448)
ELLIPTIC = (ISO2, ISO20)
ISO20_BOTH = (ISO20, ISO20_ED448)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is put before the validator."""

    chain: tuple[bytes, ...]
    anchors: TrustAnchors
    profiles: Mapping[CertificateRole, Profile]
    role: CertificateRole = ROLE.SECC_LEAF
    at: datetime = NOW
    policy: Policy = ANNEX_F
    revocation: Mapping[bytes, bytes] | None = None
    crls: tuple[bytes, ...] = ()
    expected_cn: str | None = None


def judge(case: Case) -> Verdict:
    """What our validator says."""
    return validate(
        case.chain,
        role=case.role,
        anchors=case.anchors,
        at=case.at,
        policy=case.policy,
        revocation=case.revocation,
        crls=case.crls,
        expected_cn=case.expected_cn,
        profiles=case.profiles,
    )


def oracle_accepts(case: Case, flags: int = 0) -> bool:
    """What OpenSSL thinks of the same certificates, anchors and time."""
    store = crypto.X509Store()
    for anchor in case.anchors.anchors:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, anchor.certificate.encoded))
    store.set_time(case.at)
    store.set_flags(flags)
    leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, encoded) for encoded in case.chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class BadChain:
    """A case with what must come of it."""

    number: int  #: of the list of negative cases in the project's reference; 0 for one of our own
    title: str
    reasons: frozenset[Reason]
    reasons_iso20: frozenset[Reason]  #: the same, where the -20 profiles see more in it
    make: Callable[[World], Case]
    oracle: Oracle | None
    why: str  #: why the oracle says something else, or is not asked
    worlds: tuple[World, ...]

    def expected(self, world: World) -> frozenset[Reason]:
        return self.reasons if world.generation is Generation.ISO2 else self.reasons_iso20


CASES: dict[str, BadChain] = {}

#: Why OpenSSL accepts what we refuse, by the beginning of the first reason.
_UNKNOWN_TO_OPENSSL = {
    "key-": "any key will do",
    "signature-algorithm": "any algorithm will do",
    ("cn-", "subject-", "identity"): "subjects are not looked at",
    "dc-": "the role in the DC is not known",
    "wrong-root-type": "roots have no types",
    ("size", "serial", "version"): "not checked",
    ("bc-leaf", "bc-path-length-on-leaf", "bc-explicit-default"): "leaves are not looked at, or not as closely",
    "": "a rule of the V2G profiles",
}


def _explained(reason: Reason) -> str:
    return next(text for beginning, text in _UNKNOWN_TO_OPENSSL.items() if reason.value.startswith(beginning))


def bad(
    name: str,
    number: int,
    title: str,
    *reasons: Reason,
    oracle: Oracle | None,
    why: str = "",
    worlds: tuple[World, ...] = WORLDS,
    iso20_too: tuple[Reason, ...] = (),
) -> Callable[[Callable[[World], Case]], Callable[[World], Case]]:
    """Enter a case into the matrix."""

    def enter(make: Callable[[World], Case]) -> Callable[[World], Case]:
        assert name not in CASES
        explained = why or ("" if oracle == "rejects" else _explained(reasons[0]))
        CASES[name] = BadChain(
            number=number,
            title=title,
            reasons=frozenset(reasons),
            reasons_iso20=frozenset((*reasons, *iso20_too)),
            make=make,
            oracle=oracle,
            why=explained,
            worlds=worlds,
        )
        return make

    return enter


@lru_cache(maxsize=1024)
def case_of(name: str, world: World) -> Case:
    """A case of the matrix, made once."""
    return CASES[name].make(world)


# --- tools ---------------------------------------------------------------------------------------------------------

NAMES = COMMON_NAMES


def leaf_case(w: World, tweak: Tweak, role: CertificateRole = ROLE.SECC_LEAF, **more: object) -> Case:
    """A chain whose leaf is broken by `tweak`."""
    issuer = ISSUER_OF[role]
    encoded, _ = forge(w.profiles[role], NAMES[role], w.pki[issuer], tweak)
    chain = (encoded, *(item.public_bytes(serialization.Encoding.DER) for item in w.pki.above(issuer)))
    return w.case(chain, role=role, **more)


def authority(
    w: World,
    role: CertificateRole,
    issuer: Minted,
    tweak: Tweak = lambda tbs: tbs,
    *,
    name: str = "Forged CA",
    **more: object,
) -> Minted:
    """A CA broken by `tweak`, with a working key."""
    encoded, key = forge(w.profiles[role], name, issuer, tweak, **more)
    return Minted(certificate=raw_certificate(encoded), signer=key)


def raw_certificate(encoded: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(encoded)


def sub_ca_case(w: World, tweak1: Tweak = lambda t: t, tweak2: Tweak = lambda t: t, **more: object) -> Case:
    """A SECC chain with its own Sub-CAs, one or both broken."""
    sub1 = authority(w, ROLE.CPO_SUB1, w.pki[ROLE.V2G_ROOT], tweak1, name="Forged Sub1")
    sub2 = authority(w, ROLE.CPO_SUB2, sub1, tweak2, name="Forged Sub2")
    leaf, _ = forge(w.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], sub2)
    return w.case((leaf, sub2.der, sub1.der), **more)


def unchanged(tbs: assemble.Tbs) -> assemble.Tbs:
    return tbs


def root_like(w: World, root: Minted, tweak: Tweak = unchanged, key: LocalSigner | None = None) -> bytes:
    """A self-signed certificate with the subject of `root`, and its key unless another is given."""
    signer = key or root.signer
    issuer = Minted(certificate=root.certificate, signer=signer)
    tbs = tbs_of(w.profiles[ROLE.V2G_ROOT], "replaced below", signer, issuer)
    return assemble.sign(tweak(replace(tbs, subject=root.certificate.subject.public_bytes())), signer)


def good(w: World, role: CertificateRole = ROLE.SECC_LEAF, **more: object) -> Case:
    return w.case(w.pki.leaf(role).chain, role=role, **more)


def subject_of(*pairs: tuple[str, str], tag: int = der.UTF8_STRING) -> Tweak:
    """A subject with exactly these attributes, whatever they are."""
    encoded = der.sequence(
        *(der.set_of(der.sequence(der.oid(kind), der.element(tag, value.encode()))) for kind, value in pairs)
    )
    return lambda tbs: replace(tbs, subject=encoded)


def common_names(*names: str, domain: str | None) -> Tweak:
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
