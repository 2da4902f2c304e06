"""The EST client's reading of answers; the exchange itself is in tests/wire/test_est.py."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import NOW, ROLE, shared_pki
from plugpass.est import client as est
from plugpass.est.messages import EstResponse
from plugpass.pki.bundle import pem, pkcs7_certs_only


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("99999999999", timedelta(seconds=10**6)),
        ("Mon, 01 Jun 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 01 Jun 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Mon, 01 Jun 2026 11:00:00 GMT", timedelta(0)),
        ("soon", timedelta(seconds=5)),
        ("", timedelta(seconds=5)),
        ("-1", timedelta(seconds=5)),
    ],
)
def test_retry_after(value: str, wait: timedelta) -> None:
    assert est.retry_after(value, now=NOW) == wait


@given(st.text(max_size=60))
def test_any_retry_after_is_a_wait(value: str) -> None:
    assert est.retry_after(value, now=NOW) >= timedelta(0)


def test_ca_certificates_are_sorted_by_who_issued_whom() -> None:
    pki = shared_pki()
    ordered = tuple(pki[role].der for role in (ROLE.CPO_SUB2, ROLE.CPO_SUB1, ROLE.V2G_ROOT))
    for shuffled in permutations(ordered):
        assert est.issuers_first(shuffled) == ordered


@pytest.mark.parametrize("form", ["pem", "der", "base64"])
def test_answers_are_read_in_every_form(form: str) -> None:
    root = shared_pki()[ROLE.V2G_ROOT].der
    bodies = {"pem": pem([root]).encode(), "der": pkcs7_certs_only([root]), "base64": b""}
    bodies["base64"] = est.enrol_request("cpo", bodies["der"]).body
    answer = EstResponse(status=200, body=bodies[form])
    assert est.read_ca_certificates(answer) == (root,)
    assert est.read_enrolment(answer, now=NOW) == (root,)


def test_a_refusal_is_quoted_on_one_line() -> None:
    answer = EstResponse(status=403, body=b"not\r\nyours " + b"x" * 500)
    with pytest.raises(est.EstAnswerRefused) as refusal:
        est.read_ca_certificates(answer)
    assert str(refusal.value).startswith("the EST server answers 403: 'not yours xxx")
    assert len(str(refusal.value)) < 200
    assert refusal.value.wire == "403"


def test_the_default_label_is_no_segment() -> None:
    assert est.ca_certificates_request("").path == "/.well-known/est/cacerts"
    assert est.enrol_request("cpo", b"", renewing=True).path == "/.well-known/est/cpo/simplereenroll"
