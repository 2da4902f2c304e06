"""The vehicles of a vehicle maker."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, LargeBinary, String, Table

from plugpass.store.tables.base import UtcDateTime, metadata

vehicle = Table(
    "oem_vehicle",
    metadata,
    Column("pcid", String(18), primary_key=True),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("sub_ca2", LargeBinary),  # DER; absent where the chain has one tier
    Column("sub_ca1", LargeBinary, nullable=False),  # DER
    Column("published", Boolean, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
)
