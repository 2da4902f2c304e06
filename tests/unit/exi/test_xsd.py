"""Our classes against the XML Schemas of the standards, which ship inside the peer package `iso15118`, not with us.

Compared, for each schema set: every element name, global or local; every type with its base types' parts, order,
choices, occurrence, attributes, mixed content and abstractness; facets and enumerations; substitution groups.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeGuard

import pytest
from xsd_model import AnyType, Complex, Particle, QName, SchemaSet, Simple, XsdType, group, occurs

from interop.josev import peer
from plugpass.exi.binding import Field, Role, Target, fields_of
from plugpass.exi.content import (
    Alternatives,
    Concat,
    Counted,
    Expression,
    Item,
    Nothing,
    Star,
    Wildcard,
    content_of,
)
from plugpass.exi.datatypes import ID, Enumeration, Int, Integer, PlainString, String
from plugpass.exi.roots import LoadedSchema, Roots, load
from plugpass.exi.schema import (
    Attribute,
    Choice,
    Element,
    Maybe,
    Namespace,
    Occurs,
    Ref,
    Schema,
    Sequence,
    Text,
    complex_type,
    definition_of,
    global_element,
)

XSDS = {
    "sap": "V2G_CI_AppProtocol.xsd",
    "xmldsig": "xmldsig-core-schema.xsd",
    "din": "din_spec/V2G_CI_MsgDef.xsd",
    "iso2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "cm20": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "ac20": "iso15118_20/V2G_CI_AC.xsd",
    "dc20": "iso15118_20/V2G_CI_DC.xsd",
    "wpt20": "iso15118_20/V2G_CI_WPT.xsd",
    "acdp20": "iso15118_20/V2G_CI_ACDP.xsd",
}


@pytest.fixture(scope="module")
def xsds() -> Path:
    """The folder of the schemas. Installing the peer package takes no Java, only a package index."""
    try:
        return peer.install().package / "shared" / "schemas"
    except (RuntimeError, OSError) as error:
        pytest.skip(f"the schemas are in PyPI's iso15118, and it cannot be installed here: {error}")


@pytest.mark.interop
@pytest.mark.parametrize("name", XSDS)
def test_our_classes_are_the_schema(name: str, xsds: Path) -> None:
    assert differences(SchemaSet(xsds / XSDS[name]), load(name)) == []


# --- comparison -----------------------------------------------------------------------------------------------------


def differences(xsd: SchemaSet, ours: LoadedSchema) -> list[str]:
    """Where our classes are not what the schema set says, in words."""
    comparison = _Comparison(xsd, ours)
    comparison.run()
    return comparison.found


class _Comparison:
    def __init__(self, xsd: SchemaSet, ours: LoadedSchema) -> None:
        self.xsd = xsd
        self.ours = ours
        self.found: list[str] = []
        self.compared: dict[type, AnyType] = {}

    def check(self, what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            self.found.append(f"{what}: {ours} here, {theirs} in the schema")

    def run(self) -> None:
        names = {(production.uri, production.name) for production in self.ours.fragments.productions}
        self.check("elements", sorted(names - self.xsd.element_names()), sorted(self.xsd.element_names() - names))
        roots = {(production.uri, production.name) for production in self.ours.documents.productions}
        self.check(
            "global elements", sorted(roots - self.xsd.elements.keys()), sorted(self.xsd.elements.keys() - roots)
        )
        self.compare_global_elements()
        self.compare_what_no_element_has()

    def compare_names(self, what: str, roots: Roots, theirs: set[QName]) -> None:
        """What an EXI stream may begin with: the codes depend on every single name."""
        ours = {(production.uri, production.name) for production in roots.productions}
        self.check(what, sorted(ours - theirs), sorted(theirs - ours))

    def compare_global_elements(self) -> None:
        classes = {
            (definition.namespace.uri, definition.element): cls
            for cls in self.ours.schema.types
            if (definition := definition_of(cls)).element is not None
        }
        for name, cls in classes.items():
            element = self.xsd.elements.get(name)
            if element is not None:
                self.compare(cls, element.type, abstract=element.abstract)
                members = {member for member, each in classes.items() if issubclass(each, cls)}
                self.check(f"substitution group of {name[1]}", members, self.xsd.members(name))

    def compare_what_no_element_has(self) -> None:
        """Types that only others extend, or that nobody uses: by their name. Nothing of ours may be left over."""
        by_name = {(definition_of(cls).namespace.uri, cls.__name__): cls for cls in self.ours.schema.types}
        for (uri, name), kind in self.xsd.types.items():
            if kind.is_complex and kind not in self.compared.values():
                cls = by_name.get((uri, name.removesuffix("Type")))
                self.check(f"type {name}", cls is not None, True)
                if cls is not None:
                    self.compare(cls, kind)
        for cls in self.ours.schema.types:
            if not any(issubclass(each, cls) for each in self.compared):
                self.found.append(f"{cls.__name__} stands for no type of the schema")

    def compare(self, target: Target, kind: AnyType, where: str = "", *, abstract: bool = False) -> None:
        """A type of ours with one of the schema, and so on with their children; `abstract`: its element is."""
        if not isinstance(target, type):
            self.check(where, literal(target), None if is_complex(kind) else self.xsd.simple(kind))
        elif target not in self.compared:
            self.compared[target] = kind
            if is_complex(kind):
                self.compare_complex(target, self.xsd.complex(kind), abstract)
            else:  # a global element of simple type has a class, so that there is an object to name it
                self.check(target.__name__, [text_of(target), len(fields_of(target))], [self.xsd.simple(kind), 1])
        elif self.compared[target] is not kind:
            self.found.append(f"{target.__name__} stands for two types of the schema")

    def compare_complex(self, cls: type, theirs: Complex, abstract: bool) -> None:
        name, definition = cls.__name__, definition_of(cls)
        attributes = [field for field in fields_of(cls) if field.role is Role.ATTRIBUTE]
        self.check(
            f"attributes of {name}",
            {(field.uri, field.name): (literal(field.target), field.min_occurs == 1) for field in attributes},
            theirs.attributes,
        )
        self.check(f"text of {name}", text_of(cls), theirs.text)
        self.check(f"content of {name}", particle(content_of(cls)), theirs.content)
        self.check(f"mixed content of {name}", definition.mixed, theirs.mixed)
        self.check(f"abstractness of {name}", definition.abstract, theirs.abstract or abstract)
        for field in fields_of(cls):
            kind = theirs.children.get((field.uri, field.name))
            if field.role in (Role.ELEMENT, Role.REFERENCE) and kind is not None:
                self.compare(field.target, kind, f"{name}.{field.name}")


def is_complex(kind: AnyType) -> TypeGuard[XsdType]:
    """Whether a type of the schema is a complex one."""
    return isinstance(kind, XsdType) and kind.is_complex


def literal(target: Target) -> Simple | type:
    """A simple type as the schema model has it."""
    return tuple(target.members) if isinstance(target, Enumeration) else target


def text_of(cls: type) -> Simple | type | None:
    """The type of a class's text."""
    return next((literal(field.target) for field in fields_of(cls) if field.role is Role.TEXT), None)


