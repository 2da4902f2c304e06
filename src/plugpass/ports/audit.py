"""The audit log of key ceremonies: what was done with CA keys, certificates and trust, by whom, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Ceremony(StrEnum):
    """What is audited."""

    CA_CREATED = "ca.created"
    CA_RENEWED = "ca.renewed"  #: a new certificate for the same key
    CA_REKEYED = "ca.rekeyed"  #: a new key under the same name
    CROSS_SIGNED = "ca.cross-signed"
    ROLLOVER = "ca.rollover"
    CRL_SIGNED = "crl.signed"
    REVOKED = "certificate.revoked"
    KEY_CREATED = "key.created"
    KEY_EXPORTED = "key.exported"
    TRUST_CHANGED = "trust.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One link of the chain: `digest` covers all other fields, and `previous` is the digest of the entry before."""

    sequence: int  #: 1 for the first entry, without gaps
    at: datetime
    actor: str  #: who did it
    action: str  #: a `Ceremony`; text, so that a chain written by a newer version stays readable
    subject: str  #: what it was done to: a CA, a certificate, a root
    details: Mapping[str, str] = field(default_factory=dict)
    previous: str  #: hex SHA-256, 64 zeros before the first entry
    digest: str  #: hex SHA-256


class AuditLog(Protocol):
    """Where ceremonies are written down before their result can be used. Entries are never changed or deleted."""

    async def append(self, action: Ceremony, subject: str, details: Mapping[str, str] | None = None) -> None:
        """Add an entry. Raises LocalError where it cannot be written: then the ceremony must not go on."""
        ...


class NullAudit:
    """Keeps nothing: for laboratories whose keys protect nothing."""

    async def append(self, action: Ceremony, subject: str, details: Mapping[str, str] | None = None) -> None:
        """Do nothing."""
