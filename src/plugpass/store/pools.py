"""The memory of the certificate pools, in SQL."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from plugpass.ids import EMAID, PCID
from plugpass.opcp.rules import default_when_stored, key_changed, require_same_vehicle
from plugpass.ports.contracts import HeldContract, ProvisioningEntry, RootEntry
from plugpass.store.database import Database
from plugpass.store.tables.pools import provisioning_certificate as provisioning
from plugpass.store.tables.pools import root_certificate as root
from plugpass.store.tables.pools import signed_contract as signed


class SqlPoolStore:
    """`plugpass.ports.contracts.PoolStore` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- roots ---

    async def roots(self) -> tuple[RootEntry, ...]:
        """All roots, in the order they were added."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(root).order_by(root.c.id))).all()
        return tuple(_root(row) for row in rows)

    async def add_root(self, entry: RootEntry) -> RootEntry:
        """Add it, or return the entry of the same certificate and type."""
        fingerprint = hashlib.sha256(entry.certificate).hexdigest()
        same = and_(root.c.fingerprint == fingerprint, root.c.root_type == entry.root_type)
        async with self._database.begin() as connection:
            known = (await connection.execute(select(root).where(same))).first()
            if known is not None:
                return _root(known)
            await connection.execute(
                insert(root).values(
                    root_id=entry.root_id,
                    root_type=entry.root_type,
                    fingerprint=fingerprint,
                    certificate=entry.certificate,
                )
            )
        return entry

    async def delete_root(self, root_id: str) -> bool:
        """Delete it; False where it is unknown."""
        async with self._database.begin() as connection:
            return (await connection.execute(delete(root).where(root.c.root_id == root_id))).rowcount > 0

    # --- provisioning certificates ---

    async def provisioning(self, pcid: PCID) -> ProvisioningEntry | None:
        """The entry of the vehicle."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(provisioning).where(provisioning.c.pcid == pcid.value))).first()
        return None if row is None else _provisioning(row)

    async def save_provisioning(self, entry: ProvisioningEntry, at: datetime) -> tuple[EMAID, ...]:
        """Add or overwrite it; with another key pair the contracts of the old one are deleted and named."""
        same = provisioning.c.pcid == entry.pcid.value
        values = {
            "pcid": entry.pcid.value,
            "namespace": entry.namespace,
            "certificate": entry.certificate,
            "sub_ca2": entry.sub_cas[0] if len(entry.sub_cas) > 1 else None,
            "sub_ca1": entry.sub_cas[-1],
            "updated_at": at,
        }
        async with self._database.begin() as connection:
            old = (await connection.execute(select(provisioning).where(same))).first()
            if old is None:
                await connection.execute(insert(provisioning).values(values))
                return ()
            await connection.execute(update(provisioning).where(same).values(values))
            if not key_changed(old.certificate, entry.certificate):
                return ()
            return await _drop_contracts(connection, entry.pcid)

    async def delete_provisioning(self, pcid: PCID) -> tuple[EMAID, ...] | None:
        """Delete it with all contracts of the vehicle, which are named; None where the vehicle is unknown."""
        async with self._database.begin() as connection:
            dropped = await _drop_contracts(connection, pcid)
            gone = await connection.execute(delete(provisioning).where(provisioning.c.pcid == pcid.value))
            return dropped if gone.rowcount else None

    # --- contracts ---

    async def save_contract(self, contract: HeldContract) -> HeldContract:
        """Add or overwrite it and decide whether it is the default. Raises OpcpError for another vehicle's EMAID."""
        async with self._database.begin() as connection:
            same = (await _contracts(connection, signed.c.emaid == contract.emaid.key)) or ()
            require_same_vehicle(contract.pcid, same[0].pcid if same else None)
            held = await _contracts(connection, signed.c.pcid == contract.pcid.value)
            default = default_when_stored(contract.emaid, {one.emaid: one.default for one in held})
            # Data under another root stays only as long as it carries the same contract certificate.
            stale = signed.c.certificate != contract.certificate
            replaced = and_(signed.c.namespace == contract.namespace, signed.c.cps_root == contract.cps_root)
            await connection.execute(delete(signed).where(signed.c.emaid == contract.emaid.key, stale | replaced))
            await connection.execute(insert(signed).values(_row(contract, default)))
            return (await _contracts(connection, signed.c.emaid == contract.emaid.key))[-1]

    async def contract(self, emaid: EMAID) -> tuple[HeldContract, ...]:
        """What is held of the EMAID, newest first."""
        async with self._database.begin() as connection:
            return tuple(reversed(await _contracts(connection, signed.c.emaid == emaid.key)))

    async def contracts_of(self, pcid: PCID) -> tuple[HeldContract, ...]:
        """All contracts of the vehicle, oldest first."""
        async with self._database.begin() as connection:
            return await _contracts(connection, signed.c.pcid == pcid.value)

    async def set_default(self, pcid: PCID, emaid: EMAID) -> bool:
        """Make it the vehicle's one default; False where the vehicle has no such contract."""
        own = signed.c.pcid == pcid.value
        async with self._database.begin() as connection:
            if not await _contracts(connection, and_(own, signed.c.emaid == emaid.key)):
                return False
            await connection.execute(update(signed).where(own).values(is_default=signed.c.emaid == emaid.key))
            return True

    async def delete_contract(self, emaid: EMAID) -> bool:
        """Delete it; False where it is unknown."""
        async with self._database.begin() as connection:
            return (await connection.execute(delete(signed).where(signed.c.emaid == emaid.key))).rowcount > 0


async def _contracts(connection: AsyncConnection, condition: Any) -> tuple[HeldContract, ...]:
    rows = (await connection.execute(select(signed).where(condition).order_by(signed.c.id))).all()
    return tuple(_contract(row) for row in rows)


async def _drop_contracts(connection: AsyncConnection, pcid: PCID) -> tuple[EMAID, ...]:
    dropped = await _contracts(connection, signed.c.pcid == pcid.value)
    await connection.execute(delete(signed).where(signed.c.pcid == pcid.value))
    return tuple(dict.fromkeys(contract.emaid for contract in dropped))


def _root(row: Row[Any]) -> RootEntry:
    return RootEntry(root_id=row.root_id, root_type=row.root_type, certificate=row.certificate)


def _provisioning(row: Row[Any]) -> ProvisioningEntry:
    sub_cas = (row.sub_ca1,) if row.sub_ca2 is None else (row.sub_ca2, row.sub_ca1)
    return ProvisioningEntry(
        pcid=PCID(value=row.pcid), certificate=row.certificate, sub_cas=sub_cas, namespace=row.namespace
    )


def _row(contract: HeldContract, default: bool) -> dict[str, object]:
    return {
        "emaid": contract.emaid.key,
        "spelling": str(contract.emaid),
        "pcid": contract.pcid.value,
        "namespace": contract.namespace,
        "cps_root": contract.cps_root,
        "certificate": contract.certificate,
        "exi": contract.exi,
        "not_before": contract.not_before,
        "not_after": contract.not_after,
        "is_default": default,
        "stored_at": contract.stored_at,
    }


def _contract(row: Row[Any]) -> HeldContract:
    return HeldContract(
        emaid=EMAID.parse(row.spelling),
        pcid=PCID(value=row.pcid),
        exi=row.exi,
        certificate=row.certificate,
        cps_root=row.cps_root,
        not_before=row.not_before,
        not_after=row.not_after,
        default=row.is_default,
        stored_at=row.stored_at,
        namespace=row.namespace,
    )
