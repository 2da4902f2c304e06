"""The three certificate pools, and the accounts of an OPCP server."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from plugpass.store.tables.base import UtcDateTime, metadata

root_certificate = Table(
    "root_certificate",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("root_id", String(36), nullable=False, unique=True),  # UUID
    Column("root_type", String(3), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # hex SHA-256
    Column("certificate", LargeBinary, nullable=False),  # DER
    UniqueConstraint("fingerprint", "root_type"),
)

provisioning_certificate = Table(
    "provisioning_certificate",
    metadata,
    Column("pcid", String(18), primary_key=True),
    Column("namespace", String(64), nullable=False),
    Column("certificate", LargeBinary, nullable=False),  # DER
    Column("sub_ca2", LargeBinary),  # DER; absent where the chain has one tier
    Column("sub_ca1", LargeBinary, nullable=False),  # DER
    Column("updated_at", UtcDateTime, nullable=False),
)

signed_contract = Table(
    "signed_contract",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("emaid", String(14), nullable=False),  # normalised, without check digit
    Column("spelling", String(15), nullable=False),  # as the contract certificate has it
    Column("pcid", String(18), ForeignKey("provisioning_certificate.pcid"), nullable=False),
    Column("namespace", String(64), nullable=False),
    Column("cps_root", String(64), nullable=False),  # hex SHA-256 of the V2G root above the signer
    Column("certificate", LargeBinary, nullable=False),  # DER, the contract leaf
    Column("exi", LargeBinary, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    UniqueConstraint("emaid", "namespace", "cps_root"),
    Index(None, "pcid"),
)

opcp_account = Table(
    "opcp_account",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("secret_hash", String(128), nullable=False),
    Column("parties", JSON, nullable=False),
    Column("wmis", JSON, nullable=False),
    Column("providers", JSON, nullable=False),
)

opcp_token = Table(
    "opcp_token",
    metadata,
    Column("digest", String(64), primary_key=True),  # hex SHA-256 of the token
    Column("client_id", String(64), ForeignKey("opcp_account.client_id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)
