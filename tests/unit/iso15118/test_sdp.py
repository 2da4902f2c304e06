"""SDP datagrams: exactly one well-formed message each, everything else is dropped by name."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.iso15118.sdp import SdpError, SdpRequest, SdpResponse, Security
from plugpass.iso15118.v2gtp import PayloadType, frame

STATION = IPv6Address("fe80::1")


def test_a_request_is_ten_octets() -> None:
    assert SdpRequest(security=Security.TLS).encode() == bytes.fromhex("01fe9000000000020000")
    assert SdpRequest(security=Security.NONE).encode() == bytes.fromhex("01fe9000000000021000")


def test_a_response_is_twenty_eight_octets() -> None:
    datagram = SdpResponse(address=STATION, port=0xC350).encode()
    assert datagram == bytes.fromhex("01fe900100000014" + "fe800000000000000000000000000001" + "c350" + "0000")


@given(st.sampled_from(Security))
def test_requests_round_trip(security: Security) -> None:
    request = SdpRequest(security=security)
    assert SdpRequest.decode(request.encode()) == request


@given(
    st.ip_addresses(v=6).filter(lambda address: not (address.is_unspecified or address.is_multicast)),
    st.integers(1, 65535),
    st.sampled_from(Security),
)
def test_responses_round_trip(address: IPv6Address, port: int, security: Security) -> None:
    response = SdpResponse(address=address, port=port, security=security)
    assert SdpResponse.decode(response.encode()) == response


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x01\xfe\x90",
        frame(PayloadType.SDP_REQUEST, b""),
        frame(PayloadType.SDP_REQUEST, b"\x00"),
        frame(PayloadType.SDP_REQUEST, b"\x00\x00\x00"),
        frame(PayloadType.SDP_REQUEST, bytes(20)),
        frame(PayloadType.SDP_RESPONSE, b"\x00\x00"),
        frame(PayloadType.SDP_REQUEST, b"\x00\x00") + b"\x01",
        frame(PayloadType.SDP_REQUEST, b"\x00\x00") * 2,
        frame(PayloadType.SDP_REQUEST, b"\x01\x00"),
        frame(PayloadType.SDP_REQUEST, b"\x00\x10"),
        b"\x02\xfd\x90\x00\x00\x00\x00\x02\x00\x00",
    ],
)
def test_a_wrong_request_is_refused(datagram: bytes) -> None:
    with pytest.raises(SdpError, match="dropped"):
        SdpRequest.decode(datagram)


@pytest.mark.parametrize(
    "payload",
    [
        bytes(19),
        bytes(21),
        bytes(16) + b"\xc3\x50\x00\x00",
        IPv6Address("ff02::1").packed + b"\xc3\x50\x00\x00",
        STATION.packed + b"\x00\x00\x00\x00",
        STATION.packed + b"\xc3\x50\x05\x00",
    ],
)
def test_a_wrong_response_is_refused(payload: bytes) -> None:
    with pytest.raises(SdpError, match="dropped"):
        SdpResponse.decode(frame(PayloadType.SDP_RESPONSE, payload))


@given(st.binary(max_size=64))
def test_any_datagram_is_a_message_or_the_named_error(datagram: bytes) -> None:
    for message in (SdpRequest, SdpResponse):
        try:
            assert message.decode(datagram).encode() == datagram
        except SdpError:
            continue
