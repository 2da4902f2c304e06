"""An HTTP server for ASGI applications around uvicorn's HTTP/1.1 protocol, with limits and a life cycle of our own.

uvicorn's own `Server` takes over signals, polls, and knows neither handshake nor header timeouts: only its protocol
class and its lifespan are used. The TLS client certificate reaches the application through the ASGI scope.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self, cast

import h11
import structlog
import uvicorn
from starlette.requests import ClientDisconnect
from uvicorn.lifespan.on import LifespanOn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, LocalError
from plugpass.net.clock import SystemClock
from plugpass.net.tls_service import peer_certificate

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CERTIFICATE_KEY = "plugpass.client_certificate"  #: where the ASGI scope holds the client certificate, DER

_WITHOUT_BODY = frozenset({204, 304})  # RFC 9110 §8.6: no Content-Length of zero here
_MAX_HEADERS = 32 * 1024  #: octets of request line and headers

# Everything worth knowing is logged by this module, through structlog.
_silent = logging.getLogger(f"{__name__}.uvicorn")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may use up; octets and seconds."""

    max_body: int = 1024 * 1024
    max_connections: int = 256
    header_timeout: float = 10.0
    body_timeout: float = 30.0  #: for the whole body, from when the application begins to read it
    handshake_timeout: float = 10.0
    keep_alive: float = 5.0
    grace: float = 2.0  #: how long running requests may go on when the server stops


def client_certificate(request: Any) -> bytes | None:
    """The client's TLS certificate, DER, verified in the handshake; None where it showed none.

    `request` is an ASGI scope or anything with a `scope`, such as FastAPI's Request.
    """
    scope: Mapping[str, Any] = request if isinstance(request, Mapping) else request.scope
    return cast("bytes | None", scope.get(CERTIFICATE_KEY))


def client_network(address: str) -> str:
    """What one client is counted by: its IPv4 address, or its IPv6 /64, of which it has all addresses."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped is not None:
        return str(parsed if parsed.version == 4 else parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


class HttpServer:
    """Serves an ASGI application on `host` and `port` (0: any); an async context manager.

    Every answer that the application sends in one piece has a Content-Length (EST clients refuse chunks). The
    application's lifespan runs.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        limits: Limits = Limits(),
        clock: Clock | None = None,
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._tls = tls
        self._limits = limits
        edge = _Edge(cast("App", app), limits, clock or SystemClock())
        self._config = uvicorn.Config(
            cast("Any", edge),
            http=_Protocol,
            ws="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=cast("int", limits.keep_alive),  # passed on to call_later, which takes fractions
            h11_max_incomplete_event_size=_MAX_HEADERS,
        )
        self._state = ServerState()
        self._lifespan: LifespanOn | None = None
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The TCP port. Raises LocalError before the start."""
        if self._server is None:
            raise LocalError("the HTTP server is not running: start it before asking for its port")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the application, then listen.

        Raises ConfigurationError where the port cannot be used and LocalError where the application does not start.
        """
        if not self._config.loaded:
            self._config.load()
        lifespan = self._config.lifespan_class(self._config)
        lifespan.logger = _silent
        await lifespan.startup()
        if lifespan.should_exit:
            raise LocalError("the HTTP application did not start: its lifespan failed")
        self._lifespan = lifespan
        factory = functools.partial(
            _Protocol, config=self._config, server_state=self._state, app_state=lifespan.state, limits=self._limits
        )
        try:
            self._server = await asyncio.get_running_loop().create_server(
                factory,
                self._host,
                self._wanted_port,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.handshake_timeout if self._tls else None,
                ssl_shutdown_timeout=1.0 if self._tls else None,
            )
        except OSError as error:
            await self.stop()
            raise ConfigurationError(
                f"the HTTP server cannot listen on {self._host} port {self._wanted_port}: {error}; choose another port"
            ) from None
        log.info("http_listening", url=self.url)

    async def stop(self) -> None:
        """Stop listening, let running requests finish for the grace period, stop the application."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=self._limits.grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for connection in list(self._state.connections):
            cast("H11Protocol", connection).transport.abort()
        if server is not None:
            await server.wait_closed()
        lifespan, self._lifespan = self._lifespan, None
        if lifespan is not None:
            await lifespan.shutdown()


class _Protocol(H11Protocol):
    """One connection: uvicorn's protocol plus client certificate, connection limit and a limit on idle headers."""

    def __init__(self, *args: Any, limits: Limits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = _silent
        self._limits = limits
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            log.warning("http_connection_refused", client=self.client, reason="too many connections")
            transport.abort()
            return
        certificate = peer_certificate(transport)
        application = cast("App", self.app)

        async def with_certificate(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CERTIFICATE_KEY] = certificate
            await application(scope, receive, send)

        self.app = cast("Any", with_certificate)
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        requests_before = self.scope
        super().data_received(data)
        if self.scope is not requests_before:
            self._unwatch_headers()
        elif self.conn.their_state is h11.IDLE and self._header_timer is None:
            self._watch_headers()  # the headers of a further request have begun

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_headers()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to a broken request lacks a length, and its log line has no client."""
        log.warning("http_request_refused", client=self.client, reason="not HTTP/1.1", status=400)
        body = msg.encode("ascii")
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def _watch_headers(self) -> None:
        self._header_timer = self.loop.call_later(self._limits.header_timeout, self._headers_late)

    def _unwatch_headers(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_late(self) -> None:
        log.info("http_connection_closed", client=self.client, reason="no complete request header in time")
        self.transport.abort()


class _BodyRefused(Exception):
    """The request body is over a limit."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Edge:
    """The outermost ASGI layer: body limits, Date and Content-Length, and the answer where the application fails."""

    def __init__(self, app: App, limits: Limits, clock: Clock) -> None:
        self._app = app
        self._limits = limits
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, scope, self._limits)
        answer = _Answer(send, body, format_datetime(self._clock.now(), usegmt=True).encode())
        try:
            body.check_announced()
            await self._app(scope, body.receive, answer.send)
        except (_BodyRefused, ClientDisconnect):
            pass
        except asyncio.CancelledError:
            if not answer.started:
                await self._refuse(scope, answer, 503, "the server is stopping")
            raise
        except Exception:  # the application's defect must not take the connection's siblings down
            log.exception("http_application_failed", method=scope["method"], path=scope["path"])
            if not answer.complete:
                await self._refuse(scope, answer, 500, "internal server error")
            return
        # Frameworks turn any error of reading the body into an answer of their own: ours is the right one.
        if body.abandoned and not answer.complete:
            log.info("http_request_abandoned", client=scope["client"], path=scope["path"], received=body.received)
        elif body.refusal is not None:
            await self._refuse(scope, answer, body.refusal.status, body.refusal.reason)

    async def _refuse(self, scope: Scope, answer: _Answer, status: int, reason: str) -> None:
        log.warning("http_request_refused", client=scope["client"], path=scope["path"], status=status, reason=reason)
        if answer.started:
            raise ConnectionAbortedError("the answer broke off")  # makes uvicorn cut the connection
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        await answer.send_own({"type": "http.response.start", "status": status, "headers": headers})
        await answer.send_own({"type": "http.response.body", "body": reason.encode()})


