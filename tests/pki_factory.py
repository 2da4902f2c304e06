"""Mints whole V2G hierarchies at test time: `mint_pki()` gives the CAs, `.leaf(...)` issues below them.

Everything is made by the code under test, except what a `tweak` breaks on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plugpass.ids import EVSEID
from plugpass.pki import assemble, crl, ocsp, oids
from plugpass.pki.certificate import Extension
from plugpass.pki.issue import BACKDATE, issue, self_signed
from plugpass.pki.keys import Curve, LocalSigner, algorithm_identifier, curve_of, generate, public_key_info
from plugpass.pki.names import subject
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, Generation, Profile, profiles
from plugpass.pki.trust import TrustAnchors

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
OCSP_URL = "http://ocsp.test/"
ROLE = CertificateRole

COMMON_NAMES = {
    ROLE.SECC_LEAF: "DE*PLU*E45B*78C",
    ROLE.OEM_PROVISIONING: "WPLUG000000000017A",
    ROLE.CONTRACT: "DEPLUC12345678Q",
    ROLE.CPS_LEAF: "CPS 1",
    ROLE.OCSP_SIGNER: "OCSP 1",
    ROLE.VEHICLE_LEAF: "WPLV0000000000000017",
}

_TREE = (
    # role, issuing role (itself for a root)
    (ROLE.V2G_ROOT, ROLE.V2G_ROOT),
    (ROLE.CPO_SUB1, ROLE.V2G_ROOT),
    (ROLE.CPO_SUB2, ROLE.CPO_SUB1),
    (ROLE.CPS_SUB1, ROLE.V2G_ROOT),
    (ROLE.CPS_SUB2, ROLE.CPS_SUB1),
    (ROLE.OEM_ROOT, ROLE.OEM_ROOT),
    (ROLE.OEM_SUB1, ROLE.OEM_ROOT),
    (ROLE.OEM_SUB2, ROLE.OEM_SUB1),
    (ROLE.MO_ROOT, ROLE.MO_ROOT),
    (ROLE.MO_SUB1, ROLE.MO_ROOT),
    (ROLE.MO_SUB2, ROLE.MO_SUB1),
    (ROLE.VEHICLE_SUB1, ROLE.OEM_ROOT),
    (ROLE.VEHICLE_SUB2, ROLE.VEHICLE_SUB1),
)
ISSUER_OF = {
    **dict(_TREE),
    ROLE.SECC_LEAF: ROLE.CPO_SUB2,
    ROLE.CPS_LEAF: ROLE.CPS_SUB2,
    ROLE.OEM_PROVISIONING: ROLE.OEM_SUB2,
    ROLE.CONTRACT: ROLE.MO_SUB2,
    ROLE.OCSP_SIGNER: ROLE.CPO_SUB2,
    ROLE.VEHICLE_LEAF: ROLE.VEHICLE_SUB2,
}

Tweak = Callable[[assemble.Tbs], assemble.Tbs]
_serials: Iterator[int] = count(1 << 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A certificate with its key, and the Sub-CAs above it."""

    certificate: x509.Certificate
    signer: LocalSigner
    sub_cas: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER: this certificate, then the Sub-CAs above it, no root."""
        return (self.der, *(above.public_bytes(Encoding.DER) for above in self.sub_cas))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """The hierarchies of a generation: V2G (with CPO and CPS), OEM (in -20 with vehicle CAs) and MO."""

    authorities: Mapping[CertificateRole, Minted]
    now: datetime
    profiles: Mapping[CertificateRole, Profile] = field(default_factory=lambda: PROFILES_ISO2)
    curve: Curve = Curve.P256  #: of every key

    def __getitem__(self, role: CertificateRole) -> Minted:
        return self.authorities[role]

    @property
    def anchors(self) -> TrustAnchors:
        """All three roots, each as its own type."""
        return TrustAnchors.of(
            v2g=[self[ROLE.V2G_ROOT].der], mo=[self[ROLE.MO_ROOT].der], oem=[self[ROLE.OEM_ROOT].der]
        )

    def above(self, issuer_role: CertificateRole) -> tuple[x509.Certificate, ...]:
        """The Sub-CAs from `issuer_role` upwards, without the root."""
        found = []
        while ISSUER_OF[issuer_role] is not issuer_role:
            found.append(self[issuer_role].certificate)
            issuer_role = ISSUER_OF[issuer_role]
        return tuple(found)

    def leaf(
        self,
        role: CertificateRole,
        common_name: str | None = None,
        *,
        issuer_role: CertificateRole | None = None,
        signer: LocalSigner | None = None,
        now: datetime | None = None,
        validity: timedelta | None = None,
        ocsp_url: str | None = OCSP_URL,
        evse_id: EVSEID | None = None,
    ) -> Minted:
        """A leaf as the product issues it, with its chain."""
        key = signer or generate(self.curve)
        above = issuer_role or ISSUER_OF[role]
        profile = self.profiles[role]
        certificate = issue(
            profile,
            subject(profile, common_name or COMMON_NAMES[role], "Plugpass Test", "DE"),
            key.public_key,
            self[above].certificate,
            self[above].signer,
            now=now or self.now,
            serial=next(_serials),
            validity=validity,
            ocsp_url=ocsp_url,
            evse_id=evse_id,
        )
        return Minted(certificate=certificate, signer=key, sub_cas=self.above(above))

    def ocsp_response(
        self,
        certificate: bytes | x509.Certificate,
        issuer_role: CertificateRole,
        status: ocsp.CertStatus = ocsp.CertStatus.GOOD,
        *,
        at: datetime | None = None,
        lifetime: timedelta = timedelta(days=7),
    ) -> bytes:
        """A DER OCSPResponse for one certificate, signed by the issuer itself."""
        moment, issuer = at or self.now, self[issuer_role]
        single = ocsp.SingleStatus(
            cert_id=ocsp.cert_id(certificate, issuer.certificate),
            status=status,
            this_update=moment,
            next_update=moment + lifetime,
            revoked_at=moment if status is ocsp.CertStatus.REVOKED else None,
        )
        return ocsp.build_response([single], issuer.signer, issuer.certificate, produced_at=moment)

    def crl(
        self,
        issuer_role: CertificateRole,
        *revoked: x509.Certificate,
        at: datetime | None = None,
        lifetime: timedelta = timedelta(days=7),
    ) -> bytes:
        """A DER list of a CA, with these certificates on it."""
        moment, issuer = at or self.now, self[issuer_role]
        entries = (crl.RevokedCertificate(serial=one.serial_number, revoked_at=moment) for one in revoked)
        return crl.build_crl(
            entries, issuer.certificate, issuer.signer, number=1, this_update=moment, next_update=moment + lifetime
        )


def mint_authority(
    profile: Profile,
    name: str,
    issuer: Minted | None = None,
    *,
    now: datetime = NOW,
    validity: timedelta | None = None,
    ocsp_url: str | None = OCSP_URL,
    curve: Curve | None = None,
) -> Minted:
    """One CA certificate: a root without `issuer`."""
    key = generate(curve or (_curve(issuer) if issuer else profile.preferred_curve))
    named = subject(profile, name, "Plugpass Test", "DE")
    if issuer is None:
        certificate = self_signed(profile, named, key, now=now, serial=next(_serials), validity=validity)
        return Minted(certificate=certificate, signer=key)
    certificate = issue(
        profile,
        named,
        key.public_key,
        issuer.certificate,
        issuer.signer,
        now=now,
        serial=next(_serials),
        validity=validity,
        ocsp_url=ocsp_url,
    )
    return Minted(certificate=certificate, signer=key)


def _curve(minted: Minted) -> Curve:
    found = curve_of(minted.signer.public_key)
    assert found is not None
    return found


def mint_pki(
    now: datetime = NOW,
    profiles: Mapping[CertificateRole, Profile] = PROFILES_ISO2,
    *,
    prefix: str = "Test",
    curve: Curve | None = None,
) -> Pki:
    """Fresh hierarchies: three roots, each with Sub-CAs in two tiers; names begin with `prefix`."""
    minted: dict[CertificateRole, Minted] = {}
    for role, above in _TREE:
        if role in profiles:
            issuer = None if above is role else minted[above]
            minted[role] = mint_authority(profiles[role], f"{prefix} {role.upper()}", issuer, now=now, curve=curve)
    used = _curve(minted[ROLE.V2G_ROOT])
    return Pki(authorities=minted, now=now, profiles=profiles, curve=used)


@lru_cache(maxsize=4)
def shared_pki(generation: Generation = Generation.ISO2, curve: Curve | None = None) -> Pki:
    """One set of hierarchies for tests that only read it."""
    return mint_pki(profiles=profiles(generation), curve=curve)


def tbs_of(
    profile: Profile,
    common_name: str,
    key: LocalSigner,
    issuer: Minted,
    *,
    now: datetime = NOW,
    validity: timedelta | None = None,
) -> assemble.Tbs:
    """The fields of a flawless certificate, for a test to break."""
    above = assemble.key_identifier(issuer.signer.public_key, 1)
    extensions = [
        assemble.basic_constraints(ca=profile.ca, path_length=profile.path_length),
        assemble.key_usage(profile.key_usage.issue),
        assemble.subject_key_identifier(assemble.key_identifier(key.public_key, profile.ski_method)),
        assemble.authority_key_identifier(above),
    ]
    if profile.role is ROLE.VEHICLE_LEAF:
        extensions.append(assemble.extended_key_usage([oids.CLIENT_AUTH], critical=True))
        extensions.append(assemble.authority_information_access(ocsp=OCSP_URL))
    return assemble.Tbs(
        serial=next(_serials),
        algorithm=algorithm_identifier(issuer.signer.public_key),
        issuer=issuer.certificate.subject.public_bytes(),
        not_before=now - BACKDATE,
        not_after=now + (validity or profile.validity),
        subject=subject(profile, common_name, "Plugpass Test", "DE").public_bytes(),
        key=public_key_info(key.public_key),
        extensions=tuple(extensions),
    )


def forge(
    profile: Profile,
    common_name: str,
    issuer: Minted,
    tweak: Tweak = lambda tbs: tbs,
    *,
    key: LocalSigner | None = None,
    now: datetime = NOW,
    validity: timedelta | None = None,
) -> tuple[bytes, LocalSigner]:
    """A certificate that nobody lints: `tweak` may change any field before it is signed."""
    own = key or generate(_curve(issuer))
    return assemble.sign(
        tweak(tbs_of(profile, common_name, own, issuer, now=now, validity=validity)), issuer.signer
    ), own


def without_extension(oid: str) -> Tweak:
    """A tweak that drops an extension."""
    return lambda tbs: replace(tbs, extensions=tuple(item for item in tbs.extensions if item.oid != oid))


def with_extension(extension: Extension) -> Tweak:
    """A tweak that replaces an extension, or adds it where there is none of its kind."""
    return lambda tbs: replace(
        tbs, extensions=(*(item for item in tbs.extensions if item.oid != extension.oid), extension)
    )
