"""Chains made up by hypothesis: the verdict must follow from how they were made, and never be kinder than OpenSSL's."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta

from chain_tools import DAY, ISO2, ISO20, NAMES, Case, World, authority, judge, oracle_accepts
from hypothesis import given, settings
from hypothesis import strategies as st

from pki_factory import NOW, ROLE, Tweak, forge, with_extension
from plugpass.pki import assemble
from plugpass.pki.crl import MalformedCrl, parse_crl
from plugpass.pki.path import validate
from plugpass.pki.profiles import KeyUsage
from plugpass.pki.reasons import Reason

SKEW = timedelta(minutes=5)

MINTED = ISO2.pki.leaf(ROLE.SECC_LEAF)
GOOD: Case = ISO2.case(MINTED.chain)
LISTS = tuple(ISO2.pki.crl(role) for role in (ROLE.CPO_SUB2, ROLE.CPO_SUB1, ROLE.V2G_ROOT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one CA or the leaf is made."""

    starts: int  #: days from now
    ends: int
    certifies: bool  #: keyCertSign
    path_length: int | None


def plans(*, lengths: st.SearchStrategy[int | None]) -> st.SearchStrategy[Plan]:
    usually = st.sampled_from([True] * 9 + [False])
    return st.builds(
        Plan,
        starts=st.sampled_from([-30] * 8 + [1]),
        ends=st.sampled_from([30] * 8 + [-1]),
        certifies=usually,
        path_length=lengths,
    ).filter(lambda plan: plan.starts < plan.ends)


SUB_CAS = st.lists(plans(lengths=st.sampled_from([None, 0, 1, 2])), min_size=0, max_size=3)
LEAF = plans(lengths=st.none())


def tweak_of(plan: Plan, *, ca: bool) -> Tweak:
    def change(tbs: assemble.Tbs) -> assemble.Tbs:
        dated = replace(tbs, not_before=NOW + plan.starts * DAY, not_after=NOW + plan.ends * DAY)
        if not ca:
            return dated
        usage = KeyUsage.KEY_CERT_SIGN if plan.certifies else KeyUsage.CRL_SIGN
        constrained = with_extension(assemble.basic_constraints(ca=True, path_length=plan.path_length))(dated)
        return with_extension(assemble.key_usage([usage]))(constrained)

    return change


def chain_of(world: World, subs: list[Plan], leaf: Plan) -> tuple[bytes, ...]:
    """Leaf first; the plans are in the order from the root."""
    issuer, made = world.pki[ROLE.V2G_ROOT], []
    for number, plan in enumerate(subs):
        issuer = authority(world, ROLE.CPO_SUB1, issuer, tweak_of(plan, ca=True), name=f"CA {number}")
        made.insert(0, issuer.der)
    encoded, _ = forge(world.profiles[ROLE.SECC_LEAF], NAMES[ROLE.SECC_LEAF], issuer, tweak_of(leaf, ca=False))
    return (encoded, *made)


def expected(subs: list[Plan], leaf: Plan) -> bool:
    """Whether such a chain keeps the rules."""
    valid_now = all(plan.starts <= 0 <= plan.ends for plan in (*subs, leaf))
    below = {at: len(subs) - 1 - at for at in range(len(subs))}
    lengths = all(plan.path_length is None or below[at] <= plan.path_length for at, plan in enumerate(subs))
    return 1 <= len(subs) <= 2 and valid_now and lengths and all(plan.certifies for plan in subs)


@settings(deadline=None, max_examples=150)
@given(subs=SUB_CAS, leaf=LEAF, order=st.randoms(use_true_random=False), repeats=st.integers(0, 1))
def test_the_verdict_follows_from_the_making(subs: list[Plan], leaf: Plan, order: object, repeats: int) -> None:
    first, *others = chain_of(ISO2, subs, leaf)
    others += others[: repeats if len(others) < 4 else 0]
    order.shuffle(others)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    case = ISO2.case((first, *others))
    verdict = judge(case)
    assert verdict.ok == expected(subs, leaf), verdict.summary
    if verdict.ok:
        assert oracle_accepts(case)  # we are never kinder
        assert len(verdict.path) == len(subs) + 2


@settings(deadline=None, max_examples=25)
@given(subs=st.lists(plans(lengths=st.sampled_from([None, 0, 1])), min_size=1, max_size=2), leaf=LEAF)
def test_the_verdict_follows_from_the_making_in_iso20(subs: list[Plan], leaf: Plan) -> None:
    case = ISO20.case(chain_of(ISO20, subs, leaf))
    assert judge(case).ok == expected(subs, leaf)
    assert not judge(case).ok or oracle_accepts(case)


@settings(deadline=None, max_examples=300)
@given(where=st.integers(0, 2), at=st.integers(0, 2000), flip=st.integers(1, 255))
def test_one_changed_octet_is_never_accepted_and_never_a_crash(where: int, at: int, flip: int) -> None:
    chain = list(GOOD.chain)
    damaged = bytearray(chain[where])
    damaged[at % len(damaged)] ^= flip
    chain[where] = bytes(damaged)
    verdict = judge(replace(GOOD, chain=tuple(chain)))
    assert not verdict.ok
    assert "\n" not in verdict.summary
    assert verdict.iso2_code.startswith("FAILED_")


@settings(deadline=None, max_examples=150)
@given(blobs=st.lists(st.binary(max_size=300), max_size=7))
def test_rubbish_is_refused_and_never_a_crash(blobs: list[bytes]) -> None:
    for world in (ISO2, ISO20):
        verdict = judge(world.case(tuple(blobs)))
        assert not verdict.ok
        assert set(verdict.reasons) <= {Reason.ENCODING, Reason.NO_CERTIFICATE, Reason.TOO_MANY_CERTIFICATES}


@settings(deadline=None, max_examples=200)
@given(at=st.integers(0, 2000), flip=st.integers(1, 255), cut=st.integers(0, 400))
def test_damaged_lists_are_no_proof_and_never_a_crash(at: int, flip: int, cut: int) -> None:
    own, *others = LISTS
    damaged = bytearray(own)
    damaged[at % len(damaged)] ^= flip
    assert judge(replace(GOOD, crls=LISTS)).ok
    for one in (bytes(damaged), own[:cut] if cut < len(own) else own + b"\x00"):
        with contextlib.suppress(MalformedCrl):
            parse_crl(one)
        assert not judge(replace(GOOD, crls=(one, *others))).ok


@settings(deadline=None, max_examples=60)
@given(shift=st.timedeltas(timedelta(days=-70), timedelta(days=70)))
def test_time_alone_decides_about_a_good_chain(shift: timedelta) -> None:
    begins, ends = MINTED.certificate.not_valid_before_utc, MINTED.certificate.not_valid_after_utc
    verdict = validate(MINTED.chain, role=ROLE.SECC_LEAF, anchors=ISO2.pki.anchors, at=NOW + shift)
    assert verdict.ok == (begins - SKEW <= NOW + shift <= ends + SKEW)
