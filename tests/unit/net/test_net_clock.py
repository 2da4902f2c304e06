"""Clocks: jumps wake sleepers at once, timers of running sessions do not notice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from plugpass.clock import Clock
from plugpass.net.clock import LabClock, ManualClock, SystemClock

START = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(weeks=1)


@pytest.mark.parametrize("clock", [SystemClock(), LabClock(), ManualClock(START)])
async def test_every_clock_is_a_clock(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)
    before = clock.monotonic()
    await clock.sleep_until(clock.now() - WEEK)
    assert clock.monotonic() >= before


@pytest.mark.parametrize("clock", [SystemClock(), LabClock(WEEK)])
async def test_real_time_passes(clock: Clock) -> None:
    when = clock.now() + timedelta(milliseconds=20)
    await clock.sleep_until(when)
    assert clock.now() >= when


async def test_a_jump_wakes_the_sleepers_it_passes_and_no_others() -> None:
    clock = LabClock()
    near = asyncio.ensure_future(clock.sleep_until(clock.now() + WEEK))
    far = asyncio.ensure_future(clock.sleep_until(clock.now() + 3 * WEEK))
    await asyncio.sleep(0)
    clock.jump(2 * WEEK)
    await asyncio.wait_for(near, 1)
    assert not far.done()
    clock.offset = 4 * WEEK
    await asyncio.wait_for(far, 1)


async def test_the_lab_clock_keeps_its_offset_and_its_monotonic_time() -> None:
    clock = LabClock(WEEK)
    before = clock.monotonic()
    clock.jump(52 * WEEK)
    assert clock.offset == 53 * WEEK
    assert clock.monotonic() - before < 1
    assert LabClock(clock.offset).now() - clock.now() < timedelta(seconds=1)


async def test_the_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(START)
    sleeper = asyncio.ensure_future(clock.sleep_until(START + timedelta(seconds=60)))
    await asyncio.sleep(0)
    clock.advance(timedelta(seconds=59))
    await asyncio.sleep(0)
    assert not sleeper.done()
    clock.advance(timedelta(seconds=1))
    await asyncio.wait_for(sleeper, 1)
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.monotonic() == 60
