"""Message header of DIN SPEC 70121 (namespace MsgHeader)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.schema import Element, Namespace, Ref, complex_type
from plugpass.iso15118.messages.din.data_types import Notification
from plugpass.iso15118.messages.din.simple_types import SessionIDType
from plugpass.iso15118.messages.xmldsig import Signature

HEADER = Namespace(uri="urn:din:70121:2012:MsgHeader")


@complex_type(HEADER)
class MessageHeader:
    """`session_id` (8 octets; all zero, possibly shorter, in the first request), a notice, and a signature."""

    session_id: Annotated[SessionIDType, Element("SessionID")]
    notification: Annotated[Notification | None, Element("Notification")] = None
    signature: Annotated[Signature | None, Ref()] = None
