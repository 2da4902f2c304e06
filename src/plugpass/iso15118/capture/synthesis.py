"""Packets for traffic that was never on a network, or only on loopback: what makes a capture out of a session's octets.

`TcpScript` writes one TCP connection as Ethernet, IPv6 (or IPv4) and TCP with correct checksums, `datagram_packet` does
the same for UDP. Together with `plugpass.iso15118.capture.pcap` they give a file that any tool for captures opens.
"""

from __future__ import annotations

import struct

from plugpass.iso15118.capture.packets import Endpoint
from plugpass.iso15118.capture.pcap import ETHERNET, Packet

SEGMENT_SIZE = 1440  #: octets of payload in a full segment on Ethernet with IPv6

_FIN, _SYN, _PUSH, _ACK = 0x01, 0x02, 0x08, 0x10
_TCP, _UDP = 6, 17
_WINDOW = 65_535
_SPACE = 1 << 32
_MACS = (bytes.fromhex("020000000001"), bytes.fromhex("020000000002"))


class TcpScript:
    """One connection, `client` being the one who opens it; its methods give the packets of each step."""

    def __init__(self, client: Endpoint, server: Endpoint, *, sequences: tuple[int, int] = (1_000, 2_000)) -> None:
        self._ends = (client, server)
        self._next = list(sequences)

    def open(self, time_ns: int) -> list[Packet]:
        """The three-way handshake."""
        return [
            self._segment(time_ns, 0, _SYN),
            self._segment(time_ns, 1, _SYN | _ACK),
            self._segment(time_ns, 0, _ACK),
        ]

    def send(self, time_ns: int, octets: bytes, *, from_client: bool, segment_size: int = SEGMENT_SIZE) -> list[Packet]:
        """One end sends, the other acknowledges."""
        side = 0 if from_client else 1
        parts = [octets[at : at + segment_size] for at in range(0, len(octets), segment_size)]
        packets = [self._segment(time_ns, side, _PUSH | _ACK, part) for part in parts]
        return [*packets, self._segment(time_ns, 1 - side, _ACK)]

    def close(self, time_ns: int) -> list[Packet]:
        """The client closes, then the server."""
        return [
            self._segment(time_ns, 0, _FIN | _ACK),
            self._segment(time_ns, 1, _FIN | _ACK),
            self._segment(time_ns, 0, _ACK),
        ]

    def _segment(self, time_ns: int, side: int, flags: int, payload: bytes = b"") -> Packet:
        source, destination = self._ends[side], self._ends[1 - side]
        acknowledged = self._next[1 - side] if flags & _ACK else 0
        header = struct.pack(
            ">HHIIBBHHH", source.port, destination.port, self._next[side], acknowledged, 5 << 4, flags, _WINDOW, 0, 0
        )
        self._next[side] = (self._next[side] + len(payload) + bool(flags & (_SYN | _FIN))) % _SPACE
        transport = _with_checksum(source, destination, _TCP, header + payload, at=16)
        return _packet(time_ns, source, destination, _TCP, transport, _MACS[side], _MACS[1 - side])


def datagram_packet(time_ns: int, source: Endpoint, destination: Endpoint, payload: bytes) -> Packet:
    """A UDP datagram."""
    header = struct.pack(">HHHH", source.port, destination.port, 8 + len(payload), 0)
    transport = _with_checksum(source, destination, _UDP, header + payload, at=6)
    return _packet(time_ns, source, destination, _UDP, transport, _MACS[0], _MACS[1])


def _packet(
    time_ns: int,
    source: Endpoint,
    destination: Endpoint,
    protocol: int,
    transport: bytes,
    from_mac: bytes,
    to_mac: bytes,
) -> Packet:
    if len(source.address) == 16:
        network = struct.pack(">IHBB", 6 << 28, len(transport), protocol, 64) + source.address + destination.address
        ethertype = 0x86DD
    else:
        network = _ipv4_header(source, destination, protocol, len(transport))
        ethertype = 0x0800
    octets = to_mac + from_mac + ethertype.to_bytes(2, "big") + network + transport
    return Packet(time_ns=time_ns, link=ETHERNET, octets=octets)


def _ipv4_header(source: Endpoint, destination: Endpoint, protocol: int, size: int) -> bytes:
    dont_fragment = 0x4000
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, 0, dont_fragment, 64, protocol)
    addresses = source.address + destination.address
    return start + _checksum(start + b"\0\0" + addresses) + addresses


def _with_checksum(source: Endpoint, destination: Endpoint, protocol: int, transport: bytes, *, at: int) -> bytes:
    """`transport` with its checksum, which also covers a pseudo-header (RFC 8200 §8.1, RFC 9293 §3.1)."""
    pseudo = source.address + destination.address + struct.pack(">II", len(transport), protocol)
    return transport[:at] + _checksum(pseudo + transport) + transport[at + 2 :]


def _checksum(octets: bytes) -> bytes:
    """RFC 1071. A zero is written as all ones, which means the same (RFC 768)."""
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ((total ^ 0xFFFF) or 0xFFFF).to_bytes(2, "big")
