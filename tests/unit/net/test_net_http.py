"""HTTP over TLS on loopback: identities, the injected clock, limits, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from net_support import LogWatch, ServiceCa, hang_up
from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, LocalError, Unavailable
from plugpass.net.clock import LabClock, ManualClock
from plugpass.net.http_client import fetch, http_client, unavailable
from plugpass.net.http_server import HttpServer, Limits, client_certificate, client_network
from plugpass.net.opcp_http import opcp_app, read_body
from plugpass.net.tls_service import client_context, server_context
from plugpass.pki.keys import generate
from plugpass.ports.keys import Credential

YEAR = timedelta(days=365)
DEFAULT = Limits()


@lru_cache(maxsize=1)
def services() -> ServiceCa:
    return ServiceCa.mint()


def application() -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.alive = True
        yield
        app.state.alive = False

    app = FastAPI(lifespan=lifespan)
    app.state.hold = asyncio.Event()
    app.state.held = asyncio.Event()

    @app.get("/whoami")
    async def whoami(request: Request) -> dict[str, str | None]:
        der = client_certificate(request)
        return {"certificate": None if der is None else der.hex()}

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        return Response(await request.body(), media_type="application/octet-stream")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(4):
                yield b"chunk"

        return StreamingResponse(chunks())

    @app.delete("/thing", status_code=204)
    async def delete() -> None:
        return None

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError

    @app.get("/held")
    async def held() -> str:
        app.state.held.set()
        await app.state.hold.wait()
        return "done"

    return app


@contextlib.asynccontextmanager
async def https(
    app: FastAPI | None = None,
    *,
    client_roots: list[bytes] | None = None,
    require_client: bool = False,
    credential: Credential | None = None,
    clock: Clock | None = None,
    limits: Limits = DEFAULT,
) -> AsyncIterator[HttpServer]:
    context = server_context(
        credential or services().issue("server", now=None if clock is None else clock.now()),
        client_roots=client_roots,
        require_client=require_client,
        clock=clock,
    )
    async with HttpServer(app or application(), tls=context, limits=limits, clock=clock) as server:
        yield server


@contextlib.asynccontextmanager
async def plain(app: object | None = None, limits: Limits = DEFAULT) -> AsyncIterator[HttpServer]:
    async with HttpServer(app or application(), limits=limits) as server:
        yield server


def client(server: HttpServer, credential: Credential | None = None, clock: Clock | None = None) -> httpx.AsyncClient:
    return http_client(server.url, roots=[services().der], credential=credential, clock=clock)


# --- identity ------------------------------------------------------------------------------------------------------


async def test_the_client_certificate_reaches_the_application() -> None:
    credential = services().issue("csms")
    async with https(client_roots=[services().der]) as server, client(server, credential) as http:
        answer = await fetch(http, "GET", "/whoami")
        assert answer.json() == {"certificate": credential.chain[0].hex()}


async def test_no_client_certificate_is_none_where_it_is_optional() -> None:
    async with https(client_roots=[services().der]) as server, client(server) as http:
        assert (await fetch(http, "GET", "/whoami")).json() == {"certificate": None}
    async with plain() as server, http_client(server.url) as http:
        assert (await fetch(http, "GET", "/whoami")).json() == {"certificate": None}


async def test_a_required_client_certificate_is_required() -> None:
    async with https(client_roots=[services().der], require_client=True) as server:
        async with client(server) as http:
            with pytest.raises(Unavailable):
                await fetch(http, "GET", "/whoami")
        async with client(server, services().issue("csms")) as http:
            assert (await fetch(http, "GET", "/whoami")).status_code == 200


async def test_a_client_of_a_foreign_root_is_refused() -> None:
    foreign = ServiceCa.mint("Foreign").issue("csms")
    async with https(client_roots=[services().der]) as server, client(server, foreign) as http:
        with pytest.raises(Unavailable):
            await fetch(http, "GET", "/whoami")


async def test_a_server_of_a_foreign_root_is_refused() -> None:
    async with https() as server, http_client(server.url, roots=[ServiceCa.mint("Foreign").der]) as http:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await fetch(http, "GET", "/whoami")


async def test_without_roots_no_tls_server_is_trusted() -> None:
    async with https() as server, http_client(server.url) as http:
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await fetch(http, "GET", "/whoami")


async def test_the_name_in_the_url_must_be_the_servers() -> None:
    other = services().issue("x", names=("elsewhere.test",))
    async with https(credential=other) as server:
        async with client(server) as http:
            with pytest.raises(Unavailable, match="IP address mismatch"):
                await fetch(http, "GET", "/whoami")
        async with http_client(server.url, roots=[services().der], check_hostname=False) as http:
            assert (await fetch(http, "GET", "/whoami")).status_code == 200


# --- the clock -----------------------------------------------------------------------------------------------------


async def test_validity_follows_the_injected_clock_on_both_sides() -> None:
    """After a jump of a year new certificates are good and the old ones expired, whatever the computer's time is."""
    clock = LabClock()
    old = services().issue("old", validity=timedelta(days=30))
    clock.jump(YEAR)
    new = services().issue("new", now=clock.now(), validity=timedelta(days=30))
    roots = [services().der]
    async with https(client_roots=roots, require_client=True, credential=new, clock=clock) as server:
        async with client(server, new, clock) as http:
            assert (await fetch(http, "GET", "/whoami")).status_code == 200
        async with client(server, old, clock) as http:
            with capture_logs() as logs, pytest.raises(Unavailable):
                await fetch(http, "GET", "/whoami")
            assert any("CN=old is valid" in str(line.get("reason")) for line in logs)
    async with https(client_roots=roots, credential=old, clock=clock) as server, client(server, new, clock) as http:
        with pytest.raises(Unavailable, match=r"CN=old is valid .* not at"):
            await fetch(http, "GET", "/whoami")


