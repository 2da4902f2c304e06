"""A station's connection to its CSMS: OCPP 2.0.1 over WebSocket with mutual TLS, reconnecting by itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake
from websockets.typing import Subprotocol

from plugpass.clock import Clock
from plugpass.errors import ConfigurationError, Unavailable
from plugpass.net.ocpp_channel import Handler, Names, OcppChannel
from plugpass.net.ocpp_server import MAX_MESSAGE
from plugpass.ocpp.messages import SUBPROTOCOL, Request, Response, action_of
from plugpass.ocpp.rules import BackOff
from plugpass.ports.trace import NullTrace, Trace

log = structlog.get_logger(__name__)

ResponseT = TypeVar("ResponseT", bound=Response)


class OcppClient:
    """Use as `async with client:`; it connects in the background and again after every loss, until left.

    `handlers` serve the CSMS's CALLs, keyed by action; each runs in a task of its own. `on_connected` runs as a task
    after every connect. `url` is the CSMS's base URL; the identity is appended to it.
    """

    def __init__(
        self,
        url: str,
        identity: str,
        tls: ssl.SSLContext,
        handlers: Mapping[str, Handler],
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        on_connected: Callable[[], Awaitable[None]] | None = None,
        trace: Trace | None = None,
        actor: str = "station",
        peer: str = "csms",
        call_timeout: float = 30.0,
        open_timeout: float = 10.0,
        ping_interval: float = 30.0,
        back_off: BackOff | None = None,
    ) -> None:
        if not url.startswith("wss://"):
            raise ConfigurationError(f"CSMS url {url!r}: security profile 3 needs a wss:// URL")
        self._url = f"{url.rstrip('/')}/{quote(identity, safe='')}"
        self._names = Names(identity=identity, actor=actor, peer=peer)
        self._tls = tls
        self._handlers = handlers
        self._clock = clock
        self._random = random
        self._on_connected = on_connected
        self._trace = trace or NullTrace()
        self._call_timeout = call_timeout
        self._open_timeout = open_timeout
        self._ping_interval = ping_interval
        self._back_off = back_off or BackOff()
        self._channel: OcppChannel | None = None
        self._connected = asyncio.Event()
        self._hurry = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    @property
    def online(self) -> bool:
        """Whether the connection is open now."""
        return self._channel is not None

    async def __aenter__(self) -> OcppClient:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to connect; see `wait_connected`."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close the connection and stay away."""
        if self._runner is None:
            return
        self._runner.cancel()
        await asyncio.gather(self._runner, return_exceptions=True)
        self._runner = None

    async def wait_connected(self) -> None:
        """Return as soon as the connection is open."""
        await self._connected.wait()

    async def call(
        self,
        request: Request[ResponseT],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # counts from the sending, which a caller's own cannot know
    ) -> ResponseT:
        """Send `request` and return its answer.

        Raises Unavailable at once while offline, and when the connection is lost or `timeout` seconds pass after it was
        sent; CallRefused where the CSMS answers with a CALLERROR; SchemaViolation where its answer breaks the schema.
        """
        if self._channel is None:
            raise Unavailable(f"{action_of(request)}: no connection to the CSMS; it is being retried")
        return await self._channel.call(request, timeout=timeout)

    async def reconnect(self, tls: ssl.SSLContext | None = None) -> None:
        """Drop the connection and connect again at once, with `tls` where given (A02.FR.08)."""
        if tls is not None:
            self._tls = tls
        self._hurry.set()
        channel, self._channel = self._channel, None
        self._connected.clear()
        if channel is not None:
            await channel.close(1000, "reconnecting")

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                websocket = await self._connect()
            except (OSError, TimeoutError, InvalidHandshake) as error:  # ssl.SSLError is an OSError
                log.warning("ocpp.connect_failed", station=self._names.identity, attempt=attempt, cause=str(error))
            else:
                attempt = 0
                await self._serve(websocket)
            await self._pause(attempt)
            attempt += 1

    async def _connect(self) -> ClientConnection:
        websocket = await connect(
            self._url,
            ssl=self._tls,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            proxy=None,
            compression=None,
            max_size=MAX_MESSAGE,
            open_timeout=self._open_timeout,
            ping_interval=self._ping_interval,
            ping_timeout=self._ping_interval,
            close_timeout=2.0,
            logger=_library_logger(),
        )
        if websocket.subprotocol != SUBPROTOCOL:
            await websocket.close(1002, f"this station speaks {SUBPROTOCOL} only")
            raise OSError(f"the CSMS does not speak {SUBPROTOCOL}")
        return websocket

    async def _serve(self, websocket: ClientConnection) -> None:
        channel = OcppChannel(
            websocket,
            self._handlers,
            names=self._names,
            clock=self._clock,
            prefix=self._random(6).hex(),
            trace=self._trace,
            call_timeout=self._call_timeout,
        )
        self._channel = channel
        self._connected.set()
        try:
            if self._on_connected is not None:
                channel.spawn(self._on_connected(), "on_connected")
            await channel.run()
        finally:
            self._channel = None
            self._connected.clear()

    async def _pause(self, attempt: int) -> None:
        fraction = int.from_bytes(self._random(2), "big") / 65536
        with suppress(TimeoutError):
            async with asyncio.timeout(self._back_off.delay(attempt, fraction)):
                await self._hurry.wait()
        self._hurry.clear()


def _library_logger() -> logging.Logger:
    # Failures are logged here once, with their cause; the library would say them again.
    logger = logging.getLogger(f"{__name__}.websockets")
    logger.setLevel(logging.CRITICAL)
    return logger
