"""Streams that are wrong: each is an ExiDecodeError, whatever the bytes."""

from __future__ import annotations

from typing import Any

import pytest
from exi_vectors import supported
from hypothesis import given, settings
from hypothesis import strategies as st

from plugpass.errors import PeerError
from plugpass.exi import ExiDecodeError, UnknownSchemaError, decode, encode, to_json
from plugpass.exi.bits import BitReader
from plugpass.exi.datatypes import Base64Binary, Datatype, HexBinary, Integer, String
from plugpass.exi.errors import Fault
from plugpass.exi.roots import MODULES, load
from plugpass.exi.values import coder_for

SESSION_SETUP = bytes.fromhex("8098004011d01a0802f0bca41400")
SMALL = [vector for vector in supported() if len(vector.stream) < 400]


@pytest.mark.parametrize(
    ("stream", "cause"),
    [
        (b"", "ends here"),
        (b"\x80", "ends here"),
        (b"$EXI\x80" + SESSION_SETUP, "first octet"),
        (b"\xa0" + SESSION_SETUP[1:], "first octet"),
        (SESSION_SETUP + b"\x00", "bits follow"),
        (SESSION_SETUP[:-1] + b"\x01", "padding|deviates"),
        (SESSION_SETUP[:-1], "ends here"),
        (b"\x80\xa0" + SESSION_SETUP[2:], "no root element"),
    ],
)
def test_bad_documents(stream: bytes, cause: str) -> None:
    with pytest.raises(ExiDecodeError, match=cause):
        decode("iso2", stream)


def test_the_error_names_the_place() -> None:
    with pytest.raises(PeerError) as caught:
        decode("iso2", SESSION_SETUP[:10])
    assert isinstance(caught.value, ExiDecodeError)
    assert caught.value.schema == "iso2"
    assert caught.value.path == ("V2G_Message", "Body", "SessionSetupReq", "EVCCID")
    assert caught.value.bit_offset is not None
    assert 0 < caught.value.bit_offset <= 80
    assert "V2G_Message/Body/SessionSetupReq/EVCCID" in str(caught.value)


def test_the_escape_to_undeclared_content_is_refused() -> None:
    # Header octet, V2G_Message, then 1 instead of the 0 of the only element that may come.
    with pytest.raises(ExiDecodeError, match="deviates"):
        decode("iso2", bytes.fromhex("8099") + bytes(8))


def test_a_second_element_in_a_fragment() -> None:
    vector = next(vector for vector in supported() if vector.fragment and vector.schema == "xmldsig")
    stream = bytearray(vector.stream)
    stream[-2:] = b"\x00\x00"
    with pytest.raises(ExiDecodeError):
        decode("xmldsig", bytes(stream), fragment=True)


def test_an_abstract_root() -> None:
    roots = load("iso2").documents
    code = next(code for code, production in enumerate(roots.productions) if production.name == "BodyElement")
    with pytest.raises(ExiDecodeError, match="BodyElement is abstract"):
        decode("iso2", bytes([0x80, code << 1]) + bytes(20))


def test_a_length_beyond_the_facet() -> None:
    bits = "10000000" + "1001100" + "0" + "0" + "0" + "11111111" + "01111111"  # SessionID of 16383 octets
    with pytest.raises(ExiDecodeError, match="16383 octets where 0 to 8") as caught:
        decode("iso2", int(bits.ljust(40, "0"), 2).to_bytes(5))
    assert caught.value.path[-1] == "SessionID"


@pytest.mark.parametrize("datatype", [Base64Binary(), HexBinary(), String()], ids=repr)
def test_a_length_beyond_the_stream(datatype: Datatype) -> None:
    with pytest.raises(Fault, match="stream ends"):
        coder_for(datatype).read(BitReader(b"\xff\xff\x01" + bytes(100)))
    with pytest.raises(Fault, match="more digits"):
        coder_for(datatype).read(BitReader(b"\xff" * 8 + bytes(100)))


def test_an_endless_integer() -> None:
    with pytest.raises(Fault, match="more digits"):
        coder_for(Integer()).read(BitReader(b"\xff" * 1000))


@pytest.mark.parametrize("vector", SMALL[::7], ids=lambda vector: vector.name)
def test_every_truncation(vector: Any) -> None:
    for length in range(len(vector.stream)):
        with pytest.raises(ExiDecodeError):
            decode(vector.schema, vector.stream[:length], fragment=vector.fragment)


def test_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchemaError, match="known are ac20, acdp20, cm20, dc20, din, iso2, sap, wpt20, xmldsig"):
        decode("iso3", b"\x80")


def decode_or_refuse(schema: str, stream: bytes, *, fragment: bool) -> None:
    """What is accepted must be a value that can be written again."""
    try:
        message = decode(schema, stream, fragment=fragment)
    except ExiDecodeError:
        return
    assert decode(schema, encode(schema, message, fragment=fragment), fragment=fragment) == message
    assert to_json(schema, message)


@settings(deadline=None)
@given(schema=st.sampled_from(sorted(MODULES)), body=st.binary(max_size=200), fragment=st.booleans())
def test_any_bytes(schema: str, body: bytes, fragment: bool) -> None:
    decode_or_refuse(schema, b"\x80" + body, fragment=fragment)


@settings(deadline=None)
@given(
    vector=st.sampled_from(SMALL),
    changes=st.lists(st.tuples(st.integers(0, 399), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_mutated_messages(vector: Any, changes: list[tuple[int, int]]) -> None:
    stream = bytearray(vector.stream)
    for place, flip in changes:
        stream[place % len(stream)] ^= flip
    decode_or_refuse(vector.schema, bytes(stream), fragment=vector.fragment)
