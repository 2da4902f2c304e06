"""The DER reader: strict, and never anything but MalformedDer for bytes that are not DER."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import ROLE, shared_pki
from plugpass.pki import bundle, certificate, csr, der, ocsp
from plugpass.pki.names import parse_name


@given(st.integers())
def test_integer_round_trip(value: int) -> None:
    assert der.read_integer(der.parse(der.integer(value))) == value


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 40), max_size=8))
def test_oid_round_trip_agrees_with_cryptography(first: int, second: int, arcs: list[int]) -> None:
    dotted = ".".join(map(str, (first, second, *arcs)))
    assert der.read_oid(der.parse(der.oid(dotted))) == dotted


@given(st.frozensets(st.integers(0, 20)))
def test_named_bits_round_trip(bits: frozenset[int]) -> None:
    assert der.read_named_bits(der.parse(der.named_bits(bits))) == bits


@given(st.binary(max_size=70_000))
def test_any_length_round_trips(content: bytes) -> None:
    assert der.parse(der.octet_string(content)).content == content


@given(st.integers(0, 250_000_000_000))
def test_time_round_trip(seconds: int) -> None:
    moment = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert der.read_time(der.parse(der.time(moment))) == moment
    assert der.read_time(der.parse(der.generalized_time(moment))) == moment


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (b"", "truncated"),
        (b"\x30", "truncated"),
        (b"\x30\x80\x00\x00", "indefinite"),
        (b"\x30\x81\x01\x00", "shortest"),
        (b"\x30\x82\x00\x80" + bytes(128), "shortest"),
        (b"\x30\x85\x01\x00\x00\x00\x00", "oversized"),
        (b"\x30\x82\x01", "length octets"),
        (b"\x30\x05\x01", "announced"),
        (b"\x30\x00\x00", "trailing"),
        (b"\x3f\x81\x01\x00", "more than one octet"),
    ],
)
def test_ber_and_rubbish_are_refused(encoded: bytes, problem: str) -> None:
    with pytest.raises(der.MalformedDer, match=problem):
        der.parse(encoded)


@pytest.mark.parametrize(
    ("read", "encoded"),
    [
        (der.read_integer, b"\x02\x00"),
        (der.read_integer, b"\x02\x02\x00\x01"),
        (der.read_integer, b"\x02\x02\xff\xff"),
        (der.read_integer, b"\x0c\x01\x01"),
        (der.read_boolean, b"\x01\x01\x01"),
        (der.read_boolean, b"\x01\x02\xff\xff"),
        (der.read_oid, b"\x06\x00"),
        (der.read_oid, b"\x06\x02\x80\x01"),
        (der.read_oid, b"\x06\x01\x81"),
        (der.read_bit_string, b"\x03\x00"),
        (der.read_bit_string, b"\x03\x02\x01\x80"),
        (der.read_named_bits, b"\x03\x01\x01"),
        (der.read_named_bits, b"\x03\x02\x08\x80"),
        (der.read_named_bits, b"\x03\x02\x00\x80"),
        (der.read_named_bits, b"\x03\x02\x07\x81"),
        (der.read_string, b"\x0c\x01\xff"),
        (der.read_string, b"\x02\x01\x00"),
        (der.read_time, b"\x17\x0b2601010000Z"),
        (der.read_time, b"\x17\x0d26010100000 Z"),
        (der.read_time, b"\x17\x0d261301000000Z"),
        (der.read_time, b"\x18\x0f00000101000000Z"),
        (der.read_time, b"\x17\x0d260101000000+"),
        (der.read_time, b"\x02\x01\x00"),
    ],
)
def test_values_not_in_der_are_refused(read: object, encoded: bytes) -> None:
    assert callable(read)
    with pytest.raises(der.MalformedDer):
        read(der.parse(encoded))


def test_reader_names_missing_and_superfluous_fields() -> None:
    reader = der.read_sequence(der.sequence(der.null()))
    assert reader.optional(der.INTEGER) is None
    with pytest.raises(der.MalformedDer, match="unexpected field"):
        reader.end()
    reader.next(der.NULL)
    with pytest.raises(der.MalformedDer, match="missing"):
        reader.next()


ENTRANCES = (
    certificate.parse,
    parse_name,
    bundle.read_certificates,
    bundle.parse_pkcs7,
    certificate.parse_extensions,
    certificate.parse_key,
)


def feed(data: bytes) -> None:
    """Every parser of the package takes `data` or refuses it in its own words."""
    for entrance in ENTRANCES:
        with contextlib.suppress(der.MalformedDer):
            entrance(data)
    with contextlib.suppress(csr.CsrRefused):
        csr.parse_csr(data)
    with contextlib.suppress(ocsp.MalformedOcsp):
        ocsp.parse_request(data)
    root = shared_pki()[ROLE.V2G_ROOT].certificate
    with contextlib.suppress(ocsp.OcspRejected):
        ocsp.verify_response(data, ocsp.cert_id(root, root), root, at=shared_pki().now)


@given(st.binary(max_size=400))
def test_random_octets_never_break_a_parser(data: bytes) -> None:
    feed(data)


@lru_cache(maxsize=1)
def samples() -> tuple[bytes, ...]:
    """One good structure of every kind; made once, since hypothesis wants the same ground under every example."""
    pki = shared_pki()
    leaf = pki[ROLE.CPO_SUB2]
    return (
        leaf.der,
        bundle.pkcs7_certs_only([leaf.der]),
        csr.create_csr(leaf.signer, common_name="DE*PLU*E1", organization="O"),
        ocsp.build_request([ocsp.cert_id(leaf.certificate, pki[ROLE.CPO_SUB1].certificate)], nonce=b"n" * 16),
        pki.ocsp_response(leaf.certificate, ROLE.CPO_SUB1),
    )


@given(st.data())
def test_damaged_structures_never_break_a_parser(data: st.DataObject) -> None:
    damaged = bytearray(samples()[data.draw(st.integers(0, 4))])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    feed(bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))]))


def test_our_reading_of_a_certificate_agrees_with_cryptography() -> None:
    for authority in shared_pki().authorities.values():
        ours, theirs = certificate.parse(authority.der), authority.certificate
        assert ours.serial == theirs.serial_number
        assert ours.not_before == theirs.not_valid_before_utc
        assert ours.not_after == theirs.not_valid_after_utc
        assert ours.subject.encoded == theirs.subject.public_bytes()
        assert ours.tbs == theirs.tbs_certificate_bytes
        assert (
            ours.extensions.subject_key_identifier
            == theirs.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        )
