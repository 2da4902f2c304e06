"""`StationRegistry` in a database: what the CSMS must not forget."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Row, Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from plugpass.ids import EMAID
from plugpass.ports.charging import CertificateStatus, TokenStatus, TransactionPhase, TransactionReport
from plugpass.ports.stations import (
    AttemptStatus,
    AuthorizationRecord,
    CertificateAttempt,
    SecurityEvent,
    StationCertificate,
    StationRecord,
)
from plugpass.store.database import Database
from plugpass.store.tables.csms import (
    csms_attempt,
    csms_authorization,
    csms_certificate,
    csms_security_event,
    csms_station,
    csms_transaction_event,
)

ValueT = TypeVar("ValueT")


class SqlStationRegistry:
    """The registry of one CSMS; each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_station(self, record: StationRecord) -> None:
        """Add the station, or replace what is known of it."""
        values = {
            "identity": record.identity,
            "operator": record.operator,
            "evse_ids": list(record.evse_ids),
            "vendor": record.vendor,
            "model": record.model,
            "serial_number": record.serial_number,
            "last_boot": record.last_boot,
        }
        async with self._database.begin() as connection:
            known = update(csms_station).where(csms_station.c.identity == record.identity)
            if (await connection.execute(known.values(values))).rowcount == 0:
                await connection.execute(insert(csms_station).values(values))

    async def station(self, identity: str) -> StationRecord | None:
        """The station, or None where it is unknown."""
        query = select(csms_station).where(csms_station.c.identity == identity)
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _station(row)

    async def stations(self) -> tuple[StationRecord, ...]:
        """All stations, by identity."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(csms_station).order_by(csms_station.c.identity))).all()
        return tuple(_station(row) for row in rows)

    async def save_certificate(self, certificate: StationCertificate) -> None:
        """Add a SECC leaf that a station accepted; the same certificate again changes nothing."""
        await self._insert_once(
            csms_certificate,
            {
                "station": certificate.station,
                "evse_id": certificate.evse_id,
                "serial": f"{certificate.serial:x}",
                "chain": [base64.b64encode(der).decode() for der in certificate.chain],
                "not_before": certificate.not_before,
                "not_after": certificate.not_after,
                "installed_at": certificate.installed_at,
            },
        )

    async def certificates(self, station: str | None = None) -> tuple[StationCertificate, ...]:
        """The newest certificate of each EVSE."""
        found = await self._rows(csms_certificate, station, _certificate)
        newest = {(certificate.station, certificate.evse_id): certificate for certificate in found}
        return tuple(newest[key] for key in sorted(newest))

    async def record_authorization(self, record: AuthorizationRecord) -> None:
        """Keep how an Authorize was answered."""
        await self._insert(
            csms_authorization,
            {
                "station": record.station,
                "emaid": record.emaid,
                "certificate_status": record.certificate_status,
                "token_status": record.token_status,
                "reason": record.reason,
                "at": record.at,
            },
        )

    async def authorizations(self, station: str | None = None) -> tuple[AuthorizationRecord, ...]:
        """Oldest first."""
        return tuple(await self._rows(csms_authorization, station, _authorization))

    async def record_transaction(self, station: str, report: TransactionReport) -> bool:
        """Store it; False where this station's (transaction_id, sequence) is known: a repetition changes nothing."""
        return await self._insert_once(
            csms_transaction_event,
            {
                "station": station,
                "transaction_id": report.transaction_id,
                "sequence": report.sequence,
                "phase": report.phase,
                "emaid": str(report.emaid) if report.emaid else None,
                "evse": report.evse,
                "at": report.at,
                "energy_wh": report.energy_wh,
                "signed_receipt": report.signed_receipt,
                "reason": report.reason,
            },
        )

    async def transactions(self, station: str | None = None) -> tuple[tuple[str, TransactionReport], ...]:
        """(station, report), in order of arrival."""
        return tuple(await self._rows(csms_transaction_event, station, _transaction))

    async def record_attempt(self, attempt: CertificateAttempt) -> None:
        """Keep a fact about a certificate on its way to a station."""
        await self._insert(
            csms_attempt,
            {
                "station": attempt.station,
                "use": attempt.use,
                "subject": attempt.subject,
                "status": attempt.status,
                "reason": attempt.reason,
                "at": attempt.at,
            },
        )

    async def attempts(self, station: str | None = None) -> tuple[CertificateAttempt, ...]:
        """Oldest first."""
        return tuple(await self._rows(csms_attempt, station, _attempt))

    async def record_security_event(self, event: SecurityEvent) -> None:
        """Keep a security event."""
        values = {"station": event.station, "type": event.type, "tech_info": event.tech_info, "at": event.at}
        await self._insert(csms_security_event, values)

    async def security_events(self, station: str | None = None) -> tuple[SecurityEvent, ...]:
        """Oldest first."""
        return tuple(await self._rows(csms_security_event, station, _security_event))

    async def _insert(self, table: Table, values: dict[str, Any]) -> None:
        async with self._database.begin() as connection:
            await connection.execute(insert(table).values(values))

    async def _insert_once(self, table: Table, values: dict[str, Any]) -> bool:
        # The unique constraint decides, not a look beforehand: two repetitions may arrive at the same time.
        try:
            await self._insert(table, values)
        except IntegrityError:
            return False
        return True

    async def _rows(self, table: Table, station: str | None, read: Callable[[Row[Any]], ValueT]) -> Sequence[ValueT]:
        query = select(table).order_by(table.c.id)
        if station is not None:
            query = query.where(table.c.station == station)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).all()
        return [read(row) for row in rows]


def _station(row: Row[Any]) -> StationRecord:
    return StationRecord(
        identity=row.identity,
        operator=row.operator,
        evse_ids=tuple(row.evse_ids),
        vendor=row.vendor,
        model=row.model,
        serial_number=row.serial_number,
        last_boot=row.last_boot,
    )


def _certificate(row: Row[Any]) -> StationCertificate:
    return StationCertificate(
        station=row.station,
        evse_id=row.evse_id,
        chain=tuple(base64.b64decode(text) for text in row.chain),
        serial=int(row.serial, 16),
        not_before=row.not_before,
        not_after=row.not_after,
        installed_at=row.installed_at,
    )


def _authorization(row: Row[Any]) -> AuthorizationRecord:
    return AuthorizationRecord(
        station=row.station,
        emaid=row.emaid,
        certificate_status=CertificateStatus(row.certificate_status),
        token_status=TokenStatus(row.token_status),
        reason=row.reason,
        at=row.at,
    )


def _transaction(row: Row[Any]) -> tuple[str, TransactionReport]:
    report = TransactionReport(
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
    return row.station, report


def _attempt(row: Row[Any]) -> CertificateAttempt:
    return CertificateAttempt(
        station=row.station,
        use=row.use,
        subject=row.subject,
        status=AttemptStatus(row.status),
        reason=row.reason,
        at=row.at,
    )


def _security_event(row: Row[Any]) -> SecurityEvent:
    return SecurityEvent(station=row.station, type=row.type, tech_info=row.tech_info, at=row.at)
