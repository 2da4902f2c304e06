"""Path validation for the V2G hierarchies (RFC 5280 §6 with the rules of ISO 15118-2 Annex F).

`validate` builds every path from the leaf to a trust anchor that the given certificates allow, judges each, and
returns the verdict on the best one: what was checked, what refuses, what was tolerated. It reads no clock and no
network: time and OCSP responses are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki import identity, ocsp
from plugpass.pki.certificate import Certificate, CertificateLike, der_of, parse, public_key
from plugpass.pki.der import MalformedDer
from plugpass.pki.keys import InvalidPublicKey, verify
from plugpass.pki.lint import lint
from plugpass.pki.policy import ANNEX_F, FIELD, Policy, RevocationMode
from plugpass.pki.profiles import PROFILES_ISO2, ROOT_ROLE, SUB_CA_ROLES, CertificateRole, Profile, RootType
from plugpass.pki.reasons import Finding, Reason, Severity
from plugpass.pki.trust import TrustAnchor, TrustAnchors

__all__ = ["ANNEX_F", "FIELD", "Check", "CheckStatus", "Policy", "RevocationMode", "Status", "Verdict", "validate"]

_MAX_PATHS: Final = 32  #: candidate paths judged; cross certificates and re-keyed CAs give a few

Profiles = Mapping[CertificateRole, Profile]


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


# --- groups of rules -----------------------------------------------------------------------------------------------

_R = Reason
CHECKS: Final[Mapping[str, frozenset[Reason]]] = MappingProxyType(
    {
        "bounds": frozenset({_R.NO_CERTIFICATE, _R.TOO_MANY_CERTIFICATES, _R.TOO_MANY_OCTETS}),
        "encoding": frozenset({_R.ENCODING, _R.SIZE, _R.VERSION, _R.SERIAL, _R.VALIDITY_ORDER}),
        "trust-anchor": frozenset({_R.UNKNOWN_ROOT, _R.WRONG_ROOT_TYPE, _R.INCOMPLETE_PATH}),
        "path-depth": frozenset({_R.ROOT_ISSUES_LEAF, _R.TOO_DEEP, _R.PATH_LENGTH}),
        "algorithms": frozenset(
            {
                _R.SIGNATURE_ALGORITHM,
                _R.SIGNATURE_ALGORITHM_MISMATCH,
                _R.KEY_TYPE,
                _R.KEY_CURVE,
                _R.KEY_EXPLICIT_PARAMETERS,
                _R.KEY_INVALID,
                _R.KEY_REUSED,
            }
        ),
        "signatures": frozenset({_R.SIGNATURE, _R.AKI_MISMATCH}),
        "validity": frozenset({_R.EXPIRED, _R.NOT_YET_VALID}),
        "basic-constraints": frozenset(reason for reason in Reason if reason.value.startswith("bc-")),
        "key-usage": frozenset(reason for reason in Reason if reason.value.startswith(("ku-", "eku-"))),
        "extensions": frozenset(reason for reason in Reason if reason.value.startswith("extension-")),
        "subject": frozenset(reason for reason in Reason if reason.value.startswith(("subject-", "cn-", "dc-"))),
        "identity": frozenset({_R.IDENTITY}),
        "revocation": frozenset(
            reason for reason in Reason if reason.value.startswith("ocsp-") or reason is Reason.REVOKED
        ),
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
        return Check(name=name, status=CheckStatus.NOT_DONE, detail="no OCSP responses were given")
    if tolerated := details(verdict.tolerated):
        return Check(name=name, status=CheckStatus.TOLERATED, detail=tolerated)
    return Check(name=name, status=CheckStatus.OK)


# --- building paths ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    certificates: tuple[Certificate, ...]  #: leaf first; the anchor last where there is one
    anchor: TrustAnchor | None

    @property
    def root(self) -> RootType | None:
        """The type of the root the path ends in; one that nobody trusts is read as a V2G root."""
        if self.anchor is not None:
            return self.anchor.root_type
        return RootType.V2G if len(self.certificates) > 1 and self.certificates[-1].self_issued else None

    @property
    def sub_cas(self) -> int:
        """How many CAs stand between leaf and root."""
        return len(self.certificates) - 1 - (self.root is not None)


@dataclass(slots=True)
class _Builder:
    """Finds paths by names, following links whose signature verifies before links that only look right."""

    intermediates: tuple[Certificate, ...]
    anchors: TrustAnchors
    known: dict[tuple[bytes, bytes], bool] = field(default_factory=dict)

    def signed_by(self, child: Certificate, issuer: Certificate) -> bool:
        """Whether the issuer's key signed the child; each pair is computed once."""
        pair = (child.encoded, issuer.key.encoded)
        if pair not in self.known:
            self.known[pair] = _verifies(child, issuer)
        return self.known[pair]

    def paths(self, so_far: tuple[Certificate, ...]) -> Iterator[_Path]:
        """All paths that begin with `so_far`; an incomplete one where nothing leads on."""
        current = so_far[-1]
        anchors = list(self.anchors.issuers_of(current))
        others = [
            candidate
            for candidate in self.intermediates
            if candidate.subject.key == current.issuer.key and candidate not in so_far
        ]
        sound_anchors = [anchor for anchor in anchors if self.signed_by(current, anchor.certificate)]
        sound_others = [candidate for candidate in others if self.signed_by(current, candidate)]
        if not (sound_anchors or sound_others):
            sound_anchors, sound_others = anchors[:1], others[:1]
        for anchor in sound_anchors:
            yield _Path(certificates=(*so_far, anchor.certificate), anchor=anchor)
        for candidate in sound_others:
            yield from self.paths((*so_far, candidate))
        if not (sound_anchors or sound_others):
            yield _Path(certificates=so_far, anchor=None)


