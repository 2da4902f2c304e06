"""The official OCPP 2.0.1 JSON schemas, from the `ocpp` distribution, compiled when first needed.

They decide in both directions what may be on the wire. Only the schema files are used, none of that package's code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import jsonschema_rs

from plugpass.errors import PeerError
from plugpass.ocpp.frames import ErrorCode


class Kind(StrEnum):
    """Which half of an action a payload is."""

    REQUEST = "Request"
    RESPONSE = "Response"


class SchemaViolation(PeerError):
    """A payload breaks its schema; `wire` is the OCPP error code for the way in which it does.

    The text names the field and the broken rule, never the value: it may be a person's eMAID.
    """


#: JSON schema keyword -> OCPP error code (Part 4 §4.3); every other keyword is a FormatViolation.
_CODES: Mapping[str, ErrorCode] = MappingProxyType(
    {
        "type": ErrorCode.TYPE_CONSTRAINT_VIOLATION,
        "required": ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
        "minItems": ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
        "maxItems": ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
        "enum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        "format": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        "maxLength": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        "minLength": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        "minimum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        "maximum": ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
    }
)


@cache
def standard_actions() -> frozenset[str]:
    """Every action OCPP 2.0.1 defines, whether plugpass handles it or not."""
    names = (entry.name for entry in _folder().iterdir())
    return frozenset(name.removesuffix("Request.json") for name in names if name.endswith("Request.json"))


def validate(action: str, kind: Kind, payload: Any) -> None:
    """Check `payload` (plain JSON values) against the schema of `action`, one of `standard_actions()`.

    Raises SchemaViolation for the first rule broken.
    """
    error = next(_validator(action, kind).iter_errors(payload), None)
    if error is None:
        return
    keyword = error.kind.name
    where = ".".join(str(step) for step in error.instance_path) or "payload"
    code = _CODES.get(keyword, ErrorCode.FORMAT_VIOLATION) if isinstance(payload, dict) else ErrorCode.FORMAT_VIOLATION
    raise SchemaViolation(f"{action}{kind}: {where} breaks the schema's {keyword!r} rule", wire=code)


def _folder() -> Any:
    return files("ocpp") / "v201" / "schemas"


@cache
def _validator(action: str, kind: Kind) -> jsonschema_rs.Draft6Validator:
    schema = json.loads((_folder() / f"{action}{kind}.json").read_text("utf-8-sig"))
    return jsonschema_rs.Draft6Validator(schema, validate_formats=True)
