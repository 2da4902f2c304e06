"""The matrix of bad chains: before our validator under both policies, and before OpenSSL's."""

from __future__ import annotations

from dataclasses import replace

import bad_chains
import bad_contents
import bad_iso20
import pytest
from chain_tools import (
    CASES,
    ISO2,
    WORLDS,
    World,
    case_of,
    judge,
    oracle_accepts,
)

from plugpass.pki.path import FIELD, Status
from plugpass.pki.reasons import (
    RULES,
)

MATRIX = [pytest.param(name, world, id=f"{name}-{world.name}") for name, bad in CASES.items() for world in bad.worlds]


@pytest.mark.parametrize(("name", "world"), MATRIX)
def test_bad_chain(name: str, world: World) -> None:
    verdict = judge(case_of(name, world))
    assert not verdict.ok
    assert set(verdict.reasons) == CASES[name].expected(world)
    assert verdict.generation is world.generation
    assert verdict.iso2_code.startswith("FAILED_")
    assert verdict.iso20_code.startswith("WARNING_")
    assert verdict.response_code == (verdict.iso2_code if world is ISO2 else verdict.iso20_code)
    assert verdict.ocpp_status != "Accepted"
    assert "\n" not in verdict.summary


@pytest.mark.parametrize(("name", "world"), [case for case in MATRIX if CASES[case.values[0]].oracle])
def test_bad_chain_before_the_oracle(name: str, world: World) -> None:
    bad = CASES[name]
    assert oracle_accepts(case_of(name, world)) == (bad.oracle == "accepts")
    assert bool(bad.why) == (bad.oracle == "accepts")  # every difference is explained


@pytest.mark.parametrize(("name", "world"), MATRIX)
def test_bad_chains_are_refused_and_only_what_is_unknown_is_undetermined(name: str, world: World) -> None:
    unknown = all(RULES[reason].indeterminate for reason in CASES[name].reasons)
    assert judge(case_of(name, world)).status is (Status.INDETERMINATE if unknown else Status.REFUSED)


#: Cases that the field policy lets pass, and nothing else does it.
TOLERATED = {
    "leaf-without-bc",
    "leaf-without-ku",
    "leaf-ku-not-critical",
    "sub2-bc-not-critical",
    "leaf-bc-explicit-default",
    "contract-without-dc",
}


@pytest.mark.parametrize(("name", "world"), MATRIX)
def test_field_tolerates_exactly_what_it_names(name: str, world: World) -> None:
    verdict = judge(replace(case_of(name, world), policy=FIELD))
    assert verdict.ok == (name in TOLERATED)
    if verdict.ok:
        assert {finding.reason for finding in verdict.tolerated} == CASES[name].reasons


def test_the_matrix_is_large_and_each_case_is_another_input() -> None:
    assert bad_chains.bad is bad_contents.bad is bad_iso20.bad  # all parts enter their cases on import
    for world in WORLDS:
        assert sum(world in bad.worlds for bad in CASES.values()) >= 60
    assert len({bad.title for bad in CASES.values()}) == len(CASES)