async def test_the_whole_path_is_judged_not_only_the_leaf() -> None:
    clock = ManualClock(datetime.now(UTC) + 20 * YEAR)  # long after the root
    leaf = services().issue("leaf", now=clock.now())
    async with https(credential=leaf, clock=clock) as server, client(server, clock=clock) as http:
        with pytest.raises(Unavailable, match="CN=Services is valid"):
            await fetch(http, "GET", "/whoami")


async def test_without_a_clock_the_computers_time_counts() -> None:
    expired = services().issue("expired", now=datetime.now(UTC) - YEAR)
    async with https(credential=expired) as server, client(server) as http:
        with pytest.raises(Unavailable, match="expired"):
            await fetch(http, "GET", "/whoami")


# --- contexts ------------------------------------------------------------------------------------------------------


def test_contexts_refuse_what_cannot_work() -> None:
    good = services().issue("x")
    with pytest.raises(LocalError, match="credential is unusable"):
        server_context(Credential(chain=good.chain, signer=generate()))
    with pytest.raises(LocalError, match="nobody could connect"):
        server_context(good, require_client=True)
    with pytest.raises(LocalError, match="at least one root"):
        client_context([])
    with pytest.raises(LocalError, match="unreadable"):
        client_context([b"no certificate"])
    with pytest.raises(LocalError, match="unreadable"):
        server_context(Credential(chain=(b"no certificate",), signer=good.signer))


def test_no_key_is_left_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[bytes]()
    load = ssl.SSLContext.load_cert_chain

    def spy(context: ssl.SSLContext, file: Path, password: bytes) -> None:
        seen.append(file.read_bytes())
        load(context, file, password=password)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    server_context(services().issue("x"))
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in seen[0]
    assert list(tmp_path.iterdir()) == []


