"""V2G TLS on loopback: our vehicle at our station, refusals from both sides, strangers, and OpenSSL's own tools."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs

from net_support import EchoMachine
from pki_factory import NOW, ROLE, Minted, Pki, mint_pki, shared_pki
from plugpass.errors import ConfigurationError, LocalError, PeerError, Unavailable
from plugpass.iso15118.machine import Event, Machine, SessionEnded
from plugpass.iso15118.sdp import SdpRequest, SdpResponse, Security
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, PayloadType, frame
from plugpass.net import tls
from plugpass.net.clock import SystemClock
from plugpass.net.evcc_client import SeccAddress, connect, discover
from plugpass.net.sdp import Link, find_link
from plugpass.net.secc_server import ConnectionInfo, SeccServer
from plugpass.net.session import Handler, run_session
from plugpass.net.stream import ByteStream
from plugpass.net.tls import Identity, TlsRefused, TlsStream
from plugpass.pki import path
from plugpass.ports.keys import Credential

CIPHER = "ECDHE-ECDSA-AES128-SHA256"


def credential(leaf: Minted) -> Credential:
    return Credential(chain=leaf.chain, signer=leaf.signer)


def judge(pki: Pki, **options: object) -> tls.Verify:
    """What a vehicle does with the station's chain, with the alert names a vehicle would choose."""
    alerts = {"EXPIRED": "certificate_expired", "NO_PATH": "unknown_ca"}

    def verify(chain: tuple[bytes, ...], staple: bytes | None) -> None:
        verdict = path.validate(chain, role=ROLE.SECC_LEAF, anchors=pki.anchors, at=NOW)
        if not verdict.ok:
            names = {str(reason).upper() for reason in verdict.reasons}
            wire = next((alert for part, alert in alerts.items() if any(part in name for name in names)), "")
            raise PeerError(f"station refused: {verdict.summary}", wire=wire)

    return verify


def accept(chain: tuple[bytes, ...], staple: bytes | None) -> None:
    return


async def echo(event: Event) -> None:
    return


def new_echo(info: ConnectionInfo) -> tuple[Machine, Handler]:
    return EchoMachine(), echo


@contextlib.asynccontextmanager
async def station(leaf: Minted | None = None, **options: object) -> AsyncIterator[SeccServer]:
    """A running station on loopback, on any SDP port."""
    minted = leaf or shared_pki().leaf(ROLE.SECC_LEAF)
    settings: dict[str, object] = {
        "credential": lambda: credential(minted),
        "new_session": new_echo,
        "clock": SystemClock(),
        "sdp_port": 0,
        **options,
    }
    async with SeccServer(**settings) as server:  # type: ignore[arg-type]  # a test's shorthand
        yield server


def address_of(server: SeccServer) -> SeccAddress:
    return SeccAddress(host=server.host, port=server.port)


@contextlib.asynccontextmanager
async def vehicle(server: SeccServer, **options: object) -> AsyncIterator[TlsStream]:
    settings: dict[str, object] = {"verify": accept, **options}
    stream = await connect(address_of(server), **settings)  # type: ignore[arg-type]  # a test's shorthand
    assert isinstance(stream, TlsStream)
    try:
        yield stream
    finally:
        await stream.close()


async def say(stream: ByteStream, payload: bytes) -> bytes:
    await stream.write(frame(EXI_ISO2, payload))
    decoder = FrameDecoder()
    while True:
        data = await stream.read()
        assert data, "the station closed the connection"
        if frames := decoder.receive(data):
            return frames[0][1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # there is nothing in the server that a test could wait for
            await asyncio.sleep(0.001)


async def still_serves(server: SeccServer) -> bool:
    async with vehicle(server) as stream:
        return await say(stream, b"still here") == b"still here"


# --- the good case -------------------------------------------------------------------------------------------------


async def test_discovery_handshake_and_a_session() -> None:
    pki = shared_pki()
    async with station() as server:
        address = await discover(sdp_port=server.sdp_port)
        assert address == address_of(server)
        stream = await connect(address, verify=judge(pki), roots=[pki[ROLE.V2G_ROOT].der])
        assert isinstance(stream, TlsStream)
        assert (stream.protocol, stream.cipher, stream.group) == ("TLSv1.2", CIPHER, "secp256r1")
        assert await say(stream, b"hello") == b"hello"
        assert await say(stream, b"bye") == b"bye"
        assert await stream.read() == b""
        await stream.close()


async def test_two_machines_over_tls() -> None:
    async with station() as server:
        stream = await connect(address_of(server), verify=accept)
        ended = await run_session(stream, EchoMachine(first=b"bye"), clock=SystemClock(), handle=echo)
        assert ended.reason == "said bye"  # the echo of our own good-bye


async def test_without_the_private_features_the_handshake_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "FEATURES", tls.Features(signature_algorithms=False, trusted_ca_keys=False))
    async with station() as server, vehicle(server, roots=[shared_pki()[ROLE.V2G_ROOT].der]) as stream:
        assert await say(stream, b"x") == b"x"
        assert stream.cipher == CIPHER


