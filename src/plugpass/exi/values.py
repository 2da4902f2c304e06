"""How the value of each datatype is coded (EXI clause 7.1), with its facets checked in both directions.

`coder_for` gives the one coder of a datatype. A coder reads and writes a bare value (attributes, text) or the whole
content of a simple element: a zero bit for the characters event, the value, a zero bit for the end event.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, Protocol

from plugpass.exi.bits import MAX_INTEGER_BITS, BitReader, BitWriter
from plugpass.exi.datatypes import (
    Base64Binary,
    Boolean,
    Datatype,
    Enumeration,
    HexBinary,
    Integer,
    String,
)
from plugpass.exi.errors import Fault

DEVIATION = "the stream deviates from the schema here, which plugpass does not accept"

MAX_LENGTH = 2**16
"""Cap on a length that the schema leaves open, in characters or octets."""

N_BIT_RANGE = 4096
"""An integer type with at most this many values is coded in a fixed number of bits (EXI 7.1.5)."""


class Coder(Protocol):
    """Reads and writes the values of one datatype."""

    def read(self, source: BitReader) -> Any:
        """The next value; Fault if it breaks a facet."""
        ...

    def write(self, target: BitWriter, value: Any) -> None:
        """Append a value; Fault if it has the wrong Python type or breaks a facet."""
        ...

    def read_element(self, source: BitReader) -> Any:
        """The next value with the events around it."""
        ...

    def write_element(self, target: BitWriter, value: Any) -> None:
        """Append a value with the events around it."""
        ...


class _VariableWidth(ABC):
    """Events around a value whose width only the value knows."""

    __slots__ = ()

    @abstractmethod
    def read(self, source: BitReader) -> Any:
        """The next value."""

    @abstractmethod
    def write(self, target: BitWriter, value: Any) -> None:
        """Append a value."""

    def read_element(self, source: BitReader) -> Any:
        if source.bits(1):
            raise Fault(DEVIATION)
        value = self.read(source)
        if source.bits(1):
            raise Fault(DEVIATION)
        return value

    def write_element(self, target: BitWriter, value: Any) -> None:
        target.bits(0, 1)
        self.write(target, value)
        target.bits(0, 1)


class _FixedWidth:
    """A value that is one of a list, coded as its number: booleans, enumerations, small integer ranges."""

    __slots__ = ("_code_of", "_kind", "_type", "_value_of", "_width")

    def __init__(self, kind: str, values: tuple[Any, ...]) -> None:
        self._kind = kind
        self._type = type(values[0])
        self._value_of = values
        self._code_of = {value: code for code, value in enumerate(values)}
        self._width = (len(values) - 1).bit_length()

    def read(self, source: BitReader) -> Any:
        return self._value(source.bits(self._width))

    def write(self, target: BitWriter, value: Any) -> None:
        target.bits(self._code(value), self._width)

    def read_element(self, source: BitReader) -> Any:
        # Both events and the value at once: 0, value, 0. A one in front makes the number too large for the list.
        code = source.bits(self._width + 2)
        if code & 1:
            raise Fault(DEVIATION)
        return self._value(code >> 1)

    def write_element(self, target: BitWriter, value: Any) -> None:
        target.bits(self._code(value) << 1, self._width + 2)

    def _value(self, code: int) -> Any:
        if code >> self._width:
            raise Fault(DEVIATION)
        try:
            return self._value_of[code]
        except IndexError:
            raise Fault(f"{code} is the code of no {self._kind}") from None

    def _code(self, value: Any) -> int:
        # The exact type: 1 == True, and a number is not taken for a boolean, nor the other way round.
        if type(value) is not self._type or value not in self._code_of:
            shown = value if isinstance(value, int) and value.bit_length() < 64 else type(value).__name__
            raise Fault(f"{shown} is no {self._kind}")
        return self._code_of[value]


class _Integer(_VariableWidth):
    """A large range: unsigned if its minimum is not negative, else sign and magnitude (EXI 7.1.5)."""

    __slots__ = ("_largest", "_limit", "_maximum", "_minimum", "_signed")

    def __init__(self, facets: Integer) -> None:
        self._minimum = facets.minimum
        self._maximum = facets.maximum
        self._signed = facets.minimum is None or facets.minimum < 0
        bounds = [bound for bound in (facets.minimum, facets.maximum) if bound is not None]
        self._limit = max(map(abs, bounds)) if len(bounds) == 2 else None

    def read(self, source: BitReader) -> int:
        negative = self._signed and source.bits(1)
        magnitude = source.unsigned(self._limit)
        value = -magnitude - 1 if negative else magnitude
        self._check(value)
        return value

    def write(self, target: BitWriter, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Fault(f"{type(value).__name__} where an integer is needed")
        self._check(value)
        if self._signed:
            target.bits(value < 0, 1)
        target.unsigned(value if value >= 0 else -value - 1)

    def _check(self, value: int) -> None:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise Fault(f"the integer has more than {MAX_INTEGER_BITS} bits")
        if self._minimum is not None and value < self._minimum:
            raise Fault(f"{value} is below the minimum {self._minimum}")
        if self._maximum is not None and value > self._maximum:
            raise Fault(f"{value} is above the maximum {self._maximum}")


class _Lengths:
    """The length facets of a string or binary type."""

    __slots__ = ("_maximum", "_minimum", "_unit")

    def __init__(self, minimum: int, maximum: int | None, unit: str) -> None:
        self._minimum = minimum
        self._maximum = MAX_LENGTH if maximum is None else maximum
        self._unit = unit

    def check(self, length: int) -> None:
        if not self._minimum <= length <= self._maximum:
            bounds = f"{self._minimum} to {self._maximum}" if self._minimum < self._maximum else f"{self._minimum}"
            raise Fault(f"{length} {self._unit} where {bounds} are needed")


class _String(_VariableWidth):
    """Length + 2, then each code point as an unsigned integer (EXI 7.1.10).

    Lengths 0 and 1 are hits in a string table; ISO 15118 switches the tables off, so they are refused.
    """

    __slots__ = ("_lengths",)

    def __init__(self, facets: String) -> None:
        self._lengths = _Lengths(facets.min_length, facets.max_length, "characters")

    def read(self, source: BitReader) -> str:
        length = source.unsigned(MAX_LENGTH) - 2
        if length < 0:
            raise Fault("the string refers to a string table, and there is none")
        self._lengths.check(length)
        if 8 * length > source.remaining:
            raise Fault("the stream ends within the string")
        ascii_text = source.ascii(length)
        if ascii_text is not None:
            return ascii_text
        return "".join([self._character(source.unsigned(0x1FFFFF)) for _ in range(length)])

    @staticmethod
    def _character(code_point: int) -> str:
        if code_point > 0x10FFFF or 0xD800 <= code_point <= 0xDFFF:
            raise Fault(f"{code_point:#x} is no character")
        return chr(code_point)

    def write(self, target: BitWriter, value: Any) -> None:
        if not isinstance(value, str):
            raise Fault(f"{type(value).__name__} where a string is needed")
        self._lengths.check(len(value))
        target.unsigned(len(value) + 2)
        if value.isascii():
            target.octets(value.encode("ascii"))
            return
        for character in value:
            code_point = ord(character)
            if 0xD800 <= code_point <= 0xDFFF:
                raise Fault(f"{code_point:#x} is no character")
            target.unsigned(code_point)


class _Binary(_VariableWidth):
    """Octet count, then the octets (EXI 7.1.1)."""

    __slots__ = ("_lengths",)

    def __init__(self, facets: Base64Binary | HexBinary) -> None:
        self._lengths = _Lengths(facets.min_length, facets.max_length, "octets")

    def read(self, source: BitReader) -> bytes:
        length = source.unsigned(MAX_LENGTH)
        self._lengths.check(length)
        return source.octets(length)

    def write(self, target: BitWriter, value: Any) -> None:
        if not isinstance(value, bytes):
            raise Fault(f"{type(value).__name__} where bytes are needed")
        self._lengths.check(len(value))
        target.unsigned(len(value))
        target.octets(value)


@cache
def coder_for(datatype: Datatype) -> Coder:
    """The coder of a datatype."""
    match datatype:
        case Boolean():
            return _FixedWidth("boolean", (False, True))
        case Enumeration(members):
            return _FixedWidth(members.__name__, tuple(members))
        case Integer(int(minimum), int(maximum)) if maximum - minimum < N_BIT_RANGE:
            return _FixedWidth(f"integer of {minimum} to {maximum}", tuple(range(minimum, maximum + 1)))
        case Integer():
            return _Integer(datatype)
        case String():
            return _String(datatype)
        case Base64Binary() | HexBinary():
            return _Binary(datatype)
