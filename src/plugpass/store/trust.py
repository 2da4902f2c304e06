"""The trust store in SQL, and which stations have which of its roots according to the CSMS's registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from plugpass.pki.certificate import parse
from plugpass.pki.profiles import RootType
from plugpass.pki.trust_store import EVERY_STATION, Provenance, Source, Stage, TrustEntry, TrustStore
from plugpass.ports.audit import AuditLog, Ceremony, NullAudit
from plugpass.ports.stations import AttemptStatus, CertificateAttempt, StationRegistry
from plugpass.store.database import Database
from plugpass.store.tables.trust import trusted_root


class SqlTrustStore:
    """`plugpass.pki.trust_store.TrustStore` on a database; each change is audited before it is stored."""

    def __init__(self, database: Database, audit: AuditLog | None = None) -> None:
        self._database = database
        self._audit = audit or NullAudit()

    async def load(self) -> TrustStore:
        """The store as it is."""
        async with self._database.begin() as connection:
            return await _load(connection)

    async def add(self, entries: Iterable[TrustEntry]) -> tuple[TrustEntry, ...]:
        """Add roots; gives those that were not there as that type before."""
        known = await self.load()
        fresh = known.adding(*entries).entries[len(known) :]
        for entry in fresh:
            await self._audit.append(Ceremony.TRUST_CHANGED, str(entry.certificate.subject), _details(entry))
        async with self._database.begin() as connection:
            now_there = {(entry.fingerprint, entry.root_type) for entry in await _load(connection)}
            rows = [_row(entry) for entry in fresh if (entry.fingerprint, entry.root_type) not in now_there]
            if rows:
                await connection.execute(insert(trusted_root), rows)
        return fresh

    async def move(
        self,
        fingerprint: str,
        stage: Stage,
        *,
        by: str,
        at: datetime,
        reach: int = EVERY_STATION,
        root_type: RootType | None = None,
    ) -> TrustEntry:
        """Move a root to another stage of its life, or to another reach. Raises TrustStoreError."""
        before = await self.load()
        entry = before.find(fingerprint, root_type)
        after = before.moved(fingerprint, stage, by=by, at=at, reach=reach, root_type=root_type)
        moved = after.find(entry.fingerprint, entry.root_type)
        await self._audit.append(Ceremony.TRUST_CHANGED, str(moved.certificate.subject), _details(moved))
        same = (trusted_root.c.fingerprint == moved.fingerprint) & (trusted_root.c.root_type == moved.root_type.value)
        async with self._database.begin() as connection:
            await connection.execute(update(trusted_root).where(same).values(_row(moved)))
        return moved


async def _load(connection: AsyncConnection) -> TrustStore:
    order = (trusted_root.c.added_at, trusted_root.c.fingerprint, trusted_root.c.root_type)
    rows = (await connection.execute(select(trusted_root).order_by(*order))).all()
    return TrustStore(tuple(map(_entry, rows)))


def _row(entry: TrustEntry) -> dict[str, Any]:
    origin = entry.provenance
    return {
        "fingerprint": entry.fingerprint,
        "root_type": entry.root_type.value,
        "certificate": entry.certificate.encoded,
        "source": origin.source.value,
        "origin": origin.origin,
        "market": origin.market,
        "added_by": origin.added_by,
        "added_at": origin.added_at,
        "stage": entry.stage.value,
        "reach": entry.reach,
        "changed_by": entry.changed_by,
        "changed_at": entry.changed_at,
    }


def _entry(row: Row[Any]) -> TrustEntry:
    return TrustEntry(
        root_type=RootType(row.root_type),
        certificate=parse(row.certificate),
        provenance=Provenance(
            source=Source(row.source),
            added_by=row.added_by,
            added_at=row.added_at,
            origin=row.origin,
            market=row.market,
        ),
        stage=Stage(row.stage),
        reach=row.reach,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )


def _details(entry: TrustEntry) -> dict[str, str]:
    return {
        "type": entry.root_type.value,
        "stage": entry.stage.value,
        "reach": str(entry.reach),
        "sha256": entry.fingerprint,
        "source": entry.provenance.source.value,
    }


# --- stations ------------------------------------------------------------------------------------------------------

_USES: Final[Mapping[str, RootType]] = MappingProxyType(
    {"V2GRootCertificate": RootType.V2G, "MORootCertificate": RootType.MO, "OEMRootCertificate": RootType.OEM}
)


async def roots_of_stations(registry: StationRegistry, store: TrustStore) -> dict[str, frozenset[str]]:
    """By station: the SHA-256 fingerprints of the store's roots it has installed, as far as the registry proves it.

    The registry remembers attempts by use and the root's common name; the newest attempt counts. Where two roots of
    the store share type and common name, an attempt proves neither of them.
    """
    named = _unambiguous(store)
    newest: dict[tuple[str, str], AttemptStatus] = {}
    for attempt in await registry.attempts():
        if (fingerprint := _root_of(attempt, named)) is not None:
            newest[attempt.station, fingerprint] = attempt.status
    stations = await registry.stations()
    return {
        station.identity: frozenset(
            fingerprint
            for (identity, fingerprint), status in newest.items()
            if identity == station.identity and status is AttemptStatus.ACCEPTED
        )
        for station in stations
    }


def _unambiguous(store: TrustStore) -> Mapping[tuple[RootType, str], str | None]:
    named: dict[tuple[RootType, str], str | None] = {}
    for entry in store:
        name = (entry.root_type, entry.certificate.common_name)
        named[name] = None if name in named else entry.fingerprint
    return named


def _root_of(attempt: CertificateAttempt, named: Mapping[tuple[RootType, str], str | None]) -> str | None:
    root_type = _USES.get(attempt.use)
    return named.get((root_type, attempt.subject)) if root_type else None
