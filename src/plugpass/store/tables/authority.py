"""What a certificate authority signed and revoked."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from plugpass.store.tables.base import UtcDateTime, metadata

issued_certificate = Table(
    "issued_certificate",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("issuer_key_id", String(40), nullable=False),  # hex SHA-1 of the issuer's public key
    Column("serial", String(40), nullable=False),  # hex without leading zeros: up to 20 octets fit no integer type
    Column("role", String(32), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("issued_at", UtcDateTime, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("revocation_reason", String(32)),
    UniqueConstraint("issuer_key_id", "serial"),
    Index(None, "request_digest"),
)
