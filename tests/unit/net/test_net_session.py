"""The session pump: octets, deadlines and handlers, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from net_support import Asked, EchoMachine, MemoryStream
from plugpass.iso15118.machine import Event, MessageReceived, SessionEnded
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, frame
from plugpass.net import session
from plugpass.net.clock import ManualClock, SystemClock
from plugpass.net.session import run_session

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def _no_leftover_tasks() -> AsyncIterator[None]:
    yield
    others = asyncio.all_tasks() - {asyncio.current_task()}
    names = {str(getattr(task.get_coro(), "__qualname__", "")) for task in others}
    assert not {name for name in names if name.startswith(("_Pump", "run_session", "MemoryStream", "_nap", "System"))}


async def nothing(event: Event) -> None:
    return


class Peer:
    """The other end: sends frames, collects the answers."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self._decoder = FrameDecoder()
        self._payloads: list[bytes] = []

    async def send(self, *payloads: bytes) -> None:
        for payload in payloads:
            await self.stream.write(frame(EXI_ISO2, payload))

    async def receive(self) -> bytes:
        while not self._payloads:
            self._payloads += [payload for _, payload in self._decoder.receive(await self.stream.read())]
        return self._payloads.pop(0)


async def test_frames_go_through_and_events_come_in_order() -> None:
    ours, theirs = MemoryStream.pair()
    peer, seen = Peer(theirs), list[Event]()

    async def handle(event: Event) -> None:
        seen.append(event)

    running = asyncio.ensure_future(run_session(ours, EchoMachine(), clock=SystemClock(), handle=handle))
    await peer.send(b"one")
    assert await peer.receive() == b"one"
    await peer.send(b"two", b"bye")
    assert [await peer.receive(), await peer.receive()] == [b"two", b"bye"]
    ended = await running
    assert ended == SessionEnded(ok=True, reason="said bye")
    assert [event.name for event in seen if isinstance(event, MessageReceived)] == ["one", "two", "bye"]
    assert seen[-1] == ended
    assert ours.closed


async def test_the_first_octets_of_a_machine_are_sent_without_being_asked() -> None:
    ours, theirs = MemoryStream.pair()
    machine = EchoMachine(first=b"hello")
    running = asyncio.ensure_future(run_session(ours, machine, clock=SystemClock(), handle=nothing))
    assert await Peer(theirs).receive() == b"hello"
    await theirs.close()
    assert (await running).ok is False


async def test_a_slow_handler_does_not_stop_the_session_and_its_answer_is_sent() -> None:
    ours, theirs = MemoryStream.pair()
    peer, machine, backend = Peer(theirs), EchoMachine(), asyncio.Event()

    async def handle(event: Event) -> None:
        if isinstance(event, Asked):
            await backend.wait()
            machine.send(b"the backend says yes")

    running = asyncio.ensure_future(run_session(ours, machine, clock=SystemClock(), handle=handle))
    await peer.send(b"ask", b"meanwhile")
    assert await peer.receive() == b"meanwhile"
    backend.set()
    assert await peer.receive() == b"the backend says yes"
    await peer.send(b"bye")
    assert (await running).ok


async def test_a_deadline_fires_when_the_clock_gets_there() -> None:
    ours, _ = MemoryStream.pair()
    clock = ManualClock(START)
    running = asyncio.ensure_future(run_session(ours, EchoMachine(idle=60), clock=clock, handle=nothing))
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=59))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not running.done()
    clock.advance(timedelta(seconds=1))
    assert (await asyncio.wait_for(running, 1)).reason == "idle for too long"


async def test_a_deadline_fires_in_real_time() -> None:
    ours, _ = MemoryStream.pair()
    clock = SystemClock()
    machine = EchoMachine(now=clock.monotonic(), idle=0.02)
    assert (await run_session(ours, machine, clock=clock, handle=nothing)).reason == "idle for too long"


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), TimeoutError("dead")])
async def test_a_broken_connection_is_an_end_not_an_exception(error: OSError) -> None:
    ours, _ = MemoryStream.pair()
    ours.break_with(error)
    with capture_logs() as logs:
        ended = await run_session(ours, EchoMachine(), clock=SystemClock(), handle=nothing)
    assert ended == SessionEnded(ok=False, reason="peer closed")
    assert [line["event"] for line in logs] == ["session_connection_gone"]


