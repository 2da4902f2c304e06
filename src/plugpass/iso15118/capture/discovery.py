"""SDP datagrams of a capture."""

from __future__ import annotations

from dataclasses import replace

from plugpass.iso15118.capture.following import Fault
from plugpass.iso15118.capture.packets import Datagram, Endpoint
from plugpass.iso15118.capture.records import Discovery, Sender, Where
from plugpass.iso15118.sdp import SDP_PORT, SdpError, SdpRequest, SdpResponse, Security
from plugpass.iso15118.v2gtp import PayloadType

_SECURITY = {Security.TLS: "TLS", Security.NONE: "no TLS"}
_MARKS = {
    b"\x01\xfe\x90\x00": Sender.EVCC,
    b"\x01\xfe\x90\x01": Sender.SECC,
}  #: how a request and a response start; a test bench may use them on any port


def is_discovery(datagram: Datagram) -> bool:
    """Whether it is, or should be, an SDP message."""
    return SDP_PORT in (datagram.source.port, datagram.destination.port) or datagram.payload[:4] in _MARKS


def read_datagram(datagram: Datagram) -> tuple[Discovery, Endpoint | None]:
    """What a captured datagram says, and the endpoint it announces."""
    where = Where(
        time_ns=datagram.time_ns,
        source=str(datagram.source),
        destination=str(datagram.destination),
        sender=Sender.EVCC if datagram.destination.port == SDP_PORT else Sender.SECC,
    )
    return read_discovery(where, datagram.payload)


def read_discovery(where: Where, octets: bytes) -> tuple[Discovery, Endpoint | None]:
    """What an SDP message says, and the endpoint it announces."""
    placed = replace(where, sender=_MARKS.get(octets[:4], where.sender))
    try:
        if octets[2:4] == PayloadType.SDP_REQUEST.to_bytes(2, "big"):
            request = SdpRequest.decode(octets)
            text = f"{_SECURITY[request.security]} wanted"
            return Discovery(where=placed, datagram=octets, name="SDPRequest", text=text), None
        response = SdpResponse.decode(octets)
    except SdpError as error:
        return Discovery(where=placed, datagram=octets, fault=Fault(reason=str(error))), None
    text = f"[{response.address}]:{response.port}, {_SECURITY[response.security]}"
    mapped = response.address.ipv4_mapped
    endpoint = Endpoint(response.address.packed if mapped is None else mapped.packed, response.port)
    return Discovery(where=placed, datagram=octets, name="SDPResponse", text=text), endpoint
