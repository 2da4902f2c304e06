"""Whole captures: what was said comes out, whatever TCP and the capture did to it."""

from __future__ import annotations

import ipaddress
import random
from dataclasses import replace

import pytest

from capture_support import (
    EVCC,
    NAMES,
    SECC,
    START,
    choice,
    conversation,
    discovery,
    dissect,
    failures,
    names,
    offer,
    plain_session,
    session,
    v2g,
)
from plugpass.iso15118.capture.dissector import Dissector
from plugpass.iso15118.capture.packets import Endpoint
from plugpass.iso15118.capture.pcap import Packet
from plugpass.iso15118.capture.records import Discovery, Message, Remark, Sender
from plugpass.iso15118.capture.synthesis import TcpScript, datagram_packet
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.sdp import SdpResponse
from plugpass.iso15118.v2gtp import PayloadType, frame

FRAMES = [(said.from_client, said.octets) for said in session()]
TCP_HEADER = 14 + 40 + 20


def payload(packet: Packet) -> bytes:
    return packet.octets[TCP_HEADER:]


def test_a_session_is_told_message_by_message() -> None:
    records = dissect(plain_session())
    assert not failures(records)
    assert names(records) == NAMES
    request, response = (record for record in records if isinstance(record, Discovery))
    assert (request.name, request.text, request.where.sender) == ("SDPRequest", "no TLS wanted", Sender.EVCC)
    assert (response.text, response.where.sender) == ("[fe80::2]:61341, no TLS", Sender.SECC)
    messages = [record for record in records if isinstance(record, Message)]
    assert [message.where.sender is Sender.EVCC for message in messages] == [said.from_client for said in session()]
    assert {message.where.connection for message in messages} == {1}
    assert messages[0].where.time_ns == START + 10_000_000
    assert messages[3].response_code == "OK_NewSessionEstablished"
    assert messages[1].notes == ("agreed on urn:iso:15118:2:2013:MsgDef",)
    assert not any(message.notes for message in messages[2:])


def test_the_contract_chain_is_summarised() -> None:
    (details,) = (record for record in dissect(plain_session()) if isinstance(record, Message) and record.certificates)
    fields = [certificate.field.rpartition("PaymentDetailsReq/")[2] for certificate in details.certificates]
    assert fields == [
        "ContractSignatureCertChain/Certificate",
        "ContractSignatureCertChain/SubCertificates/Certificate",
        "ContractSignatureCertChain/SubCertificates/Certificate",
    ]
    assert "CN=DEPLUC12345678Q" in details.certificates[0].subject
    assert details.certificates[0].issuer == details.certificates[1].subject
    assert details.certificates[0].not_before.startswith("2026-")


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_frames_may_be_split_in_any_way(size: int) -> None:
    script = TcpScript(EVCC, SECC)
    packets = script.open(START)
    for mine, octets in FRAMES:
        packets += script.send(START, octets, from_client=mine, segment_size=size)
    assert names(dissect(packets)) == NAMES


def test_several_frames_in_one_segment() -> None:
    mine = b"".join(octets for from_client, octets in FRAMES if from_client)
    records = dissect(conversation([(True, mine)]))
    assert names(records) == [said.name for said in session() if said.from_client]


def test_segments_out_of_order_and_sent_again() -> None:
    script = TcpScript(EVCC, SECC)
    packets = script.open(START)
    for mine, octets in FRAMES:
        *data, acknowledgement = script.send(START, octets, from_client=mine, segment_size=64)
        data = data[::-1] + data[1:]  # the whole burst backwards, most of it twice
        packets += [*data, acknowledgement]
    records = dissect(packets + script.close(START))
    assert not failures(records)
    assert names(records) == NAMES


def test_a_capture_that_has_every_packet_twice() -> None:
    packets = [packet for packet in plain_session() for _ in range(2)]
    assert names(dissect(packets)) == NAMES


def test_neighbours_swapped_by_the_capture() -> None:
    """An acknowledgement that was captured before what it acknowledges is no loss."""
    packets = plain_session()
    for at in range(5, len(packets) - 1, 3):
        packets[at], packets[at + 1] = packets[at + 1], packets[at]
    records = dissect(packets)
    assert sorted(names(records)) == sorted(NAMES)
    assert not failures(records)


