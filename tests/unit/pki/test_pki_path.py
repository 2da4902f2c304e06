"""Path validation: good chains of every kind, several candidate paths, and what a verdict tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from chain_tools import (
    ISO2,
    ISO20_BOTH,
    WORLDS,
    World,
    authority,
    case_of,
    good,
    judge,
    oracle_accepts,
    root_like,
)
from cryptography.hazmat.primitives.serialization import Encoding

from pki_factory import (
    NOW,
    ROLE,
    Minted,
    forge,
    mint_authority,
    mint_pki,
    with_extension,
)
from plugpass.errors import LocalError
from plugpass.ids import EMAID
from plugpass.pki import assemble
from plugpass.pki.issue import cross_certify
from plugpass.pki.keys import generate
from plugpass.pki.lint import lint
from plugpass.pki.path import ANNEX_F, CHECKS, FIELD, CheckStatus, validate
from plugpass.pki.policy import POLICIES
from plugpass.pki.profiles import (
    CertificateRole,
    RootType,
    Switches,
    profiles_iso2,
)
from plugpass.pki.reasons import (
    ISO2_RESPONSE_CODES,
    ISO20_RESPONSE_CODES,
    OCPP_CERTIFICATE_STATUS,
    RULES,
    Reason,
    Severity,
)
from plugpass.pki.trust import TrustAnchors

LEAVES = (ROLE.SECC_LEAF, ROLE.OEM_PROVISIONING, ROLE.CONTRACT, ROLE.CPS_LEAF)
LEAVES_OF = {world: (*LEAVES, *((ROLE.VEHICLE_LEAF,) if world in ISO20_BOTH else ())) for world in WORLDS}
GOOD_CHAINS = [pytest.param(world, role, id=f"{world.name}-{role}") for world in WORLDS for role in LEAVES_OF[world]]


# --- good chains ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize(("world", "role"), GOOD_CHAINS)
def test_good_chains(world: World, role: CertificateRole, policy: object) -> None:
    case = replace(good(world, role), policy=policy)
    verdict = judge(case)
    assert verdict.ok, verdict.summary
    assert (verdict.iso2_code, verdict.iso20_code, verdict.ocpp_status) == ("OK", "OK", "Accepted")
    assert verdict.findings == verdict.tolerated == verdict.remarks == ()
    assert [certificate.encoded for certificate in verdict.path[:-1]] == list(case.chain)
    assert verdict.path[-1].self_issued
    assert oracle_accepts(case)


def test_every_order_of_the_sub_cas_and_superfluous_certificates() -> None:
    pki = ISO2.pki
    leaf, *subs = pki.leaf(ROLE.SECC_LEAF).chain
    for order in permutations((*subs, pki[ROLE.MO_SUB2].der, pki[ROLE.V2G_ROOT].der)):
        assert judge(ISO2.case((leaf, *order))).ok
    assert judge(ISO2.case((leaf, *subs, *subs))).ok


def test_one_sub_ca_is_enough() -> None:
    pki = ISO2.pki
    only = mint_authority(ISO2.profiles[ROLE.CPO_SUB2], "Only Sub-CA", pki[ROLE.V2G_ROOT])
    leaf, _ = forge(ISO2.profiles[ROLE.SECC_LEAF], "DE*PLU*E1", only)
    verdict = judge(ISO2.case((leaf, only.der)))
    assert verdict.ok
    assert verdict.remarks == ()


@pytest.mark.parametrize(("role", "issuer"), [(ROLE.CONTRACT, ROLE.CPO_SUB2), (ROLE.OEM_PROVISIONING, ROLE.CPO_SUB2)])
def test_contracts_and_vehicles_may_chain_to_the_v2g_root(role: CertificateRole, issuer: CertificateRole) -> None:
    verdict = judge(ISO2.case(ISO2.pki.leaf(role, issuer_role=issuer).chain, role=role))
    assert verdict.ok
    assert verdict.root_type is RootType.V2G


def test_a_private_environment_signs_directly_and_has_no_ocsp() -> None:
    root = ISO2.pki[ROLE.OEM_ROOT]
    leaf, _ = forge(ISO2.profiles[ROLE.SECC_LEAF], "DE*PLU*E1", root)
    case = ISO2.case((leaf,), anchors=TrustAnchors.of(pe=[root.der]), revocation={})
    assert judge(case).ok
    assert not judge(replace(case, anchors=TrustAnchors.of(oem=[root.der]))).ok
    assert not judge(replace(case, role=ROLE.CPS_LEAF)).ok


def test_a_re_keyed_root_of_the_same_name_is_told_apart() -> None:
    pki = ISO2.pki
    other = root_like(ISO2, pki[ROLE.V2G_ROOT], key=generate())
    anchors = TrustAnchors.of(v2g=[other, pki[ROLE.V2G_ROOT].der])
    assert judge(replace(good(ISO2), anchors=anchors)).ok


def test_a_good_path_is_found_beside_an_expired_twin() -> None:
    """Two Sub-CA certificates for one name and key, one of them expired: the other carries the chain."""
    pki = ISO2.pki
    sub2 = pki[ROLE.CPO_SUB2]
    tbs_expired, _ = forge(
        ISO2.profiles[ROLE.CPO_SUB2],
        "Test CPO-SUB2",
        pki[ROLE.CPO_SUB1],
        lambda tbs: replace(tbs, not_before=NOW - timedelta(days=2), not_after=NOW - timedelta(days=1)),
        key=sub2.signer,
    )
    leaf = pki.leaf(ROLE.SECC_LEAF).chain
    assert judge(ISO2.case((leaf[0], tbs_expired, *leaf[1:]))).ok
    assert judge(ISO2.case((leaf[0], tbs_expired, leaf[2]))).reasons == (Reason.EXPIRED,)


def test_a_cross_certified_root_counts_as_a_ca_of_the_path() -> None:
    """Our V2G root, certified by another market's V2G root: with one Sub-CA the chain works there, with two it is too
    deep, and those who trust our root are not bothered by the cross certificate either way."""
    pki, other = ISO2.pki, mint_pki(prefix="Other")
    root = pki[ROLE.V2G_ROOT]
    cross = authority(
        ISO2,
        ROLE.CPO_SUB1,
        other[ROLE.V2G_ROOT],
        lambda tbs: replace(
            with_extension(assemble.basic_constraints(ca=True))(tbs), subject=root.certificate.subject.public_bytes()
        ),
        key=root.signer,
    )
    deep = ISO2.case((*pki.leaf(ROLE.SECC_LEAF).chain, cross.der), anchors=other.anchors)
    assert judge(deep).reasons == (Reason.TOO_DEEP,)
    assert judge(replace(deep, anchors=pki.anchors)).ok
    only = mint_authority(ISO2.profiles[ROLE.CPO_SUB2], "Only Sub-CA", root)
    leaf, _ = forge(ISO2.profiles[ROLE.SECC_LEAF], "DE*PLU*E1", only)
    flat = ISO2.case((leaf, only.der, cross.der), anchors=other.anchors)
    assert judge(flat).ok
    assert judge(replace(flat, anchors=TrustAnchors((*other.anchors.anchors, *pki.anchors.anchors)))).ok
    assert oracle_accepts(flat)


def test_names_match_whatever_their_string_type_and_case() -> None:
    """RFC 5280 §7.1: the issuer field may spell the name in another string type than the CA's own certificate."""
    pki = ISO2.pki
    issuer = pki[ROLE.CPO_SUB2].certificate.subject.public_bytes()
    leaf, _ = forge(
        ISO2.profiles[ROLE.SECC_LEAF],
        "DE*PLU*E1",
        pki[ROLE.CPO_SUB2],
        lambda tbs: replace(tbs, issuer=issuer.replace(b"\x0c\x0dPlugpass Test", b"\x13\x0dPLUGPASS Test")),
    )
    assert leaf.count(b"PLUGPASS Test") == 1
    assert judge(ISO2.case((leaf, *good(ISO2).chain[1:]))).ok


