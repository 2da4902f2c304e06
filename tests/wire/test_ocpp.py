"""OCPP 2.0.1 over WebSocket and mutual TLS on loopback: our server, our client, and foreign peers, good and bad."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from structlog.testing import capture_logs
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from net_support import ServiceCa
from ocpp_support import (
    BOOT,
    EMAID_TEXT,
    EVSE_ID,
    IDENTITY,
    STATION,
    Bench,
    ScriptedStation,
    WatchedRegistry,
    authorize,
    contract_hash_data,
    hash_data,
    make_csms,
)
from pki_factory import NOW, ROLE, shared_pki
from plugpass.errors import ConfigurationError, LocalError, Unavailable
from plugpass.net.clock import LabClock, ManualClock
from plugpass.net.ocpp_channel import Deferred, Handler, OcppChannel
from plugpass.net.ocpp_client import OcppClient
from plugpass.net.ocpp_server import OcppServer, station_identity
from plugpass.net.tls_service import client_context, server_context
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ocpp.rules import BackOff
from plugpass.ocpp.schemas import SchemaViolation
from plugpass.pki.bundle import pem, pem_block, read_certificates
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.ports.trace import WireEvent
from plugpass.store.database import Database

CLOCK = LabClock(NOW - datetime.now(UTC))  # certificates of the tests are minted for NOW
CA = ServiceCa.mint(now=NOW)
QUICK = BackOff(wait_minimum=0.01, repeat_times=0, random_range=0.0)
OFFERED = [Subprotocol(m.SUBPROTOCOL)]


def server_tls() -> ssl.SSLContext:
    return server_context(CA.issue("csms", now=NOW), client_roots=[CA.der], require_client=True, clock=CLOCK)


def station_tls(identity: str = IDENTITY, *, ca: ServiceCa = CA) -> ssl.SSLContext:
    return client_context([CA.der], ca.issue(identity, now=NOW), clock=CLOCK)


@dataclass
class Tape:
    """A trace that remembers."""

    events: list[WireEvent] = field(default_factory=list)

    def record(self, event: WireEvent) -> None:
        self.events.append(event)


class Central:
    """A central system for tests of the endpoint alone: knows one station, accepts every boot."""

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        self.booted: set[str] = set()
        self.links: list[OcppChannel] = []
        self.gone = asyncio.Event()
        self.arrived = asyncio.Event()
        self._handlers = {"BootNotification": self._boot, "Heartbeat": self._beat, **(handlers or {})}

    async def admit(self, identity: str) -> bool:
        return identity == IDENTITY

    def refusal(self, identity: str, action: str) -> ErrorCode | None:
        return None if identity in self.booted or action == "BootNotification" else ErrorCode.SECURITY_ERROR

    def handlers(self, link: OcppChannel) -> Mapping[str, Handler]:
        return self._handlers

    async def connected(self, link: OcppChannel) -> None:
        self.links.append(link)
        self.arrived.set()

    async def disconnected(self, link: OcppChannel) -> None:
        self.gone.set()

    async def _boot(self, _request: m.BootNotificationRequest) -> m.BootNotificationResponse:
        self.booted.add(IDENTITY)
        return m.BootNotificationResponse(current_time=CLOCK.now(), interval=60, status=e.RegistrationStatus.ACCEPTED)

    async def _beat(self, _request: m.HeartbeatRequest) -> m.HeartbeatResponse:
        return m.HeartbeatResponse(current_time=CLOCK.now())


@asynccontextmanager
async def serving(central: Central, **options: Any) -> AsyncIterator[OcppServer]:
    async with OcppServer(central, tls=server_tls(), clock=CLOCK, random=os.urandom, **options) as server:
        yield server


@asynccontextmanager
async def station(
    server: OcppServer, handlers: Mapping[str, Handler] | None = None, **options: Any
) -> AsyncIterator[OcppClient]:
    settings = {"clock": CLOCK, "random": os.urandom, "back_off": QUICK, **options}
    async with OcppClient(server.url, IDENTITY, station_tls(), handlers or {}, **settings) as client:
        async with asyncio.timeout(10):
            await client.wait_connected()
        yield client


@asynccontextmanager
async def raw(server: OcppServer, *, identity: str = IDENTITY, **options: Any) -> AsyncIterator[ClientConnection]:
    settings = {"ssl": station_tls(), "subprotocols": OFFERED, "proxy": None, **options}
    async with connect(f"{server.url}/{identity}", **settings) as websocket:
        yield websocket


async def exchange(websocket: ClientConnection, text: str | bytes) -> list[Any]:
    await websocket.send(text)
    async with asyncio.timeout(10):
        answer = json.loads(await websocket.recv())
    assert isinstance(answer, list)
    return answer


def events(lines: list[Any], *names: str) -> list[str]:
    return [line["event"] for line in lines if line["event"] in names]


# Both ends ours ------------------------------------------------------------------------------------------------------


async def test_calls_in_both_directions() -> None:
    central, tape = Central(), Tape()

    async def listed(_request: m.GetInstalledCertificateIdsRequest) -> m.GetInstalledCertificateIdsResponse:
        return m.GetInstalledCertificateIdsResponse(status=e.GetInstalledCertificateStatus.NOT_FOUND)

    async with (
        serving(central) as server,
        station(server, {"GetInstalledCertificateIds": listed}, trace=tape) as client,
    ):
        assert (await client.call(BOOT)).status is e.RegistrationStatus.ACCEPTED
        assert isinstance(await client.call(m.HeartbeatRequest()), m.HeartbeatResponse)
        answer = await central.links[0].call(m.GetInstalledCertificateIdsRequest())
        assert answer.status is e.GetInstalledCertificateStatus.NOT_FOUND
        assert server.connected == (IDENTITY,)
        assert client.online
    assert [(event.actor, event.peer, event.protocol, event.message, event.ok) for event in tape.events] == [
        ("station", "csms", "OCPP", "BootNotification", True),
        ("station", "csms", "OCPP", "Heartbeat", True),
    ]
    assert all(event.size > 0 for event in tape.events)


async def test_many_calls_at_once_are_sent_one_after_the_other_and_all_answered() -> None:
    async with serving(Central()) as server, station(server) as client:
        await client.call(BOOT)
        answers = await asyncio.gather(*(client.call(m.HeartbeatRequest()) for _ in range(50)))
        assert len(answers) == 50


async def test_a_handler_that_calls_back_does_not_deadlock() -> None:
    central = Central()

    async def nested(_request: m.TriggerMessageRequest) -> m.TriggerMessageResponse:
        await client.call(m.HeartbeatRequest())  # in the middle of answering
        return m.TriggerMessageResponse(status=e.TriggerMessageStatus.ACCEPTED)

    async with serving(central) as server, station(server, {"TriggerMessage": nested}) as client:
        await client.call(BOOT)
        trigger = m.TriggerMessageRequest(requested_message=e.MessageTrigger.HEARTBEAT)
        async with asyncio.timeout(10):
            answer = await central.links[0].call(trigger)
        assert answer.status is e.TriggerMessageStatus.ACCEPTED


async def test_one_slow_handler_blocks_nobody() -> None:
    release = asyncio.Event()

    async def slow(_request: m.AuthorizeRequest) -> m.AuthorizeResponse:
        await release.wait()
        return m.AuthorizeResponse(id_token_info=m.IdTokenInfo(status=e.AuthorizationStatus.ACCEPTED))

    async with serving(Central({"Authorize": slow})) as server, raw(server) as websocket:
        assert (await exchange(websocket, BOOT_TEXT))[0] == 3
        await websocket.send('[2,"slow","Authorize",{"idToken":{"idToken":"x","type":"Central"}}]')
        assert (await exchange(websocket, '[2,"quick","Heartbeat",{}]'))[:2] == [3, "quick"]
        release.set()
        assert json.loads(await websocket.recv())[:2] == [3, "slow"]


async def test_an_answer_goes_out_before_the_work_that_follows_it() -> None:
    order: list[str] = []

    async def trigger(_request: m.TriggerMessageRequest) -> Deferred:
        async def follow() -> None:
            await client.call(m.HeartbeatRequest())
            order.append("followed")
            done.set()

        return Deferred(response=m.TriggerMessageResponse(status=e.TriggerMessageStatus.ACCEPTED), then=follow)

    central, done = Central(), asyncio.Event()
    async with serving(central) as server, station(server, {"TriggerMessage": trigger}) as client:
        await client.call(BOOT)
        request = m.TriggerMessageRequest(requested_message=e.MessageTrigger.HEARTBEAT)
        await central.links[0].call(request)
        order.append("answered")
        await done.wait()
    assert order == ["answered", "followed"]


async def test_refusals_errors_and_silence_reach_the_caller() -> None:
    async def refuse(_request: Any) -> m.Response:
        raise CallRefused("not today", wire=ErrorCode.NOT_SUPPORTED)

    async def fail(_request: Any) -> m.Response:
        raise ZeroDivisionError("a secret in an exception")

    async def unavailable(_request: Any) -> m.Response:
        raise Unavailable("the pool is away")

    async def wrong(_request: Any) -> m.Response:
        return m.HeartbeatResponse(current_time=CLOCK.now())

    async def never(_request: Any) -> m.Response:
        await asyncio.Event().wait()
        raise AssertionError

    handlers: dict[str, Handler] = {
        "InstallCertificate": refuse,
        "GetInstalledCertificateIds": fail,
        "DeleteCertificate": unavailable,
        "CertificateSigned": wrong,
        "TriggerMessage": never,
    }
    central, tape = Central(), Tape()
    install = m.InstallCertificateRequest(certificate_type=e.InstallCertificateUse.MO_ROOT, certificate="x")
    with capture_logs() as lines:
        async with serving(central, trace=tape) as server, station(server, handlers):
            await central.arrived.wait()
            (link,) = central.links
            with pytest.raises(CallRefused, match="not today") as refused:
                await link.call(install)
            assert refused.value.wire == "NotSupported"
            with pytest.raises(CallRefused) as failed:
                await link.call(m.GetInstalledCertificateIdsRequest())
            assert failed.value.wire == "InternalError"
            assert "secret" not in str(failed.value)
            with pytest.raises(CallRefused) as misanswered:
                await link.call(m.CertificateSignedRequest(certificate_chain="x"))
            assert misanswered.value.wire == "InternalError"
            with pytest.raises(Unavailable, match="no answer within"):
                await link.call(m.TriggerMessageRequest(requested_message=e.MessageTrigger.HEARTBEAT), timeout=0.05)
    assert len(events(lines, "ocpp.handler_failed")) == 2
    assert [(event.message, event.ok, event.detail) for event in tape.events] == [
        ("InstallCertificate", False, "NotSupported"),
        ("GetInstalledCertificateIds", False, "InternalError"),
        ("CertificateSigned", False, "InternalError"),
        ("TriggerMessage", False, "Unavailable"),
    ]


async def test_a_caller_that_gives_up_leaves_the_connection_usable() -> None:
    async with serving(Central()) as server, station(server) as client:
        await client.call(BOOT)
        calls = [asyncio.create_task(client.call(m.HeartbeatRequest())) for _ in range(5)]
        await asyncio.sleep(0)
        for call in calls[1:4]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(await client.call(m.HeartbeatRequest()), m.HeartbeatResponse)


# Connections come and go ---------------------------------------------------------------------------------------------


class Greeter:
    """Counts connections of a client, as its `on_connected`."""

    def __init__(self) -> None:
        self._connects: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self) -> None:
        self._connects.put_nowait(None)

    async def wait(self) -> None:
        async with asyncio.timeout(10):
            await self._connects.get()


async def test_the_client_finds_its_way_back() -> None:
    central, greeter = Central(), Greeter()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(central))
        client = await stack.enter_async_context(station(first, on_connected=greeter))
        await greeter.wait()
        await client.call(BOOT)
        port = first.port
        await first.stop()
        with pytest.raises(Unavailable):
            await client.call(m.HeartbeatRequest())
        await stack.enter_async_context(serving(central, port=port))
        await greeter.wait()
        assert isinstance(await client.call(m.HeartbeatRequest()), m.HeartbeatResponse)


async def test_reconnecting_with_a_new_certificate() -> None:
    slow = BackOff(wait_minimum=3600.0)
    async with serving(Central()) as server, station(server, back_off=slow) as client:
        await client.call(BOOT)
        await client.reconnect(station_tls())
        assert not client.online
        async with asyncio.timeout(10):
            await client.wait_connected()
        assert isinstance(await client.call(m.HeartbeatRequest()), m.HeartbeatResponse)


async def test_a_lost_connection_fails_the_calls_on_it() -> None:
    async def never(_request: Any) -> m.Response:
        await asyncio.Event().wait()
        raise AssertionError

    central = Central({"Authorize": never})
    async with serving(central) as server, station(server) as client:
        await client.call(BOOT)
        call = asyncio.create_task(client.call(authorize(None)))
        await asyncio.sleep(0)
        await central.links[0].close(1001, "going away")
        with pytest.raises(Unavailable, match="lost"):
            await call


async def test_the_newest_connection_of_a_station_wins() -> None:
    central = Central()
    with capture_logs() as lines:
        async with serving(central) as server, raw(server) as older:
            await exchange(older, BOOT_TEXT)
            async with raw(server) as newer:
                assert (await exchange(newer, '[2,"1","Heartbeat",{}]'))[0] == 3
                with pytest.raises(ConnectionClosed):
                    await older.recv()
                await central.gone.wait()
                assert server.connected == (IDENTITY,)
                assert (await exchange(newer, '[2,"2","Heartbeat",{}]'))[0] == 3
    assert events(lines, "ocpp.connection_replaced") == ["ocpp.connection_replaced"]


async def test_on_connected_runs_after_each_connect() -> None:
    count = 0
    twice = asyncio.Event()

    async def hello() -> None:
        nonlocal count
        count += 1
        await client.call(BOOT)
        if count == 2:
            twice.set()

    central = Central()
    async with serving(central) as server:
        client = OcppClient(
            server.url,
            IDENTITY,
            station_tls(),
            {},
            clock=CLOCK,
            random=os.urandom,
            back_off=QUICK,
            on_connected=hello,
        )
        async with client:
            await client.wait_connected()
            await client.reconnect()
            async with asyncio.timeout(10):
                await twice.wait()


# Strangers -----------------------------------------------------------------------------------------------------------


async def refused(server: OcppServer, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with raw(server, **options):
            pass
    return caught.value.response.status_code


@pytest.mark.parametrize(
    ("identity", "holder", "status", "cause"),
    [
        ("CS-001", "CS-002", 403, "is not the station's identity"),
        ("CS-002", "CS-001", 403, "is not the station's identity"),
        ("CS-404", "CS-404", 404, "no station of this identity"),
        ("", "CS-001", 404, "does not end with a station identity"),
        ("a%2Fb", "CS-001", 404, "does not end with a station identity"),
        ("x" * 49, "CS-001", 404, "does not end with a station identity"),
        ("more/CS-001", "CS-001", 404, "does not end with a station identity"),
    ],
)
async def test_a_certificate_connects_as_its_own_station_only(
    identity: str, holder: str, status: int, cause: str
) -> None:
    with capture_logs() as lines:
        async with serving(Central()) as server:
            assert await refused(server, identity=identity, ssl=station_tls(holder)) == status
            async with raw(server) as websocket:  # the service runs on
                assert (await exchange(websocket, BOOT_TEXT))[0] == 3
    (line,) = [line for line in lines if line["event"] == "ocpp.connection_refused"]
    assert cause in line["cause"]
    assert line["status"] == status


async def test_the_organisation_can_be_demanded() -> None:
    async with serving(Central(), organization="Somebody Else") as server:
        assert await refused(server) == 403


async def test_the_number_of_connections_is_bounded() -> None:
    async with serving(Central(), max_connections=0) as server:
        assert await refused(server) == 503


@pytest.mark.parametrize(
    "context",
    [
        lambda: client_context([CA.der], clock=CLOCK),
        lambda: station_tls(ca=ServiceCa.mint("Strangers", now=NOW)),
        lambda: client_context([CA.der], CA.issue(IDENTITY, now=NOW.replace(year=NOW.year - 1)), clock=CLOCK),
    ],
    ids=["no-certificate", "unknown-ca", "expired"],
)
async def test_a_stranger_gets_no_further_than_tls(context: Callable[[], ssl.SSLContext]) -> None:
    with capture_logs() as lines:
        async with serving(Central()) as server:
            with pytest.raises((OSError, InvalidHandshake)):
                async with raw(server, ssl=context()):
                    pass
            async with raw(server) as websocket:
                assert (await exchange(websocket, BOOT_TEXT))[0] == 3
    assert events(lines, "tls_handshake_refused") == ["tls_handshake_refused"]


async def test_no_tls_at_all_is_refused_and_logged() -> None:
    with capture_logs() as lines:
        async with serving(Central()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /ocpp/CS-001 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
            async with asyncio.timeout(10):
                await reader.read()
            writer.close()
            async with raw(server) as websocket:
                assert (await exchange(websocket, BOOT_TEXT))[0] == 3
    assert events(lines, "tls_handshake_refused") == ["tls_handshake_refused"]


@pytest.mark.parametrize("offered", [["ocpp1.6"], ["ocpp2.1", "ocpp1.6"], None])
async def test_another_subprotocol_is_closed_at_once(offered: list[str] | None) -> None:
    subprotocols = [Subprotocol(name) for name in offered] if offered else None
    with capture_logs() as lines:
        async with serving(Central()) as server, raw(server, subprotocols=subprotocols) as websocket:
            assert websocket.subprotocol is None
            with pytest.raises(ConnectionClosed) as closed:
                await websocket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1002
    assert events(lines, "ocpp.subprotocol_refused") == ["ocpp.subprotocol_refused"]


async def test_the_right_subprotocol_is_picked_among_several() -> None:
    several = [Subprotocol("ocpp2.1"), Subprotocol("ocpp2.0.1"), Subprotocol("ocpp1.6")]
    async with serving(Central()) as server, raw(server, subprotocols=several) as websocket:
        assert websocket.subprotocol == "ocpp2.0.1"


# Bad input -----------------------------------------------------------------------------------------------------------

BOOT_TEXT = '[2,"boot","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"m","vendorName":"v"}}]'


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", [4, "-1", "RpcFrameworkError"]),
        (b"\x00\xff", [4, "-1", "RpcFrameworkError"]),
        ("[" * 50_000, [4, "-1", "RpcFrameworkError"]),
        ('[2,"1","Heartbeat"]', [4, "1", "RpcFrameworkError"]),
        ('[6,"1","NotifyPeriodicEventStream",{}]', [4, "1", "MessageTypeNotSupported"]),
        ('[2,"1","MakeCoffee",{}]', [4, "1", "NotImplemented"]),
        ('[2,"1","ClearDisplayMessage",{"id":1}]', [4, "1", "NotSupported"]),
        ('[2,"1","Heartbeat",[]]', [4, "1", "FormatViolation"]),
        ('[2,"1","Heartbeat",{"more":1}]', [4, "1", "FormatViolation"]),
        ('[2,"1","Authorize",{}]', [4, "1", "OccurenceConstraintViolation"]),
        ('[2,"1","Authorize",{"idToken":{"idToken":7,"type":"eMAID"}}]', [4, "1", "TypeConstraintViolation"]),
        ('[2,"1","Authorize",{"idToken":{"idToken":"7","type":"?"}}]', [4, "1", "PropertyConstraintViolation"]),
        (
            '[2,"1","InstallCertificate",{"certificateType":"MORootCertificate","certificate":""}]',
            [4, "1", "NotSupported"],
        ),
    ],
)
async def test_bad_input_is_answered_logged_once_and_survived(text: str | bytes, answer: list[object]) -> None:
    async def unused(_request: Any) -> m.Response:
        raise AssertionError

    with capture_logs() as lines:
        async with serving(Central({"Authorize": unused})) as server, raw(server) as websocket:
            await exchange(websocket, BOOT_TEXT)
            assert (await exchange(websocket, text))[:3] == answer
            assert (await exchange(websocket, '[2,"2","Heartbeat",{}]'))[:2] == [3, "2"]
    assert len(events(lines, "ocpp.frame_dropped", "ocpp.call_refused")) == 1


async def test_before_the_boot_everything_else_is_a_security_error() -> None:
    async with serving(Central()) as server, raw(server) as websocket:
        assert (await exchange(websocket, '[2,"1","Heartbeat",{}]'))[:3] == [4, "1", "SecurityError"]
        assert (await exchange(websocket, '[2,"2","MakeCoffee",{}]'))[:3] == [4, "2", "SecurityError"]
        assert (await exchange(websocket, BOOT_TEXT))[:2] == [3, "boot"]
        assert (await exchange(websocket, '[2,"3","Heartbeat",{}]'))[:2] == [3, "3"]


async def test_an_oversized_message_ends_the_connection_and_nothing_else() -> None:
    with capture_logs() as lines:
        async with serving(Central(), max_message=10_000) as server:
            async with raw(server) as websocket:
                await websocket.send("x" * 10_001)
                with pytest.raises(ConnectionClosed) as closed:
                    await websocket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1009
            async with raw(server) as websocket:
                assert (await exchange(websocket, BOOT_TEXT))[0] == 3
    (line,) = [line for line in lines if line["event"] == "ocpp.connection_lost"]
    assert line["code"] == 1009


async def test_an_answer_that_breaks_the_schema_is_not_believed() -> None:
    central = Central()
    async with serving(central) as server, raw(server) as websocket:
        await central.arrived.wait()
        call = asyncio.create_task(central.links[0].call(m.GetInstalledCertificateIdsRequest()))
        message_id = json.loads(await websocket.recv())[1]
        await websocket.send(json.dumps([3, message_id, {"status": "Perhaps"}]))
        with pytest.raises(SchemaViolation):
            await call


async def test_late_and_made_up_answers_are_dropped() -> None:
    central = Central()
    with capture_logs() as lines:
        async with serving(central) as server, raw(server) as websocket:
            await websocket.send('[3,"made-up",{}]')
            await websocket.send('[4,"-1","GenericError","",{}]')
            assert (await exchange(websocket, BOOT_TEXT))[:2] == [3, "boot"]
    assert len(events(lines, "ocpp.frame_dropped")) == 2


# Misuse --------------------------------------------------------------------------------------------------------------


async def test_a_context_that_lets_anybody_in_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="client certificates"):
        OcppServer(Central(), tls=server_context(CA.issue("csms", now=NOW)), clock=CLOCK, random=os.urandom)


async def test_a_client_without_tls_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="wss://"):
        OcppClient("ws://127.0.0.1/ocpp", IDENTITY, station_tls(), {}, clock=CLOCK, random=os.urandom)


async def test_a_port_in_use_is_said_in_one_line() -> None:
    async with serving(Central()) as server:
        second = OcppServer(Central(), tls=server_tls(), clock=CLOCK, random=os.urandom, port=server.port)
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1 port {server.port}: ") as caught:
            await second.start()
        assert "\n" not in str(caught.value)
        await second.stop()


async def test_a_server_that_does_not_run_has_no_port() -> None:
    server = OcppServer(Central(), tls=server_tls(), clock=CLOCK, random=os.urandom)
    with pytest.raises(LocalError, match="not running"):
        _ = server.port
    await server.stop()


async def test_a_client_refuses_a_csms_of_another_root() -> None:
    async with serving(Central()) as server:
        stranger = client_context([ServiceCa.mint("Strangers", now=NOW).der], CA.issue(IDENTITY, now=NOW), clock=CLOCK)
        client = OcppClient(server.url, IDENTITY, stranger, {}, clock=CLOCK, random=os.urandom, back_off=QUICK)
        async with client:
            with pytest.raises(Unavailable, match="no connection"):
                await client.call(m.HeartbeatRequest())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.wait_connected()


async def test_a_client_refuses_a_csms_of_another_version() -> None:
    told = asyncio.Event()

    async def old(websocket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await websocket.recv()
        assert websocket.close_code == 1002
        told.set()

    async with serve(old, "127.0.0.1", 0, ssl=server_tls(), select_subprotocol=lambda *_: None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"wss://127.0.0.1:{port}/ocpp"
        slow = BackOff(wait_minimum=3600.0)
        client = OcppClient(url, IDENTITY, station_tls(), {}, clock=CLOCK, random=os.urandom, back_off=slow)
        async with client, asyncio.timeout(10):
            await told.wait()
            assert not client.online


def test_the_identity_in_the_path() -> None:
    assert station_identity("/ocpp/CS%2D001", "/ocpp") == "CS-001"
    assert station_identity("/ocpp/urn:station:7?x=1", "/ocpp") == "urn:station:7"
    for path in ("/ocpp", "/ocpp/", "/ocpp/a b", "/ocpp/a/b", "/other/CS-001", "/ocpp/%00", ""):
        assert station_identity(path, "/ocpp") is None


# The CSMS on its wire ------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A CSMS that serves on loopback, and its scripted station on the other end of the wire."""

    bench: Bench
    client: OcppClient
    server: OcppServer
    tape: Tape


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await Database.at(tmp_path / "csms.db")
    registry = WatchedRegistry(database)
    await registry.save_station(STATION)
    scripted, tape = ScriptedStation(), Tape()
    bench = make_csms(registry, shared_pki(), clock=ManualClock(NOW), station=scripted)
    tls = server_tls()
    async with (
        bench.csms,
        OcppServer(bench.csms, tls=tls, clock=CLOCK, random=os.urandom, trace=tape) as server,
        station(server, scripted.handlers()) as client,
    ):
        scripted.send = client.call
        yield Site(bench, client, server, tape)
    await database.close()


