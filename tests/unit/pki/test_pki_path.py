"""Path validation: good chains of every kind, the matrix of bad ones, and what a verdict tells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import bad_chains
import bad_contents
import pytest
from chain_tools import CASES, Case, authority, root_like
from OpenSSL import crypto

from pki_factory import ISSUER_OF, NOW, ROLE, Minted, forge, mint_authority, mint_pki, shared_pki, with_extension
from plugpass.errors import LocalError
from plugpass.ids import EMAID
from plugpass.pki import assemble
from plugpass.pki.keys import generate
from plugpass.pki.path import ANNEX_F, CHECKS, FIELD, CheckStatus, RevocationMode, Status, Verdict, validate
from plugpass.pki.policy import POLICIES
from plugpass.pki.profiles import PROFILES_ISO2, SUB_CA_ROLES, CertificateRole, RootType, Switches, profiles_iso2
from plugpass.pki.reasons import ISO2_RESPONSE_CODES, OCPP_CERTIFICATE_STATUS, RULES, Reason, Severity
from plugpass.pki.trust import TrustAnchors

LEAVES = (ROLE.SECC_LEAF, ROLE.OEM_PROVISIONING, ROLE.CONTRACT, ROLE.CPS_LEAF)


def judge(case: Case) -> Verdict:
    return validate(
        case.chain,
        role=case.role,
        anchors=case.anchors,
        at=case.at,
        policy=case.policy,
        revocation=case.revocation,
        expected_cn=case.expected_cn,
    )


def good(role: CertificateRole = ROLE.SECC_LEAF) -> Case:
    return Case(chain=shared_pki().leaf(role).chain, role=role)


def oracle_accepts(case: Case) -> bool:
    """What OpenSSL thinks of the same certificates, anchors and time."""
    store = crypto.X509Store()
    for anchor in case.anchors.anchors:
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, anchor.certificate.encoded))
    store.set_time(case.at)
    leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, encoded) for encoded in case.chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


# --- the matrix ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_bad_chain(name: str) -> None:
    bad = CASES[name]
    verdict = judge(bad.make())
    assert not verdict.ok
    assert set(verdict.reasons) == bad.reasons
    assert verdict.iso2_code.startswith("FAILED_")
    assert verdict.ocpp_status != "Accepted"
    assert "\n" not in verdict.summary


@pytest.mark.parametrize("name", [name for name, bad in CASES.items() if bad.oracle])
def test_bad_chain_before_the_oracle(name: str) -> None:
    bad = CASES[name]
    assert oracle_accepts(bad.make()) == (bad.oracle == "accepts")


@pytest.mark.parametrize("name", [name for name, bad in CASES.items() if Reason.OCSP_MISSING not in bad.reasons])
def test_bad_chains_are_refused_and_not_merely_undetermined(name: str) -> None:
    assert judge(CASES[name].make()).status is Status.REFUSED


#: Cases that the field policy lets pass, and nothing else does it.
TOLERATED = {
    "leaf-without-bc",
    "leaf-without-ku",
    "leaf-ku-not-critical",
    "sub2-bc-not-critical",
    "leaf-bc-explicit-default",
    "contract-without-dc",
}


@pytest.mark.parametrize("name", CASES)
def test_field_tolerates_exactly_what_it_names(name: str) -> None:
    bad = CASES[name]
    verdict = judge(replace(bad.make(), policy=FIELD))
    assert verdict.ok == (name in TOLERATED)
    if verdict.ok:
        assert {finding.reason for finding in verdict.tolerated} == bad.reasons


def test_the_matrix_is_large_and_each_case_is_another_input() -> None:
    assert bad_chains.bad is bad_contents.bad  # both parts enter their cases on import
    assert len(CASES) >= 60
    assert len({bad.title for bad in CASES.values()}) == len(CASES)


# --- good chains ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("role", LEAVES)
def test_good_chains(role: CertificateRole, policy: object) -> None:
    case = replace(good(role), policy=policy)
    verdict = judge(case)
    assert verdict.ok, verdict.summary
    assert (verdict.iso2_code, verdict.ocpp_status) == ("OK", "Accepted")
    assert verdict.findings == verdict.tolerated == verdict.remarks == ()
    assert [certificate.encoded for certificate in verdict.path[:-1]] == list(case.chain)
    assert verdict.path[-1].self_issued
    assert oracle_accepts(case)


def test_every_order_of_the_sub_cas_and_superfluous_certificates() -> None:
    pki = shared_pki()
    leaf, *subs = pki.leaf(ROLE.SECC_LEAF).chain
    for order in permutations((*subs, pki[ROLE.MO_SUB2].der, pki[ROLE.V2G_ROOT].der)):
        assert judge(Case(chain=(leaf, *order))).ok
    assert judge(Case(chain=(leaf, *subs, *subs))).ok


def test_one_sub_ca_is_enough() -> None:
    pki = shared_pki()
    only = mint_authority(PROFILES_ISO2[ROLE.CPO_SUB2], "Only Sub-CA", pki[ROLE.V2G_ROOT])
    leaf, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", only)
    verdict = judge(Case(chain=(leaf, only.der)))
    assert verdict.ok
    assert verdict.remarks == ()


@pytest.mark.parametrize(("role", "issuer"), [(ROLE.CONTRACT, ROLE.CPO_SUB2), (ROLE.OEM_PROVISIONING, ROLE.CPO_SUB2)])
def test_contracts_and_vehicles_may_chain_to_the_v2g_root(role: CertificateRole, issuer: CertificateRole) -> None:
    verdict = judge(Case(chain=shared_pki().leaf(role, issuer_role=issuer).chain, role=role))
    assert verdict.ok
    assert verdict.root_type is RootType.V2G


def test_a_private_environment_signs_directly_and_has_no_ocsp() -> None:
    root = shared_pki()[ROLE.OEM_ROOT]
    leaf, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", root)
    case = Case(chain=(leaf,), anchors=TrustAnchors.of(pe=[root.der]), revocation={})
    assert judge(case).ok
    assert not judge(replace(case, anchors=TrustAnchors.of(oem=[root.der]))).ok
    assert not judge(replace(case, role=ROLE.CPS_LEAF)).ok


def test_a_re_keyed_root_of_the_same_name_is_told_apart() -> None:
    pki = shared_pki()
    other = root_like(pki[ROLE.V2G_ROOT], key=generate())
    anchors = TrustAnchors.of(v2g=[other, pki[ROLE.V2G_ROOT].der])
    assert judge(replace(good(), anchors=anchors)).ok


def test_a_good_path_is_found_beside_an_expired_twin() -> None:
    """Two Sub-CA certificates for one name and key, one of them expired: the other carries the chain."""
    pki = shared_pki()
    sub2 = pki[ROLE.CPO_SUB2]
    tbs_expired, _ = forge(
        PROFILES_ISO2[ROLE.CPO_SUB2],
        "Test CPO-SUB2",
        pki[ROLE.CPO_SUB1],
        lambda tbs: replace(tbs, not_before=NOW - timedelta(days=2), not_after=NOW - timedelta(days=1)),
        key=sub2.signer,
    )
    leaf = pki.leaf(ROLE.SECC_LEAF).chain
    assert judge(Case(chain=(leaf[0], tbs_expired, *leaf[1:]))).ok
    assert judge(Case(chain=(leaf[0], tbs_expired, leaf[2]))).reasons == (Reason.EXPIRED,)


def test_a_cross_certified_root_counts_as_a_ca_of_the_path() -> None:
    """Our V2G root, certified by another market's V2G root: with one Sub-CA the chain works there, with two it is too
    deep, and those who trust our root are not bothered by the cross certificate either way."""
    pki, other = shared_pki(), mint_pki(prefix="Other")
    root = pki[ROLE.V2G_ROOT]
    cross = authority(
        ROLE.CPO_SUB1,
        other[ROLE.V2G_ROOT],
        lambda tbs: replace(
            with_extension(assemble.basic_constraints(ca=True))(tbs), subject=root.certificate.subject.public_bytes()
        ),
        key=root.signer,
    )
    deep = Case(chain=(*pki.leaf(ROLE.SECC_LEAF).chain, cross.der), anchors=other.anchors)
    assert judge(deep).reasons == (Reason.TOO_DEEP,)
    assert judge(replace(deep, anchors=pki.anchors)).ok
    only = mint_authority(PROFILES_ISO2[ROLE.CPO_SUB2], "Only Sub-CA", root)
    leaf, _ = forge(PROFILES_ISO2[ROLE.SECC_LEAF], "DE*PLU*E1", only)
    flat = Case(chain=(leaf, only.der, cross.der), anchors=other.anchors)
    assert judge(flat).ok
    assert judge(replace(flat, anchors=TrustAnchors((*other.anchors.anchors, *pki.anchors.anchors)))).ok
    assert oracle_accepts(flat)


def test_names_match_whatever_their_string_type_and_case() -> None:
    """RFC 5280 §7.1: the issuer field may spell the name in another string type than the CA's own certificate."""
    pki = shared_pki()
    issuer = pki[ROLE.CPO_SUB2].certificate.subject.public_bytes()
    leaf, _ = forge(
        PROFILES_ISO2[ROLE.SECC_LEAF],
        "DE*PLU*E1",
        pki[ROLE.CPO_SUB2],
        lambda tbs: replace(tbs, issuer=issuer.replace(b"\x0c\x0dPlugpass Test", b"\x13\x0dPLUGPASS Test")),
    )
    assert leaf.count(b"PLUGPASS Test") == 1
    assert judge(Case(chain=(leaf, *good().chain[1:]))).ok


