"""The audit log: rows are only ever added; triggers refuse everything else."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from plugpass.store.tables.base import UtcDateTime, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON as it was hashed
    Column("previous", String(64), nullable=False),  # hex SHA-256
    Column("digest", String(64), nullable=False, unique=True),
)