def test_a_lost_segment_costs_its_message_and_no_more() -> None:
    packets = plain_session()
    lost = next(
        at for at, packet in enumerate(packets) if payload(packet)[:2] == b"\x01\xfe" and len(payload(packet)) > 1000
    )
    size = len(payload(packets[lost]))
    records = dissect(packets[:lost] + packets[lost + 1 :])
    assert sorted(names(records)) == sorted(name for name in NAMES if name != "PaymentDetailsReq")
    (failure,) = failures(records)
    assert isinstance(failure, Remark)
    assert f"{size} octets were not captured" in failure.text
    assert failure.where.sender is Sender.EVCC
    assert failure.where.offset == sum(len(octets) for mine, octets in FRAMES[:4] if mine)


def test_the_loss_is_told_before_the_capture_ends() -> None:
    """The peer has acknowledged it: waiting longer would only hide what follows."""
    packets = plain_session()
    lost = next(at for at, packet in enumerate(packets) if len(payload(packet)) > 1000)
    seen = names(dissect(packets[:lost] + packets[lost + 1 : -3]))
    assert "SessionStopReq" in seen


def test_a_capture_that_starts_within_the_session() -> None:
    script = TcpScript(EVCC, SECC)
    for mine, octets in FRAMES[:4]:
        script.send(START, octets, from_client=mine)
    packets = [
        packet
        for mine, octets in FRAMES[4:]
        for packet in script.send(START, octets, from_client=mine, segment_size=200)
    ]
    records = dissect(packets[2:])
    (failure,) = failures(records)
    assert isinstance(failure, Remark)
    assert "the capture starts within the connection" in failure.text
    assert names(records) == NAMES[5:]
    notes = [note for record in records if isinstance(record, Message) for note in record.notes]
    assert notes == ["no SupportedAppProtocol came before; the message itself tells that it is of iso2"]


def test_a_forced_schema_is_no_guess() -> None:
    packets = conversation(FRAMES[2:])
    assert not [
        note for record in dissect(packets, forced="iso2") if isinstance(record, Message) for note in record.notes
    ]


def test_who_called_whom_is_known_without_the_handshake() -> None:
    records = dissect(conversation(FRAMES)[3:])
    assert [record.where.sender for record in records if isinstance(record, Message)][:2] == [Sender.EVCC, Sender.SECC]


def test_the_same_ports_again_are_another_session() -> None:
    script = TcpScript(EVCC, SECC, sequences=(900, 5))
    again = script.open(START)
    again += script.send(START, FRAMES[0][1], from_client=True)
    records = dissect(conversation(FRAMES[:4])[:-3] + again)
    assert names(records) == [*NAMES[:4], NAMES[0]]
    assert [record.where.connection for record in records] == [1, 1, 1, 1, 2]


def test_other_traffic_is_none_of_our_business() -> None:
    web = Endpoint(bytes((192, 0, 2, 1)), 80)
    browser = Endpoint(bytes((192, 0, 2, 2)), 40_000)
    noise = conversation(
        [(True, b"GET / HTTP/1.1\r\n\r\n"), (False, b"HTTP/1.1 200 OK\r\n\r\n" * 100)], client=browser, server=web
    )
    dns = datagram_packet(START, Endpoint(browser.address, 5353), Endpoint(web.address, 53), b"\x01\xfe anything")
    session_packets = plain_session()
    assert dissect([*noise, dns]) == []
    mixed = [*noise[:4], dns, *session_packets[:20], *noise[4:], *session_packets[20:]]
    assert names(dissect(mixed)) == NAMES


def test_a_port_may_be_named_where_v2g_is_spoken() -> None:
    packets = conversation([(True, b"\x00\x01garbage" + FRAMES[0][1])])
    (junk, message) = dissect(packets, ports={SECC.port})
    assert isinstance(junk, Remark)
    assert junk.text.startswith("9 octets are no readable frame: no V2GTP header: 0001 instead of 01fe")
    assert isinstance(message, Message)
    assert message.where.offset == 9