async def test_a_peer_that_is_gone_when_we_write_ends_the_session() -> None:
    ours, theirs = MemoryStream.pair()
    theirs.closed = True
    ended = await run_session(ours, EchoMachine(first=b"hello"), clock=SystemClock(), handle=nothing)
    assert ended.ok is False


async def test_garbage_ends_the_session() -> None:
    ours, theirs = MemoryStream.pair()
    await theirs.write(b"GET / HTTP/1.1\r\n\r\n")
    ended = await run_session(ours, EchoMachine(), clock=SystemClock(), handle=nothing)
    assert "does not speak V2GTP" in ended.reason


async def test_a_failing_handler_ends_the_session_and_is_logged_once() -> None:
    ours, theirs = MemoryStream.pair()
    seen = list[Event]()

    async def handle(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Asked):
            raise RuntimeError("backend broke")

    await Peer(theirs).send(b"ask")
    with capture_logs() as logs:
        ended = await run_session(ours, EchoMachine(), clock=SystemClock(), handle=handle)
    assert ended.ok is False
    assert seen[-1] == ended
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["session_handler_failed"]


async def test_reports_that_are_under_way_at_the_end_are_finished() -> None:
    ours, theirs = MemoryStream.pair()
    reported, hung_up = asyncio.Event(), asyncio.Event()

    async def handle(event: Event) -> None:
        if isinstance(event, SessionEnded):
            await hung_up.wait()
            reported.set()

    running = asyncio.ensure_future(run_session(ours, EchoMachine(), clock=SystemClock(), handle=handle))
    peer = Peer(theirs)
    await peer.send(b"bye")
    assert await peer.receive() == b"bye"
    assert await theirs.read() == b""  # the connection is closed before the reports are done
    hung_up.set()
    await running
    assert reported.is_set()


async def test_handlers_that_hang_are_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "GRACE", 0.01)
    ours, theirs = MemoryStream.pair()
    cancelled = asyncio.Event()

    async def handle(event: Event) -> None:
        if isinstance(event, Asked):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    await Peer(theirs).send(b"ask", b"bye")
    with capture_logs() as logs:
        ended = await run_session(ours, EchoMachine(), clock=SystemClock(), handle=handle)
    assert ended.ok
    assert cancelled.is_set()
    assert "session_handlers_cancelled" in [line["event"] for line in logs]


async def test_cancelling_the_session_cancels_everything_and_closes() -> None:
    ours, theirs = MemoryStream.pair()
    started = asyncio.Event()

    async def handle(event: Event) -> None:
        if isinstance(event, Asked):
            started.set()
            await asyncio.Event().wait()

    running = asyncio.ensure_future(run_session(ours, EchoMachine(), clock=SystemClock(), handle=handle))
    await Peer(theirs).send(b"ask")
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ours.closed


async def test_a_defect_of_the_machine_surfaces_after_cleaning_up() -> None:
    class Broken(EchoMachine):
        def receive(self, data: bytes, now: float) -> None:
            raise ZeroDivisionError

    ours, theirs = MemoryStream.pair()
    await theirs.write(b"x")
    with pytest.raises(ZeroDivisionError):
        await run_session(ours, Broken(), clock=SystemClock(), handle=nothing)
    assert ours.closed


async def test_a_machine_that_says_nothing_at_the_end_still_gives_an_end() -> None:
    class Silent(EchoMachine):
        def receive(self, data: bytes, now: float) -> None:
            return

    ours, theirs = MemoryStream.pair()
    await theirs.close()
    seen = list[Event]()

    async def handle(event: Event) -> None:
        seen.append(event)

    ended = await run_session(ours, Silent(), clock=SystemClock(), handle=handle)
    assert seen == [ended] == [SessionEnded(ok=False, reason="the connection was closed")]