def test_clock_skew_is_five_minutes() -> None:
    leaf = shared_pki().leaf(ROLE.SECC_LEAF)
    end = leaf.certificate.not_valid_after_utc
    for shift, ok in ((timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)):
        assert judge(Case(chain=leaf.chain, at=end + shift)).ok is ok
    start = leaf.certificate.not_valid_before_utc
    for shift, ok in ((timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)):
        assert judge(Case(chain=leaf.chain, at=start - shift)).ok is ok


def test_a_root_without_end_is_no_problem() -> None:
    pki = shared_pki()
    forever = root_like(
        pki[ROLE.V2G_ROOT],
        lambda tbs: replace(
            tbs,
            not_before=datetime(1970, 1, 1, tzinfo=UTC),
            not_after=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        ),
    )
    assert judge(replace(good(), anchors=TrustAnchors.of(v2g=[forever]))).ok


def test_purposes_of_an_anchor_are_remarked_and_not_refused() -> None:
    pki = shared_pki()
    root = root_like(pki[ROLE.V2G_ROOT], with_extension(assemble.extended_key_usage(["1.3.6.1.5.5.7.3.9"])))
    verdict = judge(replace(good(), anchors=TrustAnchors.of(v2g=[root])))
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
    assert judge(replace(good(role), expected_cn=same)).ok
    assert judge(replace(good(role), expected_cn=other)).reasons == (Reason.IDENTITY,)