def _verifies(child: Certificate, issuer: Certificate) -> bool:
    try:
        key = public_key(issuer.key.encoded)
    except InvalidPublicKey:
        return False
    return verify(key, child.signature, child.tbs, algorithm=child.signature_algorithm)


# --- judging a path ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Everything a path is judged by."""

    role: CertificateRole
    at: datetime
    policy: Policy
    profiles: Profiles
    revocation: Mapping[bytes, bytes] | None
    expected_cn: str | None
    builder: _Builder


def _finding(reason: Reason, text: str, certificate: Certificate) -> Finding:
    return Finding(reason=reason, text=text, subject=str(certificate.subject))


def _roles(path: _Path, question: _Question) -> tuple[CertificateRole, ...]:
    """The role of each certificate by its position."""
    second, first = SUB_CA_ROLES[question.role]
    subs = (second, *(first for _ in range(path.sub_cas - 1))) if path.sub_cas else ()
    return (question.role, *subs, *((ROOT_ROLE[path.root],) if path.root else ()))


_ROOT_ROLES: Final = frozenset(ROOT_ROLE.values())
#: Purposes do not bind a trust anchor (RFC 5280 §6.1.1 (d)), and the V2G roots in operation carry OCSPSigning.
_NOT_ABOUT_ANCHORS: Final = frozenset({Reason.EXTENSION_FORBIDDEN})


def _judge(path: _Path, question: _Question) -> Verdict:
    refusing: list[Finding] = []
    tolerated: list[Finding] = []
    remarks: list[Finding] = []
    for certificate, role in zip(path.certificates, _roles(path, question), strict=True):
        for finding in lint(certificate, question.profiles[role]):
            if finding.severity is not Severity.ERROR or (role in _ROOT_ROLES and finding.reason in _NOT_ABOUT_ANCHORS):
                remarks.append(finding)
            elif (finding.reason, role) in question.policy.tolerated:
                tolerated.append(finding)
            else:
                refusing.append(finding)
    for rule in _PATH_RULES:
        for finding in rule(path, question):
            (refusing if finding.severity is Severity.ERROR else remarks).append(finding)
    return _verdict(question, refusing, tolerated=tolerated, remarks=remarks, path=path)


def _verdict(
    question: _Question,
    refusing: Sequence[Finding],
    *,
    tolerated: Sequence[Finding] = (),
    remarks: Sequence[Finding] = (),
    path: _Path | None = None,
) -> Verdict:
    if not refusing:
        status = Status.ACCEPTED
    elif all(finding.rule.indeterminate for finding in refusing):
        status = Status.INDETERMINATE
    else:
        status = Status.REFUSED
    return Verdict(
        status=status,
        role=question.role,
        policy=question.policy.name,
        path=path.certificates if path else (),
        root_type=path.anchor.root_type if path and path.anchor else None,
        findings=tuple(sorted(refusing, key=_answer_order)),
        tolerated=tuple(tolerated),
        remarks=tuple(remarks),
        revocation_checked=question.revocation is not None and question.policy.revocation is not RevocationMode.OFF,
    )


