"""URL styles of EST clients in the field (est.md §3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.est.messages import EstRefusal, Label, Operation
from plugpass.est.paths import Target, parse_target

CPO_ENROLL = Target(operation=Operation.SIMPLE_ENROLL, label=Label.CPO)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/.well-known/est/simpleenroll", Target(operation=Operation.SIMPLE_ENROLL, label=None)),
        ("POST", "/.well-known/est/simplereenroll/", Target(operation=Operation.SIMPLE_REENROLL, label=None)),
        ("POST", "/.well-known/est/cpo/simpleenroll", CPO_ENROLL),
        ("POST", "/.well-known/est/cpo/simpleenroll/", CPO_ENROLL),
        ("POST", "/.well-known/est/acme-cpo/simpleenroll", CPO_ENROLL),
        ("POST", "/.well-known/est/cpo/simpleenroll/ISO15118-2", CPO_ENROLL),
        ("GET", "/.well-known/est/cps/csrattrs", Target(operation=Operation.CSR_ATTRS, label=Label.CPS)),
        ("POST", "/cpo/simpleenroll/ISO15118-2", CPO_ENROLL),
        ("POST", "/cpo/simpleenroll", CPO_ENROLL),
        ("GET", "/mo/cacerts/ISO15118-2/secp256r1/", Target(operation=Operation.CACERTS, label=Label.MO)),
        ("POST", "/.well-known/cpo/simpleenroll", CPO_ENROLL),
        ("GET", "/.well-known/oem/cacerts", Target(operation=Operation.CACERTS, label=Label.OEM)),
        ("POST", "/.well-known/est/fullcmc", Target(operation=Operation.FULL_CMC, label=None)),
    ],
)
def test_every_style_reaches_its_operation(method: str, path: str, expected: Target) -> None:
    assert parse_target(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/.well-known/est/simpleenroll", 405),
        ("POST", "/.well-known/est/cacerts", 405),
        ("PUT", "/cpo/simpleenroll", 405),
        ("POST", "/.well-known/est/cso/simpleenroll", 404),
        ("POST", "/.well-known/est/cpo", 404),
        ("POST", "/.well-known/est/cpo/enroll", 404),
        ("POST", "/simpleenroll", 404),
        ("POST", "/.well-known/simpleenroll", 404),
        ("POST", "/.well-known/est/cpo/simpleenroll/ISO15118-20", 501),
        ("POST", "/.well-known/est/cpo/simpleenroll/ISO15118-3", 404),
        ("GET", "/cpo/cacerts/ISO15118-2/ed448", 404),
        ("GET", "/cpo/cacerts/ISO15118-2/secp256r1/more", 404),
        ("GET", "/", 404),
        ("GET", "", 404),
        ("GET", "//cacerts", 404),
        ("GET", "/.well-known/est//cacerts", 404),
    ],
)
def test_everything_else_is_refused_with_its_status(method: str, path: str, status: int) -> None:
    with pytest.raises(EstRefusal) as refusal:
        parse_target(method, path)
    assert refusal.value.status == status
    assert refusal.value.wire == str(status)


def test_wrong_method_names_the_right_one() -> None:
    with pytest.raises(EstRefusal) as refusal:
        parse_target("GET", "/.well-known/est/cpo/simpleenroll")
    assert refusal.value.headers == {"allow": "POST"}


@given(st.sampled_from(["GET", "POST", "DELETE"]), st.text(max_size=80))
def test_any_path_gives_a_target_or_a_refusal(method: str, path: str) -> None:
    try:
        target = parse_target(method, "/" + path)
    except EstRefusal as refusal:
        assert refusal.status in {404, 405, 501}  # noqa: PT017  # either outcome is fine, nothing else may be raised
    else:
        assert isinstance(target, Target)
