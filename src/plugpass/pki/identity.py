"""The identifier in a certificate's common name: whether it is one, and whether two spellings name the same party."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from plugpass.ids import EMAID, EVCCID, EVSEID, PCID, SECCID, InvalidIdentifier
from plugpass.pki.profiles import Identifier


def _station(text: str) -> EVSEID | SECCID:
    try:
        return EVSEID.parse(text)
    except InvalidIdentifier:
        return SECCID.parse(text)


@dataclass(frozen=True, slots=True)
class LongEmaid:
    """An EMAID with an instance of more than 9 characters, as -20 has them; compared by its compact form."""

    compact: str  #: upper case, no separators; what may be a check digit is part of it: no algorithm is public


_LONG_EMAID: Final = re.compile(r"[A-Za-z]{2}-?[A-Za-z0-9]{3}-?[A-Za-z0-9]{9,28}(?:-?[A-Za-z0-9])?", re.ASCII)
_EMAID_WITH_CHECK_DIGIT: Final = 15


def _long_emaid(text: str) -> EMAID | LongEmaid:
    """Up to 15 characters an EMAID is what it is in -2, check digit included; beyond that only the syntax is known."""
    compact = text.replace("-", "").upper()
    if len(compact) <= _EMAID_WITH_CHECK_DIGIT:
        return EMAID.parse(text)
    if not _LONG_EMAID.fullmatch(text):
        raise InvalidIdentifier("EMAID", text, "expected country(2) provider(3) instance(9 to 28) [check(1)]")
    return LongEmaid(compact)


_PARSERS: Final[Mapping[Identifier, Callable[[str], object]]] = MappingProxyType(
    {
        Identifier.NAME: str,
        Identifier.STATION: _station,
        Identifier.EMAID: EMAID.parse,
        Identifier.LONG_EMAID: _long_emaid,
        Identifier.PCID: PCID.parse,
        Identifier.EVCCID: EVCCID.parse,
    }
)


def require(kind: Identifier, text: str) -> object:
    """The identifier that `text` spells, comparable by `==`. Raises InvalidIdentifier."""
    return _PARSERS[kind](text)


def same(kind: Identifier, found: str, expected: str) -> bool:
    """Whether two spellings name the same party; text that is no identifier of that kind names nobody."""
    try:
        return require(kind, found) == require(kind, expected)
    except InvalidIdentifier:
        return False
