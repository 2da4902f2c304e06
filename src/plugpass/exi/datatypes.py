"""Simple types: the XML Schema built-ins that ISO 15118 uses, with their facets.

A datatype is stated in `typing.Annotated` beside the Python type that carries it: `Annotated[int, Integer(0, 100)]`.
Enumerations are `enum.StrEnum` classes whose members stand in schema order; they need no marker.
Lengths count code points of a string and octets of a binary value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Boolean:
    """xs:boolean."""


@dataclass(frozen=True, slots=True)
class Integer:
    """xs:integer restricted to `minimum..maximum`, both inclusive; None is no bound on that side."""

    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """xs:string, and xs:anyURI or xs:ID, which EXI codes alike but XML reads with white space collapsed."""

    min_length: int = 0
    max_length: int | None = None
    collapse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Base64Binary:
    """xs:base64Binary; a fixed `length` is stated as both bounds."""

    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HexBinary:
    """xs:hexBinary."""

    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A restriction to a list of literals; never stated, always taken from the `StrEnum` class of the field."""

    members: type[StrEnum]


Datatype = Boolean | Integer | String | Base64Binary | HexBinary | Enumeration

Bool = Annotated[bool, Boolean()]
Byte = Annotated[int, Integer(-(2**7), 2**7 - 1)]
Short = Annotated[int, Integer(-(2**15), 2**15 - 1)]
Int = Annotated[int, Integer(-(2**31), 2**31 - 1)]
Long = Annotated[int, Integer(-(2**63), 2**63 - 1)]
UnsignedByte = Annotated[int, Integer(0, 2**8 - 1)]
UnsignedShort = Annotated[int, Integer(0, 2**16 - 1)]
UnsignedInt = Annotated[int, Integer(0, 2**32 - 1)]
UnsignedLong = Annotated[int, Integer(0, 2**64 - 1)]
BigInteger = Annotated[int, Integer()]
"""xs:integer without bounds, such as a certificate's serial number."""
PlainString = Annotated[str, String()]
AnyURI = Annotated[str, String(collapse=True)]
ID = Annotated[str, String(collapse=True)]
IDREF = Annotated[str, String(collapse=True)]
Base64 = Annotated[bytes, Base64Binary()]