def _answer_order(finding: Finding) -> int:
    """Which reason is answered first: a chain that proves nothing is neither "revoked" nor "expired"."""
    if finding.reason is Reason.REVOKED:
        return 1
    if finding.reason is Reason.EXPIRED:
        return 2
    return 3 if finding.rule.indeterminate else 0


def _anchor_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    last = path.certificates[-1]
    if path.anchor is None:
        if last.self_issued:
            yield _finding(Reason.UNKNOWN_ROOT, "the chain ends in a root that is not trusted", last)
        else:
            text = f"the issuer ({last.issuer}) is neither among the certificates nor a trusted root"
            yield _finding(Reason.INCOMPLETE_PATH, text, last)
    elif path.anchor.root_type not in question.profiles[question.role].anchors:
        text = f"a {path.anchor.root_type} root does not vouch for a {question.role} certificate"
        yield _finding(Reason.WRONG_ROOT_TYPE, text, last)


def _depth_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    leaf = path.certificates[0]
    if path.sub_cas > question.policy.max_sub_cas:
        text = f"{path.sub_cas} Sub-CAs, at most {question.policy.max_sub_cas} are allowed"
        yield _finding(Reason.TOO_DEEP, text, leaf)
    private = path.anchor is not None and path.anchor.root_type is RootType.PE  # [V2G2-868]
    if path.root and not path.sub_cas and not private:
        yield _finding(Reason.ROOT_ISSUES_LEAF, "the root has issued the leaf itself", leaf)


def _path_length_rules(path: _Path, _: _Question) -> Iterator[Finding]:
    """pathLenConstraint counts the CAs below, self-issued ones not included (RFC 5280 §4.2.1.9)."""
    for position, certificate in enumerate(path.certificates[1:], start=1):
        constraints = certificate.extensions.basic_constraints
        below = sum(not between.self_issued for between in path.certificates[1:position])
        if constraints and constraints.path_length is not None and below > constraints.path_length:
            text = f"pathLenConstraint {constraints.path_length}, but {below} CAs follow below"
            yield _finding(Reason.PATH_LENGTH, text, certificate)


def _link_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    for child, issuer in zip(path.certificates, path.certificates[1:], strict=False):
        if not question.builder.signed_by(child, issuer):
            yield _finding(Reason.SIGNATURE, f"the signature does not verify with the key of {issuer.subject}", child)
        wanted, offered = child.extensions.authority_key_identifier, issuer.extensions.subject_key_identifier
        if wanted is not None and offered is not None and wanted != offered:
            yield _finding(Reason.AKI_MISMATCH, f"AuthorityKeyIdentifier is not the key of {issuer.subject}", child)


def _validity_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    """Shell model: every certificate of the path must be valid at the time of the question."""
    at, skew = question.at, question.policy.clock_skew
    for certificate in path.certificates:
        if at - skew > certificate.not_after:  # in this order: 9999-12-31 cannot be moved on
            yield _finding(Reason.EXPIRED, f"expired on {certificate.not_after:%Y-%m-%d %H:%M:%S}Z", certificate)
        if at + skew < certificate.not_before:
            text = f"not valid before {certificate.not_before:%Y-%m-%d %H:%M:%S}Z"
            yield _finding(Reason.NOT_YET_VALID, text, certificate)


def _key_rules(path: _Path, _: _Question) -> Iterator[Finding]:
    leaf, *authorities = path.certificates
    if any(authority.key.encoded == leaf.key.encoded for authority in authorities):
        yield _finding(Reason.KEY_REUSED, "the leaf has the key of a CA of its own path", leaf)


def _identity_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    leaf, expected = path.certificates[0], question.expected_cn
    kind = question.profiles[question.role].identifier
    if expected is not None and not identity.same(kind, leaf.common_name, expected):
        text = f"the common name is {leaf.common_name!a}, expected {expected!a}"
        yield _finding(Reason.IDENTITY, text, leaf)


