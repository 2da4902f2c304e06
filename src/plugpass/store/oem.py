"""The memory of a vehicle maker, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, insert, select, update

from plugpass.ids import PCID
from plugpass.ports.contracts import VehicleRecord
from plugpass.store.database import Database
from plugpass.store.tables.oem import vehicle


class SqlVehicleRegistry:
    """`plugpass.ports.contracts.VehicleRegistry` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, record: VehicleRecord) -> None:
        """Add or overwrite the record of the PCID."""
        row = {
            "pcid": record.pcid.value,
            "certificate": record.certificate,
            "sub_ca2": record.sub_cas[0] if len(record.sub_cas) > 1 else None,
            "sub_ca1": record.sub_cas[-1],
            "published": record.published,
            "not_before": record.not_before,
            "not_after": record.not_after,
        }
        async with self._database.begin() as connection:
            same = vehicle.c.pcid == record.pcid.value
            if not (await connection.execute(update(vehicle).where(same).values(row))).rowcount:
                await connection.execute(insert(vehicle).values(row))

    async def find(self, pcid: PCID) -> VehicleRecord | None:
        """The record, or None."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(vehicle).where(vehicle.c.pcid == pcid.value))).first()
        return None if row is None else _record(row)

    async def all(self) -> tuple[VehicleRecord, ...]:
        """All records."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(vehicle).order_by(vehicle.c.pcid))).all()
        return tuple(_record(row) for row in rows)


def _record(row: Row[Any]) -> VehicleRecord:
    return VehicleRecord(
        pcid=PCID(value=row.pcid),
        certificate=row.certificate,
        sub_cas=(row.sub_ca1,) if row.sub_ca2 is None else (row.sub_ca2, row.sub_ca1),
        published=row.published,
        not_before=row.not_before,
        not_after=row.not_after,
    )
