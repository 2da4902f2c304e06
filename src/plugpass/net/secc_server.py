"""A station's network face: SDP responder, TLS listener and, only where switched on, a plain TCP listener.

The link is an unauthenticated network: datagrams, handshakes and connections are limited in size, number and time, and
whatever a stranger sends costs one log line and leaves the service running.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, PlugpassError
from plugpass.iso15118.machine import Machine
from plugpass.iso15118.sdp import SDP_PORT, SdpRequest, SdpResponse, Security
from plugpass.net.sdp import Link, SdpResponder, find_link
from plugpass.net.session import GRACE, Handler, run_session
from plugpass.net.stream import ByteStream, TcpStream, hang_up, send
from plugpass.net.tls import HANDSHAKE_TIMEOUT, ISO2, Identity, TlsProfile, TlsStream, accept_tls, alert_record
from plugpass.ports.keys import Credential

log = structlog.get_logger(__name__)

DYNAMIC_PORTS = range(49152, 65536)  #: where the station's TCP port is to be taken from


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionInfo:
    """What is known of a connection when its session starts."""

    peer: str  #: address
    port: int
    tls: bool
    trusted_ca_sha1: tuple[bytes, ...] = ()  #: SHA-1 of the roots that the vehicle named
    handshake_ms: float = 0.0


NewSession = Callable[[ConnectionInfo], tuple[Machine, Handler]]


class SeccServer:
    """Serves vehicles on one link; an async context manager.

    `credential` and `staple` are asked anew for each connection, so a renewed leaf needs no restart; no credential
    means that vehicles are refused until there is one. `others` are further chains for vehicles that name another
    root. `interface` None is loopback; `port` None is the first free dynamic port. Times are in seconds.
    """

    def __init__(
        self,
        *,
        credential: Callable[[], Credential | None],
        new_session: NewSession,
        clock: Clock,
        staple: Callable[[], bytes | None] = lambda: None,
        others: Callable[[], Sequence[Identity]] = lambda: (),
        interface: str | None = None,
        sdp_port: int = SDP_PORT,
        port: int | None = None,
        plain_tcp: bool = False,
        max_connections: int = 8,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        profile: TlsProfile = ISO2,
    ) -> None:
        self._credential = credential
        self._new_session = new_session
        self._clock = clock
        self._staple = staple
        self._others = others
        self._interface = interface
        self._wanted_sdp_port = sdp_port
        self._wanted_port = port
        self._plain_tcp = plain_tcp
        self._max_connections = max_connections
        self._handshake_timeout = handshake_timeout
        self._profile = profile
        self._link: Link | None = None
        self._responder: SdpResponder | None = None
        self._listeners: dict[Security, asyncio.Server] = {}
        self._tasks: dict[asyncio.Task[None], ByteStream | None] = {}  #: None while in the handshake

    @property
    def host(self) -> str:
        """Our numeric address."""
        return self._started().host

    @property
    def port(self) -> int:
        """The TCP port of the TLS listener."""
        return self._port_of(Security.TLS)

    @property
    def sdp_port(self) -> int:
        """The UDP port of the SDP responder."""
        self._started()
        assert self._responder is not None
        return self._responder.port

    @property
    def connections(self) -> int:
        """Connections open now, those in a handshake included."""
        return len(self._tasks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises ConfigurationError where an interface or a port cannot be used."""
        self._link = find_link(self._interface)
        try:
            await self._listen(Security.TLS, self._wanted_port)
            if self._plain_tcp:
                await self._listen(Security.NONE, None)
            self._responder = await SdpResponder.open(
                self._answer, link=self._link, port=self._wanted_sdp_port, clock=self._clock
            )
        except BaseException:
            await self.stop()
            raise
        log.info("secc_listening", host=self.host, port=self.port, sdp_port=self.sdp_port, plain_tcp=self._plain_tcp)

    async def stop(self) -> None:
        """Stop listening and hang up; sessions see their connection close and may finish their reports."""
        if self._responder is not None:
            self._responder.close()
        for listener in self._listeners.values():
            listener.close()
        for task, stream in tuple(self._tasks.items()):
            if stream is None:
                task.cancel()
            else:
                await stream.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GRACE + 1)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for listener in self._listeners.values():
            await listener.wait_closed()
        self._listeners.clear()
        self._link = self._responder = None

    def _started(self) -> Link:
        if self._link is None:
            raise ConfigurationError("the SECC server is not running: start it before asking for its addresses")
        return self._link

    def _port_of(self, security: Security) -> int:
        self._started()
        port: int = self._listeners[security].sockets[0].getsockname()[1]
        return port

    async def _listen(self, security: Security, port: int | None) -> None:
        link = self._started()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._accept(security, reader, writer)

        sock = _listening_socket(link, DYNAMIC_PORTS if port is None else (port,))
        self._listeners[security] = await asyncio.start_server(connected, sock=sock)

    def _answer(self, request: SdpRequest) -> SdpResponse:
        """What was asked for where we have it, else TLS: a TLS-only station overrides the wish for none."""
        security = request.security if request.security in self._listeners else Security.TLS
        return SdpResponse(address=self._started().address, port=self._port_of(security), security=security)

    def _accept(self, security: Security, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer, port = writer.get_extra_info("peername", ("", 0))[:2]
        if len(self._tasks) >= self._max_connections:
            log.warning(
                "secc_connection_refused", peer=peer, reason="too many connections", limit=self._max_connections
            )
            writer.transport.abort()
            return
        task = asyncio.ensure_future(self._serve(security, reader, writer, peer, port))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    async def _serve(
        self, security: Security, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, port: int
    ) -> None:
        with structlog.contextvars.bound_contextvars(peer=peer, peer_port=port):
            try:
                if security is Security.TLS:
                    await self._serve_tls(reader, writer, peer, port)
                else:
                    info = ConnectionInfo(peer=peer, port=port, tls=False)
                    await self._run(TcpStream(reader, writer), info)
            except PlugpassError as error:
                log.warning("secc_connection_refused", reason=str(error), alert=getattr(error, "alert", ""))
            except Exception:  # one vehicle's session must never take the station down
                log.exception("secc_session_failed")
            finally:
                writer.transport.abort()

    async def _serve_tls(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str, port: int
    ) -> None:
        credential = self._credential()
        if credential is None:
            log.warning("secc_connection_refused", reason="no SECC certificate is installed yet")
            with contextlib.suppress(OSError):
                await send(writer, alert_record("handshake_failure"))
            await hang_up(writer)
            return
        began = self._clock.monotonic()
        stream = await accept_tls(
            reader,
            writer,
            identities=(Identity(credential=credential, staple=self._staple()), *self._others()),
            profile=self._profile,
            handshake_timeout=self._handshake_timeout,
        )
        await self._run(stream, _info(stream, peer, port, (self._clock.monotonic() - began) * 1000))

    async def _run(self, stream: ByteStream, info: ConnectionInfo) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = stream
        try:
            machine, handle = self._new_session(info)
            ended = await run_session(stream, machine, clock=self._clock, handle=handle)
            log.info("secc_session_ended", ok=ended.ok, reason=ended.reason)
        finally:
            await stream.close()


def _info(stream: TlsStream, peer: str, port: int, handshake_ms: float) -> ConnectionInfo:
    log.debug("secc_tls_established", cipher=stream.cipher, group=stream.group, ms=round(handshake_ms, 1))
    return ConnectionInfo(
        peer=peer, port=port, tls=True, trusted_ca_sha1=stream.trusted_ca_sha1, handshake_ms=handshake_ms
    )


def _listening_socket(link: Link, ports: Sequence[int]) -> socket.socket:
    """A socket that listens on the first of `ports` that is free."""
    problem: OSError | None = None
    for port in ports:
        sock = socket.socket(link.family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(link.sockaddr(port))
            sock.listen()
        except OSError as error:
            sock.close()
            problem = error
            continue
        sock.setblocking(False)
        return sock
    raise ConfigurationError(
        f"no TCP port of {ports[0]}-{ports[-1]} on {link.host} can be listened on: {problem}; choose another port"
    )
