"""The fields of a class, as the grammar and the JSON and XML models see them: read once from its annotations."""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from plugpass.exi.datatypes import Base64Binary, Boolean, Datatype, Enumeration, HexBinary, Integer, String
from plugpass.exi.schema import DEFINITION, Attribute, Element, Ref, Text, TypeDefinition, definition_of

_DATATYPES = (Boolean, Integer, String, Base64Binary, HexBinary)

Target = Datatype | type
"""What a field holds: a simple value, or an object of a schema class."""


class Role(Enum):
    """Where in its element a field is."""

    ATTRIBUTE = "attribute"
    ELEMENT = "element"
    REFERENCE = "reference"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its place among the fields (`index`), its Python name, its qualified name (none for text), its type.

    `min_occurs` and `max_occurs` (None: unbounded) are the schema's; `required` says whether Python must have a value.
    """

    index: int
    attribute: str
    role: Role
    uri: str
    name: str
    target: Target
    many: bool
    min_occurs: int
    max_occurs: int | None
    required: bool
    is_global: bool


@cache
def fields_of(cls: type) -> tuple[Field, ...]:
    """The fields in the order of the dataclass, which is schema order for elements."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _field(index, field, hints[field.name], _declaring(cls, field.name))
        for index, field in enumerate(dataclasses.fields(cls))
    )


def schema_bases(cls: type) -> tuple[type, ...]:
    """The schema classes it extends, the most basic first, itself last."""
    return tuple(base for base in reversed(cls.__mro__) if DEFINITION in base.__dict__)


def _declaring(cls: type, name: str) -> TypeDefinition:
    """The definition that declares the field: a local name has the namespace it was declared in, not inherited into."""
    return definition_of(next(base for base in schema_bases(cls) if name in get_annotations(base)))


def _field(index: int, field: dataclasses.Field[Any], hint: Any, definition: TypeDefinition) -> Field:
    marks, hint = _unwrap(hint)
    arguments = get_args(hint)
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in arguments
    many = get_origin(hint) is tuple
    if optional or many:
        more, hint = _unwrap(arguments[0])
        marks += more
    marker = next(mark for mark in marks if isinstance(mark, Element | Ref | Attribute | Text))
    target: Target = next((mark for mark in marks if isinstance(mark, _DATATYPES)), hint)
    if isinstance(target, type) and issubclass(target, StrEnum):
        target = Enumeration(target)
    has_default = field.default is not dataclasses.MISSING
    role, uri, name = _naming(marker, target, definition)
    low, high = _occurrence(marker, many=many, has_default=has_default)
    return Field(
        index=index,
        attribute=field.name,
        role=role,
        uri=uri,
        name=name,
        target=target,
        many=many,
        min_occurs=low,
        max_occurs=high,
        required=not has_default,
        is_global=isinstance(marker, Element) and marker.is_global,
    )


def _unwrap(hint: Any) -> tuple[tuple[Any, ...], Any]:
    if get_origin(hint) is Annotated:
        return hint.__metadata__, hint.__origin__
    return (), hint


def _naming(
    marker: Element | Ref | Attribute | Text, target: Target, definition: TypeDefinition
) -> tuple[Role, str, str]:
    namespace = definition.namespace
    match marker:
        case Element(name=name, is_global=True):
            return Role.ELEMENT, namespace.uri, name
        case Element(name=name):
            return Role.ELEMENT, namespace.element_uri, name
        case Attribute(name):
            return Role.ATTRIBUTE, namespace.attribute_uri, name
        case Text():
            return Role.TEXT, "", ""
        case Ref():
            if not isinstance(target, type) or (referred := definition_of(target)).element is None:
                raise TypeError(f"a Ref needs a global element, and {target!r} is none")
            return Role.REFERENCE, referred.namespace.uri, referred.element


def _occurrence(marker: Element | Ref | Attribute | Text, *, many: bool, has_default: bool) -> tuple[int, int | None]:
    low = 0 if has_default else 1
    if not isinstance(marker, Element | Ref):
        return low, 1
    return low if marker.min_occurs is None else marker.min_occurs, marker.max_occurs if many else 1