class _Body:
    """The request's body, counted and timed as a whole."""

    def __init__(self, receive: Receive, scope: Scope, limits: Limits) -> None:
        self._receive = receive
        self._headers = scope["headers"]
        self._limits = limits
        self._complete = False
        self._deadline: float | None = None
        self.received = 0  #: octets
        self.abandoned = False  #: the client left before the body was complete
        self.refusal: _BodyRefused | None = None

    def check_announced(self) -> None:
        announced = next((value for name, value in self._headers if name == b"content-length"), b"0")
        if int(announced) > self._limits.max_body:  # h11 has checked that it is a number
            raise self._refused(413, f"the request body is larger than {self._limits.max_body} octets")

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # waits for the client to leave
        try:
            async with asyncio.timeout_at(self._due()):
                message = await self._receive()
        except TimeoutError:
            raise self._refused(408, "the request body did not arrive in time") from None
        self.abandoned = message["type"] == "http.disconnect"
        self.received += len(message.get("body", b""))
        if self.received > self._limits.max_body:
            raise self._refused(413, f"the request body is larger than {self._limits.max_body} octets")
        self._complete = not message.get("more_body", False)
        return message

    def _due(self) -> float:
        """One deadline for all parts: a client that sends an octet now and then does not move it."""
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._limits.body_timeout
        return self._deadline

    def _refused(self, status: int, reason: str) -> _BodyRefused:
        self.refusal = _BodyRefused(status, reason)
        return self.refusal


class _Answer:
    """The response's messages, held back until it is known whether the body comes in one piece."""

    def __init__(self, send: Send, body: _Body, date: bytes) -> None:
        self._send = send
        self._body = body
        self._date = date
        self._start: Message | None = None
        self.started = False
        self.complete = False

    async def send(self, message: Message) -> None:
        """What the application sends; dropped once the request's body has been refused or its sender has left."""
        if self.started or (self._body.refusal is None and not self._body.abandoned):
            await self.send_own(message)

    async def send_own(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            self.started = True
            await self._send({**start, "headers": self._headers(start, message)})
        self.complete = not message.get("more_body", False)
        await self._send(message)

    def _headers(self, start: Message, first: Message) -> list[tuple[bytes, bytes]]:
        headers = [(bytes(name), bytes(value)) for name, value in start.get("headers", ())]
        names = {name.lower() for name, _ in headers}
        in_one_piece = not first.get("more_body", False) and start["status"] not in _WITHOUT_BODY
        if in_one_piece and b"content-length" not in names:
            headers.append((b"content-length", b"%d" % len(first.get("body", b""))))
        if b"date" not in names:
            headers.append((b"date", self._date))
        return headers
