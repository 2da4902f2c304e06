"""SupportedAppProtocol: the handshake that chooses the application protocol (namespace AppProtocol)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Integer, String, UnsignedByte, UnsignedInt
from plugpass.exi.schema import Element, Namespace, Schema, complex_type, global_element

# The schema leaves elementFormDefault at "unqualified": only the two root elements are in the namespace.
APP_PROTOCOL = Namespace(uri="urn:iso:15118:2:2010:AppProtocol", elements_qualified=False)

Priority = Annotated[int, Integer(1, 20)]
ProtocolNamespace = Annotated[str, String(max_length=100, collapse=True)]


class ResponseCode(StrEnum):
    """Outcome of the negotiation."""

    OK_SUCCESSFUL_NEGOTIATION = "OK_SuccessfulNegotiation"
    OK_SUCCESSFUL_NEGOTIATION_WITH_MINOR_DEVIATION = "OK_SuccessfulNegotiationWithMinorDeviation"
    FAILED_NO_NEGOTIATION = "Failed_NoNegotiation"


@complex_type(APP_PROTOCOL)
class AppProtocol:
    """One protocol the EVCC speaks; `priority` 1 is the most wanted (`[V2G2-167]`).

    `schema_id` is how the SECC names its choice (`[V2G2-169]`).
    """

    protocol_namespace: Annotated[ProtocolNamespace, Element("ProtocolNamespace")]
    version_number_major: Annotated[UnsignedInt, Element("VersionNumberMajor")]
    version_number_minor: Annotated[UnsignedInt, Element("VersionNumberMinor")]
    schema_id: Annotated[UnsignedByte, Element("SchemaID")]
    priority: Annotated[Priority, Element("Priority")]


@global_element(APP_PROTOCOL, "supportedAppProtocolReq")
class SupportedAppProtocolReq:
    """EVCC to SECC: the protocols it speaks, 1 to 20."""

    app_protocol: Annotated[tuple[AppProtocol, ...], Element("AppProtocol", max_occurs=20)]


@global_element(APP_PROTOCOL, "supportedAppProtocolRes")
class SupportedAppProtocolRes:
    """SECC to EVCC: the choice, by the `schema_id` the EVCC gave it."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    schema_id: Annotated[UnsignedByte | None, Element("SchemaID")] = None


SCHEMA = Schema(name="sap", namespaces=(APP_PROTOCOL,))