def test_clock_skew_is_five_minutes() -> None:
    leaf = ISO2.pki.leaf(ROLE.SECC_LEAF)
    end = leaf.certificate.not_valid_after_utc
    for shift, ok in ((timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)):
        assert judge(ISO2.case(leaf.chain, at=end + shift)).ok is ok
    start = leaf.certificate.not_valid_before_utc
    for shift, ok in ((timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)):
        assert judge(ISO2.case(leaf.chain, at=start - shift)).ok is ok


def test_a_root_without_end_is_no_problem() -> None:
    pki = ISO2.pki
    forever = root_like(
        ISO2,
        pki[ROLE.V2G_ROOT],
        lambda tbs: replace(
            tbs,
            not_before=datetime(1970, 1, 1, tzinfo=UTC),
            not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
    )
    assert judge(replace(good(ISO2), anchors=TrustAnchors.of(v2g=[forever]))).ok


def test_purposes_of_an_anchor_are_remarked_and_not_refused() -> None:
    pki = ISO2.pki
    root = root_like(ISO2, pki[ROLE.V2G_ROOT], with_extension(assemble.extended_key_usage(["1.3.6.1.5.5.7.3.9"])))
    verdict = judge(replace(good(ISO2), anchors=TrustAnchors.of(v2g=[root])))
    assert verdict.ok
    assert Reason.EXTENSION_FORBIDDEN in {finding.reason for finding in verdict.remarks}


@pytest.mark.parametrize(
    ("role", "same", "other"),
    [
        (ROLE.CONTRACT, "de-plu-c12345678", "DEPLUC12345679"),
        (ROLE.CONTRACT, "DEPLUC12345678Q", "no EMAID"),
        (ROLE.SECC_LEAF, "deplue45b78c", "deplue45b78"),
        (ROLE.OEM_PROVISIONING, "wplug000000000017a", "wplug000000000017b"),
        (ROLE.CPS_LEAF, "CPS 1", "CPS-1"),
    ],
)
def test_expected_identity_is_compared_as_an_identifier(role: CertificateRole, same: str, other: str) -> None:
    assert judge(replace(good(ISO2, role), expected_cn=same)).ok
    assert judge(replace(good(ISO2, role), expected_cn=other)).reasons == (Reason.IDENTITY,)


def test_an_ecosystem_with_other_domain_components() -> None:
    leaf, _ = forge(
        ISO2.profiles[ROLE.SECC_LEAF],
        "DE*PLU*E1",
        ISO2.pki[ROLE.CPO_SUB2],
        lambda tbs: replace(tbs, subject=tbs.subject.replace(b"\x03CPO", b"\x03EVC")),
    )
    chain = (leaf, *good(ISO2).chain[1:])
    switched = profiles_iso2(Switches(ecosystem_domains=frozenset({"EVC"})))
    anchors = ISO2.pki.anchors
    assert not validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW).ok
    assert validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW, profiles=switched).ok


