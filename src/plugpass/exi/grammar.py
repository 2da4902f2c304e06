"""EXI grammars, derived from the classes of a schema set (EXI 1.0, clauses 8.4 and 8.5: schema-informed, not strict).

Everything here is a table: a `Grammar` is the states of one class, a `State` its productions in the order of their
event codes, a `Production` what to do with the value and where to go on. Engines walk these tables; so do the XML and
JSON models, for names and order.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

from plugpass.exi.binding import Field, Role, Target, fields_of
from plugpass.exi.content import Expression, Step, Wildcard, attributes_of, concat, content_of, nullable, steps
from plugpass.exi.datatypes import Datatype
from plugpass.exi.errors import Fault
from plugpass.exi.schema import Schema, definition_of
from plugpass.exi.values import Coder, coder_for

MAX_ITEMS = 4096
"""Cap on a list that the schema leaves unbounded."""


class Kind(IntEnum):
    """What a production stands for."""

    ATTRIBUTE = 0
    TEXT = 1
    SIMPLE = 2
    """A child element with a simple value."""
    COMPLEX = 3
    """A child element with a grammar of its own."""
    END = 4
    REFUSED = 5
    """It has an event code, but we neither read nor write it: an abstract element, a wildcard, mixed text."""


@dataclass(eq=False, slots=True, kw_only=True)
class Production:
    """One line of a state: what comes, which field takes it (`index`, -1 for none), and the state to go on with.

    For a list field, the state to go on with is `at_limit` once the list is `limit` long; where that is None the schema
    sets no limit, and a list of that length is too long for us.
    A simple value has a `datatype` and its `coder`, a complex one a `grammar`.
    """

    kind: Kind
    uri: str = ""
    name: str = ""
    index: int = -1
    many: bool = False
    limit: int = 0
    datatype: Datatype | None = None
    coder: Coder | None = None
    grammar: Grammar | None = None
    next: State | None = None
    at_limit: State | None = None

    @property
    def label(self) -> str:
        """How an error names it."""
        match self.kind:
            case Kind.ATTRIBUTE:
                return f"@{self.name}"
            case Kind.TEXT | Kind.END:
                return self.kind.name.lower()
            case _:
                return self.name or "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A state as the writer sees it: one field that may come next, and how to code it.

    `members` is None for a simple value; for a complex one it has the event code and production of each class that may
    stand there (several in a substitution group).
    """

    index: int
    code: int
    production: Production
    members: dict[type, tuple[int, Production]] | None


@dataclass(eq=False, slots=True)
class State:
    """What may come next.

    `width` is the size of an event code in bits. There is one value more than productions: the escape to undeclared
    content (EXI 8.5.4.4), which ISO 15118 never uses but pays for.
    """

    productions: list[Production] = field(default_factory=list)
    width: int = 0
    offers: list[Offer] = field(default_factory=list)

    def complete(self, productions: Sequence[Production]) -> None:
        """Set the productions, in the order of their event codes."""
        self.productions.extend(productions)
        self.width = len(productions).bit_length()
        groups: dict[int, dict[type, tuple[int, Production]]] = {}
        for code, production in enumerate(productions):
            if production.kind is Kind.REFUSED:
                continue
            if production.grammar is None:
                self.offers.append(Offer(index=production.index, code=code, production=production, members=None))
                continue
            if production.index not in groups:
                members = groups[production.index] = {}
                self.offers.append(Offer(index=production.index, code=code, production=production, members=members))
            groups[production.index].setdefault(production.grammar.cls, (code, production))


class Grammar:
    """The states of one class, derived when first needed."""

    def __init__(self, cls: type, build: Callable[[type], State]) -> None:
        self.cls = cls
        self.fields = fields_of(cls)
        self._build = build
        self._names = [field.attribute for field in self.fields]
        self._required = [field for field in self.fields if field.required and not field.many]
        self._lists = [field.index for field in self.fields if field.many]
        self._get = operator.attrgetter(*self._names) if self._names else None

    @cached_property
    def start(self) -> State:
        """The state at the start tag."""
        return self._build(self.cls)

    @cached_property
    def by_name(self) -> dict[str, Production]:
        """For each local name that may occur anywhere in the element (`value` for text), its production."""
        found: dict[str, Production] = {}
        seen: list[State] = []
        ahead = [self.start]
        while ahead:
            state = ahead.pop()
            seen.append(state)
            for production in state.productions:
                if production.index >= 0:
                    found.setdefault(production.name or "value", production)
                ahead += [s for s in (production.next, production.at_limit) if s and s not in seen and s not in ahead]
        return found

    def values(self, value: object) -> tuple[Any, ...]:
        """The values of all fields of an object of the class."""
        if self._get is None:
            return ()
        found = self._get(value)
        return found if len(self._names) > 1 else (found,)

    def make(self, values: list[Any]) -> Any:
        """An object of the class; `values` has one for each field: a list where it repeats, None where it is absent."""
        for needed in self._required:
            if values[needed.index] is None:
                raise Fault(f"{needed.name or 'the content'} is missing")
        for index in self._lists:
            values[index] = tuple(values[index] or ())
        return self.cls(**dict(zip(self._names, values, strict=True)))


