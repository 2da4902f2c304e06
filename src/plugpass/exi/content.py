"""Content models as expressions, and their derivatives.

A state of a grammar is an expression: what may still come. Its productions are its derivatives: for each item that may
come next, the expression that is left. The element may end where the expression is nullable.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import get_annotations

from plugpass.exi.binding import Field, Role, fields_of, schema_bases
from plugpass.exi.schema import Any_, Choice, Maybe, Model, Occurs, Repeat, Sequence, definition_of


@dataclass(frozen=True, slots=True)
class Item:
    """One occurrence of a field."""

    field: Field


@dataclass(frozen=True, slots=True)
class Wildcard:
    """One element that the schema does not name."""


@dataclass(frozen=True, slots=True)
class Concat:
    """`first`, then `rest`."""

    first: Expression
    rest: Expression


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of the options; no option at all is the expression that nothing matches."""

    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """A field that repeats: at least `forced` more times, at most `maximum` times in all (None: unbounded).

    The count of items so far is not part of the expression, or 1024 of them would make 1024 states; the engines know it
    as the length of the list.
    """

    item: Item
    forced: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Star:
    """`body`, `forced` times or more."""

    body: Expression
    forced: int


@dataclass(frozen=True, slots=True)
class Nothing:
    """The empty sequence."""


Expression = Item | Wildcard | Concat | Alternatives | Counted | Star | Nothing

NOTHING = Nothing()


@dataclass(frozen=True, slots=True)
class Step:
    """A derivative: after `symbol`, `rest`; `at_limit` instead once the field's list holds its maximum."""

    symbol: Item | Wildcard
    rest: Expression
    at_limit: Expression | None = None


def nullable(expression: Expression) -> bool:
    """Whether nothing more needs to come."""
    match expression:
        case Nothing():
            return True
        case Concat(first, rest):
            return nullable(first) and nullable(rest)
        case Alternatives(options):
            return any(map(nullable, options))
        case Counted(_, forced, _):
            return forced == 0
        case Star(body, forced):
            return forced == 0 or nullable(body)
        case Item() | Wildcard():
            return False


def steps(expression: Expression) -> Iterator[Step]:
    """The derivatives in schema order. An item may occur twice; the first one counts."""
    match expression:
        case Item() | Wildcard():
            yield Step(expression, NOTHING)
        case Concat(first, rest):
            for step in steps(first):
                at_limit = None if step.at_limit is None else concat(step.at_limit, rest)
                yield Step(step.symbol, concat(step.rest, rest), at_limit)
            if nullable(first):
                yield from steps(rest)
        case Alternatives(options):
            for option in options:
                yield from steps(option)
        case Counted(item, _, 1):
            yield Step(item, NOTHING)
        case Counted(item, forced, maximum):
            yield Step(item, Counted(item, max(forced - 1, 0), maximum), None if maximum is None else NOTHING)
        case Star(body, forced):
            again = Star(body, max(forced - 1, 0))
            for step in steps(body):
                yield Step(step.symbol, concat(step.rest, again), step.at_limit and concat(step.at_limit, again))
        case Nothing():
            return


def concat(first: Expression, rest: Expression) -> Expression:
    """Both in order, without needless empty parts."""
    if isinstance(first, Nothing):
        return rest
    return first if isinstance(rest, Nothing) else Concat(first, rest)


def sequence(parts: list[Expression]) -> Expression:
    """All parts in order."""
    whole: Expression = NOTHING
    for part in reversed(parts):
        whole = concat(part, whole)
    return whole


def attributes_of(cls: type) -> Expression:
    """The attributes in the order of EXI: by local name, then namespace (EXI 8.5.4.1.3.2)."""
    found = [field for field in fields_of(cls) if field.role is Role.ATTRIBUTE]
    return sequence([_occurrences(field) for field in sorted(found, key=lambda field: (field.name, field.uri))])


def content_of(cls: type) -> Expression:
    """The content of an element of this class: what each class it extends adds, in order."""
    fields = {field.attribute: field for field in fields_of(cls) if field.role is not Role.ATTRIBUTE}
    parts: list[Expression] = []
    for base in schema_bases(cls):
        own = [fields[name] for name in get_annotations(base) if name in fields]
        model = definition_of(base).content
        parts += [_occurrences(field) for field in own] if model is None else [_expression(model, fields)]
    return sequence(parts)


def _occurrences(field: Field) -> Expression:
    if field.min_occurs == field.max_occurs == 1:
        return Item(field)
    return Counted(Item(field), field.min_occurs, field.max_occurs)


def _expression(model: Model, fields: dict[str, Field]) -> Expression:
    match model:
        case str(name):
            return Item(fields[name])
        case Occurs(name):
            return _occurrences(fields[name])
        case Any_():
            return Wildcard()
        case Sequence(parts):
            return sequence([_expression(part, fields) for part in parts])
        case Choice(parts):
            return Alternatives(tuple(_expression(part, fields) for part in parts))
        case Maybe(part):
            return Alternatives((_expression(part, fields), NOTHING))
        case Repeat(part, at_least):
            return Star(_expression(part, fields), at_least)
