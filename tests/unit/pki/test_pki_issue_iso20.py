"""Issuing by the -20 profiles, cross certificates, and what every profile of both generations keeps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from chain_tools import ISO20, ISO20_BOTH, WORLDS, World
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki_factory import ISSUER_OF, NOW, OCSP_URL, ROLE, forge, mint_authority, mint_pki
from plugpass.errors import LocalError
from plugpass.ids import EVCCID
from plugpass.pki.certificate import as_certificate
from plugpass.pki.issue import ProfileViolation, cross_certify, issue, self_signed
from plugpass.pki.keys import Curve, generate
from plugpass.pki.lint import lint
from plugpass.pki.names import subject
from plugpass.pki.path import validate
from plugpass.pki.profiles import (
    PROFILES_ISO2,
    PROFILES_ISO20,
    CertificateRole,
    Generation,
    KeyUsage,
    RootType,
    SanPolicy,
    Switches,
    profiles,
    profiles_iso2,
    profiles_iso20,
)
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors

IDS = {"ids": lambda world: world.name}


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension:
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("world", ISO20_BOTH, **IDS)
def test_everything_of_iso20_is_flawless_and_small(world: World) -> None:
    for role, authority in world.pki.authorities.items():
        assert lint(authority.der, world.profiles[role]) == ()
        authority.certificate.verify_directly_issued_by(world.pki[ISSUER_OF[role]].certificate)
    for role in (role for role, profile in world.profiles.items() if not profile.ca and role is not ROLE.PE_SECC):
        leaf = world.pki.leaf(role)
        assert lint(leaf.der, world.profiles[role]) == ()
        assert len(leaf.der) <= 1600


def test_profiles_of_both_generations_by_name() -> None:
    assert profiles(Generation.ISO2) is PROFILES_ISO2
    assert profiles(Generation.ISO20) is PROFILES_ISO20
    assert profiles(Generation.ISO20, Switches(san=SanPolicy.DROP)) is not PROFILES_ISO20
    assert set(PROFILES_ISO20) == set(CertificateRole)
    assert set(PROFILES_ISO20) - set(PROFILES_ISO2) == {ROLE.VEHICLE_SUB1, ROLE.VEHICLE_SUB2, ROLE.VEHICLE_LEAF}
    for generation in Generation:
        for role, profile in profiles(generation).items():
            assert (profile.role, profile.generation) == (role, generation)
            assert profile.preferred_curve in profile.curves
            usage = profile.key_usage
            assert usage.required <= usage.issue <= usage.accepted
            assert usage.discouraged <= usage.accepted - usage.issue
            assert profile.extended_key_usage_required <= profile.extended_key_usage_accepted
            assert profile.extended_key_usage <= profile.extended_key_usage_accepted
            assert profile.ca or profile.anchors


def test_limits_and_algorithms() -> None:
    assert {profile.max_size for profile in PROFILES_ISO20.values()} == {1600}
    assert {profile.curves for profile in PROFILES_ISO20.values()} == {frozenset({Curve.P521, Curve.ED448})}
    only = profiles_iso20(Switches(iso20_curves=frozenset({Curve.ED448})))
    assert only[ROLE.V2G_ROOT].preferred_curve is Curve.ED448
    tolerant = profiles_iso20(Switches(tolerate_p256_in_iso20=True))[ROLE.V2G_ROOT]
    assert Curve.P256 in tolerant.curves
    assert tolerant.preferred_curve is Curve.P521


def test_the_station_of_iso20() -> None:
    leaf = ISO20.pki.leaf(ROLE.SECC_LEAF).certificate
    assert leaf.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "CSO"
    assert list(extension(leaf, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not extension(leaf, x509.KeyUsage).value.key_agreement
    quiet = profiles_iso20(Switches(secc_server_auth=False, secc_key_agreement=True))[ROLE.SECC_LEAF]
    assert quiet.extended_key_usage == frozenset()
    assert KeyUsage.KEY_AGREEMENT not in quiet.key_usage.issue  # no use in TLS 1.3
    loud = profiles_iso2(Switches(secc_server_auth=True))[ROLE.SECC_LEAF]
    assert loud.extended_key_usage


def test_the_vehicle_of_iso20() -> None:
    leaf = ISO20.pki.leaf(ROLE.VEHICLE_LEAF).certificate
    kinds = [attribute.oid for attribute in leaf.subject]
    assert sorted(kinds, key=str) == sorted(
        [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.DOMAIN_COMPONENT], key=str
    )
    EVCCID.parse(as_certificate(leaf).common_name)
    purposes = extension(leaf, x509.ExtendedKeyUsage)
    assert purposes.critical
    assert list(purposes.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    sub2 = ISO20.pki[ROLE.VEHICLE_SUB2].certificate
    assert not extension(sub2, x509.KeyUsage).value.crl_sign  # S4
    assert sub2.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "EV"


def test_a_vehicle_leaf_without_a_responder_is_not_signed() -> None:
    with pytest.raises(ProfileViolation, match=Reason.EXTENSION_MISSING):
        ISO20.pki.leaf(ROLE.VEHICLE_LEAF, ocsp_url=None)


def test_the_contract_of_iso20_has_the_short_key_identifier_and_may_have_a_long_emaid() -> None:
    leaf = ISO20.pki.leaf(ROLE.CONTRACT, "DE-PLU-C" + "7" * 27 + "-X").certificate
    identifier = extension(leaf, x509.SubjectKeyIdentifier).value.digest
    assert len(identifier) == 8
    assert identifier[0] >> 4 == 0b0100
    with pytest.raises(ProfileViolation, match=Reason.CN_SYNTAX):
        ISO20.pki.leaf(ROLE.CONTRACT, "DEPLUC123456780")  # 15 characters: the check digit is known and wrong


def test_a_p256_key_is_not_signed_in_iso20() -> None:
    with pytest.raises(ProfileViolation, match=Reason.KEY_CURVE):
        ISO20.pki.leaf(ROLE.CONTRACT, signer=generate(Curve.P256))


# --- private environments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", WORLDS, **IDS)
def test_a_private_environment(world: World) -> None:
    """A private root signs the SECC leaf itself, which names no responder [V2G2-868], [V2G2-872]."""
    root = mint_authority(world.profiles[ROLE.PE_ROOT], "My garage", curve=world.curve)
    profile, key = world.profiles[ROLE.PE_SECC], world.key()
    assert lint(root.der, world.profiles[ROLE.PE_ROOT]) == ()

    def leaf(url: str | None) -> x509.Certificate:
        named = subject(profile, "DE*PLU*E1", "O", "DE")
        return issue(profile, named, key.public_key, root.certificate, root.signer, now=NOW, serial=3, ocsp_url=url)

    anchors = TrustAnchors.of(pe=[root.der])
    verdict = validate([leaf(None)], role=ROLE.SECC_LEAF, anchors=anchors, at=NOW, profiles=world.profiles)
    assert verdict.ok
    assert verdict.remarks == ()
    assert verdict.root_type is RootType.PE
    with pytest.raises(ProfileViolation, match=Reason.EXTENSION_UNEXPECTED):
        leaf(OCSP_URL)


# --- cross certificates and addresses ------------------------------------------------------------------------------


def test_a_cross_certificate_has_name_and_key_of_the_root_and_outlives_neither() -> None:
    pki, other = mint_pki(), mint_pki(prefix="Other")
    short = self_signed(
        PROFILES_ISO2[ROLE.V2G_ROOT],
        subject(PROFILES_ISO2[ROLE.V2G_ROOT], "Short", "O", "DE"),
        generate(),
        now=NOW,
        serial=1,
        validity=timedelta(days=30),
    )
    issuer = other[ROLE.V2G_ROOT]
    for root in (pki[ROLE.V2G_ROOT].certificate, short):
        cross = cross_certify(
            PROFILES_ISO2[ROLE.CROSS],
            root,
            issuer.certificate,
            issuer.signer,
            now=NOW,
            serial=5,
            ocsp_url=OCSP_URL,
            crl_url="http://crl.test/root.crl",
        )
        assert cross.subject == root.subject
        assert cross.public_key() == root.public_key()
        assert cross.issuer == issuer.certificate.subject
        assert cross.not_valid_after_utc <= min(root.not_valid_after_utc, issuer.certificate.not_valid_after_utc)
        read = as_certificate(cross).extensions
        assert (read.ocsp_urls, read.crl_urls) == ((OCSP_URL,), ("http://crl.test/root.crl",))
        assert lint(cross, PROFILES_ISO2[ROLE.CROSS]) == ()


def test_what_cannot_be_cross_certified() -> None:
    pki = mint_pki()
    root = pki[ROLE.V2G_ROOT]
    for certificate, when in ((pki.leaf(ROLE.SECC_LEAF).certificate, NOW), (root.certificate, NOW + timedelta(36500))):
        with pytest.raises(LocalError, match="cannot be cross-certified"):
            cross_certify(PROFILES_ISO2[ROLE.CROSS], certificate, root.certificate, root.signer, now=when, serial=1)


def test_distribution_points_are_read_by_the_library() -> None:
    pki, profile = mint_pki(), PROFILES_ISO2[ROLE.CPS_LEAF]
    issuer = pki[ROLE.CPS_SUB2]
    leaf = issue(
        profile,
        subject(profile, "CPS", "O", "DE"),
        generate().public_key,
        issuer.certificate,
        issuer.signer,
        now=NOW,
        serial=1,
        crl_url="http://crl.test/sub2.crl",
    )
    (point,) = extension(leaf, x509.CRLDistributionPoints).value
    assert point.full_name[0].value == "http://crl.test/sub2.crl"
    assert as_certificate(leaf).extensions.crl_urls == ("http://crl.test/sub2.crl",)


def test_a_leaf_forged_without_addresses_names_no_list() -> None:
    encoded, _ = forge(PROFILES_ISO2[ROLE.CPS_LEAF], "CPS 1", WORLDS[0].pki[ROLE.CPS_SUB2])
    assert as_certificate(encoded).extensions.crl_urls == ()
