"""Simple values as text (XML Schema part 2, lexical representations)."""

from __future__ import annotations

import base64
import binascii
import re

from plugpass.exi.bits import MAX_INTEGER_BITS
from plugpass.exi.datatypes import Base64Binary, Boolean, Datatype, Enumeration, HexBinary, Integer, String
from plugpass.exi.errors import Fault

_INTEGER = re.compile(r"[+-]?[0-9]{1,1300}")  # more digits than any value the codec takes
SPACE = " \t\r\n"
"""White space of XML, and no other."""

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

Value = bool | int | str | bytes


def to_text(datatype: Datatype, value: object) -> str:
    """The canonical lexical form; Fault if the value has not the Python type of the datatype."""
    match datatype, value:
        case Boolean(), bool():
            return "true" if value else "false"
        case Integer(), int() if not isinstance(value, bool):
            if value.bit_length() > MAX_INTEGER_BITS:
                raise Fault(f"the integer has more than {MAX_INTEGER_BITS} bits")
            return str(value)
        case ((String() | Enumeration()), str()):
            return str(value)
        case Base64Binary(), bytes():
            return base64.b64encode(value).decode("ascii")
        case HexBinary(), bytes():
            return value.hex().upper()
        case _:
            raise Fault(f"{type(value).__name__} is no value of {type(datatype).__name__}")


def from_text(datatype: Datatype, text: str) -> Value:
    """The value of a lexical form, white space treated as the type says; Fault if the text is none."""
    try:
        return _parse(datatype, text)
    except (ValueError, KeyError):
        shown = "the text" if isinstance(datatype, Base64Binary | HexBinary) else repr(text[:40])
        raise Fault(f"{shown} is no value of {_name(datatype)}") from None


def _parse(datatype: Datatype, text: str) -> Value:
    # xs:string and what restricts it keep white space; every other type collapses it.
    match datatype:
        case String(collapse=False):
            return text
        case String():
            return re.sub(f"[{SPACE}]+", " ", text).strip(SPACE)
        case Enumeration(members):
            return members(text)
        case Boolean():
            return _BOOLEANS[text.strip(SPACE)]
        case Integer():
            if not _INTEGER.fullmatch(text.strip(SPACE)):
                raise ValueError(text)
            return int(text)
        case Base64Binary():
            return base64.b64decode(re.sub(f"[{SPACE}]", "", text), validate=True)
        case HexBinary():
            return binascii.unhexlify(text.strip(SPACE))


def _name(datatype: Datatype) -> str:
    return datatype.members.__name__ if isinstance(datatype, Enumeration) else type(datatype).__name__
