"""A small strict DER reader and writer (X.690 §10), for the places where a general library refuses to look.

The reader takes definite, minimal lengths and single-octet tags only: anything else is BER and is refused. It knows
tags and lengths; the meaning of a field (and a DEFAULT that is written out) is judged by whoever reads the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Final, NamedTuple

from plugpass.errors import PeerError

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
TELETEX_STRING: Final = 0x14
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
UNIVERSAL_STRING: Final = 0x1C
BMP_STRING: Final = 0x1E
SEQUENCE: Final = 0x30
SET: Final = 0x31

_ENCODINGS: Final = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "ascii",
    IA5_STRING: "ascii",
    TELETEX_STRING: "latin-1",
    BMP_STRING: "utf-16-be",
    UNIVERSAL_STRING: "utf-32-be",
}


class MalformedDer(PeerError):
    """Bytes are not the DER structure they should be."""


def context(number: int, *, constructed: bool = True) -> int:
    """The context-specific tag octet `[number]`."""
    return (0xA0 if constructed else 0x80) | number


# --- reading -------------------------------------------------------------------------------------------------------


class Element(NamedTuple):
    """One TLV: its tag octet, its content octets, and the whole encoding."""

    tag: int
    content: bytes
    encoded: bytes


_element: Final = partial(tuple.__new__, Element)  #: Element(...) without the detour through its own constructor


def _read_at(data: bytes, start: int) -> tuple[Element, int]:
    """The element that begins at `start`, and where the next one begins. Most of the time of a validator is here."""
    size = len(data)
    if size - start < 2:
        raise MalformedDer("truncated DER: an element needs at least 2 octets")
    tag, length, header = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise MalformedDer(f"DER tag {tag:#04x} has more than one octet, which X.509 never uses")
    if length >= 0x80:
        length, header = _long_length(data, header, length & 0x7F)
    end = header + length
    if end > size:
        raise MalformedDer(f"truncated DER: {length} content octets announced, {size - header} there")
    return _element((tag, data[header:end], data[start:end])), end


def _long_length(data: bytes, header: int, count: int) -> tuple[int, int]:
    """The length in the `count` octets at `header`, and where the content begins."""
    if not 1 <= count <= 4:
        raise MalformedDer("BER: indefinite or oversized length, DER needs a definite one")
    if len(data) - header < count:
        raise MalformedDer("truncated DER: length octets missing")
    length = int.from_bytes(data[header : header + count])
    if length < 0x80 or length < 1 << 8 * (count - 1):
        raise MalformedDer("BER: length not in its shortest form")
    return length, header + count


def parse(data: bytes, tag: int | None = None) -> Element:
    """The one element that `data` consists of, with `tag` where given. Raises MalformedDer, also for trailing bytes."""
    element, end = _read_at(data, 0)
    if end != len(data):
        raise MalformedDer(f"{len(data) - end} trailing octets after the DER structure")
    return element if tag is None else _expect(element, tag)


def split(data: bytes) -> tuple[Element, ...]:
    """The elements that `data` consists of, one after the other. Raises MalformedDer."""
    elements, at = [], 0
    while at < len(data):
        element, at = _read_at(data, at)
        elements.append(element)
    return tuple(elements)


def _expect(element: Element, tag: int) -> Element:
    if element.tag != tag:
        raise MalformedDer(f"DER tag {element.tag:#04x} where {tag:#04x} was expected")
    return element


class Reader:
    """Reads the elements of one constructed value in order; what is left over is an error of the caller's choosing."""

    __slots__ = ("_elements", "_position")

    def __init__(self, content: bytes) -> None:
        self._elements = split(content)
        self._position = 0

    def next(self, tag: int | None = None) -> Element:
        """The next element, which must be there and have `tag` where given."""
        if self._position == len(self._elements):
            raise MalformedDer("truncated DER: a required field is missing")
        element = self._elements[self._position]
        self._position += 1
        return element if tag is None else _expect(element, tag)

    def optional(self, tag: int) -> Element | None:
        """The next element where it has `tag`, else None and nothing is consumed."""
        if self._position < len(self._elements) and self._elements[self._position].tag == tag:
            return self.next()
        return None

    def rest(self) -> Iterator[Element]:
        """All elements not read yet."""
        while self._position < len(self._elements):
            yield self.next()

    def end(self) -> None:
        """Raise MalformedDer where something is left."""
        if self._position < len(self._elements):
            raise MalformedDer(f"unexpected field with tag {self._elements[self._position].tag:#04x}")


def read_sequence(data: bytes, tag: int = SEQUENCE) -> Reader:
    """A reader over the fields of `data`, which is one constructed element with `tag` and nothing else."""
    return Reader(parse(data, tag).content)


def content_of(element: Element, tag: int = SEQUENCE) -> bytes:
    """The content of an element that must have `tag`. Raises MalformedDer."""
    return _expect(element, tag).content


def fields_of(element: Element, count: int, tag: int = SEQUENCE) -> tuple[Element, ...]:
    """The fields of a constructed element that has exactly `count` of them. Raises MalformedDer."""
    fields = split(_expect(element, tag).content)
    if len(fields) != count:
        raise MalformedDer(f"{len(fields)} fields where {count} were expected")
    return fields


def read_integer(element: Element, tag: int = INTEGER) -> int:
    """The value of an INTEGER (or ENUMERATED) element."""
    content = _expect(element, tag).content
    if not content:
        raise MalformedDer("an INTEGER has no content")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0x00, 0), (0xFF, 1)):
        raise MalformedDer("BER: INTEGER not in its shortest form")
    return int.from_bytes(content, signed=True)


