"""The pcapng file format (draft-ietf-opsawg-pcapng): sections of blocks, each with its length before and after it.

Read are packets (enhanced, simple and the obsolete kind), the interfaces they came by, and TLS secrets; every other
block is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from plugpass.iso15118.capture.pcap import MAX_PACKET, DamagedCapture, Packet, Secrets
from plugpass.iso15118.capture.source import Source

MAGIC = bytes.fromhex("0a0d0d0a")
"""The type of a section header block, a palindrome: it reads the same in both byte orders."""

MAX_BLOCK = 2 * MAX_PACKET  #: octets of a block that we read; passed over ones may have any size

_BYTE_ORDER = {bytes.fromhex("1a2b3c4d"): ">", bytes.fromhex("4d3c2b1a"): "<"}
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_OPTION_END, _OPTION_RESOLUTION, _OPTION_OFFSET = 0, 9, 14
_TLS_KEY_LOG = 0x544C534B
_MAX_INTERFACES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interface:
    """`units` a second and `offset` seconds make its time stamps; it keeps `snap_length` octets a packet (0: all)."""

    link: int
    snap_length: int
    units: int = 1_000_000
    offset: int = 0

    def time_ns(self, high: int, low: int) -> int:
        """Nanoseconds since 1970."""
        return self.offset * 1_000_000_000 + (high << 32 | low) * 1_000_000_000 // self.units


@dataclass(slots=True)
class _Section:
    order: str
    interfaces: list[_Interface] = field(default_factory=list)

    def unpack(self, layout: str, octets: bytes) -> tuple[int, ...]:
        """The fixed fields at the start of a block's body."""
        size = struct.calcsize(self.order + layout)
        if len(octets) < size:
            raise DamagedCapture("the pcapng file is damaged: a block is shorter than its fields")
        return struct.unpack_from(self.order + layout, octets)

    def interface(self, number: int) -> _Interface:
        """The interface a packet names."""
        if number >= len(self.interfaces):
            raise DamagedCapture(f"the pcapng file is damaged: a packet is of interface {number}, which it never names")
        return self.interfaces[number]


def read(source: Source) -> Iterator[Packet | Secrets]:
    """The packets and secrets of a pcapng file. Raises DamagedCapture where it breaks off."""
    section = _Section("<")
    while source.peek(1):
        start = source.peek(12)
        if start[:4] == MAGIC:
            section = _Section(_byte_order(start))
        kind, size = section.unpack("II", start)
        if size < 12 or size % 4:
            raise DamagedCapture(f"the pcapng file is damaged: a block of {size} octets is at octet {source.position}")
        reader = _READERS.get(kind)
        if reader is None:
            if source.skip(size) < size:
                raise _broken_off(source)
            continue
        if size > MAX_BLOCK:
            raise DamagedCapture(f"the pcapng file is damaged: a block of {size} octets is at octet {source.position}")
        block = source.take(size)
        if len(block) < size:
            raise _broken_off(source)
        if block[-4:] != block[4:8]:
            raise DamagedCapture(
                f"the pcapng file is damaged: a block's two lengths differ before octet {source.position}"
            )
        yield from reader(section, block[8:-4])


def _broken_off(source: Source) -> DamagedCapture:
    return DamagedCapture(f"the pcapng file ends within a block, at octet {source.position}")


def _byte_order(start: bytes) -> str:
    order = _BYTE_ORDER.get(start[8:12])
    if order is None:
        raise DamagedCapture("the pcapng file is damaged: a section header has no byte order mark")
    return order


# --- blocks ---------------------------------------------------------------------------------------------------------


def _read_section(_section: _Section, _body: bytes) -> Iterator[Packet | Secrets]:
    return iter(())


def _read_interface(section: _Section, body: bytes) -> Iterator[Packet | Secrets]:
    link, _, snap_length = section.unpack("HHI", body)
    options = _options(section, body[8:])
    resolution = options.get(_OPTION_RESOLUTION, b"\x06")[:1] or b"\x06"
    base, exponent = (2, resolution[0] & 0x7F) if resolution[0] & 0x80 else (10, resolution[0])
    offset = options.get(_OPTION_OFFSET, b"")
    if len(section.interfaces) >= _MAX_INTERFACES:
        raise DamagedCapture(f"the pcapng file has more than {_MAX_INTERFACES} interfaces")
    section.interfaces.append(
        _Interface(
            link=link,
            snap_length=snap_length,
            units=base**exponent,
            offset=int.from_bytes(offset, "big" if section.order == ">" else "little", signed=True)
            if len(offset) == 8
            else 0,
        )
    )
    return iter(())


def _options(section: _Section, octets: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(octets) >= 4:
        code, size = section.unpack("HH", octets)
        if code == _OPTION_END:
            break
        found.setdefault(code, octets[4 : 4 + size])
        octets = octets[4 + (size + 3) // 4 * 4 :]
    return found


def _read_enhanced(section: _Section, body: bytes) -> Iterator[Packet | Secrets]:
    number, high, low, size, _ = section.unpack("IIIII", body)
    yield _packet(section.interface(number), high, low, body[20:], size)


def _read_old(section: _Section, body: bytes) -> Iterator[Packet | Secrets]:
    number, _, high, low, size, _ = section.unpack("HHIIII", body)
    yield _packet(section.interface(number), high, low, body[20:], size)


def _read_simple(section: _Section, body: bytes) -> Iterator[Packet | Secrets]:
    (size,) = section.unpack("I", body)
    interface = section.interface(0)
    kept = min(size, interface.snap_length) if interface.snap_length else size
    yield _packet(interface, 0, 0, body[4:], kept)


def _packet(interface: _Interface, high: int, low: int, octets: bytes, size: int) -> Packet:
    if size > len(octets):
        raise DamagedCapture(f"the pcapng file is damaged: a packet of {size} octets is in a block with {len(octets)}")
    return Packet(time_ns=interface.time_ns(high, low), link=interface.link, octets=octets[:size])


def _read_secrets(section: _Section, body: bytes) -> Iterator[Packet | Secrets]:
    kind, size = section.unpack("II", body)
    if kind == _TLS_KEY_LOG:
        yield Secrets(body[8 : 8 + size])


_READERS: dict[int, Callable[[_Section, bytes], Iterator[Packet | Secrets]]] = {
    _SECTION: _read_section,
    _INTERFACE: _read_interface,
    _OLD_PACKET: _read_old,
    _SIMPLE_PACKET: _read_simple,
    _ENHANCED_PACKET: _read_enhanced,
    _SECRETS: _read_secrets,
}
