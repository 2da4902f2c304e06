"""Certificate revocation lists of a CA, made from the ledger (RFC 5280 §5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki.crl import RevokedCertificate, build_crl
from plugpass.pki.ocsp import RevocationReason
from plugpass.pki.profiles import KeyUsage
from plugpass.ports.issuing import CertificateRecord
from plugpass.providers.local_ca.registrar import IssuingCa

CRL_VALIDITY: Final = timedelta(days=7)

_BACKDATE: Final = timedelta(minutes=10)  #: clocks of those who check differ


def revoked_by(ca: IssuingCa, records: Iterable[CertificateRecord]) -> tuple[RevokedCertificate, ...]:
    """What was revoked of all that was signed with the key of `ca`, expired certificates included."""
    return tuple(
        RevokedCertificate(
            serial=record.serial,
            revoked_at=record.revoked_at,
            reason=RevocationReason[record.revocation_reason or "unspecified"],
        )
        for record in records
        if record.issuer_key_id == ca.key_id and record.revoked_at is not None
    )


def sign_crl(ca: IssuingCa, revoked: Iterable[RevokedCertificate], *, now: datetime, validity: timedelta) -> bytes:
    """A complete DER CRL, valid until `now + validity`; its number is the time in milliseconds, so it only grows.

    Raises LocalError where the CA may sign no lists (a private root, a vehicle Sub-CA under Amendment 1).
    """
    usage = ca.certificate.extensions.key_usage
    if usage is None or KeyUsage.CRL_SIGN not in usage:
        raise LocalError(
            f"{ca.certificate.subject} may not sign CRLs (no cRLSign): its certificates' status is in OCSP"
        )
    this_update = (now - _BACKDATE).replace(microsecond=0)
    return build_crl(
        revoked,
        ca.certificate,
        ca.credential.signer,
        number=int(now.timestamp() * 1000),
        this_update=this_update,
        next_update=(now + validity).replace(microsecond=0),
    )