def particle(expression: Expression) -> Particle:
    """Our content model, in the normal form of the schema's."""
    match expression:
        case Nothing():
            return group("sequence", [])
        case Item(field):
            return leaf(field, 1, 1)
        case Wildcard():
            return Particle("any")
        case Counted(Item(field), forced, maximum):
            return leaf(field, forced, maximum)
        case Concat(first, rest):
            return group("sequence", [particle(first), particle(rest)])
        case Alternatives(options):
            some = [particle(option) for option in options if not isinstance(option, Nothing)]
            return occurs(group("choice", some), int(len(some) == len(options)), 1)
        case Star(body, forced):
            return occurs(particle(body), forced, None)


def leaf(field: Field, low: int, high: int | None) -> Particle:
    """One field; text is no part of a content model."""
    if field.role is Role.TEXT:
        return group("sequence", [])
    return Particle("element", (field.uri, field.name), low=low, high=high)


# --- the comparison itself ------------------------------------------------------------------------------------------

TOY = Namespace(uri="urn:toy")


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


@global_element(TOY, abstract=True)
class Shape:
    id: Annotated[ID, Attribute("Id")]
    area: Annotated[Int | None, Element("area")] = None


@global_element(TOY)
class Circle(Shape):
    colour: Annotated[tuple[Colour, ...], Element("colour", max_occurs=3)]


@complex_type(TOY)
class Tag:
    value: Annotated[PlainString, Text()]
    lang: Annotated[PlainString | None, Attribute("lang")] = None


@global_element(TOY, content=Sequence(Occurs("shape"), Maybe(Choice("note", "size")), "tag"))
class Drawing:
    shape: Annotated[tuple[Shape, ...], Ref(max_occurs=2)]
    note: Annotated[Annotated[str, String(min_length=2, max_length=2)] | None, Element("note")] = None
    size: Annotated[Annotated[int, Integer(-1, 9)] | None, Element("size")] = None
    tag: Annotated[Tag, Element("tag")]


