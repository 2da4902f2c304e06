"""How often one requester may ask; and all requesters of one address together."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` requests at once, refilled at `per_minute`."""

    burst: int = 60
    per_minute: float = 60.0


class RateLimiter:
    """A token bucket for each requester; those longest unheard of are forgotten first."""

    def __init__(self, rate: Rate, *, remembered: int = 4096) -> None:
        self._rate = rate
        self._remembered = remembered
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, requester: str, now: float) -> int | None:
        """None where the request may go on; else the seconds to wait. `now` is a monotonic time in seconds."""
        tokens, seen = self._buckets.pop(requester, (float(self._rate.burst), now))
        tokens = min(self._rate.burst, tokens + (now - seen) * self._rate.per_minute / 60)
        admitted = tokens >= 1
        self._buckets[requester] = (tokens - 1 if admitted else tokens, now)
        if len(self._buckets) > self._remembered:
            self._buckets.popitem(last=False)
        return None if admitted else max(1, math.ceil((1 - tokens) * 60 / self._rate.per_minute))
