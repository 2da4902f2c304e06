"""Certificates arranged by who signed whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from plugpass.cli.pki.inputs import read_certificates_of
from plugpass.cli.pki.workspace import opened
from plugpass.lifecycle.policy import RenewalPolicy
from plugpass.pki.certificate import Certificate, parse
from plugpass.pki.profiles import CertificateRole
from plugpass.providers.local_ca.chains import is_issuer

_DUE: Final = RenewalPolicy().fraction  #: of a life: from here on the certificate is to be renewed


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A certificate and what hangs below it."""

    certificate: Certificate
    label: str = ""  #: role and serial number, or the file it came from
    revoked: bool = False
    below: tuple[Branch, ...] = ()

    def used(self, now: datetime) -> float:
        """How much of its life is over: 0 when it begins, 1 when it ends."""
        life = self.certificate.not_after - self.certificate.not_before
        return (now - self.certificate.not_before) / life if life else 1.0

    def status(self, now: datetime) -> str:
        """In one word: valid, due, expired, revoked or not yet valid."""
        if self.revoked:
            return "revoked"
        used = self.used(now)
        if used < 0:
            return "not yet valid"
        return "expired" if used > 1 else "due" if used >= _DUE else "valid"


def branches_of_files(files: Iterable[Path], passphrase_file: Path | None) -> tuple[Branch, ...]:
    """The certificates of files. Raises UnusableFile."""
    labels = {
        certificate: str(path)
        for path in files
        for certificate in read_certificates_of(path, passphrase_file=passphrase_file)
    }
    return arranged(tuple(labels), labels)


async def branches_of_workspace(folder: Path, now: datetime, *, everything: bool) -> tuple[Branch, ...]:
    """What the authorities of a workspace issued, OCSP signers left out; with `everything` also what is over."""
    async with opened(folder, passphrase_file=None, by="") as workspace:
        records = await workspace.ledger.all()
    shown = [
        record
        for record in records
        if record.role is not CertificateRole.OCSP_SIGNER
        and (everything or (record.revoked_at is None and record.not_after > now))
    ]
    labels = {parse(record.certificate): f"{record.role} {record.serial:x}"[:24] for record in shown}
    revoked = frozenset(parse(record.certificate) for record in shown if record.revoked_at is not None)
    return arranged(tuple(labels), labels, revoked)


def arranged(
    certificates: Sequence[Certificate],
    labels: Mapping[Certificate, str] = MappingProxyType({}),
    revoked: frozenset[Certificate] = frozenset(),
) -> tuple[Branch, ...]:
    """Trees of certificates: each below the newest that may have signed it, by name and key identifier.

    Nothing grows below a cross certificate: it stands for a root that has its own tree.
    """
    parents = {item: _parent(item, certificates) for item in certificates}

    def grow(certificate: Certificate) -> Branch:
        return Branch(
            certificate=certificate,
            label=labels.get(certificate, ""),
            revoked=certificate in revoked,
            below=tuple(grow(child) for child, parent in parents.items() if parent == certificate),
        )

    return tuple(grow(item) for item, parent in parents.items() if parent is None)


def _parent(child: Certificate, certificates: Sequence[Certificate]) -> Certificate | None:
    if child.self_issued:
        return None
    fitting = [item for item in certificates if is_issuer(item, child) and not _is_cross(item, certificates)]
    return max(fitting, key=lambda item: item.not_before, default=None)


def _is_cross(certificate: Certificate, certificates: Sequence[Certificate]) -> bool:
    return not certificate.self_issued and any(
        item.self_issued and item.key.encoded == certificate.key.encoded for item in certificates
    )
