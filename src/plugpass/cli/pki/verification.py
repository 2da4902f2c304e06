"""Verifying a chain from files: gathering the evidence, asking the validator, and telling what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import ocsp as x509_ocsp

from plugpass.cli.pki.inputs import UnusableFile, read_bounded, read_certificates_of, read_trust
from plugpass.errors import LocalError
from plugpass.pki.certificate import Certificate
from plugpass.pki.crl import Crl, MalformedCrl, parse_crl
from plugpass.pki.diagnose import arrange
from plugpass.pki.path import validate
from plugpass.pki.policy import POLICIES, Policy, RevocationMode, soft_failing
from plugpass.pki.profiles import CertificateRole, Generation, profiles
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors
from plugpass.pki.verdict import Status, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: by whom a chain is to be believed, as what, when, and by which rules."""

    chain: Path
    role: CertificateRole
    generation: Generation
    trust: tuple[str, ...]
    at: datetime
    crls: tuple[Path, ...] = ()
    ocsp: tuple[Path, ...] = ()
    require_status: bool = False
    policy: str = "annex-f"
    expect: str | None = None
    passphrase_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The answer, ready to be shown."""

    ok: bool
    status: str
    reason: str  #: "" where accepted, else one line
    role: str
    generation: str
    policy: str
    at: str
    path: tuple[dict[str, Any], ...]
    checks: tuple[dict[str, str], ...]
    reasons: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    response_code: str = ""
    ocpp_status: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; `ok`, `reason`, `path` and `checks` are the stable part."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """Revocation information from files."""

    responses: tuple[tuple[Path, bytes, frozenset[int]], ...]  #: file, DER, serial numbers it speaks of
    crls: tuple[Crl, ...]

    @property
    def given(self) -> bool:
        return bool(self.responses or self.crls)

    def about(self, certificate: Certificate) -> bool:
        """Whether any of it speaks of the certificate (by its serial number or issuer; judging is for later)."""
        return any(certificate.serial in serials for _, _, serials in self.responses) or any(
            crl.issuer.key == certificate.issuer.key for crl in self.crls
        )

    def responses_for(self, chain: tuple[Certificate, ...]) -> dict[bytes, bytes]:
        return {
            certificate.encoded: response
            for certificate in chain
            for _, response, serials in self.responses
            if certificate.serial in serials
        }


def verify_chain(question: Question) -> Verification:
    """The answer to a question. Raises UnusableFile where a file cannot be read."""
    given = read_certificates_of(question.chain, passphrase_file=question.passphrase_file)
    anchors = read_trust(question.trust, question.role, question.generation)
    evidence = _read_evidence(question)
    chain = tuple(dict.fromkeys(given))
    table = profiles(question.generation)
    arrangement = arrange(given, max_size=table[question.role].max_size)
    remarks = tuple(remark.text for remark in arrangement.remarks)
    verdict = _validate(question, chain, anchors, evidence)
    answer = _answer(question, verdict, remarks)
    leaf = arrangement.chain[0]
    if leaf != chain[0]:
        text = f"the first certificate is {chain[0].subject}, the leaf {leaf.subject} must come first [order]"
        return replace(answer, ok=False, status=Status.REFUSED.value, reason=text, reasons=("order", *answer.reasons))
    return answer


def _validate(
    question: Question, chain: tuple[Certificate, ...], anchors: TrustAnchors, evidence: _Evidence
) -> Verdict:
    looked_at = evidence.given or question.require_status
    try:
        return validate(
            chain,
            role=question.role,
            anchors=anchors,
            at=question.at,
            policy=_policy(question, softly=evidence.given and evidence.about(chain[0])),
            revocation=evidence.responses_for(chain) if looked_at else None,
            crls=[crl.encoded for crl in evidence.crls],
            expected_cn=question.expect,
            profiles=profiles(question.generation),
        )
    except LocalError as error:
        raise UnusableFile(str(error)) from None


def _policy(question: Question, *, softly: bool) -> Policy:
    """The policy asked for. What nobody gave a status for passes where the leaf has one, and is reported."""
    chosen = POLICIES[question.policy]
    if question.require_status:
        return replace(chosen, revocation=RevocationMode.REQUIRED)
    return soft_failing(chosen, frozenset({Reason.OCSP_MISSING})) if softly else chosen


def _read_evidence(question: Question) -> _Evidence:
    return _Evidence(responses=tuple(map(_response, question.ocsp)), crls=tuple(_crl(path) for path in question.crls))


def _response(path: Path) -> tuple[Path, bytes, frozenset[int]]:
    content = read_bounded(path)
    try:
        response = x509_ocsp.load_der_ocsp_response(content)
        if response.response_status is not x509_ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise UnusableFile(f"{path} is the responder's refusal: {response.response_status.name.lower()}")
        return path, content, frozenset(single.serial_number for single in response.responses)
    except ValueError:
        raise UnusableFile(f"{path} is no DER OCSP response") from None


def _crl(path: Path) -> Crl:
    try:
        return parse_crl(read_bounded(path))
    except MalformedCrl as error:
        raise UnusableFile(f"{path}: {error}") from None


def _answer(question: Question, verdict: Verdict, remarks: tuple[str, ...]) -> Verification:
    return Verification(
        ok=verdict.ok,
        status=verdict.status.value,
        reason="" if verdict.ok else str(verdict.findings[0]),
        role=question.role.value,
        generation=question.generation.value,
        policy=verdict.policy,
        at=question.at.isoformat(),
        path=tuple(describe(certificate) for certificate in verdict.path),
        checks=tuple(
            {"name": check.name, "status": check.status.value, "detail": check.detail} for check in verdict.checks
        ),
        reasons=tuple(reason.value for reason in verdict.reasons),
        tolerated=tuple(map(str, verdict.tolerated)),
        remarks=(*remarks, *map(str, verdict.remarks)),
        response_code=verdict.response_code,
        ocpp_status=verdict.ocpp_status,
    )


def describe(certificate: Certificate) -> dict[str, Any]:
    """What identifies a certificate, for JSON."""
    return {
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "serial": f"{certificate.serial:x}",
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "sha256": certificate.fingerprint,
        "size": len(certificate.encoded),
    }