# --- several candidate paths ---------------------------------------------------------------------------------------


def test_a_re_keyed_sub_ca_beside_its_old_certificate() -> None:
    """One name, two keys, both certified: each leaf finds its own issuer, whatever the order."""
    pki = ISO2.pki
    new = authority(ISO2, ROLE.CPO_SUB2, pki[ROLE.CPO_SUB1], name="Test CPO-SUB2")
    leaf, _ = forge(ISO2.profiles[ROLE.SECC_LEAF], "DE*PLU*E1", new)
    old, sub1 = pki[ROLE.CPO_SUB2].der, pki[ROLE.CPO_SUB1].der
    for order in permutations((old, new.der, sub1)):
        verdict = judge(ISO2.case((leaf, *order)))
        assert verdict.ok
        assert verdict.path[1].encoded == new.der


def test_a_cross_certificate_made_by_the_product_carries_a_chain_to_another_market() -> None:
    """Two Sub-CAs and a cross certificate are one CA more than the standard's depth: a policy may allow it."""
    for world in WORLDS:
        pki = world.pki
        other = mint_authority(world.profiles[ROLE.V2G_ROOT], "Other V2G Root", curve=world.curve)
        cross = cross_certify(
            world.profiles[ROLE.CROSS], pki[ROLE.V2G_ROOT].der, other.certificate, other.signer, now=NOW, serial=7
        )
        assert lint(cross, world.profiles[ROLE.CROSS]) == ()
        chain = (*pki.leaf(ROLE.SECC_LEAF).chain, cross.public_bytes(Encoding.DER))
        case = world.case(chain, anchors=TrustAnchors.of(v2g=[other.der]))
        assert judge(case).reasons == (Reason.TOO_DEEP,)
        verdict = judge(replace(case, policy=replace(ANNEX_F, name="cross", max_sub_cas=3)))
        assert verdict.ok
        assert len(verdict.path) == 5
        assert oracle_accepts(case)


