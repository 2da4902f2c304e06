"""Messages as namespaced XML text, read and written along the same grammars as EXI: same names, order and types.

Reading is for untrusted text: no document type declaration (so no entities), bounded size, depth and element count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from plugpass.exi.engine import MAX_DEPTH, checked, store, walk
from plugpass.exi.errors import ExiDecodeError, ExiEncodeError, Fault
from plugpass.exi.grammar import Grammar, Kind, Production, State
from plugpass.exi.lexical import SPACE, from_text, to_text
from plugpass.exi.roots import load

MAX_SIZE = 2**20
"""Cap on the text, in octets; the largest real message (a -20 certificate installation) has some 30 thousand."""

MAX_ELEMENTS = 50_000

XSI = "http://www.w3.org/2001/XMLSchema-instance"
_HINTS = {f"{XSI} schemaLocation", f"{XSI} noNamespaceSchemaLocation"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE_ESCAPES = _TEXT_ESCAPES | str.maketrans({"\n": "&#10;", "\t": "&#9;", '"': "&quot;"})


@dataclass(slots=True)
class _Node:
    """An element as parsed; qualified names are "uri local" or "local"."""

    name: str
    attributes: dict[str, str]
    children: list[_Node] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


def to_xml(schema: str, message: object) -> str:
    """The message as XML text without a declaration; for a document or a fragment's object.

    Raises ExiEncodeError if the object has not the schema's structure, or has characters that XML cannot carry.
    """
    loaded = load(schema)
    prefixes = {namespace.uri: f"ns{number}" for number, namespace in enumerate(loaded.schema.namespaces)}
    try:
        _, production, value = loaded.fragments.find(message)
        body = "".join(_written(production, value, prefixes))
    except Fault as fault:
        raise ExiEncodeError(schema=schema, path=fault.path, reason=fault.reason) from None
    used = [(uri, prefix) for uri, prefix in prefixes.items() if f"<{prefix}:" in body or f" {prefix}:" in body]
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for uri, prefix in used)
    end_of_name = min(body.index(mark) for mark in " />" if mark in body)
    return body[:end_of_name] + declarations + body[end_of_name:]


def from_xml(schema: str, text: str | bytes) -> Any:
    """The message in XML text, for a document or a fragment; the inverse of `to_xml`.

    Comments and processing instructions are ignored, and xsi:schemaLocation; any other attribute or element that the
    schema does not name is refused. Raises ExiDecodeError.
    """
    roots = load(schema).fragments
    try:
        node = _parse(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, isinstance(text, str))
        uri, _, name = node.name.rpartition(" ")
        production = roots.by_qname(uri, name)
        return roots.naturally(production, checked(production, _read(production, node)))
    except Fault as fault:
        raise ExiDecodeError(schema=schema, path=fault.path, reason=fault.reason) from None


# --- writing --------------------------------------------------------------------------------------------------------


def _written(production: Production, value: object, prefixes: dict[str, str]) -> Iterator[str]:
    name = _qualified(production, prefixes)
    try:
        if production.grammar is None:
            yield f"<{name}>{_text(production, value, _TEXT_ESCAPES)}</{name}>"
            return
        attributes, content = "", []
        for _, _, event, item in walk(production.grammar, value):
            if event.kind is Kind.ATTRIBUTE:
                attributes += f' {_qualified(event, prefixes)}="{_leaf(event, item, _ATTRIBUTE_ESCAPES)}"'
            elif event.kind is Kind.TEXT:
                content.append(_leaf(event, item, _TEXT_ESCAPES))
            elif event.kind is not Kind.END:
                content.extend(_written(event, item, prefixes))
        yield f"<{name}{attributes}>{''.join(content)}</{name}>" if content else f"<{name}{attributes}/>"
    except Fault as fault:
        raise fault.under(production.label) from None


def _qualified(production: Production, prefixes: dict[str, str]) -> str:
    return f"{prefixes[production.uri]}:{production.name}" if production.uri else production.name


def _leaf(production: Production, value: object, escapes: dict[int, str]) -> str:
    try:
        return _text(production, value, escapes)
    except Fault as fault:
        raise fault.under(production.label) from None


def _text(production: Production, value: object, escapes: dict[int, str]) -> str:
    assert production.datatype is not None
    text = to_text(production.datatype, value)
    if _NOT_XML.search(text):
        raise Fault("XML cannot carry a character of the text")
    if from_text(production.datatype, text) != value:
        raise Fault("a reader of XML would not keep the white space of the text")
    return text.translate(escapes)


# --- reading --------------------------------------------------------------------------------------------------------


def _parse(data: bytes, is_utf8: bool) -> _Node:
    if len(data) > MAX_SIZE:
        raise Fault(f"the text has {len(data)} octets, {MAX_SIZE} are allowed")
    top = _Node("", {})
    open_nodes = [top]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_nodes) > MAX_DEPTH or count > MAX_ELEMENTS:
            raise Fault("there are too many elements, or they are nested too deeply")
        node = _Node(name, attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def doctype(*_: object) -> None:
        raise Fault("a document type declaration is not accepted")

    # A str was encoded by us, whatever encoding its declaration names.
    parser = expat.ParserCreate("utf-8" if is_utf8 else None, namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_nodes.pop()
    parser.CharacterDataHandler = lambda text: open_nodes[-1].text.append(text)
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Fault(f"no well-formed XML: {error}") from None
    return top.children[0]


def _read(production: Production, node: _Node) -> Any:
    try:
        if production.grammar is not None:
            return _read_object(production.grammar, node)
        assert production.datatype is not None, f"{production.label} is abstract"
        if node.attributes.keys() - _HINTS or node.children:
            raise Fault("a simple value has neither attributes nor children")
        return from_text(production.datatype, "".join(node.text))
    except Fault as fault:
        raise fault.under(production.label) from None


def _read_object(grammar: Grammar, node: _Node) -> Any:
    values: list[Any] = [None] * len(grammar.fields)
    state = grammar.start
    attributes = {name: value for name, value in node.attributes.items() if name not in _HINTS}
    for name in sorted(attributes, key=lambda name: name.rpartition(" ")[::-1]):
        production = _find(state, name, attribute=True)
        state = store(production, values, _read_text(production, attributes[name]))
    text = "".join(node.text)
    content = next((production for production in state.productions if production.kind is Kind.TEXT), None)
    if content is not None:
        state = store(content, values, _read_text(content, text))
    elif text.strip(SPACE):
        raise Fault("there is text between the elements")
    for child in node.children:
        production = _find(state, child.name, attribute=False)
        state = store(production, values, _read(production, child))
    if not any(production.kind is Kind.END for production in state.productions):
        raise Fault(f"{_expected(state)} is missing")
    return grammar.make(values)


def _find(state: State, qualified: str, *, attribute: bool) -> Production:
    uri, _, name = qualified.rpartition(" ")
    for production in state.productions:
        if (production.uri, production.name) == (uri, name) and (production.kind is Kind.ATTRIBUTE) is attribute:
            if production.index < 0:
                break
            return production
    found = f"{'attribute' if attribute else 'element'} {name[:40]} of namespace {uri[:80] or 'none'}"
    raise Fault(f"expected {_expected(state)}, found {found}")


def _expected(state: State) -> str:
    return " or ".join(production.label for production in state.productions if production.index >= 0) or "the end"


def _read_text(production: Production, text: str) -> Any:
    assert production.datatype is not None
    try:
        return from_text(production.datatype, text)
    except Fault as fault:
        raise fault.under(production.label) from None
