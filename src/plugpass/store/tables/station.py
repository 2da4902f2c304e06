"""What a charging station must not forget: the roots it was given, and what it still has to tell its CSMS."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table, UniqueConstraint

from plugpass.store.tables.base import UtcDateTime, metadata

#: Trust anchors that were installed on the station (OCPP M05).
station_root = Table(
    "station_root",
    metadata,
    Column("use", String(40), primary_key=True),  # OCPP InstallCertificateUseEnumType, such as "MORootCertificate"
    Column("fingerprint", String(64), primary_key=True),  # SHA-256 of the DER, lower-case hex
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("installed_at", UtcDateTime, nullable=False),
)

#: Transaction reports: written before anybody is told, so that a killed process loses none and repeats none.
station_report = Table(
    "station_report",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=True),  # order of delivery over all transactions
    Column("transaction_id", String(36), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("phase", String(10), nullable=False),
    Column("emaid", String(36)),
    Column("evse", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("energy_wh", Integer),
    Column("signed_receipt", LargeBinary),
    Column("reason", String(40), nullable=False, default=""),
    Column("offline", Boolean, nullable=False, default=False),
    Column("delivered", Boolean, nullable=False, default=False),
    UniqueConstraint("transaction_id", "sequence"),
)

#: Security events waiting for the CSMS (OCPP A04).
station_security_event = Table(
    "station_security_event",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(50), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("detail", String(255), nullable=False, default=""),
)
