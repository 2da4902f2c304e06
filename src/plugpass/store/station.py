"""A charging station's memory: installed roots, undelivered transaction reports, undelivered security events."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, select, update

from plugpass.ids import EMAID
from plugpass.ports.charging import TransactionPhase, TransactionReport
from plugpass.store.database import Database
from plugpass.store.tables.station import station_report, station_root, station_security_event


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRoot:
    """A trust anchor and what it is for."""

    use: str  #: OCPP InstallCertificateUseEnumType, such as "V2GRootCertificate"
    certificate: bytes  #: DER

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, lower-case hex."""
        return hashlib.sha256(self.certificate).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReport:
    """A transaction report that the CSMS has not taken yet."""

    report: TransactionReport
    offline: bool  #: whether the station had no connection when it happened


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """Something the operator's security people should know (OCPP A04)."""

    event_id: int
    kind: str
    at: datetime
    detail: str


class StationMemory:
    """Repository over one database; several stations need several databases."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_root(self, root: InstalledRoot, at: datetime) -> None:
        """Keep a root; the same root for the same use again changes nothing."""
        key = (station_root.c.use == root.use) & (station_root.c.fingerprint == root.fingerprint)
        async with self._database.begin() as connection:
            if (await connection.execute(select(station_root.c.use).where(key))).first() is None:
                row = {"use": root.use, "fingerprint": root.fingerprint, "certificate": root.certificate}
                await connection.execute(insert(station_root).values(**row, installed_at=at))

    async def remove_root(self, root: InstalledRoot) -> None:
        """Forget a root for one use."""
        key = (station_root.c.use == root.use) & (station_root.c.fingerprint == root.fingerprint)
        async with self._database.begin() as connection:
            await connection.execute(delete(station_root).where(key))

    async def roots(self) -> tuple[InstalledRoot, ...]:
        """Every installed root, oldest first."""
        query = select(station_root).order_by(station_root.c.installed_at, station_root.c.fingerprint)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(InstalledRoot(use=row.use, certificate=row.certificate) for row in rows)

    async def keep_report(self, report: TransactionReport, *, offline: bool, delivered: bool = False) -> None:
        """Write a report down before it is sent; one that is there already stays as it is."""
        key = and_(
            station_report.c.transaction_id == report.transaction_id, station_report.c.sequence == report.sequence
        )
        async with self._database.begin() as connection:
            if (await connection.execute(select(station_report.c.sequence).where(key))).first() is not None:
                return
            await connection.execute(
                insert(station_report).values(
                    transaction_id=report.transaction_id,
                    sequence=report.sequence,
                    phase=report.phase.value,
                    emaid=str(report.emaid) if report.emaid else None,
                    evse=report.evse,
                    at=report.at,
                    energy_wh=report.energy_wh,
                    signed_receipt=report.signed_receipt,
                    reason=report.reason,
                    offline=offline,
                    delivered=delivered,
                )
            )

    async def pending_reports(self, limit: int = 50) -> tuple[PendingReport, ...]:
        """The oldest reports that have not been delivered, in the order they happened."""
        query = select(station_report).where(~station_report.c.delivered).order_by(station_report.c.position)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query.limit(limit))).all()
        return tuple(PendingReport(report=_report(row), offline=row.offline) for row in rows)

    async def report_delivered(self, report: TransactionReport) -> None:
        """The CSMS has taken it; a transaction that ended and is wholly delivered is forgotten."""
        mine = station_report.c.transaction_id == report.transaction_id
        async with self._database.begin() as connection:
            await connection.execute(
                update(station_report)
                .where(mine & (station_report.c.sequence == report.sequence))
                .values(delivered=True)
            )
            ended = mine & (station_report.c.phase == TransactionPhase.ENDED.value)
            waiting = mine & ~station_report.c.delivered
            still = await connection.execute(select(station_report.c.sequence).where(waiting).limit(1))
            over = await connection.execute(select(station_report.c.sequence).where(ended).limit(1))
            if still.first() is None and over.first() is not None:
                await connection.execute(delete(station_report).where(mine))

    async def unfinished(self) -> tuple[TransactionReport, ...]:
        """The last report of each transaction that never ended: the process was killed while it ran."""
        newest = (
            select(station_report.c.transaction_id, func.max(station_report.c.sequence).label("sequence"))
            .group_by(station_report.c.transaction_id)
            .subquery()
        )
        query = (
            select(station_report)
            .join(
                newest,
                and_(
                    station_report.c.transaction_id == newest.c.transaction_id,
                    station_report.c.sequence == newest.c.sequence,
                ),
            )
            .where(station_report.c.phase != TransactionPhase.ENDED.value)
            .order_by(station_report.c.position)
        )
        async with self._database.begin() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
        return tuple(_report(row) for row in rows)

    async def keep_security_event(self, kind: str, at: datetime, detail: str) -> None:
        """Queue an event for the CSMS; `detail` is cut to the 255 characters that OCPP takes."""
        async with self._database.begin() as connection:
            await connection.execute(insert(station_security_event).values(kind=kind, at=at, detail=detail[:255]))

    async def pending_security_events(self) -> tuple[SecurityEvent, ...]:
        """All that the CSMS has not taken, oldest first."""
        async with self._database.begin() as connection:
            rows = (
                await connection.execute(select(station_security_event).order_by(station_security_event.c.id))
            ).all()
        return tuple(SecurityEvent(event_id=row.id, kind=row.kind, at=row.at, detail=row.detail) for row in rows)

    async def security_event_delivered(self, event: SecurityEvent) -> None:
        """The CSMS has taken it."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(station_security_event).where(station_security_event.c.id == event.event_id)
            )


def _report(row: Row[Any]) -> TransactionReport:
    return TransactionReport(
        phase=TransactionPhase(row.phase),
        transaction_id=row.transaction_id,
        emaid=EMAID.parse(row.emaid) if row.emaid else None,
        evse=row.evse,
        sequence=row.sequence,
        at=row.at,
        energy_wh=row.energy_wh,
        signed_receipt=row.signed_receipt,
        reason=row.reason,
    )
