"""Packets and files of scapy: somebody else's idea of the formats, read by us, and ours read by it."""

from __future__ import annotations

import io
import ipaddress
from typing import Any

import pytest

from capture_support import EVCC, NAMES, SECC, chunks, dissect, names, pcap_file, plain_session, session
from plugpass.iso15118.capture.files import read_capture
from plugpass.iso15118.capture.packets import Endpoint, Segment, Unread, parse
from plugpass.iso15118.capture.pcap import Packet
from plugpass.iso15118.capture.records import record_json
from plugpass.iso15118.capture.synthesis import datagram_packet

pytest.importorskip("scapy", reason="scapy is not installed")

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}  # or scapy would ask the network for them


def scapy(name: str) -> Any:
    """A class or function of scapy by its name."""
    import scapy.layers.inet
    import scapy.layers.inet6
    import scapy.layers.l2
    import scapy.packet
    import scapy.utils

    modules = (scapy.layers.inet, scapy.layers.inet6, scapy.layers.l2, scapy.packet, scapy.utils)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def ends(endpoint: Endpoint) -> tuple[str, int]:
    return str(ipaddress.ip_address(endpoint.address)), endpoint.port


def network(version: int = 6, **fields: Any) -> Any:
    if version == 4:
        return scapy("IP")(src="192.0.2.1", dst="192.0.2.2", **fields)
    return scapy("IPv6")(src="fe80::1", dst="fe80::2", **fields)


def tcp(**fields: Any) -> Any:
    return scapy("TCP")(**{"sport": 49152, "dport": 61341, "seq": 7, "ack": 9, "flags": "PA", **fields})


LAYERS = {
    "ethernet": (1, lambda: scapy("Ether")(**MACS)),
    "vlan": (1, lambda: scapy("Ether")(**MACS) / scapy("Dot1Q")(vlan=7)),
    "two vlans": (1, lambda: scapy("Ether")(type=0x88A8, **MACS) / scapy("Dot1Q")(vlan=7) / scapy("Dot1Q")(vlan=8)),
    "cooked": (113, lambda: scapy("CookedLinux")()),
    "cooked 2": (276, lambda: scapy("CookedLinuxV2")()),
    "raw": (101, lambda: None),
    "loopback": (0, lambda: scapy("Loopback")()),
}


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("layer", LAYERS)
def test_link_layers(layer: str, version: int) -> None:
    number, link = LAYERS[layer]
    content = network(version) / tcp() / scapy("Raw")(b"payload")
    lower = link()
    octets = bytes(content if lower is None else lower / content)
    segment = parse(Packet(time_ns=1, link=number, octets=octets))
    assert isinstance(segment, Segment)
    assert (segment.payload, segment.sequence, segment.acknowledged) == (b"payload", 7, 9)
    assert (segment.source.port, segment.destination.port) == (49152, 61341)
    assert len(segment.source.address) == (4 if version == 4 else 16)


def test_padding_of_short_frames_is_no_payload() -> None:
    octets = bytes(scapy("Ether")(**MACS) / network(4) / tcp() / scapy("Raw")(b"x")) + bytes(20)
    segment = parse(Packet(time_ns=0, link=1, octets=octets))
    assert isinstance(segment, Segment)
    assert segment.payload == b"x"


def test_lengths_that_offloading_left_at_zero() -> None:
    content = tcp() / scapy("Raw")(b"payload")
    for whole in (network(4, len=0) / content, network(6, plen=0) / content):
        segment = parse(Packet(time_ns=0, link=101, octets=bytes(whole)))
        assert isinstance(segment, Segment)
        assert segment.payload == b"payload"


def test_options_of_tcp_and_ipv6() -> None:
    hop, destination = scapy("IPv6ExtHdrHopByHop")(), scapy("IPv6ExtHdrDestOpt")()
    whole = (
        network() / hop / destination / tcp(options=[("MSS", 1440), ("Timestamp", (1, 2))]) / scapy("Raw")(b"payload")
    )
    segment = parse(Packet(time_ns=0, link=101, octets=bytes(whole)))
    assert isinstance(segment, Segment)
    assert segment.payload == b"payload"


def test_fragments_are_passed_over_and_counted() -> None:
    first = network() / scapy("IPv6ExtHdrFragment")(offset=0, m=1, nh=6) / tcp()
    atomic = network() / scapy("IPv6ExtHdrFragment")(offset=0, m=0, nh=6) / tcp()
    old = network(4, flags="MF") / tcp()
    assert parse(Packet(time_ns=0, link=101, octets=bytes(first))) == Unread("an IP fragment")
    assert parse(Packet(time_ns=0, link=101, octets=bytes(old))) == Unread("an IP fragment")
    assert isinstance(parse(Packet(time_ns=0, link=101, octets=bytes(atomic))), Segment)


def test_our_checksums_are_right_for_others() -> None:
    for packet in [
        *plain_session(),
        datagram_packet(0, Endpoint(b"\xc0\0\2\1", 9), Endpoint(b"\xc0\0\2\2", 9), b"odd"),
    ]:
        parsed = scapy("Ether")(packet.octets)
        again = parsed.copy()
        for layer in ("IP", "TCP", "UDP"):
            if again.haslayer(layer) and "chksum" in again.getlayer(layer).fields:
                del again.getlayer(layer).chksum
        assert bytes(again) == packet.octets


def scapy_session() -> list[Any]:
    """The session's conversation as scapy writes it, with its own acknowledgements."""
    (client, client_port), (server, server_port) = ends(EVCC), ends(SECC)
    numbers = {True: 100, False: 200}
    packets = []
    for said in [None, *session()]:
        mine = said is None or said.from_client
        octets = b"" if said is None else said.octets
        source, destination = ((client, client_port), (server, server_port))[:: 1 if mine else -1]
        flags = "S" if said is None else "PA"
        segment = scapy("TCP")(
            sport=source[1], dport=destination[1], seq=numbers[mine], ack=numbers[not mine], flags=flags
        )
        packets.append(scapy("Ether")(**MACS) / scapy("IPv6")(src=source[0], dst=destination[0]) / segment / octets)
        numbers[mine] += len(octets) + (said is None)
    return packets


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_scapy_and_we_write_the_same_session(kind: str, tmp_path: Any) -> None:
    file = tmp_path / f"session.{kind}"
    scapy("wrpcap" if kind == "pcap" else "wrpcapng")(str(file), scapy_session())
    theirs = dissect(read_capture(chunks(file.read_bytes())))
    ours = dissect(read_capture(chunks(pcap_file(plain_session()[2:]))))
    assert names(theirs) == NAMES

    def told(records: Any) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in record_json(record).items() if name not in ("time", "time_ns")}
            for record in records
        ]

    assert told(theirs) == told(ours)


def test_scapy_reads_the_file_we_write() -> None:
    packets = plain_session()
    found = scapy("RawPcapReader")(io.BytesIO(pcap_file(packets)))
    assert [octets for octets, _ in found] == [packet.octets for packet in packets]
