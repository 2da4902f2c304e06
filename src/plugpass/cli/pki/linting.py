"""Linting files: each certificate by the profile that was named, or the one it looks most like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugpass.cli.pki.inputs import read_certificates_of
from plugpass.cli.pki.options import GenerationWord
from plugpass.errors import LocalError
from plugpass.pki.certificate import Certificate
from plugpass.pki.guess import Guess, guess
from plugpass.pki.lint import lint
from plugpass.pki.profiles import CertificateRole, Generation, profiles
from plugpass.pki.reasons import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class LintedCertificate:
    """One certificate and what its profile says about it."""

    file: str
    subject: str
    fingerprint: str
    role: str
    generation: str
    guessed: bool
    because: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "file": self.file,
            "subject": self.subject,
            "sha256": self.fingerprint,
            "role": self.role,
            "generation": self.generation,
            "guessed": self.guessed,
            "ok": self.ok,
            "findings": [
                {
                    "severity": finding.severity.value,
                    "reason": finding.reason.value,
                    "clause": finding.clause,
                    "text": finding.text,
                }
                for finding in self.findings
            ],
        }


def lint_files(
    files: Iterable[Path], *, role: str, generation: GenerationWord | None, passphrase_file: Path | None
) -> tuple[LintedCertificate, ...]:
    """All certificates of all files. Raises UnusableFile, and LocalError for a role that does not exist."""
    chosen = Generation(generation.value) if generation else None
    return tuple(
        _linted(path, certificate, role if place == 0 else "", chosen)
        for path in files
        for place, certificate in enumerate(read_certificates_of(path, passphrase_file=passphrase_file))
    )


def _linted(path: Path, certificate: Certificate, role: str, generation: Generation | None) -> LintedCertificate:
    best = guess(certificate, generation)
    named = _named(role, generation or best.generation) if role else None
    profile = profiles(generation or best.generation)[named or best.role]
    return LintedCertificate(
        file=str(path),
        subject=str(certificate.subject),
        fingerprint=certificate.fingerprint,
        role=profile.role.value,
        generation=profile.generation.value,
        guessed=named is None,
        because=_because(best) if named is None else (),
        findings=lint(certificate, profile),
    )


def _named(role: str, generation: Generation) -> CertificateRole:
    table = profiles(generation)
    if role not in {known.value for known in table}:
        raise LocalError(f"{role} is no role of {generation}; there are {', '.join(sorted(table))}")
    return CertificateRole(role)


def _because(best: Guess) -> tuple[str, ...]:
    return best.because or ("no other profile is nearer",)