def test_an_ecosystem_with_other_domain_components() -> None:
    leaf, _ = forge(
        PROFILES_ISO2[ROLE.SECC_LEAF],
        "DE*PLU*E1",
        shared_pki()[ROLE.CPO_SUB2],
        lambda tbs: replace(tbs, subject=tbs.subject.replace(b"\x03CPO", b"\x03EVC")),
    )
    chain = (leaf, *good().chain[1:])
    switched = profiles_iso2(Switches(ecosystem_domains=frozenset({"EVC"})))
    anchors = shared_pki().anchors
    assert not validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW).ok
    assert validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, at=NOW, profiles=switched).ok


# --- revocation ----------------------------------------------------------------------------------------------------


def all_good(case: Case) -> dict[bytes, bytes]:
    issuers = (*SUB_CA_ROLES[case.role], ISSUER_OF[SUB_CA_ROLES[case.role][-1]])
    pki = shared_pki()
    return {encoded: pki.ocsp_response(encoded, above) for encoded, above in zip(case.chain, issuers, strict=True)}


@pytest.mark.parametrize("role", LEAVES)
def test_good_answers(role: CertificateRole) -> None:
    case = good(role)
    verdict = judge(replace(case, revocation=all_good(case)))
    assert verdict.ok
    assert next(check for check in verdict.checks if check.name == "revocation").status is CheckStatus.OK


