"""Renewal times depend on the item's own life and identity, and on nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.lifecycle.policy import RenewalPolicy, Urgency
from plugpass.ports.charging import ExpiringItem

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RenewalPolicy()


def item(days: float, name: str = "secc:CS1:DE*PLU*E1") -> ExpiringItem:
    return ExpiringItem(
        item_id=name, kind="secc", subject="x", serial=1, not_before=START, not_after=START + timedelta(days=days)
    )


def test_a_sixty_day_leaf_is_due_after_forty_days_give_or_take_one_percent() -> None:
    due = POLICY.due_at(item(60)) - START
    assert timedelta(days=40 - 0.6) <= due <= timedelta(days=40 + 0.6)


def test_a_short_lived_certificate_is_due_at_half_its_life() -> None:
    due = POLICY.due_at(item(4)) - START
    assert timedelta(days=2 - 0.04) <= due <= timedelta(days=2 + 0.04)


def test_a_fleet_does_not_renew_on_one_minute() -> None:
    assert len({POLICY.due_at(item(60, f"secc:CS{n}:1")) for n in range(100)}) == 100


@pytest.mark.parametrize(
    ("day", "urgency"),
    [(0, Urgency.FINE), (39, Urgency.FINE), (41, Urgency.DUE), (54, Urgency.URGENT), (60, Urgency.EXPIRED)],
)
def test_urgency_over_the_life_of_a_leaf(day: int, urgency: Urgency) -> None:
    assert POLICY.urgency(item(60), START + timedelta(days=day)) is urgency


@given(st.integers(1, 1000), st.floats(0.5, 4000), st.text(min_size=1))
def test_retries_are_always_later_and_never_further_than_the_cap(failures: int, days: float, name: str) -> None:
    retry = POLICY.retry_at(item(days, name), failures, START) - START
    assert timedelta(0) < retry <= POLICY.retry_most * 1.1


def test_retries_double_and_get_tighter_when_urgent() -> None:
    def delay(failures: int, at: datetime) -> timedelta:
        return POLICY.retry_at(item(60), failures, at) - at

    assert delay(3, START) > delay(2, START) > delay(1, START)
    assert delay(12, START + timedelta(days=58)) <= POLICY.retry_most_urgent * 1.1
