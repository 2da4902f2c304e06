"""The lab's trace: every wire event that a party reports becomes a step of the group that is running."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from plugpass.errors import Unavailable
from plugpass.lab.report import Report
from plugpass.ports.trace import WireEvent


class Recorder:
    """A Trace that writes into a Report and lets the scenario wait for an event.

    In a scene with `refusals_expected` a refused exchange is a passed step: there the lab wants to see it.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.group = 1
        self._scene: list[WireEvent] = []
        self._refusals_expected = False
        self._closed = False
        self._news = asyncio.Event()

    def record(self, event: WireEvent) -> None:
        """Add the event as a step, unless the report is closed."""
        if self._closed:
            return
        self._scene.append(event)
        self._news.set()
        expected = not event.ok and self._refusals_expected
        self.report.add(
            group=self.group,
            actor=event.actor,
            title=f"{event.protocol}: {event.message}",
            ok=event.ok or expected,
            ms=event.ms,
            size=event.size,
            detail=f"refused, as it must: {event.detail}" if expected else event.detail,
        )

    def close(self) -> None:
        """The report is complete: what parties still do on their own, or while they stop, is no part of it."""
        self._closed = True

    @contextmanager
    def scene(self, *, refusals_expected: bool = False) -> Iterator[list[WireEvent]]:
        """A stretch of the scenario; gives the list that its events are appended to."""
        self._scene = []
        self._refusals_expected = refusals_expected
        try:
            yield self._scene
        finally:
            self._refusals_expected = False

    async def seen(self, actor: str, message: str, *, within: float) -> WireEvent:
        """The first positive event of this scene with `message` in its name; waits for it at most `within` seconds.

        Raises Unavailable where it does not come.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self._scene:
                        if event.actor == actor and message in event.message and event.ok:
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Unavailable(f"{actor} did not complete {message} within {within:g} s") from None