def _revocation_rules(path: _Path, question: _Question) -> Iterator[Finding]:
    mode, given = question.policy.revocation, question.revocation
    if path.anchor is None or mode is RevocationMode.OFF or path.anchor.root_type is RootType.PE:  # [V2G2-872]
        return
    if given is None and mode is not RevocationMode.REQUIRED:
        return
    for child, issuer in zip(path.certificates, path.certificates[1:], strict=False):
        response = (given or {}).get(child.encoded)
        if response is not None:
            yield from _status_of(child, issuer, response, question)
        elif mode is RevocationMode.REQUIRED or ocsp.ocsp_url(child):
            yield _finding(Reason.OCSP_MISSING, "there is no OCSP response for this certificate", child)
        else:
            yield _finding(Reason.OCSP_NOT_OFFERED, "the certificate names no OCSP responder", child)


def _status_of(child: Certificate, issuer: Certificate, response: bytes, question: _Question) -> Iterator[Finding]:
    wanted = ocsp.cert_id(child, issuer)
    try:
        answer = ocsp.verify_response(
            response,
            wanted,
            issuer,
            at=question.at,
            max_age=question.policy.ocsp_max_age,
            clock_skew=question.policy.clock_skew,
        )
    except ocsp.OcspRejected as error:
        yield _finding(error.reason, str(error), child)
        return
    if answer.status is ocsp.CertStatus.REVOKED:
        when = f" on {answer.revoked_at:%Y-%m-%d}" if answer.revoked_at else ""
        yield _finding(Reason.REVOKED, f"the certificate was revoked{when}", child)
    elif answer.status is ocsp.CertStatus.UNKNOWN:
        yield _finding(Reason.OCSP_UNKNOWN, "the responder does not know this certificate", child)


_PATH_RULES: Final = (
    _anchor_rules,
    _depth_rules,
    _link_rules,
    _validity_rules,
    _path_length_rules,
    _key_rules,
    _identity_rules,
    _revocation_rules,
)


# --- the entry -----------------------------------------------------------------------------------------------------


def validate(
    chain: Iterable[CertificateLike],
    *,
    role: CertificateRole,
    anchors: TrustAnchors,
    at: datetime,
    policy: Policy = ANNEX_F,
    revocation: Mapping[bytes, bytes] | None = None,
    expected_cn: str | None = None,
    profiles: Profiles = PROFILES_ISO2,
) -> Verdict:
    """The verdict on `chain` (leaf first, Sub-CAs in any order) as a certificate of `role` at the time `at`.

    `revocation` maps DER certificates to DER OCSP responses; None says that revocation is not looked at here, an empty
    mapping that no response could be had. `expected_cn` is the identifier the leaf must name. Never raises for what a
    peer sent: unreadable input is a refusal like any other. Raises LocalError where `role` is not that of a leaf.
    """
    if role not in SUB_CA_ROLES:
        raise LocalError(f"{role} is no leaf role; paths are validated for {', '.join(SUB_CA_ROLES)}")
    question = _Question(
        role=role,
        at=at,
        policy=policy,
        profiles=profiles,
        revocation=revocation,
        expected_cn=expected_cn,
        builder=_Builder((), anchors),
    )
    encoded = tuple(islice(map(der_of, chain), policy.max_certificates + 1))
    if problem := _bounds(encoded, policy):
        return _verdict(question, (problem,))
    try:
        leaf, *others = map(parse, encoded)
    except MalformedDer as error:
        return _verdict(question, (Finding(reason=Reason.ENCODING, text=str(error)),))
    question.builder.intermediates = tuple(dict.fromkeys(other for other in others if other != leaf))
    refused: list[Verdict] = []
    for path in islice(question.builder.paths((leaf,)), _MAX_PATHS):
        verdict = _judge(path, question)
        if verdict.ok:
            return verdict
        refused.append(verdict)
    return min(refused, key=_rank)  # the builder yields at least the leaf alone


def _bounds(encoded: Sequence[bytes], policy: Policy) -> Finding | None:
    if not encoded:
        return Finding(reason=Reason.NO_CERTIFICATE, text="there is no certificate at all")
    if len(encoded) > policy.max_certificates:
        text = f"more than {policy.max_certificates} certificates"
        return Finding(reason=Reason.TOO_MANY_CERTIFICATES, text=text)
    if (size := sum(map(len, encoded))) > policy.max_octets:
        return Finding(reason=Reason.TOO_MANY_OCTETS, text=f"{size} octets, at most {policy.max_octets} are looked at")
    return None


def _rank(verdict: Verdict) -> tuple[bool, bool, int]:
    """Which refused path tells most: undetermined before refused, complete before broken, fewest findings."""
    return verdict.status is Status.REFUSED, verdict.root_type is None, len(verdict.findings)
