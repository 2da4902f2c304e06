"""The clocks of `plugpass.clock.Clock`: the system's, the lab's that can jump, and one for tests that stands still."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_LONGEST_NAP = 60.0  #: seconds; a wall clock that somebody sets is noticed within this time


class _Moved:
    """Lets sleepers wait for the next jump of a clock. Belongs to one event loop, like everything in `net`."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, limit: float | None) -> None:
        """Return at the next jump, or after `limit` seconds of real time."""
        event = self._event
        try:
            async with asyncio.timeout(limit):
                await event.wait()
        except TimeoutError:
            return


class _Now(Protocol):
    def now(self) -> datetime: ...


async def _nap_until(clock: _Now, moved: _Moved, when: datetime) -> None:
    while (remaining := (when - clock.now()).total_seconds()) > 0:
        await moved.wait(min(remaining, _LONGEST_NAP))


class SystemClock:
    """The computer's own time."""

    def now(self) -> datetime:
        """The current time, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    async def sleep_until(self, when: datetime) -> None:
        """Return once `now() >= when`; a step of the system's clock is noticed within a minute."""
        await _nap_until(self, _Moved(), when)


class LabClock:
    """The system's time plus an offset: the lab moves it by weeks to see certificates expire and be renewed.

    `monotonic` is the system's and never jumps, so that running sessions go on undisturbed.
    """

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset
        self._moved = _Moved()

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of the system's; keep it to continue a lab later."""
        return self._offset

    @offset.setter
    def offset(self, offset: timedelta) -> None:
        self._offset = offset
        self._moved.notify()

    def jump(self, by: timedelta) -> None:
        """Move the clock by `by` at once and wake everybody whose time has come."""
        self.offset += by

    def now(self) -> datetime:
        """The lab's time, in UTC."""
        return datetime.now(UTC) + self._offset

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, not moved by jumps."""
        return time.monotonic()

    async def sleep_until(self, when: datetime) -> None:
        """Return once `now() >= when`, at once after a jump past it."""
        await _nap_until(self, self._moved, when)


class ManualClock:
    """Time for tests: it stands still until `advance` moves wall clock and monotonic clock together."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0
        self._moved = _Moved()

    def advance(self, by: timedelta) -> None:
        """Move on by `by` and wake everybody whose time has come."""
        self._now += by
        self._monotonic += by.total_seconds()
        self._moved.notify()

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds advanced since the start."""
        return self._monotonic

    async def sleep_until(self, when: datetime) -> None:
        """Return once `advance` has reached `when`."""
        while self._now < when:
            await self._moved.wait(None)