def test_old_tls_is_off() -> None:
    context = server_context(services().issue("x"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not {cipher["name"] for cipher in context.get_ciphers() if "CBC" in cipher["description"]}


# --- answers -------------------------------------------------------------------------------------------------------


async def test_answers_in_one_piece_have_a_length_and_a_date() -> None:
    async with plain() as server, http_client(server.url) as http:
        for method, path in (("GET", "/whoami"), ("POST", "/echo"), ("GET", "/nowhere"), ("GET", "/broken")):
            answer = await http.request(method, path)
            assert answer.headers["content-length"] == str(len(answer.content))
            assert "transfer-encoding" not in answer.headers
            assert answer.headers["date"].endswith("GMT")
        deleted = await http.delete("/thing")
        assert deleted.status_code == 204
        assert "content-length" not in deleted.headers


async def test_an_application_that_forgets_the_length_gets_one() -> None:
    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # the smallest ASGI application
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async with plain(app) as server, http_client(server.url) as http:
        answer = await http.get("/")
        assert answer.headers["content-length"] == "5"


async def test_streams_stay_streams() -> None:
    async with plain() as server, http_client(server.url) as http:
        answer = await http.get("/stream")
        assert answer.content == b"chunk" * 4
        assert answer.headers["transfer-encoding"] == "chunked"


async def test_a_failing_application_answers_500_and_is_logged() -> None:
    async with plain() as server, http_client(server.url) as http:
        with capture_logs() as logs:
            assert (await http.get("/broken")).status_code == 500
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["http_application_failed"]
        assert (await http.get("/whoami")).status_code == 200


# --- limits --------------------------------------------------------------------------------------------------------


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 100):
        yield bytes(100)


async def test_a_body_over_the_limit_is_413_announced_or_not() -> None:
    async with plain(limits=Limits(max_body=1000)) as server, http_client(server.url) as http:
        assert (await http.post("/echo", content=bytes(1000))).content == bytes(1000)
        with capture_logs() as logs:
            assert (await http.post("/echo", content=bytes(1001))).status_code == 413
            assert (await http.post("/echo", content=chunks(1100))).status_code == 413
        assert [line["status"] for line in logs if line["event"] == "http_request_refused"] == [413, 413]
        assert (await http.get("/whoami")).status_code == 200


async def raw(server: HttpServer, octets: bytes, *, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, server.port)
    try:
        writer.write(octets)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def test_a_body_that_never_comes_is_408() -> None:
    async with plain(limits=Limits(body_timeout=0.05)) as server:
        answer = await raw(server, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert answer.startswith(b"HTTP/1.1 408")


async def test_a_body_that_drips_has_one_deadline() -> None:
    async with plain(limits=Limits(body_timeout=0.05)) as server:
        with LogWatch.on() as logs:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            refused = asyncio.create_task(logs.wait("http_request_refused"))
            async with asyncio.timeout(5):
                while not refused.done():
                    with contextlib.suppress(ConnectionError):  # the server answers and closes, in whatever we write
                        writer.write(b"1\r\na\r\n")
                        await writer.drain()
                    await asyncio.sleep(0)
            assert (await refused)["status"] == 408
            writer.transport.abort()


async def test_a_client_that_hangs_up_within_its_body_costs_one_line() -> None:
    app = application()

    @app.post("/json")
    async def takes_json(body: dict[str, str]) -> dict[str, str]:
        return body

    for path in ("/echo", "/json"):  # read by the application, read by its framework
        async with https(app) as server:
            with LogWatch.on() as logs:
                await hang_up(server.port, path, [services().der])
                line = await logs.wait("http_request_abandoned")
                await server.stop()
        assert (line["log_level"], line["path"], line["received"]) == ("info", path, 1)
        assert [each["event"] for each in logs.lines] == ["http_request_abandoned"]


async def test_an_opcp_client_that_hangs_up_costs_one_line() -> None:
    router = APIRouter()

    @router.post("/oauth/token")
    async def token(request: Request) -> Response:
        return Response(await read_body(request))

    async with https(opcp_app("test", router, random=bytes)) as server:
        with LogWatch.on() as logs:
            await hang_up(server.port, "/oauth/token", [services().der])
            await logs.wait("http_request_abandoned")
            await server.stop()
    assert [line["event"] for line in logs.lines] == ["http_request_abandoned"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_what_a_client_is_counted_by(address: str, network: str) -> None:
    assert client_network(address) == network


async def test_headers_that_never_end_close_the_connection() -> None:
    async with plain(limits=Limits(header_timeout=0.05)) as server:
        assert await raw(server, b"GET / HTTP/1.1\r\nHost:") == b""
        assert await raw(server, b"") == b""
        async with http_client(server.url) as http:
            assert (await http.get("/whoami")).status_code == 200


async def test_headers_over_the_limit_and_garbage_are_400() -> None:
    async with plain() as server:
        for octets in (b"GET / HTTP/1.1\r\nX: " + bytes(b"a" * 40_000), b"\x16\x03\x01\x00\x00garbage\r\n\r\n"):
            with capture_logs() as logs:
                answer = await raw(server, octets)
            assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
            assert b"content-length" in answer
            assert [line["event"] for line in logs] == ["http_request_refused"]


async def test_a_stranger_without_tls_gets_nothing_and_the_server_lives() -> None:
    async with https() as server:
        with capture_logs() as logs:
            assert b"HTTP" not in await raw(server, b"GET / HTTP/1.1\r\n\r\n")
        assert [(line["event"], line["reason"]) for line in logs] == [("tls_handshake_refused", "HTTP_REQUEST")]
        async with client(server) as http:
            assert (await http.get("/whoami")).status_code == 200


async def test_a_silent_tls_peer_is_dropped() -> None:
    async with https(limits=Limits(handshake_timeout=0.05)) as server:
        assert await raw(server, b"") == b""


async def test_more_connections_than_allowed_are_closed() -> None:
    async with plain(limits=Limits(max_connections=1)) as server:
        reader, first = await asyncio.open_connection("127.0.0.1", server.port)
        first.write(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).endswith(b"200 OK\r\n")
        with capture_logs() as logs:
            assert await raw(server, b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        assert [line["event"] for line in logs] == ["http_connection_refused"]
        first.close()
        await first.wait_closed()


# --- life cycle ----------------------------------------------------------------------------------------------------


async def test_the_lifespan_runs_and_the_port_is_real() -> None:
    app = application()
    server = HttpServer(app)
    with pytest.raises(LocalError, match="not running"):
        _ = server.port
    async with server:
        assert app.state.alive
        assert server.url == f"http://127.0.0.1:{server.port}"
        with pytest.raises(ConfigurationError, match="choose another port"):
            await HttpServer(application(), port=server.port).start()
    assert not app.state.alive


async def test_an_application_that_fails_to_start_is_named() -> None:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    with pytest.raises(LocalError, match="lifespan failed"):
        await HttpServer(FastAPI(lifespan=lifespan)).start()


async def test_stopping_lets_running_requests_finish() -> None:
    app = application()
    async with plain(app) as server, http_client(server.url) as http:
        request = asyncio.ensure_future(http.get("/held"))
        await app.state.held.wait()
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0)
        app.state.hold.set()
        assert (await request).json() == "done"
        await stopping


async def test_stopping_cuts_requests_that_do_not_finish() -> None:
    app = application()
    async with plain(app, limits=Limits(grace=0.01)) as server, http_client(server.url) as http:
        request = asyncio.ensure_future(http.get("/held"))
        await app.state.held.wait()
        await server.stop()
        assert (await request).status_code == 503


# --- the client ----------------------------------------------------------------------------------------------------


async def test_an_answer_over_the_limit_is_dropped() -> None:
    async with plain() as server, http_client(server.url) as http:
        with pytest.raises(Unavailable, match="more than 10 octets"):
            await fetch(http, "POST", "/echo", content=bytes(11), limit=10)
        assert (await fetch(http, "POST", "/echo", content=bytes(10), limit=10)).content == bytes(10)


async def test_a_server_that_is_away_or_silent_is_unavailable() -> None:
    async with plain() as server:
        url = server.url
    async with http_client(url) as http:
        with pytest.raises(Unavailable, match=r"GET http://127\.0\.0\.1:\d+/whoami failed"):
            await fetch(http, "GET", "/whoami")
    async with plain(limits=Limits(grace=0.01)) as server, http_client(server.url, timeout=0.05) as http:
        with pytest.raises(Unavailable, match="ReadTimeout"):
            await fetch(http, "GET", "/held")


async def test_the_environments_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with plain() as server, http_client(server.url) as http:
        assert (await fetch(http, "GET", "/whoami")).status_code == 200


def test_only_transport_errors_become_unavailable() -> None:
    with pytest.raises(Unavailable, match="the EST server failed: ConnectTimeout"), unavailable("the EST server"):
        raise httpx.ConnectTimeout("")
    with pytest.raises(KeyError), unavailable("the EST server"):
        raise KeyError