async def test_a_machine_without_ipv6_uses_mapped_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.net.sdp._loopback", lambda: Link(host="127.0.0.1"))
    async with station() as server:
        answer = SdpResponse.decode(await ask_raw(server, SdpRequest().encode()))
        assert str(answer.address) in ("::ffff:7f00:1", "::ffff:127.0.0.1")
        address = await discover(sdp_port=server.sdp_port)
        assert address.host == "127.0.0.1"
        stream = await connect(address, verify=accept)
        assert await say(stream, b"x") == b"x"
        await stream.close()


async def test_the_chain_arrives_leaf_first_without_the_root() -> None:
    leaf = shared_pki().leaf(ROLE.SECC_LEAF)
    async with station(leaf) as server, vehicle(server) as stream:
        assert stream.peer_chain == leaf.chain
        assert len(stream.peer_chain) == 3


async def test_a_large_message_crosses_many_records() -> None:
    payload = bytes(range(256)) * 200
    async with station() as server, vehicle(server) as stream:
        assert await say(stream, payload) == payload


async def test_a_frame_is_one_send() -> None:
    """Peers that read once per message break on a frame in two segments (josev-interop)."""
    async with station() as server, vehicle(server) as stream:
        received = await say(stream, b"x" * 3000)
        assert received == b"x" * 3000
        await stream.write(frame(EXI_ISO2, b"y" * 3000))
        assert len(await stream.read()) == 3008


async def test_the_station_learns_which_roots_the_vehicle_named() -> None:
    root = shared_pki()[ROLE.V2G_ROOT].der
    infos = list[ConnectionInfo]()

    def new_session(info: ConnectionInfo) -> tuple[Machine, Handler]:
        infos.append(info)
        return EchoMachine(), echo

    async with station(new_session=new_session) as server, vehicle(server, roots=[root, b"another"]) as stream:
        await say(stream, b"x")
    assert infos[0].trusted_ca_sha1 == (hashlib.sha1(root).digest(), hashlib.sha1(b"another").digest())
    assert infos[0].tls
    assert infos[0].handshake_ms > 0


async def test_the_chain_of_the_named_root_is_presented() -> None:
    first, second = shared_pki(), mint_pki()
    leaf = second.leaf(ROLE.SECC_LEAF)
    root = second[ROLE.V2G_ROOT].der
    other = Identity(credential=credential(leaf), root_sha1=hashlib.sha1(root).digest(), staple=None)
    async with station(others=lambda: (other,)) as server:
        async with vehicle(server, roots=[root], verify=judge(second)) as stream:
            assert stream.peer_chain == leaf.chain
            assert await say(stream, b"x") == b"x"
        async with vehicle(server, roots=[first[ROLE.V2G_ROOT].der], verify=judge(first)) as stream:
            assert stream.peer_chain != leaf.chain


async def test_the_staple_is_delivered_and_swapped_with_the_leaf() -> None:
    pki = shared_pki()
    leaves = [pki.leaf(ROLE.SECC_LEAF), pki.leaf(ROLE.SECC_LEAF)]
    staples = [pki.ocsp_response(leaf.der, ROLE.CPO_SUB2) for leaf in leaves]
    current = 0
    async with station(credential=lambda: credential(leaves[current]), staple=lambda: staples[current]) as server:
        for current in (0, 1):  # the station's callables read it
            async with vehicle(server) as stream:
                assert stream.staple == staples[current]
                assert stream.peer_chain == leaves[current].chain


