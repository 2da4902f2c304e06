"""Packets taken apart: link layer, IPv4 or IPv6, TCP or UDP. Lengths are trusted only as far as octets are there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from plugpass.iso15118.capture.pcap import Packet

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
_TCP, _UDP = 6, 17
_FRAGMENT, _AUTHENTICATION = 44, 51
_OPTION_HEADERS = (0, 43, 60, _AUTHENTICATION, 135, 139, 140)  #: RFC 8200 §4, and those with the same layout


class Endpoint(NamedTuple):
    """An address, packed, and a port."""

    address: bytes
    port: int

    def __str__(self) -> str:
        if len(self.address) == 16:
            return f"[{IPv6Address(self.address)}]:{self.port}"
        return f"{IPv4Address(self.address)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A TCP segment; `missing` octets at its end were cut off by the capture."""

    time_ns: int
    source: Endpoint
    destination: Endpoint
    sequence: int
    acknowledged: int | None
    syn: bool
    fin: bool
    reset: bool
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A UDP datagram."""

    time_ns: int
    source: Endpoint
    destination: Endpoint
    payload: bytes


class Unread(NamedTuple):
    """A packet, or the rest of one, that nothing here reads: why."""

    reason: str


Parsed = Segment | Datagram | Unread

_Network = tuple[int, bytes]
"""An Ethertype and what it announces."""


def parse(packet: Packet) -> Parsed:
    """What a packet carries."""
    link = _LINKS.get(packet.link)
    if link is None:
        return Unread(f"link type {packet.link} is not supported")
    network = link(packet.octets)
    if network is None:
        return Unread("cut off in the link layer")
    ethertype, octets = network
    if ethertype == _IPV6:
        return _ipv6(packet.time_ns, octets)
    if ethertype == _IPV4:
        return _ipv4(packet.time_ns, octets)
    return Unread("neither IPv4 nor IPv6")


# --- link layers ----------------------------------------------------------------------------------------------------


def _ethernet(octets: bytes) -> _Network | None:
    return _tagged(octets[12:])


def _cooked(octets: bytes) -> _Network | None:
    return _tagged(octets[14:])


def _cooked_2(octets: bytes) -> _Network | None:
    return (int.from_bytes(octets[:2], "big"), octets[20:]) if len(octets) >= 20 else None


def _tagged(octets: bytes) -> _Network | None:
    """An Ethertype with what follows; VLAN tags may stand before it."""
    at = 0
    while len(octets) >= at + 2:
        ethertype = int.from_bytes(octets[at : at + 2], "big")
        if ethertype not in _VLAN_TAGS:
            return ethertype, octets[at + 2 :]
        at += 4
    return None


def _by_version(octets: bytes) -> _Network | None:
    versions = {4: _IPV4, 6: _IPV6}
    return (versions.get(octets[0] >> 4, 0), octets) if octets else None


def _after_family(octets: bytes) -> _Network | None:
    # The family's number and byte order depend on the system that captured; the IP version says the same.
    return _by_version(octets[4:])


_LINKS: dict[int, Callable[[bytes], _Network | None]] = {
    0: _after_family,  # BSD loopback
    1: _ethernet,
    12: _by_version,  # raw IP as some systems number it
    14: _by_version,
    101: _by_version,
    108: _after_family,  # OpenBSD loopback
    113: _cooked,  # Linux "any"
    228: _by_version,
    229: _by_version,
    276: _cooked_2,
}  #: by LINKTYPE


# --- network layer --------------------------------------------------------------------------------------------------


def _ipv4(time_ns: int, octets: bytes) -> Parsed:
    if len(octets) < 20:
        return Unread("cut off in the IPv4 header")
    header = (octets[0] & 0x0F) * 4
    total, _, fragment = struct.unpack_from(">HHH", octets, 2)
    if fragment & 0x3FFF:  # more fragments, or an offset
        return Unread("an IP fragment")
    # A total length of 0 is what segmentation offload leaves; else it cuts off Ethernet's padding.
    payload = octets[header : total or None]
    return _transport(time_ns, octets[9], octets[12:16], octets[16:20], payload)


def _ipv6(time_ns: int, octets: bytes) -> Parsed:
    if len(octets) < 40:
        return Unread("cut off in the IPv6 header")
    size, protocol = struct.unpack_from(">HB", octets, 4)
    payload = octets[40 : 40 + size] if size else octets[40:]
    while protocol in _OPTION_HEADERS or protocol == _FRAGMENT:
        if len(payload) < 8:
            return Unread("cut off in the IPv6 extension headers")
        if protocol == _FRAGMENT:
            if int.from_bytes(payload[2:4], "big") & 0xFFF9:
                return Unread("an IP fragment")
            length = 8
        elif protocol == _AUTHENTICATION:
            length = (payload[1] + 2) * 4
        else:
            length = (payload[1] + 1) * 8
        protocol, payload = payload[0], payload[length:]
    return _transport(time_ns, protocol, octets[8:24], octets[24:40], payload)


# --- transport layer ------------------------------------------------------------------------------------------------


def _transport(time_ns: int, protocol: int, source: bytes, destination: bytes, octets: bytes) -> Parsed:
    if protocol == _TCP and len(octets) >= 20:
        from_port, to_port, sequence, acknowledged, offset, flags = struct.unpack_from(">HHIIBB", octets)
        return Segment(
            time_ns=time_ns,
            source=Endpoint(source, from_port),
            destination=Endpoint(destination, to_port),
            sequence=sequence,
            acknowledged=acknowledged if flags & 0x10 else None,
            syn=bool(flags & 0x02),
            fin=bool(flags & 0x01),
            reset=bool(flags & 0x04),
            payload=octets[max(offset >> 4, 5) * 4 :],
        )
    if protocol == _UDP and len(octets) >= 8:
        from_port, to_port, size = struct.unpack_from(">HHH", octets)
        return Datagram(
            time_ns=time_ns,
            source=Endpoint(source, from_port),
            destination=Endpoint(destination, to_port),
            payload=octets[8 : size or None],
        )
    return Unread("neither TCP nor UDP, or cut off in its header")
