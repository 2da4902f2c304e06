"""What a stream may begin with: the global elements in a document, every element in a fragment (EXI 8.4.1, 8.4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from plugpass.exi.binding import Field, Role, Target, fields_of
from plugpass.exi.datatypes import String
from plugpass.exi.errors import Fault, UnknownSchemaError
from plugpass.exi.grammar import REFUSED, Grammar, GrammarSet, Kind, Production, State
from plugpass.exi.schema import Schema, definition_of
from plugpass.exi.values import coder_for

if TYPE_CHECKING:
    from plugpass.exi import _engine

MODULES = {
    "sap": "plugpass.iso15118.messages.sap",
    "xmldsig": "plugpass.iso15118.messages.xmldsig",
    "din": "plugpass.iso15118.messages.din",
    "iso2": "plugpass.iso15118.messages.iso2",
    "cm20": "plugpass.iso15118.messages.cm20",
    "ac20": "plugpass.iso15118.messages.ac20",
    "dc20": "plugpass.iso15118.messages.dc20",
    "wpt20": "plugpass.iso15118.messages.wpt20",
    "acdp20": "plugpass.iso15118.messages.acdp20",
}
"""Where the schema of each name is.

By name and at first use, because the codec is the lower layer: it knows nothing of charging and must not import it, yet
callers say `decode("iso2", data)`. A new schema is one line here and one module of dataclasses there.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedElement:
    """An element whose class does not tell its name: the type of several elements, or a simple type.

    Only fragments of such elements come as one; all others are the bare object.
    """

    name: str
    uri: str = ""
    value: object


class Roots:
    """The elements a stream may begin with, in the order of their codes; `width` is the size of a code in bits.

    `end` is the code that ends a fragment, None for a document, whose end costs nothing. Neither has an escape:
    comments and processing instructions are not preserved, so there is nothing to escape to.
    """

    def __init__(self, productions: list[Production], *, fragment: bool) -> None:
        self.productions = productions
        count = len(productions)
        self.end = count + 1 if fragment else None  # count is the code of an element the schema does not know
        self.width = (count + fragment).bit_length()
        self.natural_codes = dict(self._natural_codes())
        """The code that an object of each class has without being told its element name."""
        self.compiled: _engine.Roots | None = None
        """The C engine's form of it, once that has been at work."""

    def _natural_codes(self) -> Iterator[tuple[type, int]]:
        candidates: dict[type, list[int]] = {}
        for code, production in enumerate(self.productions):
            if production.grammar is not None:
                candidates.setdefault(production.grammar.cls, []).append(code)
        for cls, codes in candidates.items():
            definition = definition_of(cls)
            wanted = definition.element or definition.fragment_name
            if len(codes) > 1 and definition.element is not None:
                codes = [code for code in codes if self.productions[code].uri == definition.namespace.uri]
            if len(codes) > 1:
                codes = [code for code in codes if self.productions[code].name == wanted]
            if len(codes) == 1:
                yield cls, codes[0]

    def find(self, value: object, element: str = "") -> tuple[int, Production, object]:
        """The code, the production and the bare value for an object that is to be the root."""
        uri = ""
        if isinstance(value, NamedElement):
            element, uri, value = value.name, value.uri, value.value
        if element:
            code = self._by_name(element, uri)
        elif type(value) in self.natural_codes:
            code = self.natural_codes[type(value)]
        else:
            raise Fault(f"{type(value).__name__} alone tells no element of this schema; name it with element=")
        return code, usable(self.productions[code]), value

    def by_qname(self, uri: str, name: str) -> Production:
        """The element of this namespace and name."""
        for production in self.productions:
            if (production.uri, production.name) == (uri, name):
                return usable(production)
        raise Fault(f"{name[:40]} of namespace {uri[:80] or 'none'} is no element of this schema")

    def by_name(self, name: str) -> Production:
        """The element of this local name; where namespaces share it, the one that is its class's natural name."""
        return usable(self.productions[self._by_name(name, "")])

    def _by_name(self, name: str, uri: str) -> int:
        found = [
            code
            for code, production in enumerate(self.productions)
            if production.name == name and (not uri or production.uri == uri)
        ]
        if not found:
            raise Fault(f"{name[:40]} is no root element of this schema")
        return next((code for code in found if code in self.natural_codes.values()), found[0])

    def naturally(self, production: Production, value: object) -> object:
        """The value alone if its class tells the element's name, else with the name."""
        code = self.natural_codes.get(type(value))
        if code is not None and self.productions[code] is production:
            return value
        return NamedElement(name=production.name, uri=production.uri, value=value)


