"""The derived grammars as the C engine takes them: nested tuples of small numbers, coders and classes.

Nothing is decided here. Each row says what an object of `plugpass.exi.grammar` says, with states as numbers; facets
come from the datatypes. As there, the states of a class are derived when an object of it is first read or written.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from plugpass.exi import _engine
from plugpass.exi.bits import MAX_INTEGER_BITS
from plugpass.exi.datatypes import Base64Binary, Boolean, Datatype, Enumeration, HexBinary, Integer, String
from plugpass.exi.engine import MAX_DEPTH
from plugpass.exi.grammar import Grammar, Offer, Production, State
from plugpass.exi.values import MAX_LENGTH, N_BIT_RANGE

if TYPE_CHECKING:
    from plugpass.exi.roots import Roots

LARGEST = 2**MAX_INTEGER_BITS - 1
"""Bound of an integer whose schema has none."""


def compile_roots(roots: Roots) -> _engine.Roots:
    """The C engine's form of the elements a stream may begin with."""
    natural = roots.natural_codes
    rows = []
    for code, production in enumerate(roots.productions):
        bare = production.grammar is not None and natural.get(production.grammar.cls) == code
        wrapper = None if bare else partial(roots.naturally, production)
        rows.append((int(production.kind), _content(production), wrapper))
    end = -1 if roots.end is None else roots.end
    return _engine.Roots(width=roots.width, end=end, max_depth=MAX_DEPTH, roots=tuple(rows), codes=natural)


@cache
def compile_grammar(grammar: Grammar) -> _engine.Grammar:
    """The C engine's form of a grammar, its states still to be derived.

    TypeError if objects of the class must not be made by filling their slots.
    """
    if hasattr(grammar.cls, "__post_init__"):
        raise TypeError(f"{grammar.cls.__qualname__} has a __post_init__, which the C engine would not call")
    fields = tuple((field.attribute, field.many, field.required) for field in grammar.fields)
    return _engine.Grammar(grammar.cls, fields, partial(_states, grammar))


@cache
def coder(datatype: Datatype) -> _engine.Coder:
    """The C engine's coder of a datatype; the same cases as `values.coder_for`."""
    match datatype:
        case Boolean():
            return _engine.fixed((False, True))
        case Enumeration(members):
            return _engine.fixed(tuple(members))
        case Integer(int(minimum), int(maximum)) if maximum - minimum < N_BIT_RANGE:
            return _engine.fixed(tuple(range(minimum, maximum + 1)))
        case Integer(minimum, maximum):
            most = MAX_INTEGER_BITS
            if minimum is not None and maximum is not None:
                most = max(abs(minimum), abs(maximum)).bit_length()
            return _engine.integer(
                -LARGEST if minimum is None else minimum, LARGEST if maximum is None else maximum, most
            )
        case String(min_length=shortest, max_length=longest):
            return _engine.string(shortest, MAX_LENGTH if longest is None else longest, MAX_LENGTH.bit_length())
        case Base64Binary(min_length=shortest, max_length=longest) | HexBinary(min_length=shortest, max_length=longest):
            return _engine.binary(shortest, MAX_LENGTH if longest is None else longest, MAX_LENGTH.bit_length())


def _states(grammar: Grammar) -> tuple[Any, ...]:
    """All states that can be reached, the start first."""
    numbers: dict[State, int] = {grammar.start: 0}
    ahead = [grammar.start]
    for state in ahead:  # it grows on the way
        for production in state.productions:
            for following in (production.next, production.at_limit):
                if following is not None and following not in numbers:
                    numbers[following] = len(ahead)
                    ahead.append(following)
    return tuple(
        (
            state.width,
            tuple(_production(production, numbers) for production in state.productions),
            tuple(_offer(offer) for offer in state.offers),
        )
        for state in ahead
    )


def _production(production: Production, numbers: dict[State, int]) -> tuple[Any, ...]:
    return (
        int(production.kind),
        production.index,
        production.many,
        production.limit,
        _content(production),
        -1 if production.next is None else numbers[production.next],
        -1 if production.at_limit is None else numbers[production.at_limit],
    )


def _content(production: Production) -> _engine.Grammar | _engine.Coder | None:
    if production.grammar is not None:
        return compile_grammar(production.grammar)
    return None if production.datatype is None else coder(production.datatype)


def _offer(offer: Offer) -> tuple[int, tuple[tuple[type | None, int], ...]]:
    if offer.members is None:
        return offer.index, ((None, offer.code),)
    return offer.index, tuple((cls, code) for cls, (code, _) in offer.members.items())
