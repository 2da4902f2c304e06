"""V2GTP framing: split anywhere, refuse early, never allocate what a stranger announces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.errors import LocalError, PeerError
from plugpass.iso15118.v2gtp import EXI_ISO2, HEADER_SIZE, MAX_PAYLOAD, FrameDecoder, PayloadType, V2gtpError, frame

types = st.sampled_from(PayloadType)
messages = st.lists(st.tuples(types, st.binary(max_size=200)), max_size=5)


def test_a_frame_has_the_header_of_the_standard() -> None:
    assert frame(EXI_ISO2, b"\x80\x98") == bytes.fromhex("01fe800100000002 8098")


@given(messages, st.data())
def test_any_split_gives_the_same_frames(sent: list[tuple[PayloadType, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    received = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.receive(stream[start:end])
    assert received == sent
    assert decoder.pending == 0


@given(st.binary(max_size=300))
def test_any_octets_give_frames_or_the_named_error(octets: bytes) -> None:
    decoder = FrameDecoder()
    try:
        frames = decoder.receive(octets)
    except V2gtpError:
        with pytest.raises(PeerError):
            decoder.receive(frame(EXI_ISO2, b""))
    else:
        whole = b"".join(frame(kind, payload) for kind, payload in frames)
        assert octets.startswith(whole)
        assert decoder.pending == len(octets) - len(whole)


@pytest.mark.parametrize("octets", [b"\x02", b"\x01\xff", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_a_foreign_protocol_is_refused_at_its_first_octets(octets: bytes) -> None:
    with pytest.raises(V2gtpError, match="does not speak V2GTP"):
        FrameDecoder().receive(octets)


def test_a_huge_length_is_refused_from_the_header_alone() -> None:
    header = struct.pack(">BBHI", 1, 0xFE, EXI_ISO2, 0xFFFF_FFFF)
    with pytest.raises(V2gtpError, match=r"4294967295 octets, the limit is 65536"):
        FrameDecoder().receive(header)


def test_an_unknown_payload_type_is_refused() -> None:
    with pytest.raises(V2gtpError, match="0x8123"):
        FrameDecoder().receive(struct.pack(">BBHI", 1, 0xFE, 0x8123, 0))


def test_the_limit_itself_passes() -> None:
    payload = bytes(MAX_PAYLOAD)
    assert FrameDecoder().receive(frame(EXI_ISO2, payload)) == [(EXI_ISO2, payload)]


def test_we_do_not_send_more_than_we_accept() -> None:
    with pytest.raises(LocalError, match="cannot be sent"):
        frame(EXI_ISO2, bytes(MAX_PAYLOAD + 1))


def test_a_cut_frame_is_pending() -> None:
    decoder = FrameDecoder()
    assert decoder.receive(frame(EXI_ISO2, b"abc")[:-1]) == []
    assert decoder.pending == HEADER_SIZE + 2
