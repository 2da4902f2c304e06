"""The CSMS's OCPP 2.0.1 endpoint: WebSocket with security profile 3, one connection for each station identity."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import structlog
from cryptography import x509
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse
from websockets.typing import Subprotocol

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, LocalError
from plugpass.net.ocpp_channel import Handler, Names, OcppChannel
from plugpass.net.tls_service import peer_certificate
from plugpass.ocpp.frames import ErrorCode
from plugpass.ocpp.messages import SUBPROTOCOL
from plugpass.ports.trace import NullTrace, Trace

log = structlog.get_logger(__name__)

#: Octets; the largest message of the 2.0.1 messages in use, with many meter values, stays far below.
MAX_MESSAGE: Final = 256 * 1024

#: OCPP identifierString, at most 48 characters (Part 2, dataTypes; Part 4 §3.1.1).
_IDENTITY = re.compile(r"[A-Za-z0-9*\-_=:+|@.]{1,48}")


class CentralSystem(Protocol):
    """What the endpoint asks of the CSMS behind it."""

    async def admit(self, identity: str) -> bool:
        """Whether a station of this identity is known here."""
        ...

    def refusal(self, identity: str, action: str) -> ErrorCode | None:
        """The error code if the station may not send this action now (boot rules), else None."""
        ...

    def handlers(self, link: OcppChannel) -> Mapping[str, Handler]:
        """Handlers by action for one connection."""
        ...

    async def connected(self, link: OcppChannel) -> None:
        """The station's connection is open. Runs as a task of the connection: it may take its time and may call."""
        ...

    async def disconnected(self, link: OcppChannel) -> None:
        """The connection is gone; a newer one of the same station may be open already."""
        ...