async def test_from_the_boot_to_a_charging_session(site: Site) -> None:
    bench, client = site.bench, site.client
    await client.call(BOOT)
    await bench.registry.wait(lambda: bench.registry.certificates(IDENTITY))
    assert parse(bench.station.chains[EVSE_ID][0]).common_name == EVSE_ID

    installation = m.Get15118EVCertificateRequest(
        iso15118_schema_version="urn:iso:15118:2:2013:MsgDef",
        action=e.CertificateAction.INSTALL,
        exi_request="gJgC",
    )
    assert (await client.call(installation)).status is e.Iso15118EVCertificateStatus.ACCEPTED

    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT)
    answer = await client.call(authorize(contract.chain, contract_hash_data(bench.pki, contract.chain)))
    assert answer.certificate_status is e.AuthorizeCertificateStatus.ACCEPTED

    for sequence, phase in enumerate(e.TransactionEventType):
        event = m.TransactionEventRequest(
            event_type=phase,
            timestamp=NOW,
            trigger_reason=e.TriggerReason.AUTHORIZED,
            seq_no=sequence,
            transaction_info=m.Transaction(transaction_id="t1"),
        )
        assert await client.call(event) == m.TransactionEventResponse()
    assert len(await bench.registry.transactions(IDENTITY)) == 3

    (item,) = await bench.csms.items()
    await bench.csms.renew(item)
    (renewed,) = await bench.csms.items()
    assert renewed.serial != item.serial
    assert [event.message for event in site.tape.events] == [
        "GetInstalledCertificateIds",
        "InstallCertificate",
        "InstallCertificate",
        "GetInstalledCertificateIds",
        "TriggerMessage",
        "CertificateSigned",
        "TriggerMessage",
        "CertificateSigned",
    ]
    assert all(event.ok and event.actor == "csms" for event in site.tape.events)


