"""The monitor renews by itself when the clock reaches the window, and never gives up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plugpass.errors import Unavailable
from plugpass.lifecycle.monitor import RenewalMonitor
from plugpass.net.clock import ManualClock
from plugpass.ports.charging import ExpiringItem

START = datetime(2026, 1, 1, tzinfo=UTC)


class Leaves:
    """An inventory that is its own renewer: a renewed leaf lives sixty days from the moment of renewal."""

    def __init__(self, clock: ManualClock, failures: int = 0) -> None:
        self.clock = clock
        self.failures = failures
        self.renewed = asyncio.Event()
        self.leaf = ExpiringItem(
            item_id="secc:CS1:1",
            kind="secc",
            subject="DE*PLU*E1",
            serial=1,
            not_before=START,
            not_after=START + timedelta(days=60),
        )

    async def items(self) -> tuple[ExpiringItem, ...]:
        return (self.leaf,)

    async def renew(self, item: ExpiringItem) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("the EST server does not answer")
        now = self.clock.now()
        self.leaf = replace(item, serial=item.serial + 1, not_before=now, not_after=now + timedelta(days=60))
        self.renewed.set()


def monitor(leaves: Leaves) -> RenewalMonitor:
    return RenewalMonitor([leaves], {"secc": leaves}, clock=leaves.clock)


async def test_nothing_is_renewed_before_its_time() -> None:
    leaves = Leaves(ManualClock(START))
    again = await monitor(leaves).pass_once()
    assert leaves.leaf.serial == 1
    assert again == START + timedelta(hours=12)


async def test_a_jump_of_the_clock_wakes_the_monitor() -> None:
    leaves = Leaves(ManualClock(START))
    task = asyncio.create_task(monitor(leaves).run())
    await asyncio.sleep(0)
    leaves.clock.advance(timedelta(days=41))
    async with asyncio.timeout(5):
        await leaves.renewed.wait()
    task.cancel()
    assert leaves.leaf.serial == 2
    assert leaves.leaf.not_after == START + timedelta(days=101)


async def test_a_failed_renewal_is_tried_again_later() -> None:
    leaves = Leaves(ManualClock(START + timedelta(days=41)), failures=2)
    watch = monitor(leaves)
    for _ in range(2):
        again = await watch.pass_once()
        assert leaves.leaf.serial == 1
        assert leaves.clock.now() < again < leaves.clock.now() + timedelta(minutes=5)
        assert await watch.pass_once() == again, "not before its time"
        leaves.clock.advance(again - leaves.clock.now())
    await watch.pass_once()
    assert leaves.leaf.serial == 2


async def test_items_without_a_renewer_are_left_alone() -> None:
    leaves = Leaves(ManualClock(START + timedelta(days=59)))
    await RenewalMonitor([leaves], {}, clock=leaves.clock).pass_once()
    assert leaves.leaf.serial == 1
