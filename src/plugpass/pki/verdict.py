"""What comes of validating a path: the outcome, a verdict per group of rules, and the answers the wires have for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from plugpass.pki.certificate import Certificate
from plugpass.pki.profiles import CertificateRole, Generation, RootType
from plugpass.pki.reasons import Finding, Reason


class Status(StrEnum):
    """The three outcomes. Only the first is a yes."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    INDETERMINATE = "indeterminate"  #: nothing wrong was proven, but revocation could not be determined


class CheckStatus(StrEnum):
    """The outcome of one group of rules."""

    OK = "ok"
    FAILED = "failed"
    TOLERATED = "tolerated"
    INDETERMINATE = "indeterminate"
    NOT_DONE = "not-done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One group of rules, and what came of it."""

    name: str
    status: CheckStatus
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known about a chain for a role at a time."""

    status: Status
    role: CertificateRole
    policy: str
    path: tuple[Certificate, ...]  #: leaf first, root last; as far as it could be built
    root_type: RootType | None  #: the anchor's type, None where no anchor was reached
    findings: tuple[Finding, ...]  #: what refuses or leaves undetermined
    tolerated: tuple[Finding, ...] = ()  #: errors this policy lets pass
    remarks: tuple[Finding, ...] = ()  #: warnings and notices
    revocation_checked: bool = False
    generation: Generation = Generation.ISO2

    @property
    def ok(self) -> bool:
        """Whether the chain is accepted."""
        return self.status is Status.ACCEPTED

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons of `findings`, each once, the one to answer first."""
        return tuple(dict.fromkeys(finding.reason for finding in self.findings))

    @property
    def iso2_code(self) -> str:
        """The ISO 15118-2 response code for this verdict."""
        return self.findings[0].rule.iso2 if self.findings else "OK"

    @property
    def iso20_code(self) -> str:
        """The ISO 15118-20 response code for this verdict."""
        return self.findings[0].rule.iso20 if self.findings else "OK"

    @property
    def response_code(self) -> str:
        """The response code in the generation the chain was judged by."""
        return self.iso2_code if self.generation is Generation.ISO2 else self.iso20_code

    @property
    def ocpp_status(self) -> str:
        """The OCPP certificateStatus for this verdict."""
        return self.findings[0].rule.ocpp if self.findings else "Accepted"

    @property
    def summary(self) -> str:
        """One line for people and logs."""
        if not self.findings:
            return f"accepted as {self.role} under the policy {self.policy}"
        return f"{self.status} as {self.role} under the policy {self.policy}: {self.findings[0]}"

    @property
    def checks(self) -> tuple[Check, ...]:
        """A verdict for every group of rules, in the order of the validation."""
        return tuple(_check(name, reasons, self) for name, reasons in CHECKS.items())


_R = Reason


def _starting_with(*prefixes: str) -> frozenset[Reason]:
    return frozenset(reason for reason in Reason if reason.value.startswith(prefixes))


CHECKS: Final[Mapping[str, frozenset[Reason]]] = MappingProxyType(
    {
        "bounds": frozenset({_R.NO_CERTIFICATE, _R.TOO_MANY_CERTIFICATES, _R.TOO_MANY_OCTETS}),
        "encoding": frozenset({_R.ENCODING, _R.SIZE, _R.VERSION, _R.SERIAL, _R.VALIDITY_ORDER}),
        "trust-anchor": frozenset({_R.UNKNOWN_ROOT, _R.WRONG_ROOT_TYPE, _R.INCOMPLETE_PATH}),
        "path-depth": frozenset({_R.ROOT_ISSUES_LEAF, _R.TOO_DEEP, _R.PATH_LENGTH}),
        "algorithms": _starting_with("signature-algorithm", "key-"),
        "signatures": frozenset({_R.SIGNATURE, _R.AKI_MISMATCH}),
        "validity": frozenset({_R.EXPIRED, _R.NOT_YET_VALID}),
        "basic-constraints": _starting_with("bc-"),
        "key-usage": _starting_with("ku-", "eku-"),
        "extensions": _starting_with("extension-"),
        "subject": _starting_with("subject-", "cn-", "dc-"),
        "identity": frozenset({_R.IDENTITY}),
        "revocation": _starting_with("ocsp-", "crl-") | {_R.REVOKED},
    }
)


def _check(name: str, reasons: frozenset[Reason], verdict: Verdict) -> Check:
    def details(findings: Iterable[Finding]) -> str:
        return "; ".join(str(finding) for finding in findings if finding.reason in reasons)

    if failed := details(finding for finding in verdict.findings if not finding.rule.indeterminate):
        return Check(name=name, status=CheckStatus.FAILED, detail=failed)
    if open_ := details(verdict.findings):
        return Check(name=name, status=CheckStatus.INDETERMINATE, detail=open_)
    if name == "revocation" and not verdict.revocation_checked:
        return Check(name=name, status=CheckStatus.NOT_DONE, detail="neither OCSP responses nor CRLs were given")
    if tolerated := details(verdict.tolerated):
        return Check(name=name, status=CheckStatus.TOLERATED, detail=tolerated)
    return Check(name=name, status=CheckStatus.OK)
