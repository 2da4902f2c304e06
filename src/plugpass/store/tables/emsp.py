"""The contracts of a mobility operator."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from plugpass.store.tables.base import UtcDateTime, metadata

contract = Table(
    "contract",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("emaid", String(14), nullable=False, unique=True),  # normalised, without check digit
    Column("pcid", String(18), nullable=False),
    Column("state", String(8), nullable=False),
    Column("certificate", LargeBinary, nullable=False),  # DER; empty while pending
    Column("serial", String(40), nullable=False),  # hex
    Column("not_before", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("reason", String(200), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "pcid"),
)

contract_certificate = Table(
    "contract_certificate",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("emaid", String(14), ForeignKey("contract.emaid"), nullable=False, index=True),
    Column("certificate", LargeBinary, nullable=False),  # DER
)
