"""The pcap file format (libpcap's, with micro- or nanoseconds): what a packet is, reading, and writing.

A header of 24 octets, then for each packet 16 octets and the packet, in the byte order of the machine that wrote it,
which the first four octets tell.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from plugpass.errors import PeerError
from plugpass.iso15118.capture.source import Source

MAX_PACKET = 512 * 1024  #: octets; twice what any capture tool takes of a packet

ETHERNET = 1  #: LINKTYPE

_FORMATS = {
    bytes.fromhex("a1b2c3d4"): (">", 1_000),
    bytes.fromhex("d4c3b2a1"): ("<", 1_000),
    bytes.fromhex("a1b23c4d"): (">", 1),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
}  #: byte order, nanoseconds per unit of the sub-second field
MAGICS = frozenset(_FORMATS)

_FILE_HEADER = "IHHiIII"
_RECORD_HEADER = "IIII"


class DamagedCapture(PeerError):
    """A capture file breaks off or contradicts itself; what came before is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet as captured: `link` is its LINKTYPE number, `time_ns` nanoseconds since 1970 UTC."""

    time_ns: int
    link: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Secrets:
    """Lines of an NSS key log that a capture file brings along."""

    lines: bytes


def read(source: Source) -> Iterator[Packet]:
    """The packets of a pcap file. Raises DamagedCapture where it breaks off."""
    order, unit = _FORMATS[source.peek(4)]
    header, record = struct.Struct(order + _FILE_HEADER), struct.Struct(order + _RECORD_HEADER)
    link = header.unpack(_whole(source, header.size, "its header"))[6] & 0xFFFF  # above: frame check sequences
    while source.peek(1):
        seconds, fraction, size, _ = record.unpack(_whole(source, record.size, "a record's header"))
        if size > MAX_PACKET:
            raise DamagedCapture(f"the pcap file is damaged: a packet of {size} octets is at octet {source.position}")
        octets = _whole(source, size, "a packet")
        yield Packet(time_ns=seconds * 1_000_000_000 + fraction * unit, link=link, octets=octets)


def _whole(source: Source, size: int, what: str) -> bytes:
    octets = source.take(size)
    if len(octets) < size:
        raise DamagedCapture(f"the pcap file ends within {what}, at octet {source.position}")
    return octets


# --- writing --------------------------------------------------------------------------------------------------------

_NANOSECONDS = 0xA1B23C4D
_SNAP_LENGTH = 262_144


def file_header(link: int = ETHERNET) -> bytes:
    """The start of a pcap file with nanosecond times, for packets of one LINKTYPE."""
    return struct.pack("<" + _FILE_HEADER, _NANOSECONDS, 2, 4, 0, 0, _SNAP_LENGTH, link)


def record(packet: Packet) -> bytes:
    """One packet of a pcap file that `file_header` started with its LINKTYPE."""
    seconds, fraction = divmod(packet.time_ns, 1_000_000_000)
    size = len(packet.octets)
    return struct.pack("<" + _RECORD_HEADER, seconds, fraction, size, size) + packet.octets
