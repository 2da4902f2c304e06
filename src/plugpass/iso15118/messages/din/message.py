"""The message envelope of DIN SPEC 70121 (namespace MsgDef)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.schema import Element, Namespace, Ref, complex_type, global_element
from plugpass.iso15118.messages.din.header import MessageHeader

MSG_DEF = Namespace(uri="urn:din:70121:2012:MsgDef")


@global_element(MSG_DEF, abstract=True)
class BodyElement:
    """Head: any of the 34 messages."""


@complex_type(MSG_DEF, kw_only=False)
class Body:
    """The one message in the envelope. The schema lets it be absent; no message of the standard is that one."""

    element: Annotated[BodyElement, Ref(min_occurs=0)]


@global_element(MSG_DEF, "V2G_Message")
class V2GMessage:
    """Every message of DIN SPEC 70121."""

    header: Annotated[MessageHeader, Element("Header")]
    body: Annotated[Body, Element("Body")]