async def test_no_staple_is_told_apart() -> None:
    async with station() as server, vehicle(server) as stream:
        assert stream.staple is None


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "alert"),
    [
        ("certificate_expired", "certificate_expired"),
        ("certificate_revoked", "certificate_revoked"),
        ("unknown_ca", "unknown_ca"),
        ("bad_certificate_status_response", "bad_certificate_status_response"),
        ("FAILED_CertChainError", "bad_certificate"),
        ("", "bad_certificate"),
    ],
)
async def test_the_vehicles_refusal_reaches_both_sides(wire: str, alert: str) -> None:
    cause = PeerError("not this one", wire=wire)

    def verify(chain: tuple[bytes, ...], staple: bytes | None) -> None:
        raise cause

    async with station() as server:
        with capture_logs() as logs:
            with pytest.raises(TlsRefused, match="not this one") as refused:
                await connect(address_of(server), verify=verify)
            await until(lambda: server.connections == 0)
        assert refused.value.__cause__ is cause
        assert (refused.value.alert, refused.value.by_peer) == (alert, False)
        assert [(line["event"], line["alert"]) for line in logs] == [("secc_connection_refused", alert)]
        assert await still_serves(server)


async def test_an_expired_leaf_is_refused() -> None:
    pki = mint_pki(now=NOW - timedelta(days=50))
    leaf = pki.leaf(ROLE.SECC_LEAF, validity=timedelta(days=20))
    async with station(leaf) as server:
        with pytest.raises(TlsRefused) as refused:
            await connect(address_of(server), verify=judge(pki))
        assert refused.value.alert == "certificate_expired"


async def test_a_chain_to_an_unknown_root_is_refused() -> None:
    async with station(mint_pki().leaf(ROLE.SECC_LEAF)) as server:
        with pytest.raises(TlsRefused, match="station refused") as refused:
            await connect(address_of(server), verify=judge(shared_pki()))
        assert refused.value.alert in ("unknown_ca", "bad_certificate")


async def test_a_defect_of_the_verifier_is_not_taken_for_a_yes() -> None:
    def verify(chain: tuple[bytes, ...], staple: bytes | None) -> None:
        raise ZeroDivisionError

    async with station() as server:
        with pytest.raises(ZeroDivisionError):
            await connect(address_of(server), verify=verify)
        assert await still_serves(server)


async def test_tls_without_a_verifier_is_a_misuse() -> None:
    with pytest.raises(LocalError, match="verify"):
        await connect(SeccAddress(host="::1", port=1), verify=None)


async def test_nobody_there() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(Unavailable, match="no connection to the station"):
        await connect(SeccAddress(host="::1", port=port), verify=accept)


async def test_a_station_without_a_certificate_refuses_by_name() -> None:
    async with station(credential=lambda: None) as server:
        with capture_logs() as logs, pytest.raises(TlsRefused) as refused:
            await connect(address_of(server), verify=accept)
        assert refused.value.alert == "handshake_failure"
        assert refused.value.by_peer
        assert "no SECC certificate" in logs[0]["reason"]


async def test_a_credential_with_a_foreign_key_never_serves() -> None:
    pki = shared_pki()
    chain, signer = pki.leaf(ROLE.SECC_LEAF).chain, pki.leaf(ROLE.SECC_LEAF).signer
    async with station(credential=lambda: Credential(chain=chain, signer=signer)) as server:
        with capture_logs() as logs, pytest.raises((TlsRefused, Unavailable)):
            await connect(address_of(server), verify=accept)
        assert "cannot serve our own credential" in logs[0]["reason"]


# --- strangers -----------------------------------------------------------------------------------------------------


