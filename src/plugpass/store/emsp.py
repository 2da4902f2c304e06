"""The memory of a mobility operator, in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, insert, select, update

from plugpass.ids import EMAID, PCID
from plugpass.ports.contracts import ContractRecord, ContractState
from plugpass.store.database import Database
from plugpass.store.tables.emsp import contract, contract_certificate


class SqlContractRegistry:
    """`plugpass.ports.contracts.ContractRegistry` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, record: ContractRecord) -> None:
        """Add or overwrite the record of the EMAID."""
        row = _row(record)
        async with self._database.begin() as connection:
            same = contract.c.emaid == record.emaid.key
            if not (await connection.execute(update(contract).where(same).values(row))).rowcount:
                await connection.execute(insert(contract).values(row))

    async def change(
        self, emaid: EMAID, change: Callable[[ContractRecord], ContractRecord | None]
    ) -> ContractRecord | None:
        """Read, let `change` decide, write: one transaction, with the row locked from the reading on."""
        same = contract.c.emaid == emaid.key
        async with self._database.begin() as connection:
            # PostgreSQL locks the row; a transaction of SQLite has the whole database from its beginning.
            row = (await connection.execute(select(contract).where(same).with_for_update())).first()
            changed = None if row is None else change(_record(row))
            if changed is not None:
                await connection.execute(update(contract).where(same).values(_row(changed)))
        return changed

    async def find(self, emaid: EMAID) -> ContractRecord | None:
        """The record, or None."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(contract).where(contract.c.emaid == emaid.key))).first()
        return None if row is None else _record(row)

    async def add_certificate(self, emaid: EMAID, certificate: bytes) -> None:
        """Remember a contract certificate that was issued."""
        async with self._database.begin() as connection:
            await connection.execute(insert(contract_certificate).values(emaid=emaid.key, certificate=certificate))

    async def certificates(self, emaid: EMAID) -> tuple[bytes, ...]:
        """Every certificate ever issued for the contract, oldest first."""
        query = select(contract_certificate.c.certificate).where(contract_certificate.c.emaid == emaid.key)
        async with self._database.begin() as connection:
            return tuple((await connection.execute(query.order_by(contract_certificate.c.id))).scalars())

    async def all(self, pcid: PCID | None = None) -> tuple[ContractRecord, ...]:
        """All records, or those of one vehicle, oldest first."""
        query = select(contract).order_by(contract.c.id)
        if pcid is not None:
            query = query.where(contract.c.pcid == pcid.value)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(_record(row) for row in rows)


def _row(record: ContractRecord) -> dict[str, Any]:
    return {
        "emaid": record.emaid.key,
        "pcid": record.pcid.value,
        "state": record.state.value,
        "certificate": record.certificate,
        "serial": f"{record.serial:x}",
        "not_before": record.not_before,
        "not_after": record.not_after,
        "reason": record.reason,
        "updated_at": record.updated_at,
    }


def _record(row: Row[Any]) -> ContractRecord:
    return ContractRecord(
        emaid=EMAID.parse(row.emaid).with_check_digit(),
        pcid=PCID(value=row.pcid),
        state=ContractState(row.state),
        certificate=row.certificate,
        serial=int(row.serial, 16),
        not_before=row.not_before,
        not_after=row.not_after,
        reason=row.reason,
        updated_at=row.updated_at,
    )
