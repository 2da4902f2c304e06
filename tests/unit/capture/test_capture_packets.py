"""Packets taken apart: any octets are survived. What is in them is checked against scapy, in its own module."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capture_support import SECC, plain_session
from plugpass.iso15118.capture.packets import Datagram, Endpoint, Unread, parse
from plugpass.iso15118.capture.pcap import Packet
from plugpass.iso15118.capture.synthesis import datagram_packet

LINKS = (0, 1, 12, 14, 101, 108, 113, 228, 229, 276)


@given(st.sampled_from(LINKS), st.binary(max_size=120))
def test_any_packet_is_survived(link: int, octets: bytes) -> None:
    assert parse(Packet(time_ns=0, link=link, octets=octets)) is not None


@given(st.integers(0, 60), st.data())
def test_any_change_to_a_packet_is_survived(at: int, data: st.DataObject) -> None:
    octets = bytearray(data.draw(st.sampled_from(plain_session())).octets)
    octets[at] = data.draw(st.integers(0, 255))
    parse(Packet(time_ns=0, link=1, octets=bytes(octets[: data.draw(st.integers(0, len(octets)))])))


def test_an_unknown_link_type_is_named() -> None:
    assert parse(Packet(time_ns=0, link=147, octets=bytes(60))) == Unread("link type 147 is not supported")


def test_what_we_write_we_read_over_ipv4_too() -> None:
    source, destination = Endpoint(b"\xc0\0\2\1", 1), Endpoint(b"\xc0\0\2\2", 65535)
    packet = datagram_packet(5, source, destination, b"abc")
    assert parse(packet) == Datagram(time_ns=5, source=source, destination=destination, payload=b"abc")
    assert (str(source), str(SECC)) == ("192.0.2.1:1", "[fe80::2]:61341")