def usable(production: Production) -> Production:
    """The production, if an element of it can exist; Fault if it is abstract."""
    if production.kind is Kind.REFUSED:
        raise Fault(f"{production.label} is abstract and cannot be a root")
    return production


class LoadedSchema:
    """A schema set ready for use: its grammars and its roots."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.grammars = GrammarSet(schema)
        declared = sorted(_declared(schema), key=lambda entry: (entry.name, entry.uri))
        self.documents = self._roots([entry for entry in declared if entry.is_global], fragment=False, typed=True)
        self.fragments = self._roots(declared, fragment=True, typed=False)
        self.typed_fragments = self._roots(declared, fragment=True, typed=True)
        """As some other codecs see fragments: with the ordinary grammar where the standard asks for the relaxed one."""

    def _roots(self, declared: list[_Declared], *, fragment: bool, typed: bool) -> Roots:
        types: dict[tuple[str, str], list[Target]] = {}
        for entry in declared:
            targets = types.setdefault((entry.name, entry.uri), [])
            if entry.target not in targets:
                targets.append(entry.target)
        productions = []
        for (name, uri), targets in types.items():
            # Of a simple and a complex declaration of one name, the complex one can be told from the object's class.
            target = next((target for target in targets if isinstance(target, type)), targets[0])
            production = self.grammars.production(uri=uri, name=name, target=target)
            if len(targets) > 1 and not typed and production.grammar is not None:
                production.grammar = self._relaxed(production.grammar.cls, len(types))
            productions.append(production)
        return Roots(productions, fragment=fragment)

    def _relaxed(self, cls: type, elements: int) -> Grammar:
        """The element fragment grammar, for a name that is declared with several types (EXI 8.5.3).

        Any attribute, any element or text may come in any order, so event codes count everything there is. Only text
        with attributes is made here, the one use ISO 15118 has for it: the eMAID of -2, which has an Id in places.
        """
        every_field = [field for each in self.schema.types for field in fields_of(each)]
        attributes = sorted({(field.name, field.uri) for field in every_field if field.role is Role.ATTRIBUTE})
        any_element = [REFUSED] * (elements + 1)  # each known name, and the wildcard

        def start(left: tuple[Field, ...]) -> State:
            """The first state while the attributes in `left` have not come; the standard's only one, unrolled."""
            state = State()
            own = {
                (field.name, field.uri): _leaf(field, Kind.ATTRIBUTE, start(tuple(f for f in left if f is not field)))
                for field in left
            }
            named = [own.get(name, REFUSED) for name in attributes]
            any_attribute, end = REFUSED, REFUSED
            state.complete([*named, any_attribute, *any_element, end, text])
            return state

        after = State()
        after.complete([*any_element, Production(kind=Kind.END), REFUSED])
        text = next(_leaf(field, Kind.TEXT, after) for field in fields_of(cls) if field.role is Role.TEXT)
        own_attributes = tuple(field for field in fields_of(cls) if field.role is Role.ATTRIBUTE)
        return Grammar(cls, lambda _: start(own_attributes))


def _leaf(field: Field, kind: Kind, then: State) -> Production:
    # The relaxed grammar knows no types: every value in it is a string.
    if not isinstance(field.target, String):
        raise TypeError(f"{field.attribute}: only strings can stand in an element fragment grammar")
    return Production(
        kind=kind,
        uri=field.uri,
        name=field.name,
        index=field.index,
        datatype=field.target,
        coder=coder_for(field.target),
        next=then,
    )


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    uri: str
    target: Target
    is_global: bool


def _declared(schema: Schema) -> Iterator[_Declared]:
    """Every element declaration of a schema set."""
    for cls in schema.types:
        definition = definition_of(cls)
        if definition.element is not None:
            yield _Declared(definition.element, definition.namespace.uri, cls, True)
        for field in fields_of(cls):
            if field.role is Role.ELEMENT:
                yield _Declared(field.name, field.uri, field.target, field.is_global)


@cache
def load(name: str) -> LoadedSchema:
    """The schema of this name; UnknownSchemaError if there is none."""
    module = MODULES.get(name)
    if module is None:
        raise UnknownSchemaError(f"no schema is called {name!r}; known are {', '.join(sorted(MODULES))}")
    return LoadedSchema(import_module(module).SCHEMA)