TOY_XSD = """<?xml version="1.0"?>
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:toy" targetNamespace="urn:toy"
    elementFormDefault="qualified">
  <element name="Shape" type="t:ShapeType" abstract="true"/>
  <complexType name="ShapeType">
    <sequence><element name="area" type="int" minOccurs="0"/></sequence>
    <attribute name="Id" type="ID" use="required"/>
  </complexType>
  <element name="Circle" type="t:CircleType" substitutionGroup="t:Shape"/>
  <complexType name="CircleType"><complexContent><extension base="t:ShapeType">
    <sequence><element name="colour" type="t:colourType" maxOccurs="3"/></sequence>
  </extension></complexContent></complexType>
  <simpleType name="colourType">
    <restriction base="string"><enumeration value="red"/><enumeration value="green"/></restriction>
  </simpleType>
  <element name="Drawing"><complexType><sequence>
    <element ref="t:Shape" maxOccurs="2"/>
    <choice minOccurs="0">
      <element name="note" type="t:noteType"/><element name="size" type="t:sizeType"/>
    </choice>
    <sequence><element name="tag" type="t:TagType"/></sequence>
  </sequence></complexType></element>
  <complexType name="TagType"><simpleContent><extension base="string">
    <attribute name="lang" type="string"/>
  </extension></simpleContent></complexType>
  <simpleType name="noteType"><restriction base="string"><length value="2"/></restriction></simpleType>
  <simpleType name="sizeType"><restriction base="byte">
    <minInclusive value="-1"/><maxInclusive value="9"/>
  </restriction></simpleType>
</schema>"""


@pytest.mark.parametrize(
    ("change", "into", "cause"),
    [
        ("", "", None),
        ('name="area"', 'name="Area"', "elements"),
        ('"area" type="int"', '"area" type="long"', "Shape.area"),
        ('type="int" minOccurs="0"', 'type="int"', "content of Shape"),
        ('use="required"', 'use="optional"', "attributes of Shape"),
        ('name="Id" type="ID"', 'name="Id" type="string"', "attributes of Shape"),
        ('abstract="true"', "", "abstractness of Shape"),
        (' substitutionGroup="t:Shape"', "", "substitution group of Shape"),
        ('type="t:colourType" maxOccurs="3"', 'type="t:colourType" maxOccurs="4"', "content of Circle"),
        ('type="t:colourType" maxOccurs="3"', 'type="t:colourType" maxOccurs="unbounded"', "content of Circle"),
        ('<enumeration value="red"/><enumeration value="green"/>',
            '<enumeration value="green"/><enumeration value="red"/>', "Circle.colour"),
        ('<enumeration value="green"/>', '<enumeration value="green"/><enumeration value="blue"/>', "Circle.colour"),
        ('<choice minOccurs="0">', "<choice>", "content of Drawing"),
        ('"t:noteType"/><element name="size" type="t:sizeType"/>',
            '"t:noteType" minOccurs="0"/><element name="size" type="t:sizeType"/>', "content of Drawing"),
        ('<length value="2"/>', '<maxLength value="2"/>', "Drawing.note"),
        ('<maxInclusive value="9"/>', '<maxInclusive value="10"/>', "Drawing.size"),
        ('<extension base="string">', '<extension base="anyURI">', "text of Tag"),
        ('<complexType name="TagType">', '<complexType name="TagType" mixed="true">', "mixed content of Tag"),
        ('elementFormDefault="qualified"', "", "elements"),
        ('<complexType name="ShapeType">', '<complexType name="UnusedType"/><complexType name="ShapeType">',
            "type UnusedType"),
        ('<element name="Circle" type="t:CircleType"', '<element name="Circle" type="t:ShapeType"',
            "content of Circle"),
    ],
)  # fmt: skip
def test_the_comparison_notices(change: str, into: str, cause: str | None, tmp_path: Path) -> None:
    assert change in TOY_XSD
    path = tmp_path / "toy.xsd"
    path.write_text(TOY_XSD.replace(change, into) if change else TOY_XSD)
    found = differences(SchemaSet(path), LoadedSchema(Schema(name="toy", namespaces=(TOY,))))
    assert [line for line in found if line.startswith(cause or "")] if cause else found == []


def test_the_comparison_notices_what_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "empty.xsd"
    path.write_text('<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:toy"/>')
    found = differences(SchemaSet(path), LoadedSchema(Schema(name="toy", namespaces=(TOY,))))
    assert "Tag stands for no type of the schema" in found
