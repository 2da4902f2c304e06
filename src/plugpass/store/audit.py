"""The audit log in SQL: append-only, each entry chained to the one before by its hash.

Changing, removing or inserting an entry breaks the chain at that place. Cutting off the newest entries does not, so a
keeper notes the head (`AuditReport.head`) outside the database and has it compared later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import structlog
from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.ports.audit import AuditEntry, Ceremony
from plugpass.store.database import Database
from plugpass.store.tables.audit import audit_entry

log = structlog.get_logger(__name__)

GENESIS: Final = "0" * 64  #: `previous` of the first entry
_ATTEMPTS: Final = 8  #: writers at the same time, each of which moves the head once


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The verdict on a chain."""

    entries: int
    head: str  #: digest of the newest entry, 64 zeros where there is none
    problem: str = ""  #: the first place where the chain is broken, "" where it holds

    @property
    def ok(self) -> bool:
        """Whether the chain holds."""
        return not self.problem


class SqlAuditLog:
    """`plugpass.ports.audit.AuditLog` on a database, written as one `actor`."""

    def __init__(self, database: Database, *, clock: Clock, actor: str) -> None:
        self._database = database
        self._clock = clock
        self._actor = actor

    async def append(self, action: Ceremony, subject: str, details: Mapping[str, str] | None = None) -> None:
        """Add an entry behind the newest one. Raises LocalError where other writers do not let it through."""
        at = self._clock.now()
        for _ in range(_ATTEMPTS):
            try:
                async with self._database.begin() as connection:
                    sequence, previous = await _head(connection)
                    row = _row(sequence + 1, at, self._actor, action.value, subject, dict(details or {}), previous)
                    await connection.execute(insert(audit_entry).values(row))
            except IntegrityError:
                continue  # somebody else has taken this place: behind their entry, then
            log.info("audit.entry", action=action.value, subject=subject, actor=self._actor, digest=row["digest"])
            return
        raise LocalError(f"the audit log does not take the entry {action} {subject}: too many writers, try again")

    async def entries(self) -> tuple[AuditEntry, ...]:
        """All entries, oldest first."""
        return tuple(map(_entry, await self._rows()))

    async def verify(self, *, expected_head: str | None = None) -> AuditReport:
        """Follow the chain from the first entry; with `expected_head`, that entry must be in it."""
        rows = await self._rows()
        head = rows[-1].digest if rows else GENESIS
        problem = _first_problem(rows)
        if not problem and expected_head and expected_head.lower() not in (GENESIS, *(row.digest for row in rows)):
            problem = (
                f"no entry has the noted digest {expected_head.lower()}: entries at the end were cut off or replaced"
            )
        return AuditReport(entries=len(rows), head=head, problem=problem)

    async def _rows(self) -> Sequence[Row[Any]]:
        async with self._database.begin() as connection:
            return (await connection.execute(select(audit_entry).order_by(audit_entry.c.sequence))).all()


async def _head(connection: AsyncConnection) -> tuple[int, str]:
    newest = select(func.max(audit_entry.c.sequence)).scalar_subquery()
    query = select(audit_entry.c.sequence, audit_entry.c.digest).where(audit_entry.c.sequence == newest)
    row = (await connection.execute(query)).first()
    return (row.sequence, row.digest) if row else (0, GENESIS)


def _row(
    sequence: int, at: datetime, actor: str, action: str, subject: str, details: dict[str, str], previous: str
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "sequence": sequence,
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "details": json.dumps(details, sort_keys=True),
        "previous": previous,
    }
    return values | {"digest": _digest(values)}


def _digest(values: Mapping[str, Any]) -> str:
    """SHA-256 over the fields in a fixed order and one spelling: a list of texts as JSON has only one reading."""
    texts = [
        str(values["sequence"]),
        values["at"].isoformat(),
        *(values[name] for name in ("actor", "action", "subject", "details", "previous")),
    ]
    return sha256(json.dumps(texts).encode("ascii")).hexdigest()


def _first_problem(rows: Sequence[Row[Any]]) -> str:
    previous = GENESIS
    for place, row in enumerate(rows, start=1):
        if row.sequence != place:
            return f"entry {place} is missing"
        if row.previous != previous:
            return f"entry {place} does not follow the entry before it"
        if row.digest != _digest(dict(row._mapping)):
            return f"entry {place} ({row.action} {row.subject}) was changed after it was written"
        previous = row.digest
    return ""


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=json.loads(row.details),
        previous=row.previous,
        digest=row.digest,
    )
