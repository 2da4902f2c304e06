"""EXI 1.0 for ISO 15118: schema-informed, bit-packed, grammars derived from dataclasses. Knows nothing of charging.

message = decode("iso2", stream)
stream = encode("iso2", message)
digested = encode("iso2", message.body.element, fragment=True)
"""

from __future__ import annotations

from plugpass.exi.accelerator import engine_name
from plugpass.exi.codec import decode, encode, encode_typed_fragment
from plugpass.exi.errors import ExiDecodeError, ExiEncodeError, UnknownSchemaError
from plugpass.exi.jsonmodel import from_json, to_json
from plugpass.exi.roots import NamedElement
from plugpass.exi.xmlmodel import from_xml, to_xml

__all__ = [
    "ExiDecodeError",
    "ExiEncodeError",
    "NamedElement",
    "UnknownSchemaError",
    "decode",
    "encode",
    "encode_typed_fragment",
    "engine_name",
    "from_json",
    "from_xml",
    "to_json",
    "to_xml",
]
