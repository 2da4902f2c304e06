"""Path validation for the V2G hierarchies (RFC 5280 §6 with the rules of ISO 15118-2 Annex F and -20 Annex B).

`validate` builds every path from the leaf to a trust anchor that the given certificates allow, judges each, and
returns the verdict on the best one: what was checked, what refuses, what was tolerated. It reads no clock and no
network: time, OCSP responses and revocation lists are arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Final

from plugpass.errors import LocalError
from plugpass.pki import identity, oids
from plugpass.pki.building import MAX_PATHS, Builder, Path, signed_by
from plugpass.pki.certificate import Certificate, CertificateLike, der_of, parse
from plugpass.pki.der import MalformedDer
from plugpass.pki.keys import ALGORITHM_OF_CURVE
from plugpass.pki.lint import lint
from plugpass.pki.policy import ANNEX_F, FIELD, Policy, RevocationMode
from plugpass.pki.profiles import PROFILES_ISO2, ROOT_ROLE, SUB_CA_ROLES, CertificateRole, Generation, Profile, RootType
from plugpass.pki.reasons import Finding, Reason, Severity
from plugpass.pki.revocation import Evidence, status_of
from plugpass.pki.trust import TrustAnchors
from plugpass.pki.verdict import CHECKS, Check, CheckStatus, Status, Verdict

__all__ = [
    "ANNEX_F",
    "CHECKS",
    "FIELD",
    "Check",
    "CheckStatus",
    "Policy",
    "RevocationMode",
    "Status",
    "Verdict",
    "validate",
]

Profiles = Mapping[CertificateRole, Profile]

#: The leaf, and the SubCertificates that the message schemas have room for.
_SCHEMA_LIMIT: Final = MappingProxyType({Generation.ISO2: 5, Generation.ISO20: 4})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Everything a path is judged by."""

    role: CertificateRole
    at: datetime
    policy: Policy
    profiles: Profiles
    evidence: Evidence
    expected_cn: str | None

    @property
    def profile(self) -> Profile:
        """The leaf's."""
        return self.profiles[self.role]

    @property
    def max_certificates(self) -> int:
        """How many certificates are looked at."""
        return self.policy.max_certificates or _SCHEMA_LIMIT[self.profile.generation]

    def finding(self, reason: Reason, text: str, certificate: Certificate | None = None) -> Finding:
        """What is wrong with a certificate, or with the input as a whole."""
        subject = "" if certificate is None else str(certificate.subject)
        return Finding(reason=reason, text=text, subject=subject, generation=self.profile.generation)


def _roles(path: Path, question: _Question) -> tuple[CertificateRole, ...]:
    """The role of each certificate by its position. What stands above two Sub-CAs is a cross-certified root."""
    leaf = CertificateRole.PE_SECC if path.root is RootType.PE and question.role is _SECC else question.role
    sub_cas = (*SUB_CA_ROLES[question.role], *(CertificateRole.CROSS for _ in range(path.sub_cas - 2)))
    return (leaf, *sub_cas[: path.sub_cas], *((ROOT_ROLE[path.root],) if path.root else ()))


