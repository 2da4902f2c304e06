"""An XML Schema set as plain values, for comparing our classes with it.

It reads the part of XML Schema that ISO 15118 uses and raises on any other. Content models are normalised: a group of
one part is that part, a sequence in a sequence is one sequence, a wildcard comes last in a choice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from plugpass.exi.datatypes import Base64Binary, Boolean, Datatype, HexBinary, Integer, String

XS = "http://www.w3.org/2001/XMLSchema"
QName = tuple[str, str]
"""Namespace URI and local name."""

Simple = Datatype | tuple[str, ...]
"""A simple type; an enumeration is its literals."""


def _signed(bits: int) -> Integer:
    return Integer(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


BUILT_IN: dict[str, Datatype] = {
    "boolean": Boolean(),
    "integer": Integer(),
    **{name: _signed(bits) for name, bits in (("byte", 8), ("short", 16), ("int", 32), ("long", 64))},
    **{
        f"unsigned{name}": Integer(0, 2**bits - 1)
        for name, bits in (("Byte", 8), ("Short", 16), ("Int", 32), ("Long", 64))
    },
    "string": String(),
    **{name: String(collapse=True) for name in ("anyURI", "ID", "IDREF")},
    "hexBinary": HexBinary(),
    "base64Binary": Base64Binary(),
}
FACETS = {
    "minInclusive": ("minimum",),
    "maxInclusive": ("maximum",),
    "minLength": ("min_length",),
    "maxLength": ("max_length",),
    "length": ("min_length", "max_length"),
}


@dataclass(frozen=True)
class Particle:
    """Part of a content model, `low` to `high` times; `name` for an element, `parts` for a sequence or choice."""

    kind: str
    name: QName | None = None
    parts: tuple[Particle, ...] = ()
    low: int = 1
    high: int | None = 1


def group(kind: str, parts: list[Particle]) -> Particle:
    """The normalised sequence or choice of the parts."""
    flat: list[Particle] = []
    for part in parts:
        flat += part.parts if part.kind == kind == "sequence" and (part.low, part.high) == (1, 1) else [part]
    if kind == "choice":
        flat.sort(key=lambda part: part.kind == "any")
    return flat[0] if len(flat) == 1 else Particle(kind, parts=tuple(flat))


def occurs(part: Particle, low: int, high: int | None) -> Particle:
    """The part, so many times."""
    if (part.low, part.high) == (1, 1):
        return replace(part, low=low, high=high)
    return part if (low, high) == (1, 1) else Particle("sequence", parts=(part,), low=low, high=high)


@dataclass(frozen=True, eq=False)
class Document:
    """One schema document: its target namespace, its prefixes, and whether local names are qualified."""

    root: Element
    prefixes: dict[str, str]

    @property
    def target(self) -> str:
        return self.root.get("targetNamespace", "")

    def qualified(self, text: str) -> QName:
        """The name that an attribute value such as `ds:Signature` means."""
        prefix, _, name = text.rpartition(":")
        return self.prefixes.get(prefix, ""), name

    def local(self, name: str, kind: str) -> QName:
        """The name of a local element or attribute."""
        return (self.target if self.root.get(f"{kind}FormDefault") == "qualified" else ""), name


@dataclass(frozen=True, eq=False)
class XsdType:
    """A type definition, and the document it stands in."""

    node: Element
    document: Document

    @property
    def is_complex(self) -> bool:
        return self.node.tag == f"{{{XS}}}complexType"


AnyType = XsdType | Datatype


@dataclass(eq=False, kw_only=True)
class Complex:
    """What a complex type allows, its bases included."""

    attributes: dict[QName, tuple[Simple, bool]] = field(default_factory=dict)
    """Type, and whether it is required."""
    text: Simple | None = None
    content: Particle = Particle("sequence")
    children: dict[QName, AnyType] = field(default_factory=dict)
    mixed: bool = False
    abstract: bool = False


@dataclass(eq=False, kw_only=True)
class GlobalElement:
    """A global element."""

    type: AnyType
    abstract: bool
    head: QName | None


class SchemaSet:
    """A schema document with all it imports."""

    def __init__(self, path: Path) -> None:
        self.documents: dict[Path, Document] = {}
        self._load(path)
        self.types = {
            (document.target, name): XsdType(node, document)
            for document in self.documents.values()
            for node in document.root
            if _kind(node) in ("complexType", "simpleType") and (name := node.get("name"))
        }
        self._nodes = {
            (document.target, name): (document, node)
            for document in self.documents.values()
            for node in document.root.iterfind(f"{{{XS}}}element")
            if (name := node.get("name"))
        }
        self.elements = {name: self._global(*entry) for name, entry in self._nodes.items()}

    def _load(self, path: Path) -> None:
        path = path if path.exists() else path.parent.parent / path.name  # imports name no folder
        if path in self.documents:
            return
        prefixes: dict[str, str] = dict(node for _, node in ElementTree.iterparse(path, events=["start-ns"]))  # type: ignore[misc] # typeshed knows only elements
        document = self.documents[path] = Document(ElementTree.parse(path).getroot(), prefixes)
        for node in document.root.iterfind(f"{{{XS}}}import"):
            self._load(path.parent / node.attrib["schemaLocation"])

    def _global(self, document: Document, node: Element) -> GlobalElement:
        head = node.get("substitutionGroup")
        return GlobalElement(
            type=self._type_of(document, node),
            abstract=node.get("abstract") == "true",
            head=None if head is None else document.qualified(head),
        )

    def element_names(self) -> set[QName]:
        """Every element name declared anywhere."""
        return {
            (document.target, name) if node in list(document.root) else document.local(name, "element")
            for document in self.documents.values()
            for node in document.root.iter(f"{{{XS}}}element")
            if (name := node.get("name"))
        }

    def members(self, head: QName) -> set[QName]:
        """The head of a substitution group and what can stand for it."""
        found = {head}
        for name, element in self.elements.items():
            if element.head == head:
                found |= self.members(name)
        return found

    def named(self, name: QName) -> AnyType:
        """The type of this name."""
        uri, local = name
        return BUILT_IN[local] if uri == XS else self.types[name]

    def _type_of(self, document: Document, node: Element) -> AnyType:
        name = node.get("type")
        if name is not None:
            return self.named(document.qualified(name))
        (inline,) = node
        return XsdType(inline, document)

    def simple(self, kind: AnyType) -> Simple:
        """A simple type, its facets applied to its base."""
        if not isinstance(kind, XsdType):
            return kind
        (restriction,) = kind.node.iterfind(f"{{{XS}}}restriction")
        base = self.simple(self.named(kind.document.qualified(restriction.attrib["base"])))
        literals = tuple(node.attrib["value"] for node in restriction if _kind(node) == "enumeration")
        if literals:
            return literals
        assert not isinstance(base, tuple), "a restricted enumeration is not used"
        for node in restriction:
            base = replace(base, **dict.fromkeys(FACETS[_kind(node)], int(node.attrib["value"])))  # type: ignore[arg-type] # a facet is one of its type
        return base

    def complex(self, kind: XsdType) -> Complex:
        """A complex type, with what it extends."""
        node, document = kind.node, kind.document
        found, body = Complex(), node
        for derivation in node.iterfind(f"{{{XS}}}simpleContent/{{{XS}}}extension"):
            body = derivation
            found.text = self.simple(self.named(document.qualified(derivation.attrib["base"])))
        for derivation in node.iterfind(f"{{{XS}}}complexContent/{{{XS}}}extension"):
            body = derivation
            base = self.named(document.qualified(derivation.attrib["base"]))
            assert isinstance(base, XsdType)
            found = self.complex(base)
        own = [self._particle(document, part, found.children) for part in body if _kind(part) in ("sequence", "choice")]
        found.content = group("sequence", [found.content, *own])
        for attribute in body.iterfind(f"{{{XS}}}attribute"):
            name = document.local(attribute.attrib["name"], "attribute")
            required = attribute.get("use") == "required"
            found.attributes[name] = self.simple(self._type_of(document, attribute)), required
        found.mixed, found.abstract = node.get("mixed") == "true", node.get("abstract") == "true"
        return found

    def _particle(self, document: Document, node: Element, children: dict[QName, AnyType]) -> Particle:
        most = node.get("maxOccurs", "1")
        low, high = int(node.get("minOccurs", "1")), None if most == "unbounded" else int(most)
        match _kind(node):
            case "sequence" | "choice" as kind:
                parts = [self._particle(document, part, children) for part in node]
                return occurs(group(kind, parts), low, high)
            case "any":
                return Particle("any", low=low, high=high)
            case "element" if (reference := node.get("ref")) is not None:
                name = document.qualified(reference)
                children[name] = self._type_of(*self._nodes[name])
            case "element":
                name = document.local(node.attrib["name"], "element")
                children[name] = self._type_of(document, node)
            case other:
                raise AssertionError(f"xs:{other} is not expected here")
        return Particle("element", name, low=low, high=high)


def _kind(node: Element) -> str:
    return node.tag.removeprefix(f"{{{XS}}}")