async def test_the_csms_refuses_work_before_the_boot(site: Site) -> None:
    with pytest.raises(CallRefused) as caught:
        await site.client.call(m.HeartbeatRequest())
    assert caught.value.wire == "SecurityError"


async def test_a_station_that_booted_once_need_not_boot_for_a_new_connection(site: Site) -> None:
    await site.client.call(BOOT)
    await site.bench.registry.wait(lambda: site.bench.registry.certificates(IDENTITY))
    await site.client.reconnect()
    await site.client.wait_connected()
    assert isinstance(await site.client.call(m.HeartbeatRequest()), m.HeartbeatResponse)


class ForeignStation(ChargePoint):  # type: ignore[misc]  # the library has no types
    """A station made with the Python package `ocpp`, which shares nothing with ours but the schema files."""

    def __init__(self, connection: ClientConnection) -> None:
        super().__init__(IDENTITY, connection)
        self.roots: list[bytes] = []
        self.chain: tuple[bytes, ...] = ()
        self.key = generate()
        self.certified = asyncio.Event()

    @on("InstallCertificate")  # type: ignore[untyped-decorator]  # see above
    async def install(self, certificate_type: str, certificate: str, **_: Any) -> Any:
        self.roots += read_certificates(certificate)
        return call_result.InstallCertificate(status="Accepted")

    @on("GetInstalledCertificateIds")  # type: ignore[untyped-decorator]  # see above
    async def installed(self, **_: Any) -> Any:
        if not self.roots:
            return call_result.GetInstalledCertificateIds(status="NotFound")
        listed = [hash_data(root, root) for root in self.roots]
        return call_result.GetInstalledCertificateIds(
            status="Accepted",
            certificate_hash_data_chain=[
                {
                    "certificate_type": "V2GRootCertificate",
                    "certificate_hash_data": {
                        "hash_algorithm": str(data.hash_algorithm),
                        "issuer_name_hash": data.issuer_name_hash,
                        "issuer_key_hash": data.issuer_key_hash,
                        "serial_number": data.serial_number,
                    },
                }
                for data in listed
            ],
        )

    @on("TriggerMessage")  # type: ignore[untyped-decorator]  # see above
    async def trigger(self, requested_message: str, **_: Any) -> Any:
        return call_result.TriggerMessage(status="Accepted")

    @after("TriggerMessage")  # type: ignore[untyped-decorator]  # see above
    async def triggered(self, requested_message: str, **_: Any) -> None:
        assert requested_message == "SignV2GCertificate"
        request = create_csr(self.key, common_name=EVSE_ID, organization="Plugpass Test", domain="CPO")
        text = pem_block(request, "CERTIFICATE REQUEST")
        answer = await self.call(call.SignCertificate(csr=text, certificate_type="V2GCertificate"))
        assert answer.status == "Accepted"

    @on("CertificateSigned")  # type: ignore[untyped-decorator]  # see above
    async def signed(self, certificate_chain: str, **_: Any) -> Any:
        self.chain = read_certificates(certificate_chain)
        self.certified.set()
        return call_result.CertificateSigned(status="Accepted")


