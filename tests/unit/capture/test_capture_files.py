"""Capture files: pcap and pcapng in all their byte orders, damaged ones, and any octets at all."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture_support import NAMES, chunks, dissect, names, pcap_file, plain_session, tls_packets, tls_session
from plugpass.iso15118.capture import pcapng
from plugpass.iso15118.capture.files import NotACapture, is_capture, read_capture
from plugpass.iso15118.capture.pcap import DamagedCapture, Packet, Secrets
from plugpass.iso15118.capture.records import Remark
from plugpass.iso15118.capture.source import Source

PACKETS = plain_session()


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order: str = "<", *, options: bytes = b"", link: int = 1, snap: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(packet: Packet, order: str = "<", *, units: int = 1_000_000, shift: int = 0) -> bytes:
    ticks = (packet.time_ns // 1_000_000_000 - shift) * units + packet.time_ns % 1_000_000_000 * units // 1_000_000_000
    size = len(packet.octets)
    fixed = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    padded = packet.octets + b"\0" * (-size % 4)
    comment = struct.pack(order + "HH", 1, 4) + b"note" + struct.pack(order + "HH", 0, 0)
    return block(6, fixed + padded + comment, order)


def option(code: int, value: bytes, order: str) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def read(octets: bytes, size: int = 1000) -> list[Packet | Secrets]:
    return list(read_capture(chunks(octets, size)))


def micro(packets: list[Packet]) -> list[Packet]:
    return [Packet(time_ns=p.time_ns // 1000 * 1000, link=p.link, octets=p.octets) for p in packets]


# --- pcap -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_we_write_we_read(size: int) -> None:
    octets = pcap_file(PACKETS)
    assert is_capture(octets[:4])
    assert read(octets, size) == PACKETS


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_every_kind_of_pcap(order: str, magic: int, unit: int) -> None:
    octets = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, 0x28000001)  # the link type, and FCS bits above
    for packet in PACKETS:
        seconds, rest = divmod(packet.time_ns, 1_000_000_000)
        octets += struct.pack(order + "IIII", seconds, rest // unit, len(packet.octets), 9999) + packet.octets
    assert read(octets) == PACKETS


# --- pcapng ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str) -> None:
    octets = section(order) + block(0x0BAD, b"unknown block", order) + interface(order)
    octets += b"".join(enhanced(packet, order) for packet in PACKETS) + block(5, bytes(12), order)
    assert is_capture(octets[:4])
    assert read(octets, 13) == micro(PACKETS)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("resolution", "units"), [(9, 10**9), (3, 1000), (0x80 | 20, 1 << 20)])
def test_pcapng_resolution_and_offset(order: str, resolution: int, units: int) -> None:
    shift = 1_000_000_000
    options = option(9, bytes((resolution,)), order)
    options += option(14, struct.pack(order + "q", shift), order) + option(0, b"", order)
    octets = section(order) + interface(order, options=options)
    octets += b"".join(enhanced(packet, order, units=units, shift=shift) for packet in PACKETS)
    for found, packet in zip(read(octets), PACKETS, strict=True):
        assert isinstance(found, Packet)
        assert abs(found.time_ns - packet.time_ns) <= 1_000_000_000 // units + 1
        assert found.octets == packet.octets


def test_pcapng_old_and_simple_packets() -> None:
    packet = PACKETS[0]
    size, high, low = len(packet.octets), packet.time_ns // 1000 >> 32, packet.time_ns // 1000 & 0xFFFFFFFF
    old = struct.pack("<HHIIII", 0, 0, high, low, size, size) + packet.octets
    simple = struct.pack("<I", size) + packet.octets[:40]
    found = read(section() + interface(snap=40) + block(2, old) + block(3, simple))
    assert found == [*micro([packet]), Packet(time_ns=0, link=1, octets=packet.octets[:40])]


def test_pcapng_sections_may_change_the_byte_order() -> None:
    octets = b"".join(section(order) + interface(order) + enhanced(PACKETS[0], order) for order in "<>")
    assert read(octets) == micro([PACKETS[0]] * 2)


def test_pcapng_with_tls_secrets() -> None:
    recorded = tls_session()
    secrets = block(10, struct.pack("<II", 0x544C534B, len(recorded.keylog)) + recorded.keylog)
    others = block(10, struct.pack("<II", 0x57474B4C, 4) + b"wgkl")
    packets = b"".join(map(enhanced, tls_packets(recorded)))
    assert names(dissect(read(section() + others + secrets + interface() + packets))) == NAMES


# --- damage ---------------------------------------------------------------------------------------------------------


def ng_file() -> bytes:
    return section() + interface() + b"".join(map(enhanced, PACKETS))


@pytest.mark.parametrize("make", [lambda: pcap_file(PACKETS), ng_file], ids=["pcap", "pcapng"])
def test_a_file_that_breaks_off_gives_what_it_has(make: Callable[[], bytes]) -> None:
    octets = make()
    records = dissect(read_capture(Source([octets[: len(octets) * 2 // 3]])))
    assert names(records) == NAMES[: len(names(records))]
    assert len(names(records)) > 3
    *_, last = records
    assert isinstance(last, Remark)
    assert not last.ok
    assert "ends within" in last.text


@pytest.mark.parametrize(
    "octets",
    [
        pcap_file(PACKETS)[:10],
        pcap_file(PACKETS)[:24] + struct.pack("<IIII", 0, 0, 1 << 30, 0),
        section()[:8] + struct.pack("<I", 0xDEADBEEF) + bytes(16),
        section() + struct.pack("<II", 6, 10) + bytes(20),
        section() + struct.pack("<II", 6, 1 << 30) + bytes(20),
        section() + block(6, bytes(8)),
        section() + enhanced(PACKETS[0]),
        section() + interface() + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
        section() + interface() + enhanced(PACKETS[0])[:-4] + b"oops",
        section() + struct.pack("<II", 0x0BAD, 400) + bytes(20),
        section() + interface() * 5000,
    ],
)
def test_damage_is_named(octets: bytes) -> None:
    with pytest.raises(DamagedCapture, match="pcap"):
        read(octets)


def test_another_file_is_no_capture() -> None:
    with pytest.raises(NotACapture, match="504b0304"):
        read(b"PK\x03\x04")
    with pytest.raises(NotACapture, match="nothing"):
        read(b"")


@given(st.sampled_from([b"", pcap_file(PACKETS)[:24], pcapng.MAGIC, section(), section() + interface()]), st.binary())
def test_any_octets_are_read_or_refused(start: bytes, rest: bytes) -> None:
    with contextlib.suppress(NotACapture):
        dissect(read_capture(Source([start + rest])))


@given(st.data())
def test_any_change_to_a_capture_is_survived(data: st.DataObject) -> None:
    octets = bytearray(data.draw(st.sampled_from([pcap_file(PACKETS), ng_file()])))
    for at in data.draw(st.lists(st.integers(4, len(octets) - 1), min_size=1, max_size=8)):
        octets[at] = data.draw(st.integers(0, 255))
    dissect(read_capture(Source([bytes(octets)])))


def test_a_source_never_holds_more_than_it_is_asked_for() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(100)

    source = Source(endless())
    assert source.skip(1_000_050) == 1_000_050
    assert source.position == 1_000_050
    assert taken == 10_001
    assert source.take(50) == bytes(50)
