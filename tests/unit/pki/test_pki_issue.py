"""Issuing: profiles become certificates, and what would break a profile is not signed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki_factory import ISSUER_OF, NOW, OCSP_URL, ROLE, mint_pki, shared_pki
from plugpass.errors import LocalError
from plugpass.ids import EVSEID
from plugpass.pki.certificate import as_certificate
from plugpass.pki.issue import BACKDATE, ProfileViolation, issue, new_serial, self_signed
from plugpass.pki.keys import Curve, generate
from plugpass.pki.lint import lint
from plugpass.pki.names import build_name, subject
from plugpass.pki.path import validate
from plugpass.pki.profiles import PROFILES_ISO2, CertificateRole, KeyUsage, Switches, profiles_iso2
from plugpass.pki.reasons import Reason

LEAVES = (ROLE.SECC_LEAF, ROLE.OEM_PROVISIONING, ROLE.CONTRACT, ROLE.CPS_LEAF, ROLE.OCSP_SIGNER)


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.Extension:
    return certificate.extensions.get_extension_for_class(kind)


@pytest.mark.parametrize("role", LEAVES)
def test_leaves_are_flawless_and_small(role: CertificateRole) -> None:
    leaf = shared_pki().leaf(role)
    assert lint(leaf.der, PROFILES_ISO2[role]) == ()
    assert len(leaf.der) <= 800
    constraints = extension(leaf.certificate, x509.BasicConstraints)
    usage = extension(leaf.certificate, x509.KeyUsage)
    assert constraints.critical
    assert usage.critical
    assert not constraints.value.ca
    assert leaf.certificate.not_valid_before_utc == NOW - BACKDATE


@pytest.mark.parametrize("role", list(shared_pki().authorities))
def test_authorities_are_flawless(role: CertificateRole) -> None:
    authority = shared_pki()[role]
    assert lint(authority.der, PROFILES_ISO2[role]) == ()
    constraints = extension(authority.certificate, x509.BasicConstraints)
    assert constraints.value.path_length == {"1": 1, "2": 0}.get(role[-1])
    authority.certificate.verify_directly_issued_by(shared_pki()[ISSUER_OF[role]].certificate)


def test_every_profile_is_within_the_generation() -> None:
    for role, profile in PROFILES_ISO2.items():
        assert profile.role is role
        assert profile.max_size == 800
        assert profile.curves == {Curve.P256}
        assert profile.key_usage.required <= profile.key_usage.issue <= profile.key_usage.accepted


def test_contract_has_four_usages_or_two() -> None:
    four = PROFILES_ISO2[ROLE.CONTRACT].key_usage.issue
    two = profiles_iso2(Switches(contract_four_usages=False))[ROLE.CONTRACT].key_usage.issue
    assert len(four) == 4
    assert two == {KeyUsage.DIGITAL_SIGNATURE, KeyUsage.NON_REPUDIATION}


def test_switches_change_what_is_issued_and_verifiers_accept_both() -> None:
    switched = profiles_iso2(
        Switches(
            secc_key_agreement=True,
            secc_server_auth=True,
            contract_four_usages=False,
            cpo_sub_ca_domain="CPO",
            ski_method=2,
            authority_key_identifier=False,
        )
    )
    pki = mint_pki(profiles=switched)
    for role in (ROLE.SECC_LEAF, ROLE.CONTRACT):
        leaf = pki.leaf(role)
        assert validate(leaf.chain, role=role, anchors=pki.anchors, at=NOW).ok
    secc = pki.leaf(ROLE.SECC_LEAF).certificate
    assert extension(secc, x509.KeyUsage).value.key_agreement
    assert list(extension(secc, x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert len(extension(secc, x509.SubjectKeyIdentifier).value.digest) == 8
    assert extension(secc, x509.SubjectKeyIdentifier).value.digest[0] >> 4 == 0b0100
    with pytest.raises(x509.ExtensionNotFound):
        extension(secc, x509.AuthorityKeyIdentifier)
    assert pki[ROLE.CPO_SUB2].certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)[0].value == "CPO"


def test_key_identifier_method_1_is_what_cryptography_computes() -> None:
    leaf = shared_pki().leaf(ROLE.CONTRACT)
    expected = x509.SubjectKeyIdentifier.from_public_key(leaf.signer.public_key)
    assert extension(leaf.certificate, x509.SubjectKeyIdentifier).value == expected


def test_one_sub_ca_tier() -> None:
    profile = profiles_iso2(Switches(sub_ca_tiers=1))
    assert profile[ROLE.CPO_SUB1].path_length == profile[ROLE.CPO_SUB2].path_length == 0


def test_evse_id_and_urls_are_in_the_certificate() -> None:
    leaf = shared_pki().leaf(ROLE.SECC_LEAF, evse_id=EVSEID.parse("DE*PLU*E45B*78C"))
    names = extension(leaf.certificate, x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:evseid:DE*PLU*E45B*78C"]
    access = extension(leaf.certificate, x509.AuthorityInformationAccess).value
    assert [item.access_location.value for item in access] == [OCSP_URL]
    assert lint(leaf.der, PROFILES_ISO2[ROLE.SECC_LEAF]) == ()


def test_never_longer_than_the_issuer() -> None:
    pki = shared_pki()
    end = pki[ROLE.CPO_SUB2].certificate.not_valid_after_utc
    leaf = pki.leaf(ROLE.SECC_LEAF, now=end - timedelta(days=3))
    assert leaf.certificate.not_valid_after_utc == end
    young = pki.leaf(ROLE.SECC_LEAF, now=NOW - BACKDATE + timedelta(seconds=1))
    assert young.certificate.not_valid_before_utc == pki[ROLE.CPO_SUB2].certificate.not_valid_before_utc


@pytest.mark.parametrize("shift", [timedelta(days=-1), timedelta(days=365 * 50)])
def test_an_issuer_out_of_its_time_does_not_sign(shift: timedelta) -> None:
    with pytest.raises(LocalError, match="not valid at"):
        shared_pki().leaf(ROLE.SECC_LEAF, now=NOW + shift)


def test_a_key_of_another_issuer_does_not_sign() -> None:
    pki, profile = shared_pki(), PROFILES_ISO2[ROLE.CPS_LEAF]
    with pytest.raises(LocalError, match="does not belong"):
        issue(
            profile,
            subject(profile, "CPS", "O", "DE"),
            generate().public_key,
            pki[ROLE.CPS_SUB2].certificate,
            generate(),
            now=NOW,
            serial=1,
        )


@pytest.mark.parametrize(
    ("role", "name", "reason"),
    [
        (ROLE.CONTRACT, {"common_name": "DE8AA0012345671"}, Reason.CN_SYNTAX),
        (ROLE.OEM_PROVISIONING, {"common_name": "SHORT"}, Reason.CN_SYNTAX),
        (ROLE.SECC_LEAF, {"common_name": "charger-7"}, Reason.CN_SYNTAX),
        (ROLE.SECC_LEAF, {"domain": "MO"}, Reason.DC_WRONG),
        (ROLE.SECC_LEAF, {"domain": None}, Reason.DC_MISSING),
        (ROLE.CPS_LEAF, {"country": None}, Reason.COUNTRY_MISSING),
        (ROLE.CPS_LEAF, {"organization": ""}, Reason.ORGANIZATION_MISSING),
    ],
)
def test_what_breaks_its_profile_is_not_signed(
    role: CertificateRole, name: dict[str, str | None], reason: Reason
) -> None:
    pki, profile = shared_pki(), PROFILES_ISO2[role]
    attributes = {
        "common_name": "DE*PLU*E1" if role is ROLE.SECC_LEAF else "CPS 1",
        "organization": "O",
        "country": "DE",
        "domain": profile.domain.issue,
    } | name
    issuer = pki[ISSUER_OF[role]]
    with pytest.raises(ProfileViolation, match=reason):
        issue(
            profile,
            build_name(**attributes),
            generate().public_key,
            issuer.certificate,
            issuer.signer,
            now=NOW,
            serial=1,
        )


def test_keys_sizes_and_serials_are_held_to_the_profile_too() -> None:
    pki = shared_pki()
    with pytest.raises(ProfileViolation, match=Reason.KEY_CURVE):
        pki.leaf(ROLE.CONTRACT, signer=generate(Curve.P521))
    with pytest.raises(ProfileViolation, match=Reason.SIZE):
        pki.leaf(ROLE.CONTRACT, ocsp_url="http://ocsp.test/" + "x" * 300)
    profile = PROFILES_ISO2[ROLE.MO_ROOT]
    for serial in (0, -1, 1 << 160):
        with pytest.raises(ProfileViolation, match=Reason.SERIAL):
            self_signed(profile, subject(profile, "Root", "O", "DE"), generate(), now=NOW, serial=serial)


def test_serials_are_128_random_bits_and_positive() -> None:
    answers = iter([bytes(16), b"\xff" * 16])
    assert new_serial(lambda size: next(answers)[:size]) == (1 << 128) - 1


def test_san_of_other_roles_is_not_issued() -> None:
    pki = shared_pki()
    with pytest.raises(ProfileViolation, match=Reason.EXTENSION_UNEXPECTED):
        pki.leaf(ROLE.CONTRACT, evse_id=EVSEID.parse("DE*PLU*E1"))


def test_reserved_key_usage_bits_are_not_issued() -> None:
    pki, profile = shared_pki(), PROFILES_ISO2[ROLE.CPS_LEAF]
    with pytest.raises(ProfileViolation, match=Reason.KU_FORBIDDEN):
        issue(
            profile,
            subject(profile, "CPS", "O", "DE"),
            generate().public_key,
            pki[ROLE.CPS_SUB2].certificate,
            pki[ROLE.CPS_SUB2].signer,
            now=NOW,
            serial=1,
            key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_CERT_SIGN}),
        )


def test_ca_issuers_url() -> None:
    pki, profile = shared_pki(), PROFILES_ISO2[ROLE.CPS_LEAF]
    certificate = issue(
        profile,
        subject(profile, "CPS", "O", "DE"),
        generate().public_key,
        pki[ROLE.CPS_SUB2].certificate,
        pki[ROLE.CPS_SUB2].signer,
        now=NOW,
        serial=1,
        ca_issuers_url="http://ca.test/sub2.cer",
    )
    read = as_certificate(certificate)
    assert read.extensions.ca_issuers_urls == ("http://ca.test/sub2.cer",)
    assert read.extensions.ocsp_urls == ()