REFUSED = Production(kind=Kind.REFUSED)


class GrammarSet:
    """All grammars of a schema set, made as they are needed."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._grammars: dict[type, Grammar] = {}

    def grammar(self, cls: type) -> Grammar:
        """The grammar of a class."""
        found = self._grammars.get(cls)
        if found is None:
            found = self._grammars[cls] = Grammar(cls, self._build)
        return found

    def production(self, *, uri: str, name: str, target: Target, index: int = -1) -> Production:
        """A production for one element of the given type; it still has no place to go on to."""
        if not isinstance(target, type):
            coder = coder_for(target)
            return Production(kind=Kind.SIMPLE, uri=uri, name=name, index=index, datatype=target, coder=coder)
        if definition_of(target).abstract:
            return Production(kind=Kind.REFUSED, uri=uri, name=name)
        return Production(kind=Kind.COMPLEX, uri=uri, name=name, index=index, grammar=self.grammar(target))

    def _build(self, cls: type) -> State:
        known: dict[Expression, State] = {}

        def state_for(expression: Expression) -> State:
            state = known.get(expression)
            if state is None:
                state = known[expression] = State()
                state.complete(self._productions(cls, expression, state_for))
            return state

        return state_for(concat(attributes_of(cls), content_of(cls)))

    def _productions(
        self, cls: type, expression: Expression, state_for: Callable[[Expression], State]
    ) -> list[Production]:
        """Attributes, elements in schema order, wildcard, end, mixed text (EXI 8.5.4.2 and 8.5.4.1.3)."""
        named: dict[tuple[bool, str, str], Production] = {}
        wildcard = False
        for step in steps(expression):
            if isinstance(step.symbol, Wildcard):
                wildcard = True
                continue
            for production in self._alternatives(step.symbol.field):
                key = (production.kind is Kind.ATTRIBUTE, production.uri, production.name)
                if key not in named:
                    named[key] = production
                    _connect(production, step.symbol.field, step, state_for)
        productions = list(named.values())
        if wildcard:
            productions.append(REFUSED)
        if nullable(expression):
            productions.append(Production(kind=Kind.END))
        # Both independent codecs leave the text of mixed content out of a state that still offers an attribute.
        if definition_of(cls).mixed and not any(production.kind is Kind.ATTRIBUTE for production in productions):
            productions.append(REFUSED)
        return productions

    def _alternatives(self, field: Field) -> list[Production]:
        """The productions of one occurrence of a field: several for the head of a substitution group."""
        if field.role is Role.REFERENCE:
            return [
                self.production(uri=uri, name=name, target=cls, index=field.index)
                for name, uri, cls in self._substitutes(field.target)
            ]
        if field.role is Role.ELEMENT:
            return [self.production(uri=field.uri, name=field.name, target=field.target, index=field.index)]
        assert not isinstance(field.target, type), f"{field.attribute} is an attribute or text and needs a simple type"
        return [
            Production(
                kind=Kind.TEXT if field.role is Role.TEXT else Kind.ATTRIBUTE,
                uri=field.uri,
                name=field.name,
                index=field.index,
                datatype=field.target,
                coder=coder_for(field.target),
            )
        ]

    def _substitutes(self, head: Target) -> list[tuple[str, str, type]]:
        """The head of a substitution group, even if abstract, and its members, in the order of EXI 8.5.4.1.6."""
        assert isinstance(head, type)
        return sorted(
            (name, definition_of(cls).namespace.uri, cls)
            for cls in self.schema.types
            if issubclass(cls, head) and (name := definition_of(cls).element) is not None
        )


def _connect(production: Production, field: Field, step: Step, state_for: Callable[[Expression], State]) -> None:
    production.next = state_for(step.rest)
    if field.many:
        production.many = True
        production.limit = field.max_occurs or MAX_ITEMS + 1
        production.at_limit = None if step.at_limit is None else state_for(step.at_limit)