def test_no_answer_is_indeterminate_and_no_yes() -> None:
    verdict = judge(replace(good(), revocation={}))
    assert verdict.status is Status.INDETERMINATE
    assert not verdict.ok
    assert verdict.ocpp_status == "CertChainError"  # C07.FR.17


def test_required_revocation_does_not_let_itself_be_left_out() -> None:
    strict = replace(ANNEX_F, revocation=RevocationMode.REQUIRED)
    assert judge(replace(good(), policy=strict)).status is Status.INDETERMINATE
    assert judge(replace(good(), policy=replace(ANNEX_F, revocation=RevocationMode.OFF), revocation={})).ok


def test_certificates_that_name_no_responder_are_remarked() -> None:
    pki = shared_pki()
    leaf = pki.leaf(ROLE.SECC_LEAF, ocsp_url=None)
    answers = {key: value for key, value in all_good(good()).items() if key != good().chain[0]}
    verdict = judge(Case(chain=leaf.chain, revocation=answers))
    assert verdict.ok
    assert [finding.reason for finding in verdict.remarks] == [Reason.OCSP_NOT_OFFERED]


def test_a_definite_failure_outweighs_a_missing_answer() -> None:
    case = CASES["leaf-expired"].make()
    verdict = judge(replace(case, revocation={}))
    assert verdict.status is Status.REFUSED
    assert (verdict.iso2_code, verdict.ocpp_status) == ("FAILED_CertificateExpired", "CertificateExpired")


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
    verdict = judge(CASES[name].make())
    assert (verdict.iso2_code, verdict.ocpp_status) == (iso2, ocpp)


def test_a_forged_and_expired_chain_is_answered_as_forged() -> None:
    leaf, *subs = good().chain
    forged = leaf[:-1] + bytes((leaf[-1] ^ 1,))
    verdict = judge(Case(chain=(forged, *subs), at=NOW + timedelta(days=100)))
    assert verdict.reasons == (Reason.SIGNATURE, Reason.EXPIRED)
    assert verdict.iso2_code == "FAILED_CertChainError"


def test_every_reason_is_in_the_tables_and_every_refusal_in_a_check() -> None:
    assert set(RULES) == set(Reason) == set(ISO2_RESPONSE_CODES) == set(OCPP_CERTIFICATE_STATUS)
    in_checks = frozenset().union(*CHECKS.values())
    assert {reason for reason, rule in RULES.items() if rule.severity is Severity.ERROR} <= in_checks


def test_checks_cover_everything_and_name_the_certificate() -> None:
    verdict = judge(CASES["sub2-expired"].make())
    checks = {check.name: check for check in verdict.checks}
    assert checks["validity"].status is CheckStatus.FAILED
    assert "Forged Sub2" in checks["validity"].detail
    assert checks["signatures"].status is CheckStatus.OK
    assert checks["revocation"].status is CheckStatus.NOT_DONE
    tolerated = judge(replace(CASES["leaf-without-ku"].make(), policy=FIELD))
    assert {c.name: c.status for c in tolerated.checks}["key-usage"] is CheckStatus.TOLERATED
    open_ = judge(replace(good(), revocation={}))
    assert {c.name: c.status for c in open_.checks}["revocation"] is CheckStatus.INDETERMINATE


def test_only_leaf_roles_are_validated() -> None:
    with pytest.raises(LocalError, match="no leaf role"):
        judge(replace(good(), role=ROLE.CPO_SUB2))


def test_emaid_types_and_certificates_meet() -> None:
    minted: Minted = shared_pki().leaf(ROLE.CONTRACT)
    verdict = judge(Case(chain=minted.chain, role=ROLE.CONTRACT))
    assert EMAID.parse(verdict.path[0].common_name) == EMAID.create("DE", "PLU", "C12345678")
