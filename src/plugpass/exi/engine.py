"""The reference engine: an interpreter of the grammar tables, one event at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from plugpass.exi.bits import BitReader, BitWriter
from plugpass.exi.errors import Fault
from plugpass.exi.grammar import Grammar, Kind, Offer, Production, State
from plugpass.exi.values import DEVIATION

MAX_DEPTH = 64
"""Cap on nesting. No schema of ISO 15118 comes near it."""


def read(grammar: Grammar, source: BitReader, depth: int = 0) -> Any:
    """Read the content of an element up to its end; an object of the grammar's class. Fault if the stream is wrong."""
    if depth > MAX_DEPTH:
        raise Fault("elements are nested too deeply")
    values: list[Any] = [None] * len(grammar.fields)
    state = grammar.start
    while True:
        code = source.bits(state.width)
        if code >= len(state.productions):
            raise Fault(DEVIATION)
        production = state.productions[code]
        if production.index < 0:
            if production.kind is Kind.END:
                return grammar.make(values)
            raise Fault(f"{production.label} cannot stand here")
        value = read_value(production, source, depth)
        state = store(production, values, value)


def read_value(production: Production, source: BitReader, depth: int = 0) -> Any:
    """Read what a production stands for, after its event code."""
    try:
        if production.grammar is not None:
            return read(production.grammar, source, depth + 1)
        assert production.coder is not None
        if production.kind is Kind.SIMPLE:
            return production.coder.read_element(source)
        return production.coder.read(source)
    except Fault as fault:
        raise fault.under(production.label) from None


def store(production: Production, values: list[Any], value: Any) -> State:
    """Put a value where its production says, and give the state to go on with."""
    state = production.next
    if production.many:
        items = values[production.index]
        if items is None:
            items = values[production.index] = []
        items.append(value)
        if len(items) >= production.limit:
            state = production.at_limit
            if state is None:
                raise Fault(f"{production.limit} times {production.label}")
    else:
        values[production.index] = value
    assert state is not None
    return state


def write(grammar: Grammar, target: BitWriter, value: Any, depth: int = 0) -> None:
    """Write the content of an element and its end. Fault if the object does not fit the grammar."""
    if depth > MAX_DEPTH:
        raise Fault("elements are nested too deeply")
    for code, width, production, item in walk(grammar, value):
        target.bits(code, width)
        if production.index >= 0:
            write_value(production, target, item, depth)


def write_value(production: Production, target: BitWriter, value: Any, depth: int = 0) -> None:
    """Write what a production stands for, after its event code."""
    try:
        if production.grammar is not None:
            write(production.grammar, target, value, depth + 1)
        elif production.coder is not None and production.kind is Kind.SIMPLE:
            production.coder.write_element(target, value)
        elif production.coder is not None:
            production.coder.write(target, value)
    except Fault as fault:
        raise fault.under(production.label) from None


def checked(production: Production, value: Any) -> Any:
    """The value itself, if it fits all facets of its element: it can be written. Fault if not."""
    write_value(production, BitWriter(), value)
    return value


def walk(grammar: Grammar, value: object) -> Iterator[tuple[int, int, Production, Any]]:
    """The events of an object in stream order: event code, its width, production, value. The last one is the end event.

    Fault if the object has a value that may not stand where it would, too few or too many of them.
    """
    if type(value) is not grammar.cls:
        raise Fault(f"{type(value).__name__} where {grammar.cls.__name__} is needed")
    values = grammar.values(value)
    taken = [0] * len(values)
    state = grammar.start
    while True:
        offer, item = _next(state, values, taken)
        production, code = offer.production, offer.code
        if offer.members is not None:
            member = offer.members.get(type(item))
            if member is None:
                raise Fault(f"{type(item).__name__} cannot stand where {production.label} can")
            code, production = member
        yield code, state.width, production, item
        if production.index < 0:
            _check_all_taken(grammar, values, taken)
            return
        taken[production.index] += 1
        following = production.next
        if production.many and taken[production.index] >= production.limit:
            following = production.at_limit
        if following is None:
            raise Fault(f"{production.limit} times {production.label}")
        state = following


def _next(state: State, values: tuple[Any, ...], taken: list[int]) -> tuple[Offer, Any]:
    """The first field on offer that has a value left; the end where nothing else has."""
    for offer in state.offers:
        index = offer.index
        if index < 0:
            return offer, None
        value = values[index]
        if offer.production.many:
            if taken[index] < len(_items(value)):
                return offer, value[taken[index]]
        elif value is not None and not taken[index]:
            return offer, value
    needed = " or ".join(offer.production.label for offer in state.offers)
    raise Fault(f"{needed or 'content that plugpass cannot write'} is missing")


def _items(value: Any) -> tuple[Any, ...]:
    if type(value) is not tuple:
        raise Fault(f"{type(value).__name__} where a tuple is needed")
    return value


def _check_all_taken(grammar: Grammar, values: tuple[Any, ...], taken: list[int]) -> None:
    for field in grammar.fields:
        value = values[field.index]
        if value is None and field.required:
            raise Fault(f"{field.name or 'the content'} is missing")
        left = (len(_items(value)) if field.many else value is not None) - taken[field.index]
        if left:
            raise Fault(f"{left} of {field.name or 'the content'} too many, or not beside the others")
