"""Bundles: any form in, the given order out, and bounds on everything."""

from __future__ import annotations

import base64
import warnings

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import ROLE, shared_pki
from plugpass.pki import bundle
from plugpass.pki.der import MalformedDer

CHAIN = tuple(shared_pki()[role].der for role in (ROLE.CPO_SUB2, ROLE.CPO_SUB1, ROLE.V2G_ROOT))


def wrapped(text: bytes, columns: int, end: bytes = b"\n") -> bytes:
    return end.join(text[at : at + columns] for at in range(0, len(text), columns)) + end


def test_every_form_reads_back_in_order() -> None:
    p7 = bundle.pkcs7_certs_only(CHAIN)
    forms: list[bytes | str] = [bundle.pem(CHAIN), bundle.pem(CHAIN).encode(), b"".join(CHAIN), p7]
    for binary in (b"".join(CHAIN), p7):
        line = base64.b64encode(binary)
        forms += [line, line + b"\n", wrapped(line, 64), wrapped(line, 76, b"\r\n")]
    forms += [bundle.pem_block(p7, "PKCS7"), "some text\n" + bundle.pem(CHAIN) + "more text"]
    for form in forms:
        assert bundle.read_certificates(form) == CHAIN
    for form in (p7, base64.b64encode(p7), wrapped(base64.b64encode(p7), 64), bundle.pem_block(p7, "CMS").encode()):
        assert bundle.parse_pkcs7(form) == CHAIN


@given(st.permutations(CHAIN))
def test_pkcs7_keeps_the_given_order_where_a_library_sorts(order: list[bytes]) -> None:
    p7 = bundle.pkcs7_certs_only(order)
    assert bundle.parse_pkcs7(p7) == tuple(order)
    with warnings.catch_warnings(action="ignore"):  # the library says "not DER, falling back to BER": that is the point
        theirs = pkcs7.load_der_pkcs7_certificates(p7)
    assert [item.public_bytes(Encoding.DER) for item in theirs] == list(order)


def test_a_library_made_pkcs7_is_read() -> None:
    certificates = [shared_pki()[role].certificate for role in (ROLE.V2G_ROOT, ROLE.CPO_SUB1)]
    made = pkcs7.serialize_certificates(certificates, Encoding.DER)
    assert set(bundle.parse_pkcs7(made)) == {item.public_bytes(Encoding.DER) for item in certificates}


def test_an_empty_pkcs7_has_no_certificates() -> None:
    assert bundle.parse_pkcs7(bundle.pkcs7_certs_only([])) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"rubbish",
        b"\x02\x01\x00",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        bundle.pem_block(CHAIN[0], "PUBLIC KEY").encode(),
        CHAIN[0] + b"\x00",
        CHAIN[0] * (bundle.MAX_CERTIFICATES + 1),
        bytes(bundle.MAX_BUNDLE_BYTES + 1),
        bundle.pkcs7_certs_only(CHAIN)[:-1],
    ],
    ids=[
        "empty",
        "text",
        "integer",
        "open",
        "mismatch",
        "no-base64",
        "cut",
        "other",
        "trailing",
        "many",
        "big",
        "p7-cut",
    ],
)
def test_refusals(data: bytes) -> None:
    with pytest.raises(MalformedDer):
        bundle.read_certificates(data)


@pytest.mark.parametrize(
    "data",
    [b"", CHAIN[0], bytes(bundle.MAX_BUNDLE_BYTES + 1), bundle.pem(CHAIN).encode()],
    ids=["empty", "certificate", "big", "pem-chain"],
)
def test_pkcs7_refusals(data: bytes) -> None:
    with pytest.raises(MalformedDer):
        bundle.parse_pkcs7(data)


def test_a_megabyte_of_blanks_in_a_pem_costs_nothing() -> None:
    with pytest.raises(MalformedDer):
        bundle.read_certificates(b"-----BEGIN CERTIFICATE-----" + b" " * 200_000)
