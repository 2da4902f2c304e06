"""The identifier in a certificate's common name: whether it is one, and whether two spellings name the same party."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from plugpass.ids import EMAID, EVSEID, PCID, SECCID, InvalidIdentifier
from plugpass.pki.profiles import Identifier


def _station(text: str) -> EVSEID | SECCID:
    try:
        return EVSEID.parse(text)
    except InvalidIdentifier:
        return SECCID.parse(text)


_PARSERS: Final[Mapping[Identifier, Callable[[str], object]]] = MappingProxyType(
    {Identifier.NAME: str, Identifier.STATION: _station, Identifier.EMAID: EMAID.parse, Identifier.PCID: PCID.parse}
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
