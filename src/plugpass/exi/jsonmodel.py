"""Messages as JSON-ready values, in the shape that EcoG-io/iso15118 uses between its Python and its EXI codec.

An element is a member named by its local name; attributes stand beside the children; a list is an array; text beside
attributes is the member `value`; integers are numbers, binary values base64 or upper-case hex text. Absent is absent.
The order between differently named members of a list is lost; no message of ISO 15118 has such a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugpass.exi.binding import Role
from plugpass.exi.datatypes import Boolean, Datatype, Integer, String
from plugpass.exi.engine import checked, walk
from plugpass.exi.errors import ExiDecodeError, ExiEncodeError, Fault
from plugpass.exi.grammar import Grammar, Kind, Production
from plugpass.exi.lexical import from_text, to_text
from plugpass.exi.roots import load

TEXT = "value"


def to_json(schema: str, message: object) -> dict[str, Any]:
    """The message as `{root name: value}` of dict, list, str, int and bool; for a document or a fragment's object.

    Raises ExiEncodeError if the object has not the schema's structure; facets are `encode`'s business.
    """
    try:
        _, production, value = load(schema).fragments.find(message)
        return {production.name: _plain(production, value)}
    except Fault as fault:
        raise ExiEncodeError(schema=schema, path=fault.path, reason=fault.reason) from None


def from_json(schema: str, data: object) -> Any:
    """The message of `{root name: value}`, for a document or a fragment; the inverse of `to_json`.

    `data` is what a JSON parser gives. Raises ExiDecodeError if it is no valid message of the schema.
    """
    roots = load(schema).fragments
    try:
        if not isinstance(data, Mapping) or len(data) != 1:
            raise Fault("an object with one member, the root element, is needed")
        ((name, content),) = data.items()
        production = roots.by_name(str(name))
        return roots.naturally(production, checked(production, _parsed(production, content)))
    except Fault as fault:
        raise ExiDecodeError(schema=schema, path=fault.path, reason=fault.reason) from None


def _plain(production: Production, value: object) -> Any:
    try:
        if production.grammar is not None:
            return _plain_object(production.grammar, value)
        assert production.datatype is not None
        text = to_text(production.datatype, value)
        return value if isinstance(production.datatype, Boolean | Integer) else text
    except Fault as fault:
        raise fault.under(production.label) from None


def _plain_object(grammar: Grammar, value: object) -> Any:
    members: dict[str, Any] = {}
    for _, _, production, item in walk(grammar, value):
        if production.kind is Kind.END:
            break
        name = production.name or TEXT
        plain = _plain(production, item)
        if production.many:
            members.setdefault(name, []).append(plain)
        else:
            members[name] = plain
    return members[TEXT] if _is_bare_text(grammar) else members


def _is_bare_text(grammar: Grammar) -> bool:
    """Whether the class stands for a simple type, so that its JSON is the value alone."""
    return [field.role for field in grammar.fields] == [Role.TEXT]


def _parsed(production: Production, content: object) -> Any:
    try:
        if production.grammar is not None:
            return _parsed_object(production.grammar, content)
        assert production.datatype is not None, f"{production.label} is abstract"
        return _scalar(production.datatype, content)
    except Fault as fault:
        raise fault.under(production.label) from None


def _parsed_object(grammar: Grammar, content: object) -> Any:
    if _is_bare_text(grammar):
        content = {TEXT: content}
    if not isinstance(content, Mapping):
        raise Fault(f"{type(content).__name__} where an object is needed")
    values: list[Any] = [None] * len(grammar.fields)
    for name, member in content.items():
        production = grammar.by_name.get(name)
        if production is None:
            raise Fault(f"there is no member {str(name)[:40]!r} in {grammar.cls.__name__}")
        held = values[production.index]
        if not production.many:
            if held is not None:
                raise Fault(f"{name} cannot stand beside another of its kind")
            values[production.index] = _parsed(production, member)
        elif isinstance(member, list):
            values[production.index] = (held or []) + [_parsed(production, item) for item in member]
        else:
            raise Fault(f"{name} needs an array")
    return grammar.make(values)


def _scalar(datatype: Datatype, content: object) -> Any:
    match datatype, content:
        case Boolean(), bool():
            return content
        case Integer(), int() if not isinstance(content, bool):
            return content
        case ((Boolean() | Integer()), _):
            raise Fault(f"{type(content).__name__} where {type(datatype).__name__} is needed")
        case String(), str():
            return content
        case _, str(text):
            return from_text(datatype, text)
        case _:
            raise Fault(f"{type(content).__name__} where a string is needed")