def test_a_bundle_full_of_certificates_of_one_name_stays_cheap() -> None:
    """Sixty CAs of one name that could all have issued each other: bounded, and refused."""
    pki = ISO2.pki
    keys = [generate() for _ in range(10)]
    name = "Test CPO-SUB1"
    issuers = [Minted(certificate=pki[ROLE.CPO_SUB1].certificate, signer=key) for key in keys]
    twins = [forge(ISO2.profiles[ROLE.CPO_SUB1], name, issuer, key=key)[0] for issuer in issuers[:6] for key in keys]
    leaf, _ = forge(ISO2.profiles[ROLE.SECC_LEAF], "DE*PLU*E1", issuers[0])
    wide = replace(ANNEX_F, max_certificates=64, max_octets=64 * 1024)
    assert not judge(ISO2.case((leaf, *twins), policy=wide, anchors=TrustAnchors())).ok
    assert judge(ISO2.case((*good(ISO2).chain, *twins[:20]), policy=wide)).ok


# --- what a verdict tells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "iso2", "ocpp"),
    [
        ("leaf-expired", "FAILED_CertificateExpired", "CertificateExpired"),
        ("sub1-expired", "FAILED_CertificateExpired", "CertificateExpired"),
        ("leaf-revoked", "FAILED_CertificateRevoked", "CertificateRevoked"),
        ("leaf-signature", "FAILED_CertChainError", "CertChainError"),
        ("no-anchor-at-all", "FAILED_CertChainError", "CertChainError"),
        ("ocsp-unknown", "FAILED_CertChainError", "CertChainError"),
        ("nothing", "FAILED_NoCertificateAvailable", "NoCertificateAvailable"),
    ],
)
def test_wire_answers(name: str, iso2: str, ocpp: str) -> None:
    verdict = judge(case_of(name, ISO2))
    assert (verdict.iso2_code, verdict.ocpp_status) == (iso2, ocpp)


def test_a_forged_and_expired_chain_is_answered_as_forged() -> None:
    leaf, *subs = good(ISO2).chain
    forged = leaf[:-1] + bytes((leaf[-1] ^ 1,))
    verdict = judge(ISO2.case((forged, *subs), at=NOW + timedelta(days=100)))
    assert verdict.reasons == (Reason.SIGNATURE, Reason.EXPIRED)
    assert verdict.iso2_code == "FAILED_CertChainError"


def test_every_reason_is_in_the_tables_and_every_refusal_in_a_check() -> None:
    assert (
        set(RULES)
        == set(Reason)
        == set(ISO2_RESPONSE_CODES)
        == set(ISO20_RESPONSE_CODES)
        == set(OCPP_CERTIFICATE_STATUS)
    )
    in_checks = frozenset().union(*CHECKS.values())
    assert {reason for reason, rule in RULES.items() if rule.severity is Severity.ERROR} <= in_checks


def test_checks_cover_everything_and_name_the_certificate() -> None:
    verdict = judge(case_of("sub2-expired", ISO2))
    checks = {check.name: check for check in verdict.checks}
    assert checks["validity"].status is CheckStatus.FAILED
    assert "Forged Sub2" in checks["validity"].detail
    assert checks["signatures"].status is CheckStatus.OK
    assert checks["revocation"].status is CheckStatus.NOT_DONE
    tolerated = judge(replace(case_of("leaf-without-ku", ISO2), policy=FIELD))
    assert {c.name: c.status for c in tolerated.checks}["key-usage"] is CheckStatus.TOLERATED
    open_ = judge(replace(good(ISO2), revocation={}))
    assert {c.name: c.status for c in open_.checks}["revocation"] is CheckStatus.INDETERMINATE


def test_only_leaf_roles_are_validated() -> None:
    with pytest.raises(LocalError, match="no leaf role"):
        judge(replace(good(ISO2), role=ROLE.CPO_SUB2))


def test_emaid_types_and_certificates_meet() -> None:
    minted: Minted = ISO2.pki.leaf(ROLE.CONTRACT)
    verdict = judge(ISO2.case(minted.chain, role=ROLE.CONTRACT))
    assert EMAID.parse(verdict.path[0].common_name) == EMAID.create("DE", "PLU", "C12345678")
