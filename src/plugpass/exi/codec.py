"""`decode` and `encode`: whole EXI streams to message objects and back."""

from __future__ import annotations

from typing import Any

from plugpass.exi import accelerator, engine
from plugpass.exi.bits import BitReader, BitWriter
from plugpass.exi.errors import ExiDecodeError, ExiEncodeError, Fault
from plugpass.exi.roots import Roots, load, usable

HEADER = 0x80
"""Distinguishing bits 10, no options, version 1 (EXI clause 5); ISO 15118 agrees on the options beforehand."""


def decode(schema: str, data: bytes, *, fragment: bool = False) -> Any:
    """The message in an EXI stream.

    `schema` names the schema set: `sap`, `xmldsig`, `din`, `iso2`, or one of -20: `cm20`, `ac20`, `dc20`, `wpt20`,
    `acdp20`. `fragment` says that the stream is one element coded as an EXI fragment, as signatures digest it. The
    result is the root's object; a fragment of an element whose class has several names comes as a `NamedElement`.

    Raises ExiDecodeError if the stream is no valid message of the schema.
    """
    loaded = load(schema)
    roots = loaded.fragments if fragment else loaded.documents
    if accelerator.active is not None:
        message = accelerator.active.decode(roots, data)
        if message is not None:
            return message
    return _decode(schema, roots, bytes(data))


def encode(schema: str, message: object, *, fragment: bool = False, element: str = "") -> bytes:
    """The EXI stream of a message: a header octet, the root, padding to a whole octet.

    For a fragment, `message` is the element's object; `element` gives its name where the class does not tell it.

    Raises ExiEncodeError if the object does not fit the schema; nothing is ever truncated.
    """
    loaded = load(schema)
    roots = loaded.fragments if fragment else loaded.documents
    if accelerator.active is not None:
        stream = accelerator.active.encode(roots, message, element)
        if stream is not None:
            return stream
    return _encode(schema, roots, message, element)


def encode_typed_fragment(schema: str, message: object, *, element: str = "") -> bytes:
    """As `encode` with `fragment`, but always with the element's ordinary grammar.

    They differ for an element name that the schema declares with several types, which is -2's eMAID. EXI 8.5.3 asks for
    a relaxed grammar there, and `encode` uses it; libcbv2g and all that is built on it signs this form instead. For
    a verifier that accepts either digest, and for nothing else; so the interpreter is fast enough for it.
    """
    return _encode(schema, load(schema).typed_fragments, message, element)


def _decode(schema: str, roots: Roots, data: bytes) -> Any:
    source = BitReader(data)
    try:
        if source.bits(8) != HEADER:
            raise Fault("the first octet is not 80 (EXI 1.0 without options)")
        code = source.bits(roots.width)
        if code >= len(roots.productions):
            raise Fault(f"{code} is the code of no root element")
        production = usable(roots.productions[code])
        value = engine.read_value(production, source)
        if roots.end is not None and source.bits(roots.width) != roots.end:
            raise Fault("a second element follows in the fragment")
        source.finish()
    except Fault as fault:
        raise ExiDecodeError(schema=schema, path=fault.path, reason=fault.reason, bit_offset=source.position) from None
    return roots.naturally(production, value)


def _encode(schema: str, roots: Roots, message: object, element: str) -> bytes:
    target = BitWriter()
    try:
        code, production, value = roots.find(message, element)
        target.bits(HEADER, 8)
        target.bits(code, roots.width)
        engine.write_value(production, target, value)
        if roots.end is not None:
            target.bits(roots.end, roots.width)
    except Fault as fault:
        raise ExiEncodeError(schema=schema, path=fault.path, reason=fault.reason) from None
    return target.finish()