async def test_a_station_made_with_another_library(tmp_path: Path) -> None:
    database = await Database.at(tmp_path / "csms.db")
    registry = WatchedRegistry(database)
    await registry.save_station(STATION)
    bench = make_csms(registry, shared_pki(), clock=ManualClock(NOW))
    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT)
    async with (
        bench.csms,
        OcppServer(bench.csms, tls=server_tls(), clock=CLOCK, random=os.urandom) as server,
        raw(server) as websocket,
    ):
        foreign = ForeignStation(websocket)
        running = asyncio.create_task(foreign.start())
        boot = await foreign.call(
            call.BootNotification(charging_station={"model": "m", "vendor_name": "v"}, reason="PowerUp")
        )
        assert boot.status == "Accepted"
        async with asyncio.timeout(10):
            await foreign.certified.wait()
        assert foreign.roots == [bench.pki[ROLE.V2G_ROOT].der, bench.pki[ROLE.MO_ROOT].der]
        (stored,) = await registry.wait(lambda: registry.certificates(IDENTITY))
        assert stored.chain == foreign.chain
        verdict = await foreign.call(
            call.Authorize(id_token={"id_token": EMAID_TEXT, "type": "eMAID"}, certificate=pem(contract.chain))
        )
        assert verdict.certificate_status == "Accepted"
        assert verdict.id_token_info["status"] == "Accepted"
        started = await foreign.call(
            call.TransactionEvent(
                event_type="Started",
                timestamp="2026-06-01T12:00:00Z",
                trigger_reason="Authorized",
                seq_no=0,
                transaction_info={"transaction_id": "t1"},
                meter_value=[{"timestamp": "2026-06-01T12:00:00Z", "sampled_value": [{"value": 8.1}]}],
            )
        )
        assert started is not None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await database.close()
