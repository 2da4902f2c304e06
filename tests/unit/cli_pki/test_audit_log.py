"""The audit log under concurrency and after a restart, and an authority that stops where it cannot be audited."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ca_support import Hierarchy, Stores, authority, stores
from plugpass.errors import LocalError
from plugpass.net.clock import LabClock
from plugpass.ports.audit import Ceremony
from plugpass.store.audit import GENESIS, SqlAuditLog
from plugpass.store.database import Database


async def test_writers_at_the_same_time_make_one_chain(tmp_path: Path) -> None:
    database = await Database.at(tmp_path / "state.db")
    logs = [SqlAuditLog(database, clock=LabClock(), actor=f"writer {number}") for number in range(3)]
    await asyncio.gather(*(log.append(Ceremony.KEY_CREATED, f"key {n}") for n in range(3) for log in logs))
    report = await logs[0].verify()
    assert (report.entries, report.problem) == (9, "")
    assert {entry.actor for entry in await logs[0].entries()} == {"writer 0", "writer 1", "writer 2"}
    await database.close()


async def test_a_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    heads = [GENESIS]
    for _ in range(2):
        database = await Database.at(tmp_path / "state.db")
        log = SqlAuditLog(database, clock=LabClock(), actor="x")
        assert (await log.verify()).head == heads[-1]
        await log.append(Ceremony.CRL_SIGNED, "CA", {"b": "2", "a": "1"})
        heads.append((await log.verify(expected_head=heads[-1])).head)
        await database.close()
    assert len(set(heads)) == 3


class Broken:
    """An audit log whose disk is full."""

    async def append(self, *_: object) -> None:
        raise LocalError("the audit log is full")


async def names(memory: Stores) -> tuple[str, ...]:
    return await memory.keys.names("ca:")


async def test_nothing_happens_that_cannot_be_audited() -> None:
    async with stores() as memory:
        with pytest.raises(LocalError, match="is full"):
            await authority(memory, LabClock(), Hierarchy.V2G, audit=Broken())
        assert await names(memory) == ()
        await authority(memory, LabClock(), Hierarchy.V2G)
        v2g = await authority(memory, LabClock(), Hierarchy.V2G, audit=Broken())
        before = v2g.certificates
        for ceremony in (v2g.renew_ca(next(iter(before))), v2g.prepare_rollover()):
            with pytest.raises(LocalError, match="is full"):
                await ceremony
        assert v2g.certificates == before
