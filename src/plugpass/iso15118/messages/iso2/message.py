"""The message envelope of ISO 15118-2 (namespace MsgDef)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.schema import Element, Namespace, global_element
from plugpass.iso15118.messages.iso2.body import Body
from plugpass.iso15118.messages.iso2.header import MessageHeader

MSG_DEF = Namespace(uri="urn:iso:15118:2:2013:MsgDef", attributes_qualified=True)


@global_element(MSG_DEF, "V2G_Message")
class V2GMessage:
    """Every message of ISO 15118-2."""

    header: Annotated[MessageHeader, Element("Header")]
    body: Annotated[Body, Element("Body")]
