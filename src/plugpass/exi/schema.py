"""How a dataclass describes its part of a schema.

A class states what an XML Schema would state: element names, types, facets, order, occurrence. Nothing is said twice:
optional is `X | None`, a list is `tuple[X, ...]`, order is the order of the fields, an extension is a subclass. The
markers below add what Python types cannot say, inside `typing.Annotated`::

    NS = Namespace("urn:example", elements_qualified=True)

    @complex_type(NS)
    class Meter:
        meter_id: Annotated[str, String(max_length=32), Element("MeterID")]
        reading: Annotated[UnsignedLong | None, Element("Reading")] = None
        phase: Annotated[tuple[Phase, ...], Element("Phase", max_occurs=3)]

`complex_type` makes a frozen, slotted, keyword-only dataclass; `global_element` does the same for a class that is also
the type of a global element of that name. A `Schema` is a set of namespaces; `plugpass.exi.grammar` derives the EXI
grammars from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

C = TypeVar("C")

DEFINITION = "__exi__"
"""Class attribute that holds a class's own `TypeDefinition`."""


@dataclass(eq=False, kw_only=True)
class Namespace:
    """A target namespace: its URI, its form defaults, and the classes defined in it (filled by the decorators).

    `elements_qualified` and `attributes_qualified` are XML Schema's elementFormDefault and attributeFormDefault. They
    decide the namespace of local names, and with it the order of EXI productions.
    """

    uri: str
    elements_qualified: bool = True
    attributes_qualified: bool = False
    types: list[type] = field(default_factory=list)

    @property
    def element_uri(self) -> str:
        """Namespace name of locally declared elements."""
        return self.uri if self.elements_qualified else ""

    @property
    def attribute_uri(self) -> str:
        """Namespace name of locally declared attributes."""
        return self.uri if self.attributes_qualified else ""


@dataclass(frozen=True, slots=True)
class Element:
    """A child element declared in place.

    `max_occurs` is meant for `tuple[X, ...]` fields: an upper bound, or None for unbounded. `min_occurs` defaults to 1
    for a list without a default value and 0 for one with it. `is_global` marks a reference to a global element of
    simple type, which has no class of its own.
    """

    name: str
    min_occurs: int | None = None
    max_occurs: int | None = None
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to the global element of the field's class; a head also stands for its substitution group.

    `min_occurs=0` on a field that Python requires is an element the schema lets be absent but we do not.
    """

    min_occurs: int | None = None
    max_occurs: int | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute; required unless the field is `X | None`."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """The character content of a complex type with simple content."""


# --- content models -------------------------------------------------------------------------------------------------
# Needed only where the content is not the plain sequence of the fields. A name is one occurrence of that field.


@dataclass(frozen=True, slots=True)
class Any_:
    """An element wildcard (`xs:any`). It takes its place in the grammar; plugpass refuses to read or write one."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """All parts in order."""

    parts: tuple[Model, ...]

    def __init__(self, *parts: Model) -> None:
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one of the parts."""

    parts: tuple[Model, ...]

    def __init__(self, *parts: Model) -> None:
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part, `at_least` times or more, without an upper bound."""

    part: Model
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Maybe:
    """The part, or nothing."""

    part: Model


@dataclass(frozen=True, slots=True)
class Occurs:
    """The field as often as its own type and marker say: a list, between what a plain sequence cannot express."""

    name: str


Model = str | Any_ | Sequence | Choice | Repeat | Maybe | Occurs

ANY = Any_()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDefinition:
    """What the decorators know of a class beyond its fields."""

    namespace: Namespace
    element: str | None
    abstract: bool
    mixed: bool
    content: Model | None
    fragment_name: str | None


@dataclass_transform(kw_only_default=True, frozen_default=True)
def complex_type(
    namespace: Namespace,
    *,
    abstract: bool = False,
    mixed: bool = False,
    content: Model | None = None,
    fragment_name: str | None = None,
    kw_only: bool = True,
) -> Callable[[type[C]], type[C]]:
    """Make a class a schema type that is not itself a global element.

    `content` replaces the sequence of the class's own fields; `mixed` is XML Schema's mixed content (counted in the
    grammar, refused on the wire); `fragment_name` names the element that an object of this class is when coded as
    a fragment, where the class is the type of several local elements.
    """
    return _definer(
        kw_only,
        TypeDefinition(
            namespace=namespace,
            element=None,
            abstract=abstract,
            mixed=mixed,
            content=content,
            fragment_name=fragment_name,
        ),
    )


@dataclass_transform(kw_only_default=True, frozen_default=True)
def global_element(
    namespace: Namespace,
    name: str = "",
    *,
    abstract: bool = False,
    mixed: bool = False,
    content: Model | None = None,
    kw_only: bool = True,
) -> Callable[[type[C]], type[C]]:
    """Make a class the type of the global element `name` (default: the class name).

    A subclass of a global element's class belongs to that element's substitution group.
    """

    def define(cls: type[C]) -> type[C]:
        definition = TypeDefinition(
            namespace=namespace,
            element=name or cls.__name__,
            abstract=abstract,
            mixed=mixed,
            content=content,
            fragment_name=None,
        )
        return _definer(kw_only, definition)(cls)

    return define


def _definer(kw_only: bool, definition: TypeDefinition) -> Callable[[type[C]], type[C]]:
    def define(cls: type[C]) -> type[C]:
        made = dataclasses.dataclass(frozen=True, slots=True, kw_only=kw_only)(cls)
        setattr(made, DEFINITION, definition)
        definition.namespace.types.append(made)
        return made

    return define


def definition_of(cls: type) -> TypeDefinition:
    """The definition stated by the class itself; TypeError if the class is not a schema type."""
    definition = cls.__dict__.get(DEFINITION)
    if not isinstance(definition, TypeDefinition):
        raise TypeError(f"{cls.__qualname__} is no schema type: decorate it with complex_type or global_element")
    return definition


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A schema set: everything that one EXI grammar is derived from."""

    name: str
    namespaces: tuple[Namespace, ...]

    @property
    def types(self) -> tuple[type, ...]:
        """All classes of all namespaces."""
        return tuple(cls for namespace in self.namespaces for cls in namespace.types)


__all__ = [
    "ANY",
    "Attribute",
    "Choice",
    "Element",
    "Maybe",
    "Model",
    "Namespace",
    "Occurs",
    "Ref",
    "Repeat",
    "Schema",
    "Sequence",
    "Text",
    "TypeDefinition",
    "complex_type",
    "definition_of",
    "global_element",
]