class OcppServer:
    """Serve stations with `async with server:`; `url` is what stations are configured with, without their identity.

    `tls` must demand a client certificate (security profile 3): the CN in it must be the identity in the URL
    (A00.FR.405), and its O must be `organization` where that is given (A00.FR.404).
    """

    def __init__(
        self,
        central: CentralSystem,
        *,
        tls: ssl.SSLContext,
        clock: Clock,
        random: Callable[[int], bytes],
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "/ocpp",
        organization: str | None = None,
        trace: Trace | None = None,
        call_timeout: float = 30.0,
        open_timeout: float = 10.0,
        ping_interval: float = 30.0,
        max_message: int = MAX_MESSAGE,
        max_connections: int = 10_000,
    ) -> None:
        if tls.verify_mode is not ssl.CERT_REQUIRED:
            raise ConfigurationError("OcppServer needs a TLS context that requires client certificates (profile 3)")
        self._central = central
        self._tls = tls
        self._clock = clock
        self._random = random
        self._host = host
        self._port = port
        self._path = path.rstrip("/")
        self._organization = organization
        self._trace = trace or NullTrace()
        self._call_timeout = call_timeout
        self._open_timeout = open_timeout
        self._ping_interval = ping_interval
        self._max_message = max_message
        self._max_connections = max_connections
        self._links: dict[str, OcppChannel] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The TCP port in use."""
        if self._server is None:
            raise LocalError("the OCPP server is not running: enter it with `async with` first")
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The base URL for stations; each appends its identity."""
        return f"wss://{self._host}:{self.port}{self._path}"

    @property
    def connected(self) -> tuple[str, ...]:
        """The identities of the stations that are connected now."""
        return tuple(sorted(self._links))

    async def __aenter__(self) -> OcppServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where the port cannot be used."""
        try:
            self._server = await self._listen()
        except OSError as error:
            raise ConfigurationError(
                f"the OCPP server cannot listen on {self._host} port {self._port}: {error}; choose another port"
            ) from None

    async def _listen(self) -> Server:
        return await serve(
            self._serve,
            self._host,
            self._port,
            ssl=self._tls,
            process_request=self._process_request,
            select_subprotocol=_select_subprotocol,
            compression=None,
            max_size=self._max_message,
            open_timeout=self._open_timeout,
            ping_interval=self._ping_interval,
            ping_timeout=self._ping_interval,
            close_timeout=2.0,
            server_header=None,
            logger=_library_logger(),
        )

    async def stop(self) -> None:
        """Close every connection (1001, going away) and stop listening."""
        if self._server is None:
            return
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._closing, return_exceptions=True)
        self._server = None

    async def _process_request(self, connection: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        """Refuse the upgrade, with its reason in one log line, or let it pass."""
        identity = station_identity(request.path, self._path)
        if identity is None:
            return _refuse(connection, HTTPStatus.NOT_FOUND, "the URL path does not end with a station identity")
        cause = self._certificate_mismatch(connection, identity)
        if cause is not None:
            return _refuse(connection, HTTPStatus.FORBIDDEN, cause, identity)
        if not await self._central.admit(identity):
            return _refuse(connection, HTTPStatus.NOT_FOUND, "no station of this identity is known", identity)
        if len(self._links) >= self._max_connections and identity not in self._links:
            return _refuse(connection, HTTPStatus.SERVICE_UNAVAILABLE, "too many connections", identity)
        return None

    def _certificate_mismatch(self, connection: ServerConnection, identity: str) -> str | None:
        der = peer_certificate(connection.transport)
        if der is None:
            return "no client certificate"
        try:
            subject = x509.load_der_x509_certificate(der).subject
            names = [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
            owners = [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        except ValueError:
            return "the client certificate cannot be read"
        if names != [identity]:  # A00.FR.405: else any certificate of the CA connects as any station
            return "the CN of the client certificate is not the station's identity"
        if self._organization is not None and owners != [self._organization]:  # A00.FR.404
            return "the O of the client certificate is not the operator"
        return None

    async def _serve(self, websocket: ServerConnection) -> None:
        request = websocket.request
        identity = station_identity(request.path, self._path) if request is not None else None
        if identity is None:  # cannot be: such a request was refused
            return
        if websocket.subprotocol != SUBPROTOCOL:
            # Part 4 §3.1.2: complete the handshake without a subprotocol, then close at once.
            log.warning("ocpp.subprotocol_refused", station=identity, wanted=SUBPROTOCOL)
            await websocket.close(1002, f"this CSMS speaks {SUBPROTOCOL} only")
            return
        link = self._link(identity, websocket)
        log.info("ocpp.connected", station=identity)
        try:
            link.spawn(self._central.connected(link), "connected")
            await link.run()
        finally:
            if self._links.get(identity) is link:
                del self._links[identity]
            await self._central.disconnected(link)
            log.info("ocpp.disconnected", station=identity)

    def _link(self, identity: str, websocket: ServerConnection) -> OcppChannel:
        """The new channel of the station; the newest connection wins, an older one is dead or an impostor's."""
        handlers: dict[str, Handler] = {}
        link = OcppChannel(
            websocket,
            handlers,
            names=Names(identity=identity, actor="csms", peer="station"),
            clock=self._clock,
            prefix=self._random(6).hex(),
            gate=lambda action: self._central.refusal(identity, action),
            trace=self._trace,
            call_timeout=self._call_timeout,
        )
        handlers.update(self._central.handlers(link))
        previous = self._links.get(identity)
        self._links[identity] = link
        if previous is not None:
            log.warning("ocpp.connection_replaced", station=identity)
            closing = asyncio.create_task(previous.close(1000, "replaced by a newer connection"))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return link


def station_identity(path: str, base: str) -> str | None:
    """The station identity at the end of the request path `<base>/<identity>`, percent-decoded; None where invalid."""
    folder, _, last = urlsplit(path).path.rpartition("/")
    identity = unquote(last)
    return identity if folder == base and _IDENTITY.fullmatch(identity) else None


def _select_subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _refuse(connection: ServerConnection, status: HTTPStatus, cause: str, identity: str = "") -> HttpResponse:
    peer = connection.remote_address[0] if connection.remote_address else ""
    log.warning("ocpp.connection_refused", station=identity, peer=peer, status=int(status), cause=cause)
    return connection.respond(status, f"{cause}\n")


def _library_logger() -> logging.Logger:
    # Everything worth a line is logged here once, with its cause; the library would say it again.
    logger = logging.getLogger(f"{__name__}.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger
