"""SupportedAppProtocol: which protocol a session speaks (`[V2G2-165]` to `[V2G2-180]`).

A protocol is a row of a table, so that another generation is another row. The SECC serves the EV's wish: among the
protocols it has itself it takes the one the EVCC ranked highest, 1 being the highest rank (`[V2G2-167]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugpass.errors import PeerError
from plugpass.iso15118.messages.sap import AppProtocol, ResponseCode, SupportedAppProtocolReq, SupportedAppProtocolRes


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """An application protocol and the version we speak."""

    name: str  #: how logs and people call it
    namespace: str
    major: int
    minor: int


ISO2 = Protocol(name="ISO 15118-2", namespace="urn:iso:15118:2:2013:MsgDef", major=2, minor=0)


class NoProtocol(PeerError):
    """The SECC did not choose a protocol the EVCC had offered."""


def offer(protocols: Sequence[Protocol]) -> SupportedAppProtocolReq:
    """The EVCC's request: `protocols`, the most wanted first, at most 20."""
    return SupportedAppProtocolReq(
        app_protocol=tuple(
            AppProtocol(
                protocol_namespace=protocol.namespace,
                version_number_major=protocol.major,
                version_number_minor=protocol.minor,
                schema_id=rank,
                priority=rank,
            )
            for rank, protocol in enumerate(protocols, start=1)
        )
    )


def negotiate(
    request: SupportedAppProtocolReq, supported: Sequence[Protocol]
) -> tuple[SupportedAppProtocolRes, Protocol | None]:
    """The SECC's answer, and the protocol agreed on, or None where there is no common one.

    Major versions have to be equal; a different minor version is served and said so `[V2G2-169]`.
    """
    for wish in sorted(request.app_protocol, key=lambda entry: entry.priority):
        for protocol in supported:
            if (wish.protocol_namespace, wish.version_number_major) != (protocol.namespace, protocol.major):
                continue
            same_minor = wish.version_number_minor == protocol.minor
            code = (
                ResponseCode.OK_SUCCESSFUL_NEGOTIATION
                if same_minor
                else ResponseCode.OK_SUCCESSFUL_NEGOTIATION_WITH_MINOR_DEVIATION
            )
            return SupportedAppProtocolRes(response_code=code, schema_id=wish.schema_id), protocol
    return SupportedAppProtocolRes(response_code=ResponseCode.FAILED_NO_NEGOTIATION), None


def accept(response: SupportedAppProtocolRes, offered: Sequence[Protocol]) -> Protocol:
    """The protocol the SECC chose out of `offer(offered)`.

    Raises NoProtocol where it refused all of them or named none of them.
    """
    if response.response_code is ResponseCode.FAILED_NO_NEGOTIATION:
        names = ", ".join(protocol.name for protocol in offered)
        raise NoProtocol(f"the station speaks none of the protocols offered ({names}); offer another one")
    # SchemaID may be left out where a single protocol had been offered.
    schema_id = response.schema_id if response.schema_id is not None else 1 if len(offered) == 1 else 0
    if not 1 <= schema_id <= len(offered):
        raise NoProtocol(f"the station chose SchemaID {response.schema_id}, which was not offered; cannot go on")
    return offered[schema_id - 1]
