"""Records of messages: an EXI stream as a session's follower sees it, with what there is to say about it."""

from __future__ import annotations

from dataclasses import replace

from plugpass.iso15118.capture.following import Decoded, Follower
from plugpass.iso15118.capture.records import Message, Sender, Where
from plugpass.iso15118.capture.summary import certificates_in


def decoded_message(
    follower: Follower, where: Where, exi: bytes, *, payload_type: int | None = None, fragment: bool = False
) -> Message:
    """The record of an EXI stream, decoded as the session's follower sees it."""
    decoded = follower.decode(exi, payload_type=payload_type, fragment=fragment)
    return message_record(where, decoded, exi, payload_type=payload_type, fragment=fragment)


def message_record(
    where: Where, decoded: Decoded, exi: bytes, *, payload_type: int | None = None, fragment: bool = False
) -> Message:
    """The record of an EXI stream that was decoded."""
    message = Message(
        where=where,
        exi=exi,
        payload_type=payload_type,
        fragment=fragment,
        schema=decoded.schema,
        value=decoded.value,
        fault=decoded.fault,
        notes=decoded.notes,
        certificates=certificates_in(decoded.value),
    )
    if where.sender is not None:
        return message
    return replace(message, where=replace(where, sender=sender_of(message.name)))


def sender_of(name: str) -> Sender | None:
    """Who sends a message of this name: requests are the vehicle's, responses the station's."""
    return {"Req": Sender.EVCC, "Res": Sender.SECC}.get(name[-3:])
