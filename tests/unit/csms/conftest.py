"""A CSMS on a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ocpp_support import STATION, Bench, WatchedRegistry, make_csms
from pki_factory import shared_pki
from plugpass.store.database import Database


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[WatchedRegistry]:
    database = await Database.at(tmp_path / "csms.db")
    yield WatchedRegistry(database)
    await database.close()


@pytest.fixture
async def bench(registry: WatchedRegistry) -> AsyncIterator[Bench]:
    await registry.save_station(STATION)
    bench = make_csms(registry, shared_pki())
    async with bench.csms:
        yield bench
