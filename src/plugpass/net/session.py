"""The session pump: drives any sans-IO `Machine` over any `ByteStream`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError
from plugpass.iso15118.machine import Event, Machine, SessionEnded
from plugpass.net.stream import ByteStream

log = structlog.get_logger(__name__)

Handler = Callable[[Event], Awaitable[None]]

GRACE = 5.0  #: seconds that handlers may go on after the session's end, before they are cancelled


async def run_session(stream: ByteStream, machine: Machine, *, clock: Clock, handle: Handler) -> SessionEnded:
    """Run `machine` on `stream` until one of the two ends, and close the stream.

    Each event is given to `handle` in a task of its own, started in order: a handler may wait for a backend while the
    session goes on, and what it put into the machine is sent when it returns. The last event is always a
    SessionEnded; it is handled too, and returned. A handler that raises ends the session. Handlers that are still
    running at the end get `GRACE` seconds.

    Raises what the machine raises, which is a defect of the machine; everything a peer does is an event.
    """
    pump = _Pump(stream, machine, clock, handle)
    try:
        ended = await pump.run()
    except BaseException:
        await pump.abandon()
        raise
    await pump.finish()
    return ended


class _Pump:
    def __init__(self, stream: ByteStream, machine: Machine, clock: Clock, handle: Handler) -> None:
        self._stream = stream
        self._machine = machine
        self._clock = clock
        self._handle = handle
        self._handlers: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[bytes] | None = None
        self._ended: SessionEnded | None = None
        self._closed = False  #: the machine has been told that the connection is gone

    async def run(self) -> SessionEnded:
        while True:
            await self._flush()
            self._dispatch()
            if self._ended is not None:
                await self._flush()
                return self._ended
            if self._closed:
                return self._end_without_event()
            await self._wait()

    async def _flush(self) -> None:
        data = self._machine.data_to_send()
        if not data or self._closed:
            return
        try:
            await self._stream.write(data)
        except (OSError, PeerError) as error:
            self._disconnect(str(error))

    def _dispatch(self) -> None:
        while self._ended is None and (event := self._machine.next_event()) is not None:
            self._start(event)

    def _start(self, event: Event) -> None:
        self._handlers.add(asyncio.ensure_future(self._call(event)))
        if isinstance(event, SessionEnded):
            self._ended = event

    async def _call(self, event: Event) -> None:
        await self._handle(event)

    def _end_without_event(self) -> SessionEnded:
        ended = SessionEnded(ok=False, reason="the connection was closed")
        self._start(ended)
        return ended

    async def _wait(self) -> None:
        """Until octets arrive, a handler returns or a timer runs out; then let the machine act on it."""
        if self._reader is None:
            self._reader = asyncio.ensure_future(self._stream.read())
        timer, remaining = self._timer()
        waiting: set[asyncio.Task[bytes] | asyncio.Task[None]] = {self._reader, *self._handlers}
        if timer is not None:
            waiting.add(timer)
        try:
            done, _ = await asyncio.wait(waiting, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if timer is not None:
                await _cancel({timer})
        self._reap(self._handlers & done)
        if self._reader in done:
            self._received(self._reader)
        now = self._clock.monotonic()
        deadline = self._machine.deadline()
        if not self._closed and deadline is not None and now >= deadline:
            self._machine.handle_timeout(now)

    def _timer(self) -> tuple[asyncio.Task[None] | None, float | None]:
        """Two alarms for one deadline: real seconds, and the clock's own for clocks that are moved by hand."""
        deadline = self._machine.deadline()
        if deadline is None:
            return None, None
        remaining = max(0.0, deadline - self._clock.monotonic())
        alarm = self._clock.sleep_until(self._clock.now() + timedelta(seconds=remaining))
        return asyncio.ensure_future(alarm), remaining

    def _received(self, reader: asyncio.Task[bytes]) -> None:
        self._reader = None
        try:
            data = reader.result()
        except (OSError, PeerError) as error:
            self._disconnect(str(error))
            return
        if self._closed:
            return
        if data:
            self._machine.receive(data, self._clock.monotonic())
        else:
            self._disconnect("closed by the peer")

    def _reap(self, done: set[asyncio.Task[None]]) -> None:
        self._handlers -= done
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("session_handler_failed", error=repr(error), exc_info=error)
                self._disconnect("a handler of ours failed")

    def _disconnect(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        log.info("session_connection_gone", reason=reason)
        self._machine.receive(b"", self._clock.monotonic())

    async def finish(self) -> None:
        """The orderly end: hang up, let handlers finish, cancel what does not."""
        try:
            await self._stop_reading()
            await self._stream.close()
            if self._handlers:
                done, late = await asyncio.wait(self._handlers, timeout=GRACE)
                self._closed = True
                self._reap(done)
                if late:
                    log.warning("session_handlers_cancelled", count=len(late), after_s=GRACE)
        finally:
            await _cancel(self._handlers)

    async def abandon(self) -> None:
        """The end by cancellation or by a defect: nothing is waited for."""
        try:
            await self._stop_reading()
            await _cancel(self._handlers)
        finally:
            await self._stream.close()

    async def _stop_reading(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await _cancel({reader})


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait until they are over, whatever they still raise."""
    leftovers = list(tasks)
    for task in leftovers:
        task.cancel()
    await asyncio.gather(*leftovers, return_exceptions=True)
