"""One OCPP-J WebSocket connection, the same at both ends: reads, writes, timers and handlers around `RpcConnection`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from plugpass.clock import Clock
from plugpass.errors import PlugpassError, Unavailable
from plugpass.ocpp.codec import decode_request, decode_response, encode_request, encode_response
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ocpp.messages import Request, Response, action_of
from plugpass.ocpp.rpc import CallAnswered, CallFailed, CallReceived, Event, FrameDropped, RpcConnection
from plugpass.ocpp.rules import outcome
from plugpass.ocpp.schemas import SchemaViolation
from plugpass.ports.trace import NullTrace, Trace, WireEvent

log = structlog.get_logger(__name__)

ResponseT = TypeVar("ResponseT", bound=Response)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """A handler's answer with work that begins once it is on its way: `then` runs as a task of the connection."""

    response: Response
    then: Callable[[], Awaitable[None]]


Handler = Callable[[Any], Awaitable[Response | Deferred]]
#: Whether the peer may send this action now; an error code refuses it.
Gate = Callable[[str], ErrorCode | None]


def open_gate(_action: str) -> ErrorCode | None:
    """Every action is welcome."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Who is who, for log lines and the trace."""

    identity: str  #: the station's OCPP identity
    actor: str
    peer: str


class OcppChannel:
    """Drive it with `run()`; `call()` works while that runs. Every CALL of the peer is handled in a task of its own."""

    def __init__(
        self,
        websocket: Connection,
        handlers: Mapping[str, Handler],
        *,
        names: Names,
        clock: Clock,
        prefix: str,
        gate: Gate = open_gate,
        trace: Trace | None = None,
        call_timeout: float = 30.0,
    ) -> None:
        self._websocket = websocket
        self._handlers = handlers
        self._names = names
        self._clock = clock
        self._gate = gate
        self._trace = trace or NullTrace()
        self._call_timeout = call_timeout
        self._rpc = RpcConnection(prefix=prefix)
        self._waiting: dict[str, asyncio.Future[CallAnswered | CallFailed]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._to_write = asyncio.Event()
        self._written = asyncio.Event()
        self._open = True
        self._log = log.bind(station=names.identity)

    @property
    def identity(self) -> str:
        """The station's OCPP identity."""
        return self._names.identity

    async def call(
        self,
        request: Request[ResponseT],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # counts from the sending, which a caller's own cannot know
    ) -> ResponseT:
        """Send `request` and wait for its answer, `timeout` seconds at most from the moment it is sent.

        Raises Unavailable where the connection is or gets lost or no answer comes in time, CallRefused where the peer
        answers with a CALLERROR, and SchemaViolation where its answer breaks the schema.
        """
        action, payload = action_of(request), encode_request(request)
        if not self._open:
            raise Unavailable(f"{action} to {self._names.peer}: the connection is closed; wait for the next one")
        started = self._clock.monotonic()
        message_id = self._rpc.call(action, payload, now=started, timeout=timeout or self._call_timeout)
        answered: asyncio.Future[CallAnswered | CallFailed] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = answered
        self._pump()
        try:
            event = await answered
        finally:
            self._waiting.pop(message_id, None)
            self._rpc.withdraw(message_id)
        return cast(ResponseT, self._outcome(event, len(payload), started))

    def spawn(self, work: Awaitable[None], name: str) -> None:
        """Run `work` as a task that ends with the connection at the latest; its failure is logged."""
        task = asyncio.create_task(self._guarded(work, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Serve the connection until it is closed by either side. Leaves no task behind."""
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._websocket:
                for event in self._rpc.receive(message, now=self._clock.monotonic()):
                    self._take(event)
                self._pump()
                await self._written.wait()
        except ConnectionClosed as closed:
            sent, received = closed.sent, closed.rcvd
            frame = sent or received
            self._log.warning("ocpp.connection_lost", code=frame.code if frame else 1006, by_us=sent is not None)
        finally:
            await self._finish(writer)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection; `run` then ends."""
        await self._websocket.close(code, reason)

    async def _finish(self, writer: asyncio.Task[None]) -> None:
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        for event in self._rpc.close():
            self._take(event)
        tasks = [writer, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._websocket.close()

    def _pump(self) -> None:
        self._written.clear()
        self._to_write.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._rpc.next_timeout()
        if deadline is not None:
            delay = max(0.0, deadline - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        for event in self._rpc.handle_timeout(self._clock.monotonic()):
            self._take(event)
        self._pump()

    async def _write(self) -> None:
        # One writer keeps the order of frames; a reader waits for it, so that a peer that does not read is not read.
        while True:
            await self._to_write.wait()
            self._to_write.clear()
            for text in self._rpc.data_to_send():
                try:
                    await self._websocket.send(text)
                except ConnectionClosed:
                    break
            self._written.set()

    def _take(self, event: Event) -> None:
        match event:
            case CallReceived():
                self.spawn(self._serve(event), event.action)
            case CallAnswered() | CallFailed():
                answered = self._waiting.get(event.message_id)
                if answered is not None and not answered.done():
                    answered.set_result(event)
            case FrameDropped():
                self._log.warning("ocpp.frame_dropped", cause=event.cause, answered=event.answered)

    async def _serve(self, call: CallReceived) -> None:
        then: Callable[[], Awaitable[None]] | None = None
        try:
            response = await self._handle(call)
            if isinstance(response, Deferred):
                then = response.then
                response = response.response
            payload = encode_response(call.action, response)
        except (CallRefused, SchemaViolation) as error:
            self._log.warning("ocpp.call_refused", action=call.action[:50], code=error.wire, cause=str(error))
            self._rpc.refuse(call.message_id, error.wire or ErrorCode.GENERIC_ERROR, str(error))
        except Exception as error:
            # Whatever a handler ran into, the peer gets an answer and the connection lives on. The text stays here.
            expected = isinstance(error, PlugpassError)
            cause = str(error) if expected else type(error).__name__
            self._log.error("ocpp.handler_failed", action=call.action, cause=cause, exc_info=not expected)
            self._rpc.refuse(call.message_id, ErrorCode.INTERNAL_ERROR, "the receiver could not process the call")
        else:
            self._rpc.answer(call.message_id, payload)
        self._pump()
        if then is not None:
            await then()

    async def _handle(self, call: CallReceived) -> Response | Deferred:
        refusal = self._gate(call.action)
        if refusal is not None:
            raise CallRefused(f"{call.action[:50]} is not allowed before an accepted BootNotification", wire=refusal)
        request = decode_request(call.action, call.payload)
        handler = self._handlers.get(call.action)
        if handler is None:
            raise CallRefused(f"action {call.action!r} is not supported here", wire=ErrorCode.NOT_SUPPORTED)
        return await handler(request)

    async def _guarded(self, work: Awaitable[None], name: str) -> None:
        try:
            await work
        except PlugpassError as error:
            self._log.warning("ocpp.task_failed", task=name[:50], cause=str(error))
        except Exception:
            self._log.exception("ocpp.task_failed", task=name[:50])

    def _outcome(self, event: CallAnswered | CallFailed, size: int, started: float) -> Response:
        try:
            response = self._response(event)
        except PlugpassError as error:
            self._record(event.action, size=size, started=started, ok=False, detail=_failure(error))
            raise
        ok, detail = outcome(response)
        size = event.size if isinstance(event, CallAnswered) else size
        self._record(event.action, size=size, started=started, ok=ok, detail=detail)
        return response

    def _response(self, event: CallAnswered | CallFailed) -> Response:
        if isinstance(event, CallAnswered):
            return decode_response(event.action, event.payload)
        cause = f"{event.action} to {self._names.peer}: {event.description or 'refused without a reason'}"
        if event.code is None:
            raise Unavailable(cause)
        raise CallRefused(cause, wire=event.code)

    def _record(self, action: str, *, size: int, started: float, ok: bool, detail: str) -> None:
        self._trace.record(
            WireEvent(
                actor=self._names.actor,
                peer=self._names.peer,
                protocol="OCPP",
                message=action,
                size=size,
                ms=(self._clock.monotonic() - started) * 1000,
                ok=ok,
                detail=detail,
            )
        )


def _failure(error: PlugpassError) -> str:
    return getattr(error, "wire", "") or type(error).__name__
