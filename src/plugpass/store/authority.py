"""The ledger of a certificate authority, in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from plugpass.errors import LocalError
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.issuing import CertificateRecord
from plugpass.store.database import Database
from plugpass.store.tables.authority import issued_certificate as issued


class SqlCertificateLedger:
    """`plugpass.ports.issuing.CertificateLedger` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: CertificateRecord) -> None:
        """Remember `record`. Raises LocalError where the issuer has used its serial number before."""
        row = {
            "issuer_key_id": record.issuer_key_id,
            "serial": f"{record.serial:x}",
            "role": record.role.value,
            "subject": record.subject,
            "owner": record.owner,
            "certificate": record.certificate,
            "issued_at": record.issued_at,
            "not_before": record.not_before,
            "not_after": record.not_after,
            "request_digest": record.request_digest,
            "revoked_at": record.revoked_at,
            "revocation_reason": record.revocation_reason,
        }
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(issued).values(row))
        except IntegrityError as error:
            raise LocalError(
                f"serial number {record.serial:x} was used before by issuer {record.issuer_key_id}: "
                "issue again with a new one"
            ) from error

    async def find(self, issuer_key_id: str, serial: int) -> CertificateRecord | None:
        """The record of that certificate, or None."""
        return await self._one(_identity(issuer_key_id, serial))

    async def find_request(self, request_digest: str) -> CertificateRecord | None:
        """The newest unrevoked record that answered the same request, or None."""
        return await self._one(and_(issued.c.request_digest == request_digest, issued.c.revoked_at.is_(None)))

    async def revoke(self, issuer_key_id: str, serial: int, at: datetime, reason: str) -> bool:
        """Mark it revoked; False where it is unknown. Revoking twice keeps the first time and reason."""
        same = _identity(issuer_key_id, serial)
        values = {"revoked_at": at, "revocation_reason": reason}
        async with self._database.begin() as connection:
            await connection.execute(update(issued).where(same, issued.c.revoked_at.is_(None)).values(values))
            return (await connection.execute(select(issued.c.id).where(same))).first() is not None

    async def revocations(self) -> int:
        """How many certificates were ever revoked."""
        query = select(func.count()).select_from(issued).where(issued.c.revoked_at.is_not(None))
        async with self._database.begin() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def all(self) -> tuple[CertificateRecord, ...]:
        """Everything ever issued, oldest first."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(issued).order_by(issued.c.id))).all()
        return tuple(_record(row) for row in rows)

    async def _one(self, condition: ColumnElement[bool]) -> CertificateRecord | None:
        query = select(issued).where(condition).order_by(issued.c.id.desc()).limit(1)
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _record(row)


def _identity(issuer_key_id: str, serial: int) -> ColumnElement[bool]:
    return and_(issued.c.issuer_key_id == issuer_key_id, issued.c.serial == f"{serial:x}")


def _record(row: Row[Any]) -> CertificateRecord:
    return CertificateRecord(
        issuer_key_id=row.issuer_key_id,
        serial=int(row.serial, 16),
        role=CertificateRole(row.role),
        subject=row.subject,
        owner=row.owner,
        certificate=row.certificate,
        issued_at=row.issued_at,
        not_before=row.not_before,
        not_after=row.not_after,
        request_digest=row.request_digest,
        revoked_at=row.revoked_at,
        revocation_reason=row.revocation_reason,
    )