_SECC: Final = CertificateRole.SECC_LEAF
_ROOT_ROLES: Final = frozenset(ROOT_ROLE.values())
#: Purposes do not bind a trust anchor (RFC 5280 §6.1.1 (d)), and the V2G roots in operation carry OCSPSigning.
_NOT_ABOUT_ANCHORS: Final = frozenset({Reason.EXTENSION_FORBIDDEN})


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Findings by what they come to."""

    refusing: list[Finding]
    tolerated: list[Finding]
    remarks: list[Finding]

    def add(self, finding: Finding, *, tolerated: bool) -> None:
        """Enter one finding."""
        if finding.severity is not Severity.ERROR:
            self.remarks.append(finding)
        else:
            (self.tolerated if tolerated else self.refusing).append(finding)


def _judge(path: Path, question: _Question) -> Verdict:
    found, policy = _Sorted([], [], []), question.policy
    for position, (certificate, role) in enumerate(zip(path.certificates, _roles(path, question), strict=True)):
        asked = role if position else question.role  # a tolerance is stated for the role that is asked about
        for finding in lint(certificate, question.profiles[role]):
            if role in _ROOT_ROLES and finding.reason in _NOT_ABOUT_ANCHORS:
                found.remarks.append(finding)
            else:
                found.add(finding, tolerated=(finding.reason, asked) in policy.tolerated)
    for rule in _PATH_RULES:
        for finding in rule(path, question):
            found.add(finding, tolerated=False)
    for child, issuer in _to_be_checked(path, question):
        word = status_of(child, issuer, question.evidence, policy, question.at)
        for reason, text in word.refusing:
            found.add(question.finding(reason, text, child), tolerated=reason in policy.soft_fail)
        found.remarks.extend(question.finding(reason, text, child) for reason, text in word.remarks)
    return _verdict(question, found.refusing, tolerated=found.tolerated, remarks=found.remarks, path=path)


def _verdict(
    question: _Question,
    refusing: Sequence[Finding],
    *,
    tolerated: Sequence[Finding] = (),
    remarks: Sequence[Finding] = (),
    path: Path | None = None,
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
        revocation_checked=question.evidence.given and question.policy.revocation is not RevocationMode.OFF,
        generation=question.profile.generation,
    )


def _answer_order(finding: Finding) -> int:
    """Which reason is answered first: a chain that proves nothing is neither "revoked" nor "expired"."""
    if finding.reason is Reason.REVOKED:
        return 1
    if finding.reason is Reason.EXPIRED:
        return 2
    return 3 if finding.rule.indeterminate else 0


def _anchor_rules(path: Path, question: _Question) -> Iterator[Finding]:
    last = path.certificates[-1]
    if path.anchor is None:
        if last.self_issued:
            yield question.finding(Reason.UNKNOWN_ROOT, "the chain ends in a root that is not trusted", last)
        else:
            text = f"the issuer ({last.issuer}) is neither among the certificates nor a trusted root"
            yield question.finding(Reason.INCOMPLETE_PATH, text, last)
    elif path.anchor.root_type not in question.profiles[question.role].anchors:
        text = f"a {path.anchor.root_type} root does not vouch for a {question.role} certificate"
        yield question.finding(Reason.WRONG_ROOT_TYPE, text, last)


def _depth_rules(path: Path, question: _Question) -> Iterator[Finding]:
    leaf = path.certificates[0]
    if path.sub_cas > question.policy.max_sub_cas:
        text = f"{path.sub_cas} Sub-CAs, at most {question.policy.max_sub_cas} are allowed"
        yield question.finding(Reason.TOO_DEEP, text, leaf)
    private = path.anchor is not None and path.anchor.root_type is RootType.PE  # [V2G2-868]
    if path.root and not path.sub_cas and not private:
        yield question.finding(Reason.ROOT_ISSUES_LEAF, "the root has issued the leaf itself", leaf)


def _path_length_rules(path: Path, question: _Question) -> Iterator[Finding]:
    """pathLenConstraint counts the CAs below, self-issued ones not included (RFC 5280 §4.2.1.9)."""
    for position, certificate in enumerate(path.certificates[1:], start=1):
        constraints = certificate.extensions.basic_constraints
        below = sum(not between.self_issued for between in path.certificates[1:position])
        if constraints and constraints.path_length is not None and below > constraints.path_length:
            text = f"pathLenConstraint {constraints.path_length}, but {below} CAs follow below"
            yield question.finding(Reason.PATH_LENGTH, text, certificate)


def _link_rules(path: Path, question: _Question) -> Iterator[Finding]:
    for child, issuer in path.links:
        if not signed_by(child, issuer):
            text = f"the signature does not verify with the key of {issuer.subject}"
            yield question.finding(Reason.SIGNATURE, text, child)
        elif issuer.key.curve and child.signature_algorithm != ALGORITHM_OF_CURVE[issuer.key.curve].oid:
            text = f"{oids.name_of(child.signature_algorithm)} does not go with a key on {issuer.key.curve}"
            yield question.finding(Reason.SIGNATURE_ALGORITHM, text, child)
        wanted, offered = child.extensions.authority_key_identifier, issuer.extensions.subject_key_identifier
        if wanted is not None and offered is not None and wanted != offered:
            text = f"AuthorityKeyIdentifier is not the key of {issuer.subject}"
            yield question.finding(Reason.AKI_MISMATCH, text, child)


def _validity_rules(path: Path, question: _Question) -> Iterator[Finding]:
    """Shell model: every certificate of the path must be valid at the time of the question."""
    at, skew = question.at, question.policy.clock_skew
    for certificate in path.certificates:
        if at - skew > certificate.not_after:  # in this order: 9999-12-31 cannot be moved on
            yield question.finding(
                Reason.EXPIRED, f"expired on {certificate.not_after:%Y-%m-%d %H:%M:%S}Z", certificate
            )
        if at + skew < certificate.not_before:
            text = f"not valid before {certificate.not_before:%Y-%m-%d %H:%M:%S}Z"
            yield question.finding(Reason.NOT_YET_VALID, text, certificate)


def _key_rules(path: Path, question: _Question) -> Iterator[Finding]:
    leaf, *authorities = path.certificates
    if any(authority.key.encoded == leaf.key.encoded for authority in authorities):
        yield question.finding(Reason.KEY_REUSED, "the leaf has the key of a CA of its own path", leaf)


def _identity_rules(path: Path, question: _Question) -> Iterator[Finding]:
    leaf, expected = path.certificates[0], question.expected_cn
    kind = question.profiles[question.role].identifier
    if expected is not None and not identity.same(kind, leaf.common_name, expected):
        text = f"the common name is {leaf.common_name!a}, expected {expected!a}"
        yield question.finding(Reason.IDENTITY, text, leaf)


def _to_be_checked(path: Path, question: _Question) -> Iterator[tuple[Certificate, Certificate]]:
    """The certificates whose revocation counts, with their issuers: none in a private environment [V2G2-872]."""
    mode = question.policy.revocation
    if path.anchor is None or mode is RevocationMode.OFF or path.anchor.root_type is RootType.PE:
        return iter(())
    return path.links if question.evidence.given or mode is RevocationMode.REQUIRED else iter(())


_PATH_RULES: Final = (
    _anchor_rules,
    _depth_rules,
    _link_rules,
    _validity_rules,
    _path_length_rules,
    _key_rules,
    _identity_rules,
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
    crls: Iterable[bytes] = (),
    expected_cn: str | None = None,
    profiles: Profiles = PROFILES_ISO2,
) -> Verdict:
    """The verdict on `chain` (leaf first, Sub-CAs in any order) as a certificate of `role` at the time `at`.

    `revocation` maps DER certificates to DER OCSP responses; None says that revocation is not looked at here, an empty
    mapping that no response could be had. `crls` are DER or PEM lists of the issuers, used beside the responses or in
    their place. `expected_cn` is the identifier the leaf must name. `profiles` are those of a generation. Never raises
    for what a peer sent: unreadable input is a refusal like any other. Raises LocalError where `role` is not that of a
    leaf of the generation.
    """
    if role not in SUB_CA_ROLES or role not in profiles:
        known = ", ".join(item for item in SUB_CA_ROLES if item in profiles)
        raise LocalError(f"{role} is no leaf role of these profiles; paths are validated for {known}")
    question = _Question(
        role=role,
        at=at,
        policy=policy,
        profiles=profiles,
        evidence=Evidence(ocsp=revocation, crls=tuple(crls)),
        expected_cn=expected_cn,
    )
    encoded = tuple(islice(map(der_of, chain), question.max_certificates + 1))
    if problem := _bounds(encoded, question):
        return _verdict(question, (problem,))
    try:
        leaf, *others = map(parse, encoded)
    except MalformedDer as error:
        return _verdict(question, (question.finding(Reason.ENCODING, str(error)),))
    intermediates = tuple(dict.fromkeys(other for other in others if other != leaf))
    refused: list[Verdict] = []
    for path in islice(Builder(intermediates=intermediates, anchors=anchors, at=at).paths((leaf,)), MAX_PATHS):
        verdict = _judge(path, question)
        if verdict.ok:
            return verdict
        refused.append(verdict)
    return min(refused, key=_rank)  # the builder yields at least the leaf alone


def _bounds(encoded: Sequence[bytes], question: _Question) -> Finding | None:
    policy = question.policy
    if not encoded:
        return question.finding(Reason.NO_CERTIFICATE, "there is no certificate at all")
    if len(encoded) > question.max_certificates:
        return question.finding(Reason.TOO_MANY_CERTIFICATES, f"more than {question.max_certificates} certificates")
    if (size := sum(map(len, encoded))) > policy.max_octets:
        text = f"{size} octets, at most {policy.max_octets} are looked at"
        return question.finding(Reason.TOO_MANY_OCTETS, text)
    return None


def _rank(verdict: Verdict) -> tuple[bool, bool, int]:
    """Which refused path tells most: undetermined before refused, complete before broken, fewest findings."""
    return verdict.status is Status.REFUSED, verdict.root_type is None, len(verdict.findings)
