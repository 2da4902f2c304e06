"""TLS in captures: real handshakes, opened with their key logs."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from capture_support import (
    NAMES,
    conversation,
    discovery,
    dissect,
    failures,
    names,
    session,
    tls_packets,
    tls_session,
)
from plugpass.iso15118.capture.packets import Endpoint
from plugpass.iso15118.capture.pcap import Secrets
from plugpass.iso15118.capture.records import Message, Remark, Sender
from plugpass.iso15118.capture.tls import TlsConnection
from plugpass.iso15118.capture.tls_keys import KeyLog, expand_label, prf
from plugpass.iso15118.capture.tls_records import SUITES_13, BadRecord, Protection13
from plugpass.iso15118.sdp import Security

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
NO_ENCRYPT_THEN_MAC = 1 << 19  # OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC; the ssl module has no name for it


def remarks(records: object) -> list[str]:
    return [record.text for record in records if isinstance(record, Remark)]  # type: ignore[attr-defined]  # a list


@pytest.mark.parametrize("options", [0, NO_ENCRYPT_THEN_MAC], ids=["encrypt-then-mac", "mac-then-encrypt"])
@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-ECDSA-AES128-SHA256",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-CCM",
        "ECDHE-ECDSA-AES128-CCM8",
    ],
)
def test_tls_1_2(suite: str, options: int) -> None:
    recorded = tls_session(TLS_1_2, suite, options)
    records = dissect(tls_packets(recorded), keys=recorded.keys)
    assert not failures(records)
    assert names(records) == NAMES
    assert f"TLS 1.2, {suite}; the key log has its secrets" in remarks(records)


def test_tls_1_3() -> None:
    recorded = tls_session(TLS_1_3)
    records = dissect(tls_packets(recorded), keys=recorded.keys)
    assert not failures(records)
    assert names(records) == NAMES
    assert "TLS 1.3, TLS_AES_256_GCM_SHA384; the key log has its secrets" in remarks(records)


def test_tls_1_3_after_a_hello_retry_request() -> None:
    recorded = tls_session(TLS_1_3, groups=("", "secp521r1"))
    assert hashlib.sha256(b"HelloRetryRequest").digest() in recorded.wire[1][1]
    assert names(dissect(tls_packets(recorded), keys=recorded.keys)) == NAMES


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_the_station_chain_is_shown(version: ssl.TLSVersion) -> None:
    recorded = tls_session(version)
    records = dissect(tls_packets(recorded), keys=recorded.keys)
    (chain,) = (record for record in records if isinstance(record, Remark) and record.certificates)
    assert chain.where.sender is Sender.SECC
    assert chain.certificates[0].subject.startswith("CN=DE*PLU*E45B*78C,")
    assert len(chain.certificates) == 3


def test_secrets_inside_the_capture_file_open_it() -> None:
    recorded = tls_session()
    assert names(dissect([Secrets(recorded.keylog), *tls_packets(recorded)])) == NAMES


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_without_a_key_log_it_says_so_once_a_direction(version: ssl.TLSVersion) -> None:
    records = dissect(tls_packets(tls_session(version)))
    assert names(records) == []
    assert any("without its secrets it stays closed" in text for text in remarks(records))
    shut = [record for record in failures(records) if isinstance(record, Remark)]
    assert {record.where.sender for record in shut} == {Sender.EVCC, Sender.SECC}
    assert len(shut) == 2
    assert "the key log has no secret of this connection" in shut[0].text


def test_the_chain_of_tls_1_2_is_shown_without_keys() -> None:
    records = dissect(tls_packets(tls_session()))
    assert any(record.certificates for record in records if isinstance(record, Remark))


def test_the_key_log_of_another_connection_does_not_open_it() -> None:
    recorded = tls_session()
    lines = recorded.keylog.replace(recorded.keylog.split()[-1], b"00" * 48)
    records = dissect(tls_packets(recorded), keys=KeyLog(lines.splitlines()))
    assert names(records) == []
    assert any(
        "TLS records do not authenticate" in record.text for record in failures(records) if isinstance(record, Remark)
    )


def test_closed_tls_of_others_is_counted_and_not_told() -> None:
    from plugpass.iso15118.capture.dissector import Dissector

    wire = tls_session().wire
    web = conversation(wire, client=Endpoint(b"\xc0\0\2\1", 40_000), server=Endpoint(b"\xc0\0\2\2", 443))
    dissector = Dissector()
    assert list(dissector.run(web)) == []
    assert dissector.closed_tls == 1


def test_v2g_in_tls_between_other_addresses_is_recognised_once_it_is_open() -> None:
    recorded = tls_session()
    lab = conversation(recorded.wire, client=Endpoint(b"\x7f\0\0\1", 40_000), server=Endpoint(b"\x7f\0\0\1", 443))
    records = dissect(lab, keys=recorded.keys)
    assert names(records) == NAMES
    assert {record.where.connection for record in records} == {1}
    assert "TLS 1.2, ECDHE-ECDSA-AES128-SHA256; the key log has its secrets" in remarks(records)


@pytest.mark.parametrize("size", [1, 5, 64, 4096])
def test_records_may_be_split_in_any_way(size: int) -> None:
    recorded = tls_session(TLS_1_3)
    split = [(mine, octets[at : at + size]) for mine, octets in recorded.wire for at in range(0, len(octets), size)]
    assert names(dissect(conversation(split), keys=recorded.keys)) == NAMES


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"])
def test_behind_a_loss_the_next_record_is_found(version: ssl.TLSVersion, suite: str) -> None:
    recorded = tls_session(version, suite)
    packets = tls_packets(recorded)
    data = [at for at, packet in enumerate(packets) if len(packet.octets) > 300 and packet.octets[74] == 23]
    lost = next(at for at in data if len(packets[at].octets) > 1200)  # PaymentDetailsReq
    records = dissect(packets[:lost] + packets[lost + 1 :], keys=recorded.keys)
    assert names(records)[-4:] == NAMES[-4:]
    assert "PaymentDetailsReq" not in names(records)
    assert any("were not captured" in record.text for record in failures(records) if isinstance(record, Remark))


def test_a_capture_without_the_handshake_stays_closed() -> None:
    recorded = tls_session()
    start = next(at for at, (_, octets) in enumerate(recorded.wire) if octets[0] == 23)
    records = dissect(discovery(Security.TLS) + conversation(recorded.wire[start:]), keys=recorded.keys)
    assert names(records) == []
    assert all("has not got the TLS handshake" in text for text in remarks(failures(records)))


def test_an_alert_is_told() -> None:
    alert = bytes.fromhex("15 0303 0002 02 2d")
    hello = tls_session().wire[0]
    records = dissect(discovery(Security.TLS) + conversation([hello, (False, alert)]))
    assert "fatal alert: certificate_expired" in remarks(records)


def test_a_capture_with_every_octet_damaged_once_still_ends() -> None:
    recorded = tls_session()
    for at in range(0, len(recorded.wire[1][1]), 37):
        mine, octets = recorded.wire[1]
        damaged = octets[:at] + bytes((octets[at] ^ 0x55,)) + octets[at + 1 :]
        wire = (recorded.wire[0], (mine, damaged), *recorded.wire[2:])
        dissect(tls_packets(replace(recorded, wire=wire)), keys=recorded.keys)


@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200) | st.none()), max_size=12))
def test_any_octets_are_survived(events: list[tuple[int, bytes | None]]) -> None:
    connection = TlsConnection(KeyLog())
    for side, octets in events:
        if octets is None:
            connection.lose(side, 50)
        else:
            connection.receive(side, octets)
    connection.flush(0)
    connection.flush(1)


@given(st.data())
def test_any_change_to_a_real_connection_is_survived(data: st.DataObject) -> None:
    recorded = tls_session(data.draw(st.sampled_from([TLS_1_2, TLS_1_3])))
    connection = TlsConnection(recorded.keys)
    for mine, octets in recorded.wire:
        changed = bytearray(octets)
        for at in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=2)):
            changed[at] = data.draw(st.integers(0, 255))
        connection.receive(0 if mine else 1, bytes(changed))


# --- keys -----------------------------------------------------------------------------------------------------------


def test_traffic_keys_are_those_of_rfc_8448() -> None:
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    assert expand_label("sha256", secret, b"key", 16).hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert expand_label("sha256", secret, b"iv", 12).hex() == "5d313eb2671276ee13000b30"


def test_the_prf_is_that_of_tls_1_2() -> None:
    """The vector for P_SHA256 that the TLS working group published with RFC 5246."""
    octets = prf(
        "sha256",
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert octets.hex().startswith(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
    )


def test_a_key_update_is_followed() -> None:
    suite = SUITES_13[0x1301]
    assert suite.aead is not None
    keys = Protection13(suite, bytes(32))
    secret = expand_label("sha256", bytes(32), b"traffic upd", 32)
    header = bytes.fromhex("17 0303 0014")
    nonce, key = (expand_label("sha256", secret, label, size) for label, size in ((b"iv", 12), (b"key", 16)))
    sealed = suite.aead(key).encrypt(nonce, b"abc\x17", header)  # type: ignore[attr-defined]  # the test's half
    assert keys.updated().open(header, sealed, 0) == (23, b"abc")
    with pytest.raises(BadRecord):
        keys.open(header, sealed, 0)


def test_messages_after_a_key_update_are_read() -> None:
    recorded = tls_session(TLS_1_3)
    words = [line.split() for line in recorded.keylog.splitlines()]
    secret = next(bytes.fromhex(line[2].decode()) for line in words if line[0] == b"CLIENT_TRAFFIC_SECRET_0")
    sent = sum(said.from_client for said in session())  # records under the first generation of keys
    updated = expand_label("sha384", secret, b"traffic upd", 48)
    update = sealed(secret, sent, bytes.fromhex("18 000001 00") + b"\x16")
    again = sealed(updated, 0, session()[0].octets + b"\x17" + bytes(40))  # padded: RFC 8446 §5.4
    wire = (*recorded.wire, (True, update), (True, again))
    records = dissect(tls_packets(replace(recorded, wire=wire)), keys=recorded.keys)
    assert names(records) == [*NAMES, NAMES[0]]


def sealed(secret: bytes, sequence: int, inner: bytes) -> bytes:
    """A record of TLS_AES_256_GCM_SHA384."""
    key, iv = expand_label("sha384", secret, b"key", 32), expand_label("sha384", secret, b"iv", 12)
    nonce = (int.from_bytes(iv) ^ sequence).to_bytes(12)
    header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
    return header + AESGCM(key).encrypt(nonce, inner, header)


def test_a_suite_that_we_cannot_open_is_named() -> None:
    """Static ECDH exists no more in any library; its records could be opened, those of RC4 could not."""
    (mine, hello), (_, answer), *others = tls_session().wire
    changed = answer.replace(b"\xc0\x23", b"\xc0\x07", 1)
    records = dissect(discovery(Security.TLS) + conversation([(mine, hello), (False, changed), *others]))
    assert "TLS 1.2, cipher suite c007; without its secrets it stays closed" in remarks(records)
    assert any("cannot be opened here" in text for text in remarks(failures(records)))


def test_only_lines_of_a_key_log_count() -> None:
    keys = KeyLog()
    random, secret = "11" * 32, "22" * 48
    found = keys.add(
        [
            b"# comment",
            b"",
            b"CLIENT_RANDOM",
            b"CLIENT_RANDOM zz zz",
            b"CLIENT_RANDOM 1122 3344",
            b"EXPORTER_SECRET " + random.encode() + b" " + secret.encode(),
            b"CLIENT_RANDOM " + random.encode() + b" " + secret.encode() + b"\r\n",
            b"\xff\xff \xff \xff",
            b"CLIENT_RANDOM " + b"1" * 1000 + b" 22",
        ]
    )
    assert found == 1
    assert keys.secret("CLIENT_RANDOM", bytes.fromhex(random)) == bytes.fromhex(secret)
    assert secret not in repr(keys)


def test_messages_inside_tls_know_their_offset_in_the_clear() -> None:
    recorded = tls_session()
    records = dissect(tls_packets(recorded), keys=recorded.keys)
    mine = [
        record.where.offset for record in records if isinstance(record, Message) and record.where.sender is Sender.EVCC
    ]
    sizes = [len(said.octets) for said in session() if said.from_client]
    assert mine == [sum(sizes[:at]) for at in range(len(sizes))]
