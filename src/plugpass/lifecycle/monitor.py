"""The renewal monitor: watches inventories and renews what is due, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import PlugpassError
from plugpass.lifecycle.policy import RenewalPolicy
from plugpass.ports.charging import ExpiringItem, Inventory, Renewer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The failures of one item since its last success, and when it is tried again."""

    failures: int
    retry_at: datetime


class RenewalMonitor:
    """Renews items of `inventories` through the renewer of their kind. Start it with `run()`, as a task.

    `look_again` bounds how long a new item stays unseen; renewals themselves start at the time the policy names.
    """

    def __init__(
        self,
        inventories: Sequence[Inventory],
        renewers: Mapping[str, Renewer],
        *,
        clock: Clock,
        policy: RenewalPolicy | None = None,
        look_again: timedelta = timedelta(hours=12),
    ) -> None:
        self._inventories = inventories
        self._renewers = renewers
        self._clock = clock
        self._policy = policy or RenewalPolicy()
        self._look_again = look_again
        self._attempts: dict[str, Attempt] = {}
        self._passed = asyncio.Event()

    async def run(self) -> None:
        """Watch for ever; cancel the task to stop."""
        while True:
            await self._clock.sleep_until(await self.pass_once())

    async def pass_once(self) -> datetime:
        """Renew everything that is due now; returns when to look again."""
        due = [item for item in await self._items() if self._next(item) <= self._clock.now()]
        await asyncio.gather(*(self._renew(item) for item in due))
        self._passed.set()
        horizon = self._clock.now() + self._look_again
        return min([horizon, *(self._next(item) for item in await self._items())])

    async def settled(self) -> None:
        """Return once nothing is due that has not been tried: what failed is due again only at its next attempt."""
        while any(self._next(item) <= self._clock.now() for item in await self._items()):
            self._passed.clear()
            await self._passed.wait()

    async def _items(self) -> list[ExpiringItem]:
        found = [item for inventory in self._inventories for item in await inventory.items()]
        return [item for item in found if item.kind in self._renewers]

    def _next(self, item: ExpiringItem) -> datetime:
        attempt = self._attempts.get(item.item_id)
        return attempt.retry_at if attempt else self._policy.due_at(item)

    async def _renew(self, item: ExpiringItem) -> None:
        log.info("renewal.start", item=item.item_id, serial=f"{item.serial:x}", not_after=item.not_after.isoformat())
        try:
            await self._renewers[item.kind].renew(item)
        except (PlugpassError, TimeoutError) as error:
            failures = self._attempts[item.item_id].failures + 1 if item.item_id in self._attempts else 1
            retry_at = self._policy.retry_at(item, failures, self._clock.now())
            self._attempts[item.item_id] = Attempt(failures, retry_at)
            log.warning("renewal.failed", item=item.item_id, failures=failures, reason=str(error), retry_at=retry_at)
        else:
            self._attempts.pop(item.item_id, None)
            log.info("renewal.done", item=item.item_id)
