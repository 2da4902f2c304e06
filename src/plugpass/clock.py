"""Time as a port: nothing below `net/` reads a clock, everything is told what time it is."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time for validity periods, monotonic time for timers.

    The two are separate on purpose: a test or the lab may move the wall clock by weeks while timers of running
    sessions go on undisturbed. Implementations: `plugpass.net.clock`.
    """

    def now(self) -> datetime:
        """The current time, timezone-aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...

    async def sleep_until(self, when: datetime) -> None:
        """Return once `now() >= when`, also when the clock is moved forward in one jump."""
        ...
