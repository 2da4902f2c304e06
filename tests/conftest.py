"""What every test shares: strictness about skipping interop tests where the interop suite was asked for."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """`make interop` promises that nothing was skipped: a skip fails there, with the missing thing as its reason."""
    report = yield
    if report.skipped and item.get_closest_marker("interop") and os.environ.get("PLUGPASS_REQUIRE_INTEROP"):
        report.outcome = "failed"
    return report
