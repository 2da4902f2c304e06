"""EST response bodies in the form each client can read (est.md §4)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.est.bodies import Base64Form, encode_body, form_for

DER = bytes([0x30, 0x82, 0x04, 0x00]) + bytes(range(256)) * 4
BASE64 = base64.b64encode(DER)


def test_one_line_has_a_line_feed_at_its_end() -> None:
    assert encode_body(DER, Base64Form.ONE_LINE) == BASE64 + b"\n"


def test_wrapped_has_64_columns() -> None:
    lines = encode_body(DER, Base64Form.WRAPPED).split(b"\n")
    assert lines[-1] == b""
    assert {len(line) for line in lines[:-2]} == {64}
    assert b"".join(lines) == BASE64


@pytest.mark.parametrize(
    ("user_agent", "form"),
    [
        ("Cisco EST client 1.0", Base64Form.WRAPPED),
        ("strongSwan pki", Base64Form.ONE_LINE),
        ("", Base64Form.ONE_LINE),
    ],
)
def test_form_follows_the_user_agent(user_agent: str, form: Base64Form) -> None:
    assert form_for(user_agent) is form


@given(st.binary(max_size=300), st.sampled_from(Base64Form))
def test_any_content_comes_back(content: bytes, form: Base64Form) -> None:
    text = encode_body(content, form)
    assert base64.b64decode(text) == content
    assert content == b"" or text.endswith(b"\n")