async def raw(server: SeccServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(server.host, server.port)


STRANGERS = {
    "plain V2GTP": frame(EXI_ISO2, b"\x80\x00"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(100),
    "SSLv2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
    "a record of 65535 octets": b"\x16\x03\x01\xff\xff" + bytes(200),
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_stranger_costs_one_log_line(name: str) -> None:
    async with station() as server:
        with capture_logs() as logs:
            reader, writer = await raw(server)
            writer.write(STRANGERS[name])
            await reader.read()
            writer.close()
            await writer.wait_closed()
            await until(lambda: server.connections == 0)
        assert [line["event"] for line in logs] == ["secc_connection_refused"]
        assert "TLS handshake failed" in logs[0]["reason"]
        assert await still_serves(server)


async def test_an_endless_handshake_is_cut_at_its_limit() -> None:
    # A ClientHello that announces 16 MiB, sent in well-formed records.
    chunk = b"\x16\x03\x01\x40\x00" + bytes(0x4000)
    first = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x4000 - 4)
    async with station() as server:
        with capture_logs() as logs:
            reader, writer = await raw(server)
            with contextlib.suppress(ConnectionError):
                for octets in (first, chunk, chunk, chunk):
                    writer.write(octets)
                    await writer.drain()
                await reader.read()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            await until(lambda: server.connections == 0)
        assert [line["event"] for line in logs] == ["secc_connection_refused"]
        assert await still_serves(server)


async def test_a_silent_peer_is_dropped_after_the_handshake_timeout() -> None:
    async with station(handshake_timeout=0.05) as server:
        with capture_logs() as logs:
            reader, writer = await raw(server)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            await until(lambda: server.connections == 0)
        assert "not over after 0.05 s" in logs[0]["reason"]


async def test_a_peer_that_leaves_in_the_handshake() -> None:
    async with station() as server:
        with capture_logs() as logs:
            _, writer = await raw(server)
            writer.close()
            await writer.wait_closed()
            await until(lambda: server.connections == 0 and bool(logs))
        assert "during the TLS handshake" in logs[0]["reason"]


async def test_a_reset_without_close_notify_ends_the_session_quietly() -> None:
    ended = list[SessionEnded]()

    async def handle(event: Event) -> None:
        if isinstance(event, SessionEnded):
            ended.append(event)

    async with station(new_session=lambda info: (EchoMachine(), handle)) as server:
        stream = await connect(address_of(server), verify=accept)
        assert isinstance(stream, TlsStream)
        await say(stream, b"x")
        linger = stream._writer.get_extra_info("socket")
        linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream._writer.transport.abort()
        await until(lambda: server.connections == 0)
    assert [end.ok for end in ended] == [False]


async def test_a_broken_record_ends_the_session_only() -> None:
    ended = list[SessionEnded]()

    async def handle(event: Event) -> None:
        if isinstance(event, SessionEnded):
            ended.append(event)

    async with station(new_session=lambda info: (EchoMachine(), handle)) as server:
        async with vehicle(server) as stream:
            await say(stream, b"x")
            with capture_logs() as logs:
                stream._writer.write(b"\x17\x03\x03\x00\x20" + bytes(32))
                with pytest.raises(TlsRefused, match="bad_record_mac") as refused:
                    await stream.read()
                await until(lambda: server.connections == 0)
        assert refused.value.by_peer
        assert len(ended) == 1
        assert any("TLS connection broke" in str(line.get("reason")) for line in logs)
        assert await still_serves(server)


async def test_a_vehicle_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.net.stream.WRITE_TIMEOUT", 0.05)

    class Talker(EchoMachine):
        def data_to_send(self) -> bytes:
            return bytes(20_000_000)  # more than the sockets' buffers take

    async with station(new_session=lambda info: (Talker(), echo)) as server:
        with capture_logs() as logs:
            reader, writer = await raw(server)
            stream = await tls.connect_tls(reader, writer, verify=accept)
            await until(lambda: server.connections == 0)
            await stream.close()
        assert any("unread for" in str(line.get("reason")) for line in logs)


async def test_more_vehicles_than_allowed_are_turned_away() -> None:
    async with station(max_connections=1) as server:
        async with vehicle(server) as stream:
            await say(stream, b"x")
            with pytest.raises((TlsRefused, Unavailable)):
                await connect(address_of(server), verify=accept)
            assert await say(stream, b"y") == b"y"
        await until(lambda: server.connections == 0)
        assert await still_serves(server)


async def test_a_failing_session_factory_leaves_the_station_running() -> None:
    broken = True

    def new_session(info: ConnectionInfo) -> tuple[Machine, Handler]:
        if broken:
            raise RuntimeError("no meter")
        return new_echo(info)

    async with station(new_session=new_session) as server:
        with capture_logs() as logs:
            async with vehicle(server) as stream:
                assert await stream.read() == b""
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["secc_session_failed"]
        broken = False
        assert await still_serves(server)


async def test_stopping_ends_sessions_and_lets_them_report() -> None:
    reported = list[Event]()

    async def handle(event: Event) -> None:
        await asyncio.sleep(0)
        reported.append(event)

    async with station(new_session=lambda info: (EchoMachine(), handle)) as server:
        stream = await connect(address_of(server), verify=accept)
        await say(stream, b"x")
        _, idle = await raw(server)  # never starts its handshake
        await until(lambda: server.connections == 2)
        async with asyncio.timeout(2):
            await server.stop()
        assert isinstance(reported[-1], SessionEnded)
        assert await stream.read() == b""
        await stream.close()
        idle.close()
        await idle.wait_closed()


# --- profiles: what must not be negotiated -------------------------------------------------------------------------


async def handshake_with_stdlib(server: SeccServer, **settings: object) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for name, value in settings.items():
        if name == "ciphers":
            context.set_ciphers(str(value))
        else:
            setattr(context, name, value)
    _, writer = await asyncio.open_connection(server.host, server.port, ssl=context)
    try:
        cipher: tuple[str, str, int] = writer.get_extra_info("cipher")
        return cipher[0]
    finally:
        writer.transport.abort()


async def test_another_stack_gets_the_one_suite_of_the_profile() -> None:
    async with station() as server:
        assert await handshake_with_stdlib(server, ciphers=f"{CIPHER}:ECDHE-ECDSA-AES256-GCM-SHA384") == CIPHER


@pytest.mark.parametrize(
    "settings",
    [
        {"ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {"ciphers": "ECDHE-RSA-AES128-GCM-SHA256"},
        {"minimum_version": ssl.TLSVersion.TLSv1_3},
    ],
)
async def test_a_client_outside_the_profile_fails_cleanly(settings: dict[str, object]) -> None:
    async with station() as server:
        with capture_logs() as logs:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await handshake_with_stdlib(server, **settings)
            await until(lambda: server.connections == 0)
        assert [line["event"] for line in logs] == ["secc_connection_refused"]
        assert await still_serves(server)


# --- SDP -----------------------------------------------------------------------------------------------------------


async def ask_raw(server: SeccServer, *datagrams: bytes) -> bytes:
    """The first answer to any of `datagrams`."""
    loop = asyncio.get_running_loop()
    with socket.socket(find_link(None).family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (server.host, server.sdp_port))
        for datagram in datagrams:
            await loop.sock_sendall(sock, datagram)
        async with asyncio.timeout(2):
            return await loop.sock_recv(sock, 100)


async def test_wrong_datagrams_are_dropped_with_a_line_each_and_the_next_good_one_is_answered() -> None:
    wrong = (b"", b"\x01", frame(PayloadType.SDP_REQUEST, bytes(3)), frame(PayloadType.SAP, bytes(2)), bytes(2000))
    async with station() as server:
        with capture_logs() as logs:
            answer = SdpResponse.decode(await ask_raw(server, *wrong, SdpRequest().encode()))
        assert answer.port == server.port
        assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["sdp_datagram_dropped"] * len(
            wrong
        )


async def test_a_flood_is_not_answered_without_end() -> None:
    async with station() as server:
        with capture_logs() as logs:
            loop = asyncio.get_running_loop()
            with socket.socket(find_link(None).family, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, (server.host, server.sdp_port))
                for _ in range(120):
                    await loop.sock_sendall(sock, b"garbage")
                await until(lambda: any(line["event"] == "sdp_flood" for line in logs))
        assert sum(line["event"] == "sdp_flood" for line in logs) == 1
        assert sum(line["event"] == "sdp_datagram_dropped" for line in logs) <= 60


async def test_a_tls_only_station_overrides_the_wish_for_plain_tcp() -> None:
    async with station() as server:
        address = await discover(sdp_port=server.sdp_port, tls=False)
        assert address == address_of(server)


async def test_plain_tcp_only_where_switched_on() -> None:
    infos = list[ConnectionInfo]()

    def new_session(info: ConnectionInfo) -> tuple[Machine, Handler]:
        infos.append(info)
        return EchoMachine(), echo

    async with station(plain_tcp=True, new_session=new_session) as server:
        assert (await discover(sdp_port=server.sdp_port)).tls
        address = await discover(sdp_port=server.sdp_port, tls=False)
        assert not address.tls
        assert address.port != server.port
        stream = await connect(address, verify=None)
        assert await say(stream, b"hello") == b"hello"
        await stream.close()
    assert not infos[0].tls


class Impostor(asyncio.DatagramProtocol):
    """Answers every SDP request with fixed datagrams."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        for answer in self.answers:
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def impostor(*answers: bytes) -> AsyncIterator[tuple[Impostor, int]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Impostor(*answers), local_addr=(find_link(None).host, 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def test_the_vehicle_asks_as_often_as_it_may_and_then_gives_up() -> None:
    async with impostor() as (silent, port):
        with pytest.raises(Unavailable, match="no station answered 5 SDP requests"):
            await discover(sdp_port=port, tries=5, interval=0.01)
        assert silent.asked == 5


async def test_the_vehicle_ignores_broken_answers_and_downgrades() -> None:
    link = find_link(None)
    plain = SdpResponse(address=link.address, port=1, security=Security.NONE).encode()
    good = SdpResponse(address=link.address, port=4711).encode()
    async with impostor(b"junk", frame(PayloadType.SDP_RESPONSE, bytes(20)), plain, good) as (_, port):
        assert (await discover(sdp_port=port)).port == 4711
    async with impostor(plain) as (_, port):
        with pytest.raises(Unavailable, match="offered NONE security"):
            await discover(sdp_port=port, tries=2, interval=0.01)


async def test_a_taken_sdp_port_and_an_unknown_interface_are_configuration_errors() -> None:
    async with station() as server:
        with pytest.raises(ConfigurationError, match="choose another sdp_port"):
            await station(sdp_port=server.sdp_port).__aenter__()
        with pytest.raises(ConfigurationError, match="choose another port"):
            await station(port=server.port).__aenter__()
    with pytest.raises(ConfigurationError, match="nosuch0"):
        find_link("nosuch0")


# --- OpenSSL's own tools -------------------------------------------------------------------------------------------

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the openssl command line tool is missing")


@needs_openssl
async def test_openssl_s_client_completes_the_handshake_with_a_staple(tmp_path: Path) -> None:
    pki = mint_pki(now=SystemClock().now())
    leaf = pki.leaf(ROLE.SECC_LEAF)
    root = tmp_path / "root.pem"
    root.write_bytes(pki[ROLE.V2G_ROOT].certificate.public_bytes(Encoding.PEM))
    staple = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2)
    async with station(leaf, staple=lambda: staple) as server:
        process = await asyncio.create_subprocess_exec(
            *(str(OPENSSL), "s_client", "-connect", f"[{server.host}]:{server.port}", "-tls1_2", "-status"),
            *("-cipher", CIPHER, "-CAfile", str(root), "-verify_return_error"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate(b"")
    text = output.decode()
    assert process.returncode == 0, text
    for expected in ("Verification: OK", CIPHER, "OCSP Response Status: successful", "prime256v1"):
        assert expected in text


@needs_openssl
async def test_our_vehicle_at_openssl_s_server(tmp_path: Path) -> None:
    pki = mint_pki(now=SystemClock().now())
    leaf = pki.leaf(ROLE.SECC_LEAF)
    files = {
        "leaf.pem": x509.load_der_x509_certificate(leaf.der).public_bytes(Encoding.PEM),
        "chain.pem": b"".join(ca.public_bytes(Encoding.PEM) for ca in leaf.sub_cas),
        "key.pem": leaf.signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "staple.der": pki.ocsp_response(leaf.der, ROLE.CPO_SUB2),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    process = await asyncio.create_subprocess_exec(
        *(str(OPENSSL), "s_server", "-accept", "[::1]:0", "-tls1_2", "-cipher", CIPHER, "-naccept", "1"),
        *("-cert", "leaf.pem", "-cert_chain", "chain.pem", "-key", "key.pem", "-status_file", "staple.der", "-rev"),
        cwd=tmp_path,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        while b"ACCEPT" not in (line := await asyncio.wait_for(process.stdout.readline(), 5)):
            assert line, "openssl s_server did not start"
        port = int(line.rsplit(b":", 1)[1])
        stream = await connect(SeccAddress(host="::1", port=port), verify=accept)
        assert isinstance(stream, TlsStream)
        assert stream.peer_chain == leaf.chain
        assert stream.staple == files["staple.der"]
        await stream.write(b"abc\n")
        assert await stream.read() == b"cba\n"
        await stream.close()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="interface names are Linux's")
async def test_multicast_discovery_on_a_real_interface() -> None:
    """The real thing, on any interface of this machine that has a link-local address and carries multicast."""
    links = []
    for _, name in socket.if_nameindex():
        with contextlib.suppress(ConfigurationError):
            if find_link(name).multicast:
                links.append(name)
    if not links:
        pytest.skip("no interface with an IPv6 link-local address")
    async with station(interface=links[0]) as server:
        try:
            address = await discover(interface=links[0], sdp_port=server.sdp_port, tries=4)
        except Unavailable:
            pytest.skip(f"the interface {links[0]} does not loop multicast back")
        assert address == SeccAddress(host=server.host, port=server.port, scope_id=socket.if_nametoindex(links[0]))
        stream = await connect(address, verify=accept)
        assert await say(stream, b"hello") == b"hello"
        await stream.close()