def read_boolean(element: Element) -> bool:
    """The value of a BOOLEAN element."""
    content = _expect(element, BOOLEAN).content
    if content not in (b"\x00", b"\xff"):
        raise MalformedDer("BER: BOOLEAN is neither 00 nor FF")
    return content == b"\xff"


def read_oid(element: Element) -> str:
    """The dotted form of an OBJECT IDENTIFIER element."""
    return _dotted(_expect(element, OID).content)


@lru_cache(maxsize=256)
def _dotted(content: bytes) -> str:
    if not content or content[-1] & 0x80:
        raise MalformedDer("truncated OBJECT IDENTIFIER")
    arcs, value = [], 0
    for octet in content:
        if value == 0 and octet == 0x80:
            raise MalformedDer("BER: OBJECT IDENTIFIER arc not in its shortest form")
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def read_bit_string(element: Element) -> bytes:
    """The octets of a BIT STRING element that is a whole number of octets, such as a key or a signature."""
    content = _expect(element, BIT_STRING).content
    if not content or content[0] != 0:
        raise MalformedDer("BIT STRING is no whole number of octets")
    return content[1:]


def read_named_bits(element: Element) -> frozenset[int]:
    """The numbers of the bits set in a BIT STRING element with named bits, such as KeyUsage."""
    content = _expect(element, BIT_STRING).content
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        raise MalformedDer("BIT STRING with a wrong count of unused bits")
    unused, octets = content[0], content[1:]
    if octets and (octets[-1] & (1 << unused) - 1 or not octets[-1] >> unused & 1):
        raise MalformedDer("BER: named bits with trailing zero bits or padding")
    return frozenset(8 * at + bit for at, octet in enumerate(octets) for bit in range(8) if octet & 0x80 >> bit)


def read_string(element: Element) -> str:
    """The text of a character string element."""
    encoding = _ENCODINGS.get(element.tag)
    if encoding is None:
        raise MalformedDer(f"DER tag {element.tag:#04x} is no character string")
    try:
        return element.content.decode(encoding)
    except UnicodeDecodeError:
        raise MalformedDer(f"character string is not valid {encoding}") from None


_TIME_DIGITS: Final = {UTC_TIME: 12, GENERALIZED_TIME: 14}


def read_time(element: Element) -> datetime:
    """The moment of a UTCTime or GeneralizedTime element in the form RFC 5280 §4.1.2.5 demands (seconds, Z)."""
    tag, content, _ = element
    if tag not in _TIME_DIGITS:
        raise MalformedDer(f"DER tag {tag:#04x} is no time")
    digits = content[:-1]
    if len(digits) != _TIME_DIGITS[tag] or content[-1:] != b"Z" or not digits.isdigit():
        raise MalformedDer("time is not in the form YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ")
    if tag == UTC_TIME:
        digits = (b"19" if digits[:2] >= b"50" else b"20") + digits  # RFC 5280 §4.1.2.5.1
    day = (int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    try:
        return datetime(*day, int(digits[8:10]), int(digits[10:12]), int(digits[12:]), tzinfo=UTC)
    except ValueError:
        raise MalformedDer("time names no moment of the calendar") from None


def read_explicit(element: Element, number: int) -> Element:
    """The element inside the EXPLICIT tag `[number]`."""
    return parse(_expect(element, context(number)).content)


# --- writing -------------------------------------------------------------------------------------------------------


def element(tag: int, content: bytes) -> bytes:
    """The encoding of one TLV."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """SEQUENCE of `parts`, which are encodings."""
    return element(SEQUENCE, b"".join(parts))


def set_of(*parts: bytes) -> bytes:
    """SET OF `parts` in the order DER demands (X.690 §11.6)."""
    return element(SET, b"".join(sorted(parts)))


def explicit(number: int, *parts: bytes) -> bytes:
    """`[number]` constructed around `parts`."""
    return element(context(number), b"".join(parts))


def integer(value: int, tag: int = INTEGER) -> bytes:
    """INTEGER (or ENUMERATED)."""
    magnitude = value if value >= 0 else ~value
    return element(tag, value.to_bytes(magnitude.bit_length() // 8 + 1, signed=True))


def boolean(value: bool) -> bytes:
    """BOOLEAN."""
    return element(BOOLEAN, b"\xff" if value else b"\x00")


def null() -> bytes:
    """NULL."""
    return element(NULL, b"")


def octet_string(value: bytes) -> bytes:
    """OCTET STRING."""
    return element(OCTET_STRING, value)


def bit_string(value: bytes) -> bytes:
    """BIT STRING of whole octets."""
    return element(BIT_STRING, b"\x00" + value)


def named_bits(bits: frozenset[int]) -> bytes:
    """BIT STRING with named bits: trailing zero bits removed (X.690 §11.2.2)."""
    if not bits:
        return element(BIT_STRING, b"\x00")
    count = max(bits) + 1
    size = (count + 7) // 8
    value = sum(1 << 8 * size - 1 - bit for bit in bits)
    return element(BIT_STRING, bytes((8 * size - count,)) + value.to_bytes(size))


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *others):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return element(OID, bytes(content))


def time(moment: datetime) -> bytes:
    """UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5)."""
    moment = moment.astimezone(UTC)
    if 1950 <= moment.year < 2050:
        return element(UTC_TIME, f"{moment:%y%m%d%H%M%S}Z".encode())
    return generalized_time(moment)


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime with seconds and Z."""
    moment = moment.astimezone(UTC)
    return element(GENERALIZED_TIME, f"{moment.year:04d}{moment:%m%d%H%M%S}Z".encode())
