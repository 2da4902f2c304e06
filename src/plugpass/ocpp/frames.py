"""OCPP-J frames (OCPP 2.0.1 Part 4, §4.2): CALL, CALLRESULT and CALLERROR as values, and their JSON.

Decoding takes two steps: the envelope here, with the payload left as raw JSON; the payload by its action
(`plugpass.ocpp.codec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from plugpass.errors import PeerError

MAX_MESSAGE_ID: Final = 36
#: Part 4 §4.2.3: the id to answer with where the one received could not be read.
UNREADABLE_ID: Final = "-1"
MAX_DESCRIPTION: Final = 255

_CALL, _CALL_RESULT, _CALL_ERROR = 2, 3, 4


class ErrorCode(StrEnum):
    """RPC framework error codes; OCPP 2.0.1 spells `OccurenceConstraintViolation` with one r."""

    FORMAT_VIOLATION = "FormatViolation"
    GENERIC_ERROR = "GenericError"
    INTERNAL_ERROR = "InternalError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    OCCURENCE_CONSTRAINT_VIOLATION = "OccurenceConstraintViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    PROTOCOL_ERROR = "ProtocolError"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"
    SECURITY_ERROR = "SecurityError"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"


class CallRefused(PeerError):
    """A CALL was answered, or is to be answered, with a CALLERROR; `wire` is its error code."""


class MalformedFrame(PeerError):
    """The text is no OCPP-J frame. `message_id` is the id to answer with, None where an answer could start a loop."""

    def __init__(self, message: str, *, wire: ErrorCode, message_id: str | None) -> None:
        super().__init__(message, wire=wire)
        self.message_id = message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request; `payload` is the raw JSON of it."""

    message_id: str
    action: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The answer to the CALL of the same id; `payload` is the raw JSON of it."""

    message_id: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError:
    """The refusal of the CALL of the same id. `code` is free text on reception: peers know other codes than we do."""

    message_id: str
    code: str
    description: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Frame = Call | CallResult | CallError

_elements = msgspec.json.Decoder(list[msgspec.Raw])
_integer = msgspec.json.Decoder(int)
_text = msgspec.json.Decoder(str)
_object = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def decode(text: str | bytes) -> Frame:
    """The frame in `text`, payload unread. Raises MalformedFrame."""
    try:
        elements = _elements.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _unreadable("the message is no JSON array") from error
    try:
        kind = _integer.decode(elements[0])
    except (IndexError, msgspec.DecodeError) as error:
        raise _unreadable("the message does not begin with a message type number") from error
    message_id = _message_id(elements)
    match kind:
        case 2:
            return _call(elements, message_id)
        case 3:
            return _call_result(elements, message_id)
        case 4:
            return _call_error(elements, message_id)
        case _:
            raise MalformedFrame(
                f"message type {kind} is none of CALL, CALLRESULT and CALLERROR",
                wire=ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
                message_id=message_id or UNREADABLE_ID,
            )


def encode(frame: Frame) -> str:
    """`frame` as the text to send."""
    match frame:
        case Call():
            elements: tuple[Any, ...] = (_CALL, frame.message_id, frame.action, msgspec.Raw(frame.payload))
        case CallResult():
            elements = (_CALL_RESULT, frame.message_id, msgspec.Raw(frame.payload))
        case CallError():
            description = frame.description[:MAX_DESCRIPTION]
            elements = (_CALL_ERROR, frame.message_id, frame.code, description, dict(frame.details))
    return _encoder.encode(elements).decode()


def _unreadable(cause: str) -> MalformedFrame:
    return MalformedFrame(cause, wire=ErrorCode.RPC_FRAMEWORK_ERROR, message_id=UNREADABLE_ID)


def _message_id(elements: list[msgspec.Raw]) -> str | None:
    try:
        message_id = _text.decode(elements[1])
    except (IndexError, msgspec.DecodeError):
        return None
    return message_id if 0 < len(message_id) <= MAX_MESSAGE_ID else None


def _call(elements: list[msgspec.Raw], message_id: str | None) -> Call:
    if message_id is None:
        raise _unreadable(f"the CALL has no message id of 1 to {MAX_MESSAGE_ID} characters")
    if len(elements) != 4:
        raise _broken_call(f"a CALL has 4 elements, this one {len(elements)}", message_id)
    try:
        action = _text.decode(elements[2])
    except msgspec.DecodeError as error:
        raise _broken_call("the action of the CALL is no string", message_id) from error
    return Call(message_id=message_id, action=action, payload=bytes(elements[3]))


def _broken_call(cause: str, message_id: str) -> MalformedFrame:
    return MalformedFrame(cause, wire=ErrorCode.RPC_FRAMEWORK_ERROR, message_id=message_id)


def _call_result(elements: list[msgspec.Raw], message_id: str | None) -> CallResult:
    if message_id is None or len(elements) != 3:
        raise _broken_answer("CALLRESULT")
    return CallResult(message_id=message_id, payload=bytes(elements[2]))


def _call_error(elements: list[msgspec.Raw], message_id: str | None) -> CallError:
    # Peers leave out the details, or even the description; what a refusal means does not depend on them.
    if message_id is None or not 3 <= len(elements) <= 5:
        raise _broken_answer("CALLERROR")
    try:
        code = _text.decode(elements[2])
        description = _text.decode(elements[3]) if len(elements) > 3 else ""
        details = _object.decode(elements[4]) if len(elements) > 4 else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise _broken_answer("CALLERROR") from error
    return CallError(message_id=message_id, code=code, description=description, details=details)


def _broken_answer(kind: str) -> MalformedFrame:
    # OCPP 2.0.1 has no answer to an answer, and two peers refusing each other's refusals would never stop.
    return MalformedFrame(f"the {kind} is malformed", wire=ErrorCode.RPC_FRAMEWORK_ERROR, message_id=None)
