"""The trust store: every root ever trusted, with where it came from and how far it has been rolled out."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text

from plugpass.store.tables.base import UtcDateTime, metadata

trusted_root = Table(
    "trusted_root",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # hex SHA-256
    Column("root_type", String(8), primary_key=True),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("source", String(16), nullable=False),
    Column("origin", Text, nullable=False),
    Column("market", String(16), nullable=False),
    Column("added_by", String(128), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("reach", Integer, nullable=False),  # percent of the stations
    Column("changed_by", String(128), nullable=False),
    Column("changed_at", UtcDateTime),
)
