"""The engine is general: a schema made here, with what ISO 15118-2 does not have."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest

from plugpass.exi import ExiDecodeError, ExiEncodeError, decode, encode, from_json, from_xml, roots, to_json, to_xml
from plugpass.exi.binding import fields_of
from plugpass.exi.datatypes import ID, Bool, Int, PlainString, UnsignedByte
from plugpass.exi.engine import MAX_DEPTH
from plugpass.exi.grammar import MAX_ITEMS
from plugpass.exi.schema import (
    ANY,
    Attribute,
    Choice,
    Element,
    Maybe,
    Namespace,
    Occurs,
    Ref,
    Repeat,
    Schema,
    Sequence,
    Text,
    complex_type,
    definition_of,
    global_element,
)
from plugpass.iso15118.messages import xmldsig

BASE = Namespace(uri="urn:base", elements_qualified=False)
MORE = Namespace(uri="urn:more", attributes_qualified=True)


class Colour(StrEnum):
    RED = "red"


@global_element(BASE)
class Shape:
    """A head that is not abstract."""

    name: Annotated[PlainString | None, Attribute("name")] = None
    area: Annotated[Int, Element("area")]


@global_element(MORE)
class Circle(Shape):
    radius: Annotated[Int | None, Element("radius")] = None
    colour: Annotated[Colour, Element("colour")]


@global_element(MORE, content=Sequence(Maybe(Sequence("p", "q")), Repeat(Choice("flag", "note", ANY), at_least=1)))
class Mixture:
    p: Annotated[Int | None, Element("p")] = None
    q: Annotated[Int | None, Element("q")] = None
    flag: Annotated[tuple[Bool, ...], Element("flag")] = ()
    note: Annotated[tuple[PlainString, ...], Element("note")] = ()


@global_element(MORE, content=Sequence(Occurs("flag"), Choice("p", "q"), Occurs("note")))
class Ordered:
    """Lists beside a choice."""

    flag: Annotated[tuple[Bool, ...], Element("flag", max_occurs=2)]
    p: Annotated[Int | None, Element("p")] = None
    q: Annotated[Int | None, Element("q")] = None
    note: Annotated[PlainString | None, Element("note")] = None


@complex_type(BASE)
class Tag:
    id: Annotated[ID | None, Attribute("Id")] = None
    lang: Annotated[PlainString, Attribute("lang")]
    value: Annotated[PlainString, Text()]


@global_element(BASE)
class Drawing:
    order: Annotated[tuple[UnsignedByte, ...], Element("order", min_occurs=2, max_occurs=4)]
    shape: Annotated[tuple[Shape, ...], Ref()] = ()
    tag: Annotated[Tag | None, Element("tag")] = None


@global_element(BASE)
class Box:
    """A type that contains itself."""

    inner: Annotated[Box | None, Element("inner")] = None


SCHEMA = Schema(name="toy", namespaces=(BASE, MORE))


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(roots.MODULES, "toy", __name__)


MESSAGES = [
    Drawing(order=(1, 255)),
    Drawing(order=(1, 2, 3, 4), shape=(Shape(area=-1), Circle(name="c", area=2, colour=Colour.RED)) * 20),
    Drawing(order=(1, 2, 3), tag=Tag(lang="de", value="Übung\n")),
    Drawing(order=(1, 2, 3), tag=Tag(id="i", lang="de", value="")),
    Mixture(flag=(True, False), note=("a",)),
    Mixture(p=1, q=2, note=("<&>\r\n\t\"'",)),
    Circle(area=1, radius=0, colour=Colour.RED),
    Ordered(flag=(True,), q=1),
    Ordered(flag=(True, False), p=1, note="n"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_round_trips(message: Any) -> None:
    assert decode("toy", encode("toy", message)) == message
    assert from_xml("toy", to_xml("toy", message)) == message


@pytest.mark.parametrize("message", [MESSAGES[0], *MESSAGES[2:]], ids=repr)
def test_json(message: Any) -> None:
    assert from_json("toy", to_json("toy", message)) == message


def test_json_keeps_no_order_between_names() -> None:
    again = from_json("toy", to_json("toy", MESSAGES[1]))
    assert sorted(map(repr, again.shape)) == sorted(map(repr, MESSAGES[1].shape))


def test_bits_of_a_drawing() -> None:
    """By hand: root 2 of 6, two forced items of one bit each, then {order, Shape, Circle, tag, end} in three bits."""
    bits = "10000000" + "010" + "0" + "0" + "00000001" + "0" + "0" + "0" + "00000010" + "0" + "100"
    names = [production.name for production in roots.load("toy").documents.productions]
    assert names == ["Box", "Circle", "Drawing", "Mixture", "Ordered", "Shape"]
    assert encode("toy", Drawing(order=(1, 2))) == int(bits.ljust(40, "0"), 2).to_bytes(5)


def test_bits_of_a_single_valued_enumeration() -> None:
    """Circle: {name, area}, value of `area` sign and magnitude, {radius, colour}, no bit for the only colour."""
    bits = "10000000" + "001" + "01" + "0" + "0" + "00000001" + "0" + "01" + "0" + "" + "0" + "0"
    assert encode("toy", Circle(area=1, colour=Colour.RED)) == int(bits.ljust(32, "0"), 2).to_bytes(4)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (Drawing(order=(1,)), "order is missing"),
        (Drawing(order=(1, 2, 3, 4, 5)), "1 of order too many"),
        (Drawing(order=(1, 2), shape=(Shape(area=1),) * (MAX_ITEMS + 1)), "4097 times Shape"),
        (Mixture(p=1, flag=(True,)), "q is missing"),
        (Mixture(), "flag or note is missing"),
        (Ordered(flag=(), p=1), "flag is missing"),
        (Ordered(flag=(True,) * 3, p=1), "1 of flag too many"),
        (Ordered(flag=(True,), p=1, q=1), "1 of q too many"),
        (Drawing(order=(1, 2), shape=(MESSAGES[0],)), "Drawing cannot stand"),
    ],
    ids=repr,
)
def test_refusals(message: Any, cause: str) -> None:
    with pytest.raises(ExiEncodeError, match=cause):
        encode("toy", message)


def test_a_list_without_a_bound_has_one_when_read() -> None:
    full = encode("toy", Drawing(order=(1, 2), shape=(Shape(area=1),) * MAX_ITEMS))
    assert len(decode("toy", full).shape) == MAX_ITEMS
    shape = "01" + "0" + "0" + "00000001" + "0" + "0"
    start = "10000000" + "010" + "0" + "0" + "00000001" + "0" + "0" + "0" + "00000010" + "0"
    bits = start + "010" + shape + ("001" + shape) * MAX_ITEMS
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    with pytest.raises(ExiDecodeError, match="4097 times Shape"):
        decode("toy", int(bits, 2).to_bytes(len(bits) // 8))


def test_wildcard_content_is_refused() -> None:
    # Mixture (root 3), then {p, flag, note, *}: 3.
    with pytest.raises(ExiDecodeError, match="cannot stand here"):
        decode("toy", int(("10000000" + "011" + "011").ljust(24, "0"), 2).to_bytes(3))


def test_a_key_info_round_trips() -> None:
    """The parts of XML Signature that ISO 15118 has no use for are real all the same."""
    key_info = xmldsig.KeyInfo(
        key_name=(xmldsig.KeyName(value="k"),),
        key_value=(
            xmldsig.KeyValue(rsa_key_value=xmldsig.RSAKeyValue(modulus=b"m", exponent=b"e")),
            xmldsig.KeyValue(dsa_key_value=xmldsig.DSAKeyValue(y=b"y", seed=b"s", pgen_counter=b"c")),
        ),
        x509_data=(xmldsig.X509Data(x509_certificate=(b"1", b"2"), x509_subject_name=("CN=a",)),),
        pgp_data=(xmldsig.PGPData(pgp_key_packet=b"p"), xmldsig.PGPData(pgp_key_id=b"i", pgp_key_packet=b"p")),
        spki_data=(xmldsig.SPKIData(spki_sexp=(b"s", b"t")),),
        mgmt_data=(xmldsig.MgmtData(value="m"),),
        id="ki",
    )
    assert decode("xmldsig", encode("xmldsig", key_info)) == key_info
    assert to_json("xmldsig", key_info)["KeyInfo"]["KeyName"] == ["k"]
    assert from_json("xmldsig", to_json("xmldsig", key_info)) == key_info
    assert from_xml("xmldsig", to_xml("xmldsig", key_info)) == key_info


def test_nesting_is_bounded() -> None:
    box = Box()
    for _ in range(MAX_DEPTH - 1):
        box = Box(inner=box)
    assert decode("toy", encode("toy", box)) == box
    with pytest.raises(ExiEncodeError, match="nested too deeply"):
        encode("toy", Box(inner=Box(inner=box)))
    with pytest.raises(ExiDecodeError, match="nested too deeply"):
        decode("toy", b"\x80" + bytes(100))


def test_a_reference_needs_a_global_element() -> None:
    @complex_type(Namespace(uri="urn:wrong"))
    class Wrong:
        tag: Annotated[Tag, Ref()]

    with pytest.raises(TypeError, match="needs a global element"):
        fields_of(Wrong)


def test_what_is_no_schema_type() -> None:
    with pytest.raises(TypeError, match="decorate it"):
        definition_of(int)
