"""Revocation in path validation: responses, lists, both, and neither."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_tools import (
    CASES,
    ISO2,
    WORLDS,
    Case,
    World,
    case_of,
    good,
    judge,
)

from pki_factory import (
    ISSUER_OF,
    ROLE,
)
from plugpass.errors import LocalError
from plugpass.pki.path import ANNEX_F, FIELD, CheckStatus, RevocationMode, Status
from plugpass.pki.policy import UNAVAILABLE, soft_failing
from plugpass.pki.profiles import (
    SUB_CA_ROLES,
    CertificateRole,
)
from plugpass.pki.reasons import (
    Reason,
)

LEAVES = (ROLE.SECC_LEAF, ROLE.OEM_PROVISIONING, ROLE.CONTRACT, ROLE.CPS_LEAF)


def all_good(case: Case) -> dict[bytes, bytes]:
    issuers = (*SUB_CA_ROLES[case.role], ISSUER_OF[SUB_CA_ROLES[case.role][-1]])
    pki = ISO2.pki
    return {encoded: pki.ocsp_response(encoded, above) for encoded, above in zip(case.chain, issuers, strict=True)}


@pytest.mark.parametrize("role", LEAVES)
def test_good_answers(role: CertificateRole) -> None:
    case = good(ISO2, role)
    verdict = judge(replace(case, revocation=all_good(case)))
    assert verdict.ok
    assert next(check for check in verdict.checks if check.name == "revocation").status is CheckStatus.OK


def test_no_answer_is_indeterminate_and_no_yes() -> None:
    verdict = judge(replace(good(ISO2), revocation={}))
    assert verdict.status is Status.INDETERMINATE
    assert not verdict.ok
    assert verdict.ocpp_status == "CertChainError"  # C07.FR.17


def test_required_revocation_does_not_let_itself_be_left_out() -> None:
    strict = replace(ANNEX_F, revocation=RevocationMode.REQUIRED)
    assert judge(replace(good(ISO2), policy=strict)).status is Status.INDETERMINATE
    assert judge(replace(good(ISO2), policy=replace(ANNEX_F, revocation=RevocationMode.OFF), revocation={})).ok


def test_certificates_that_name_no_responder_are_remarked() -> None:
    pki = ISO2.pki
    leaf = pki.leaf(ROLE.SECC_LEAF, ocsp_url=None)
    answers = {key: value for key, value in all_good(good(ISO2)).items() if key != good(ISO2).chain[0]}
    verdict = judge(ISO2.case(leaf.chain, revocation=answers))
    assert verdict.ok
    assert [finding.reason for finding in verdict.remarks] == [Reason.OCSP_NOT_OFFERED]


def test_a_definite_failure_outweighs_a_missing_answer() -> None:
    case = case_of("leaf-expired", ISO2)
    verdict = judge(replace(case, revocation={}))
    assert verdict.status is Status.REFUSED
    assert (verdict.iso2_code, verdict.ocpp_status) == ("FAILED_CertificateExpired", "CertificateExpired")


def all_listed(world: World = ISO2) -> tuple[bytes, ...]:
    return tuple(world.pki.crl(issuer) for issuer in (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT))


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_lists_in_the_place_of_responses(world: World) -> None:
    case = replace(good(world), crls=all_listed(world))
    verdict = judge(case)
    assert verdict.ok
    assert verdict.revocation_checked
    strict = replace(ANNEX_F, revocation=RevocationMode.REQUIRED)
    assert judge(replace(case, policy=strict)).ok
    assert judge(replace(case, revocation={})).ok


def test_a_list_makes_up_for_a_stale_response_which_is_remarked() -> None:
    case = case_of("ocsp-next-update-passed", ISO2)
    lists = tuple(ISO2.pki.crl(issuer, at=case.at) for issuer in (*SUB_CA_ROLES[ROLE.SECC_LEAF], ROLE.V2G_ROOT))
    verdict = judge(replace(case, crls=lists))
    assert verdict.ok
    assert {finding.reason for finding in verdict.remarks} == {Reason.OCSP_STALE}


def test_soft_fail_passes_what_is_unavailable_and_reports_it() -> None:
    soft = soft_failing(ANNEX_F)
    for name in ("ocsp-missing", "ocsp-next-update-passed", "ocsp-older-than-a-week", "crl-stale", "crl-missing"):
        verdict = judge(replace(case_of(name, ISO2), policy=soft))
        assert verdict.ok, name
        assert {finding.reason for finding in verdict.tolerated} == CASES[name].reasons
        assert "soft-fail" in verdict.summary
    for name in ("leaf-revoked", "leaf-on-crl", "ocsp-unknown", "ocsp-by-a-stranger", "crl-signature"):
        assert not judge(replace(case_of(name, ISO2), policy=soft)).ok, name


def test_only_not_knowing_fails_softly() -> None:
    with pytest.raises(LocalError, match="revoked cannot fail softly"):
        soft_failing(ANNEX_F, frozenset({Reason.REVOKED}))
    assert soft_failing(FIELD, UNAVAILABLE - {Reason.CRL_STALE}).soft_fail < UNAVAILABLE


def test_a_responder_certificate_with_no_check_is_not_asked_about() -> None:
    pki = ISO2.pki
    signer = pki.leaf(ROLE.OCSP_SIGNER)
    lists = all_listed()[1:]  # none of the issuer
    assert judge(ISO2.case(signer.chain, role=ROLE.OCSP_SIGNER, crls=lists)).ok
