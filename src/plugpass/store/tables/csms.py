"""The CSMS's tables: stations, their certificates and what was tried, authorizations, transactions, security events."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from plugpass.store.tables.base import UtcDateTime, metadata

csms_station = Table(
    "csms_station",
    metadata,
    Column("identity", String(48), primary_key=True),
    Column("operator", String(8), nullable=False),
    Column("evse_ids", JSON, nullable=False),
    Column("vendor", String(50), nullable=False),
    Column("model", String(20), nullable=False),
    Column("serial_number", String(25), nullable=False),
    Column("last_boot", UtcDateTime),
)

csms_certificate = Table(
    "csms_certificate",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", String(48), nullable=False),
    Column("evse_id", String(48), nullable=False),
    Column("serial", String(40), nullable=False),  # hex: serials have up to 160 bits
    Column("chain", JSON, nullable=False),  # base64 of DER, leaf first
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("installed_at", UtcDateTime, nullable=False),
    Index("ix_csms_certificate_evse", "station", "evse_id"),
    UniqueConstraint("station", "evse_id", "serial", name="uq_csms_certificate_serial"),
)

csms_authorization = Table(
    "csms_authorization",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", String(48), nullable=False, index=True),
    Column("emaid", String(36), nullable=False),
    Column("certificate_status", String(24), nullable=False),
    Column("token_status", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

csms_transaction_event = Table(
    "csms_transaction_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", String(48), nullable=False),
    Column("transaction_id", String(36), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("phase", String(8), nullable=False),
    Column("emaid", String(36)),
    Column("evse", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("energy_wh", BigInteger),
    Column("signed_receipt", LargeBinary),
    Column("reason", String(32), nullable=False),
    UniqueConstraint("station", "transaction_id", "sequence", name="uq_csms_transaction_event_sequence"),
)

csms_attempt = Table(
    "csms_attempt",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", String(48), nullable=False, index=True),
    Column("use", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

csms_security_event = Table(
    "csms_security_event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", String(48), nullable=False, index=True),
    Column("type", String(50), nullable=False),
    Column("tech_info", String(255), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
