"""When a certificate is renewed: a fraction of its own life, spread per identity; and how failures are retried."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from plugpass.ports.charging import ExpiringItem


class Urgency(IntEnum):
    """How an item stands at a given time; ordered, so that the most urgent sorts last."""

    FINE = 0
    DUE = 1  #: inside its renewal window
    URGENT = 2  #: in the last tenth of its life: every retry counts
    EXPIRED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPolicy:
    """A fraction of the lifetime, not a number of days: "30 days before" is half the life of a 60-day SECC leaf."""

    fraction: float = 2 / 3
    short_fraction: float = 1 / 2  #: for certificates that live shorter than `short_life`
    short_life: timedelta = timedelta(days=10)
    spread: float = 0.01  #: renewals fall into `fraction` +- `spread` of the lifetime
    urgent_fraction: float = 0.9
    retry_first: timedelta = timedelta(minutes=1)
    retry_most: timedelta = timedelta(hours=6)
    retry_most_urgent: timedelta = timedelta(minutes=15)

    def due_at(self, item: ExpiringItem) -> datetime:
        """The moment from which `item` is to be renewed; the same for every call, different per identity."""
        life = item.not_after - item.not_before
        fraction = self.short_fraction if life < self.short_life else self.fraction
        lead = life * (fraction + self.spread * _offset(item.item_id))
        return item.not_before + lead

    def is_due(self, item: ExpiringItem, now: datetime) -> bool:
        """Whether `item` is to be renewed at `now`."""
        return now >= self.due_at(item)

    def urgency(self, item: ExpiringItem, now: datetime) -> Urgency:
        """How `item` stands at `now`."""
        life = item.not_after - item.not_before
        if now >= item.not_after:
            return Urgency.EXPIRED
        if now >= item.not_before + life * self.urgent_fraction:
            return Urgency.URGENT
        return Urgency.DUE if self.is_due(item, now) else Urgency.FINE

    def retry_at(self, item: ExpiringItem, failures: int, now: datetime) -> datetime:
        """When to try again after `failures` attempts in a row (at least 1): doubling, capped, spread per identity."""
        cap = self.retry_most_urgent if self.urgency(item, now) >= Urgency.URGENT else self.retry_most
        delay = min(self.retry_first * (1 << min(failures - 1, 20)), cap)
        return now + delay * (1 + 0.1 * _offset(f"{item.item_id}#{failures}"))


def _offset(identity: str) -> float:
    """A number in [-1, 1) that depends on the identity alone, so that a fleet's renewals do not fall on one minute."""
    digest = hashlib.sha256(identity.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**31 - 1
