"""Payloads: JSON to message structs and back, checked against the official schemas in both directions."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from plugpass.errors import LocalError
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ocpp.messages import EXCHANGES, Data, Request, Response, action_of
from plugpass.ocpp.schemas import Kind, SchemaViolation, standard_actions, validate

DataT = TypeVar("DataT", bound=Data)


class UnsendableMessage(LocalError):
    """A message of ours breaks the official schema: sending it would only move the fault to the peer."""


def decode_request(action: str, payload: bytes) -> Request[Any]:
    """The request in a CALL.

    Raises CallRefused where the action is unknown (NotImplemented) or known to OCPP 2.0.1 but not spoken here
    (NotSupported), and SchemaViolation where the payload is not what the action demands.
    """
    exchange = EXCHANGES.get(action)
    if exchange is None:
        known = action in standard_actions()
        raise CallRefused(
            f"action {action[:50]!r} is {'not supported here' if known else 'unknown to OCPP 2.0.1'}",
            wire=ErrorCode.NOT_SUPPORTED if known else ErrorCode.NOT_IMPLEMENTED,
        )
    return _decode(action, Kind.REQUEST, payload, exchange.request)


def decode_response(action: str, payload: bytes) -> Response:
    """The response in a CALLRESULT to a CALL of `action`. Raises SchemaViolation."""
    return _decode(action, Kind.RESPONSE, payload, EXCHANGES[action].response)


def encode_request(request: Request[Any]) -> bytes:
    """`request` as JSON. Raises UnsendableMessage."""
    return _encode(action_of(request), Kind.REQUEST, request)


def encode_response(action: str, response: Response) -> bytes:
    """`response` to `action` as JSON. Raises UnsendableMessage, also where it answers another action."""
    expected = EXCHANGES[action].response
    if not isinstance(response, expected):
        raise UnsendableMessage(f"{action} is answered by {expected.__name__}, not by {type(response).__name__}")
    return _encode(action, Kind.RESPONSE, response)


def _decode(action: str, kind: Kind, payload: bytes, struct: type[DataT]) -> DataT:
    try:
        values = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SchemaViolation(f"{action}{kind}: the payload is no JSON", wire=ErrorCode.FORMAT_VIOLATION) from error
    validate(action, kind, values)
    try:
        # Not strict, as the schema was: JSON schema takes 1.0 for an integer.
        return msgspec.convert(values, struct, strict=False)
    except msgspec.ValidationError as error:
        cause = f"{action}{kind}: {error}"
        raise SchemaViolation(cause, wire=ErrorCode.TYPE_CONSTRAINT_VIOLATION) from error


def _encode(action: str, kind: Kind, message: Data) -> bytes:
    payload = msgspec.json.encode(message)
    try:
        validate(action, kind, msgspec.json.decode(payload))
    except SchemaViolation as error:
        raise UnsendableMessage(f"refusing to send: {error}") from error
    return payload
