"""Messages as text: hex, base64, OCPP frames, traces; and any text at all."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture_support import (
    NAMES,
    choice,
    dissect,
    failures,
    names,
    offer,
    plain_session,
    session,
    tls_packets,
    tls_session,
    v2g,
)
from plugpass.exi import decode, encode
from plugpass.iso15118.capture.following import Follower
from plugpass.iso15118.capture.records import Discovery, Message, Record, Remark, Sender, record_json, time_text
from plugpass.iso15118.capture.texts import NotOctets, TextDecoder, octets_of
from plugpass.iso15118.messages import common20, dc20, iso2, xmldsig
from plugpass.iso15118.sdp import SdpRequest
from plugpass.iso15118.v2gtp import PayloadType, frame

VECTORS = Path(__file__).parents[2] / "vectors" / "exi"
SETUP = bytes.fromhex("8098004011d01a0802f0bca41400")


def read(text: str, **options: Any) -> list[Record]:
    return list(TextDecoder(**options).lines(text.splitlines()))


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


# --- hex and base64 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "8098004011d01a0802f0bca41400",
        "80 98 00 40 11 D0 1A 08 02 F0 BC A4 14 00",
        "80:98:00:40:11:d0:1a:08:02:f0:bc:a4:14:00",
        "0x80, 0x98, 0x00, 0x40, 0x11, 0xd0, 0x1a, 0x08, 0x02, 0xf0, 0xbc, 0xa4, 0x14, 0x00",
        r"\x80\x98\x00\x40\x11\xd0\x1a\x08\x02\xf0\xbc\xa4\x14\x00",
        "gJgAQBHQGggC8LykFAA=",
        "gJgAQBHQ\nGggC8LykFAA=",
        "80980040\n11d01a08\n02f0bca41400",
        "# a comment\n\n8098004011d01a0802f0bca41400\n\n",
        '"gJgAQBHQGggC8LykFAA="',
    ],
)
def test_the_same_message_in_many_forms(text: str) -> None:
    (message,) = read(text)
    assert isinstance(message, Message)
    assert (message.exi, message.name, message.schema) == (SETUP, "SessionSetupReq", "iso2")
    assert message.where.sender is Sender.EVCC


@given(st.binary(min_size=1, max_size=200))
def test_octets_as_hex_or_base64(octets: bytes) -> None:
    assert octets_of(octets.hex()) == octets
    assert octets_of(octets.hex(" ").upper()) == octets
    text = b64(octets)
    if not set(text) <= set("0123456789abcdefABCDEF"):  # or it is hex just as well
        assert octets_of(text) == octets
        assert octets_of(text.replace("+", "-").replace("/", "_")) == octets or "-" in text


@pytest.mark.parametrize("text", ["", "80g", "zz", "ää", "a", "===="])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(NotOctets):
        octets_of(text)


def test_one_message_a_line_follows_the_negotiation() -> None:
    records = read("\n".join(said.octets[8:].hex() for said in session()))
    assert names(records) == NAMES
    assert [note for record in records if isinstance(record, Message) for note in record.notes] == [
        "agreed on urn:iso:15118:2:2013:MsgDef"
    ]


def test_wrapped_messages_stand_together_up_to_an_empty_line() -> None:
    wrapped = [
        "\n".join(said.octets.hex()[at : at + 60] for at in range(0, len(said.octets) * 2, 60)) for said in session()
    ]
    assert names(read("\n\n".join(wrapped))) == NAMES


def test_v2gtp_frames_and_discovery() -> None:
    octets = SdpRequest().encode() + b"".join(said.octets for said in session())
    discovery, *messages = read(octets.hex())
    assert isinstance(discovery, Discovery)
    assert discovery.text == "TLS wanted"
    assert names(messages) == NAMES


def test_what_is_no_message_is_told_and_the_rest_goes_on() -> None:
    text = f"hello world\n\n{SETUP.hex()}\n\n{{broken\n"
    odd, message, broken = read(text)
    assert isinstance(odd, Remark)
    assert odd.text == "line 1: 'hello world' is neither hex nor base64 nor JSON"
    assert isinstance(message, Message)
    assert isinstance(broken, Remark)
    assert "is no JSON" in broken.text
    assert len(failures([odd, message, broken])) == 2


def test_a_truncated_message_says_where_it_ends() -> None:
    (message,) = read(SETUP[:-3].hex())
    assert isinstance(message, Message)
    assert message.fault is not None
    assert message.fault.path == "V2G_Message/Body/SessionSetupReq/EVCCID"
    assert message.fault.reason == "the stream ends here"


def test_a_schema_may_be_forced() -> None:
    (message,) = read(SETUP.hex(), forced="din")
    assert isinstance(message, Message)
    assert message.schema == "din"
    assert message.fault is not None


def test_fragments() -> None:
    element = iso2.ChargingStatusReq()
    (message,) = read(encode("iso2", element, fragment=True).hex(), fragment=True, forced="iso2")
    assert isinstance(message, Message)
    assert (message.name, message.fragment) == ("ChargingStatusReq", True)


def test_a_fragment_without_a_schema_names_the_others_that_fit() -> None:
    stream = encode("xmldsig", signed_info(), fragment=True)
    (message,) = read(stream.hex(), fragment=True)
    assert isinstance(message, Message)
    assert (message.schema, message.name) == ("xmldsig", "SignedInfo")


def signed_info() -> Any:
    return xmldsig.SignedInfo(
        canonicalization_method=xmldsig.CanonicalizationMethod(algorithm="http://www.w3.org/TR/canonical-exi/"),
        signature_method=xmldsig.SignatureMethod(algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        reference=(
            xmldsig.Reference(
                uri="#id1",
                digest_method=xmldsig.DigestMethod(algorithm="http://www.w3.org/2001/04/xmlenc#sha256"),
                digest_value=bytes(32),
            ),
        ),
    )


@pytest.mark.parametrize("file", ["sap", "iso2", "din", "cm20", "ac20", "dc20", "wpt20", "acdp20"])
def test_the_schema_of_bare_exi_is_found_or_named_among_those_that_fit(file: str) -> None:
    """Nothing but its own octets tells the schema of bare EXI, and the -20 namespaces share their codes."""
    rows = [json.loads(line) for line in (VECTORS / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        found = Follower().decode(bytes.fromhex(row["exi"]), fragment=row["fragment"])
        assert found.fault is None
        assert found.schema == row["grammar"] or any(row["grammar"] in note for note in found.notes)


def charge_loop() -> Any:
    header = common20.MessageHeader(session_id=bytes(8), time_stamp=1)
    return dc20.DC_CableCheckReq(header=header)


def test_twenty_is_told_by_its_payload_type() -> None:
    octets = frame(PayloadType.DC_20, encode("dc20", charge_loop()))
    (message,) = read(octets.hex())
    assert isinstance(message, Message)
    assert (message.schema, message.name, message.header["SessionID"]) == (
        "dc20",
        "DC_CableCheckReq",
        "0000000000000000",
    )


# --- JSON -----------------------------------------------------------------------------------------------------------

NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
REQUEST = {"iso15118SchemaVersion": NAMESPACE, "action": "Install", "exiRequest": b64(SETUP)}


@pytest.mark.parametrize(
    ("documents", "origins"),
    [
        (
            [[2, "1", "Get15118EVCertificate", REQUEST], [3, "1", {"status": "Accepted", "exiResponse": b64(SETUP)}]],
            ["OCPP Get15118EVCertificate exiRequest", "OCPP Get15118EVCertificate exiResponse"],
        ),
        ([[3, "9", {"exiResponse": SETUP.hex()}]], ["OCPP result exiResponse"]),
        (
            [[2, "1", "DataTransfer", {"vendorId": "org.openchargealliance.iso15118pnc", "data": json.dumps(REQUEST)}]],
            ["OCPP DataTransfer exiRequest"],
        ),
        ([REQUEST], ["exiRequest"]),
        ([{"ccp": [{"certificateInstallationRes": b64(SETUP)}] * 2}], ["certificateInstallationRes"] * 2),
        ([[[2, "1", "Get15118EVCertificate", REQUEST]]], ["OCPP Get15118EVCertificate exiRequest"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_exi_inside_json(documents: list[Any], origins: list[str], indent: int | None) -> None:
    if indent and len(documents) > 1:
        documents = [documents]  # a document over several lines stands alone
    records = read("\n".join(json.dumps(document, indent=indent) for document in documents))
    assert not failures(records)
    assert [record.where.origin for record in records] == origins
    assert names(records) == ["SessionSetupReq"] * len(origins)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "there is no EXI in this JSON"),
        ("[1, 2", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"exiRequest": "no exi!"}', "exiRequest is neither base64 nor hex"),
        ('{"kind": "message"}', "this is no message of a trace: KeyError 'exi'"),
        ('{"kind": "message", "exi": "zz"}', "this is no message of a trace: ValueError"),
        ('{"kind": "message", "exi": "80", "time_ns": "now"}', "this is no message of a trace: TypeError"),
        ('{"kind": "remark", "layer": "TCP"}', "this is no remark of a trace"),
        ('{"kind": "discovery", "datagram": 7}', "this is no discovery of a trace"),
        ('{"kind": "message", "exi": "80", "sender": "me"}', "this is no message of a trace"),
    ],
)
def test_json_without_exi(text: str, reason: str) -> None:
    (remark,) = read(text)
    assert isinstance(remark, Remark)
    assert not remark.ok
    assert reason in remark.text


# --- traces ---------------------------------------------------------------------------------------------------------


def trace(records: list[Record]) -> list[str]:
    return [json.dumps(record_json(record)) for record in records]


def damaged_session() -> list[Record]:
    packets = plain_session()
    return dissect(packets[:9] + packets[10:17] + packets[19:])


@pytest.mark.parametrize(
    "make",
    [
        lambda: dissect(plain_session()),
        damaged_session,
        lambda: dissect(tls_packets(tls_session())),
        lambda: dissect(tls_packets(tls_session()), keys=tls_session().keys),
        lambda: read("\n".join([SETUP.hex(), SETUP[:9].hex(), "nonsense"])),
        lambda: read(json.dumps(REQUEST)),
    ],
    ids=["plain", "damaged", "closed", "opened", "hex", "ocpp"],
)
def test_a_trace_decodes_to_itself(make: Any) -> None:
    lines = trace(make())
    assert trace(read("\n".join(lines))) == lines


def test_a_trace_line_has_what_people_look_for() -> None:
    line = record_json(next(record for record in dissect(plain_session()) if names([record]) == ["PaymentDetailsReq"]))
    assert line["kind"] == "message"
    assert line["time"] == "2026-05-28T20:26:40.050000Z"
    assert (line["sender"], line["source"], line["destination"]) == ("EVCC", "[fe80::1]:49152", "[fe80::2]:61341")
    assert (line["payload_type"], line["schema"], line["message"]) == ("0x8001", "iso2", "PaymentDetailsReq")
    assert line["value"]["V2G_Message"]["Body"]["PaymentDetailsReq"]["eMAID"] == "DEPLUC12345678Q"
    assert decode("iso2", bytes.fromhex(line["exi"]))
    assert [certificate["field"].rpartition("/")[2] for certificate in line["certificates"]] == ["Certificate"] * 3


def test_what_failed_may_be_decoded_again_with_a_schema() -> None:
    unknown = json.dumps({"kind": "message", "exi": SETUP.hex(), "error": {"reason": "no schema"}})
    (message,) = read(unknown, forced="iso2")
    assert names([message]) == ["SessionSetupReq"]


def test_times_that_no_calendar_has() -> None:
    assert time_text(10**30) == ""
    assert time_text(-(10**30)) == ""
    assert time_text(1) == "1970-01-01T00:00:00.000000Z"


# --- anything -------------------------------------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_any_text_is_survived(text: str) -> None:
    for record in read(text):
        json.dumps(record_json(record))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda children: (
            st.lists(children, max_size=4)
            | st.dictionaries(
                st.sampled_from(["kind", "exi", "exiRequest", "datagram", "time_ns", "value"]), children, max_size=4
            )
        ),
    )
)
def test_any_json_is_survived(document: Any) -> None:
    read(json.dumps(document))


@given(st.sampled_from([offer(), choice(), v2g(iso2.ChargingStatusReq()), SETUP]), st.data())
def test_any_change_to_a_message_is_survived(exi: bytes, data: st.DataObject) -> None:
    changed = bytearray(exi)
    for at in data.draw(st.lists(st.integers(0, len(exi) - 1), max_size=3)):
        changed[at] = data.draw(st.integers(0, 255))
    for record in read(changed.hex()):
        json.dumps(record_json(record))
