"""SECC Discovery Protocol: the two datagrams by which a vehicle finds its station (ISO 15118-2 §7.10.1). Sans-IO.

A request is 2 octets: security wish and transport. A response is 20 octets: IPv6 address, port, security, transport.
Both travel in one V2GTP frame, one frame a datagram.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import IntEnum

from plugpass.errors import PeerError
from plugpass.iso15118.v2gtp import FrameDecoder, PayloadType, V2gtpError, frame

SDP_PORT = 15118  #: UDP, of the SECC
MULTICAST_GROUP = "ff02::1"  #: all nodes of the link
REQUEST_INTERVAL = 0.25  #: seconds to wait for an answer before asking again [V2G2-159]
MAX_REQUESTS = 50  #: requests without an answer before the vehicle gives up [V2G2-161]

_REQUEST_SIZE = 2
_RESPONSE_SIZE = 20


class Security(IntEnum):
    """Whether the connection is to be made with TLS."""

    TLS = 0x00
    NONE = 0x10


class Transport(IntEnum):
    """The transport protocol; TCP is the only one the standards use."""

    TCP = 0x00


class SdpError(PeerError):
    """A datagram is not the SDP message it should be; it is dropped without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpRequest:
    """What a vehicle asks for."""

    security: Security = Security.TLS
    transport: Transport = Transport.TCP

    def encode(self) -> bytes:
        """The datagram."""
        return frame(PayloadType.SDP_REQUEST, bytes((self.security, self.transport)))

    @classmethod
    def decode(cls, datagram: bytes) -> SdpRequest:
        """Raises SdpError for anything but exactly one well-formed request."""
        payload = _payload(datagram, PayloadType.SDP_REQUEST, _REQUEST_SIZE)
        security, transport = _options(payload)
        return cls(security=security, transport=transport)


@dataclass(frozen=True, slots=True, kw_only=True)
class SdpResponse:
    """Where the station listens. On a link-local address the scope is the interface the answer came in by."""

    address: ipaddress.IPv6Address  #: an IPv4-mapped address stands for a host without IPv6 (loopback only)
    port: int  #: TCP, 1..65535
    security: Security = Security.TLS
    transport: Transport = Transport.TCP

    def encode(self) -> bytes:
        """The datagram."""
        options = bytes((self.security, self.transport))
        return frame(PayloadType.SDP_RESPONSE, self.address.packed + self.port.to_bytes(2, "big") + options)

    @classmethod
    def decode(cls, datagram: bytes) -> SdpResponse:
        """Raises SdpError for anything but exactly one well-formed response with a usable address and port."""
        payload = _payload(datagram, PayloadType.SDP_RESPONSE, _RESPONSE_SIZE)
        address = ipaddress.IPv6Address(payload[:16])
        port = int.from_bytes(payload[16:18], "big")
        if port == 0 or address.is_unspecified or address.is_multicast:
            raise SdpError(f"SDP response names [{address}]:{port}, which nobody can connect to: datagram dropped")
        security, transport = _options(payload[18:])
        return cls(address=address, port=port, security=security, transport=transport)


def _payload(datagram: bytes, expected: PayloadType, size: int) -> bytes:
    """The payload of the one frame in `datagram`, of exactly `size` octets."""
    decoder = FrameDecoder(max_payload=size)
    try:
        frames = decoder.receive(datagram)
    except V2gtpError as error:
        raise SdpError(f"SDP datagram of {len(datagram)} octets dropped: {error}") from None
    if len(frames) != 1 or decoder.pending or len(frames[0][1]) != size:
        raise SdpError(f"SDP datagram of {len(datagram)} octets dropped: one frame with {size} octets was expected")
    payload_type, payload = frames[0]
    if payload_type is not expected:
        raise SdpError(f"SDP datagram dropped: payload type 0x{payload_type:04x} instead of 0x{expected:04x}")
    return payload


def _options(octets: bytes) -> tuple[Security, Transport]:
    try:
        return Security(octets[0]), Transport(octets[1])
    except ValueError:
        raise SdpError(f"SDP datagram dropped: security and transport {octets.hex()} are not defined") from None
