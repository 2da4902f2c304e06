"""Credentials with encrypted private keys, and which contract a vehicle charges on."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from plugpass.store.tables.base import metadata

credential = Table(
    "credential",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("private_key", Text, nullable=False),  # encrypted PKCS#8, PEM
)

credential_certificate = Table(
    "credential_certificate",
    metadata,
    Column("name", ForeignKey("credential.name", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),  # 0 is the leaf
    Column("certificate", LargeBinary, nullable=False),  # DER
)

#: The contract with the highest `sequence` is the one in use.
installed_contract = Table(
    "installed_contract",
    metadata,
    Column("emaid", String(64), primary_key=True),  # without check digit
    Column("spelling", String(64), nullable=False),  # as it was installed
    Column("sequence", Integer, nullable=False, unique=True),
)