def test_what_cannot_be_decoded_is_shown_and_the_rest_goes_on() -> None:
    broken = bytearray(FRAMES[3][1])
    broken[-12] ^= 0xFF
    unknown_type = frame(PayloadType.SAP, b"\x80\x00\x01")[:2] + b"\x81\x23" + (3).to_bytes(4, "big") + b"abc"
    huge = b"\x01\xfe\x80\x01\x7f\xff\xff\xff" + b"\x55" * 20
    records = dissect(
        conversation([*FRAMES[:3], (False, bytes(broken)), (True, unknown_type), (True, huge), *FRAMES[4:]])
    )
    assert names(records) == [*NAMES[:3], "?", "?", *NAMES[4:]]
    damaged, unknown, oversized = failures(records)
    assert isinstance(damaged, Message)
    assert damaged.schema == "iso2"
    assert damaged.fault is not None
    assert damaged.fault.path.startswith("V2G_Message/Body/SessionSetupRes")
    assert damaged.fault.bit_offset is not None
    assert isinstance(unknown, Message)
    assert unknown.fault is not None
    assert unknown.fault.reason == "V2GTP payload type 0x8123 is unknown"
    assert isinstance(oversized, Remark)
    assert "announces 2147483647 octets" in oversized.text


def test_a_negotiation_that_is_not_kept_to_is_noted() -> None:
    din = offer("urn:din:70121:2012:MsgDef")
    said = [(True, din), (False, choice()), (True, v2g(iso2.ChargingStatusReq()))]
    records = dissect(conversation((mine, frame(PayloadType.SAP, exi)) for mine, exi in said))
    last = records[-1]
    assert isinstance(last, Message)
    assert last.notes == ("din is spoken here, and this message is of iso2",)


@pytest.mark.parametrize(
    ("request_id", "answer_id", "note"),
    [
        (7, None, ("agreed on urn:x-unknown, which is not known here",)),
        (7, 8, ("SchemaID 8 was not offered",)),
    ],
)
def test_odd_negotiations(request_id: int, answer_id: int | None, note: tuple[str, ...]) -> None:
    said = [(True, offer("urn:x-unknown", request_id)), (False, choice(answer_id))]
    *_, last = dissect(conversation((mine, frame(PayloadType.SAP, exi)) for mine, exi in said))
    assert isinstance(last, Message)
    assert last.notes == note


def test_a_broken_discovery_is_told() -> None:
    good = discovery()[0]
    short = replace(good, octets=good.octets[:-1])
    (record,) = dissect([short])
    assert isinstance(record, Discovery)
    assert not record.ok


def test_a_reset_ends_the_connection_and_what_was_waiting_is_told() -> None:
    packets = conversation([*FRAMES[:2], (True, FRAMES[2][1][:-1])])[:-3]
    flags = bytearray(packets[-2].octets)  # the last that the vehicle sent
    flags[14 + 40 + 13] |= 0x04
    records = dissect([*packets[:-2], replace(packets[-2], octets=bytes(flags)), *conversation(FRAMES)])
    (failure,) = failures(records)
    assert isinstance(failure, Remark)
    assert "the stream ends within this frame" in failure.text
    assert names(records) == [*NAMES[:2], *NAMES]


def test_connections_followed_at_once_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.iso15118.capture.dissector.MAX_CONNECTIONS", 3)
    unfinished = [
        conversation([(True, FRAMES[0][1][:-1])], client=Endpoint(EVCC.address, port))[:-3]
        for port in range(50_000, 50_010)
    ]
    dissector = Dissector()
    told = [record for packets in unfinished[:-1] for packet in packets for record in dissector.receive(packet)]
    assert len(failures(told)) == 6  # given up, and told as what they are


def test_endpoints_announced_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.iso15118.capture.dissector.MAX_ANNOUNCED", 1)
    other = SdpResponse(address=ipaddress.IPv6Address("fe80::9"), port=1).encode()
    later = datagram_packet(START, Endpoint(SECC.address, 15118), Endpoint(EVCC.address, 50_000), other)
    garbage = conversation([(True, b"no V2GTP at all")])
    assert failures(dissect([*discovery(), *garbage]))
    assert not failures(dissect([*discovery(), later, *garbage]))


def test_sessions_side_by_side_keep_their_negotiations() -> None:
    other = Endpoint(EVCC.address, 50_999)
    first, second = conversation(FRAMES), conversation(FRAMES, client=other)
    rng = random.Random(15118)
    queues, mixed = [first[:], second[:]], []
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        mixed.append(queue.pop(0))
    records = dissect(mixed)
    for number in (1, 2):
        assert names(record for record in records if record.where.connection == number) == NAMES
