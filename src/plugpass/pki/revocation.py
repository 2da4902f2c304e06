"""What OCSP responses and revocation lists at hand say about a certificate (RFC 6960 §3.2, RFC 5280 §6.3).

Each source gives a word (good, revoked), a reason why it cannot be believed, or nothing. One word of "revoked" refuses;
one of "good" suffices; without any, the reasons are the finding. Nothing is fetched here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from plugpass.pki import oids
from plugpass.pki.certificate import Certificate
from plugpass.pki.crl import Crl, CrlRejected, MalformedCrl, parse_crl, verify_crl
from plugpass.pki.ocsp import CertStatus, OcspRejected, cert_id, ocsp_url, verify_response
from plugpass.pki.policy import Policy, RevocationMode
from plugpass.pki.reasons import Reason

Problem = tuple[Reason, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The revocation information at hand; None for OCSP says that nobody asked."""

    ocsp: Mapping[bytes, bytes] | None = None  #: DER certificate to DER response
    crls: tuple[bytes, ...] = ()

    @property
    def given(self) -> bool:
        """Whether revocation is to be looked at."""
        return self.ocsp is not None or bool(self.crls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the evidence comes to for one certificate."""

    refusing: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()  #: of sources that were not needed


def status_of(child: Certificate, issuer: Certificate, evidence: Evidence, policy: Policy, at: datetime) -> Word:
    """The word about `child`, which `issuer` has signed."""
    if child.extensions.find(oids.OCSP_NO_CHECK) is not None:  # RFC 6960 §4.2.2.2.1
        return Word()
    words = [*_from_ocsp(child, issuer, evidence, policy, at), *_from_crls(child, issuer, evidence, policy, at)]
    problems = tuple(word for word in words if word is not None)
    if revoked := tuple(word for word in problems if word[0] is Reason.REVOKED):
        return Word(refusing=revoked[:1])
    if None in words:
        return Word(remarks=problems)
    if problems:
        return Word(refusing=problems)
    if policy.revocation is RevocationMode.REQUIRED or ocsp_url(child) or child.extensions.crl_urls:
        return Word(refusing=((Reason.OCSP_MISSING, "there is no OCSP response or CRL for this certificate"),))
    return Word(remarks=((Reason.OCSP_NOT_OFFERED, "the certificate names no OCSP responder and no CRL"),))


def _from_ocsp(
    child: Certificate, issuer: Certificate, evidence: Evidence, policy: Policy, at: datetime
) -> Iterator[Problem | None]:
    """None for a good answer, a problem otherwise; nothing where there is no response."""
    response = (evidence.ocsp or {}).get(child.encoded)
    if response is None:
        return
    wanted = cert_id(child, issuer)
    try:
        answer = verify_response(
            response, wanted, issuer, at=at, max_age=policy.ocsp_max_age, clock_skew=policy.clock_skew
        )
    except OcspRejected as error:
        yield error.reason, str(error)
        return
    if answer.status is CertStatus.REVOKED:
        yield _revoked(answer.revoked_at)
    elif answer.status is CertStatus.UNKNOWN:
        yield Reason.OCSP_UNKNOWN, "the responder does not know this certificate"
    else:
        yield None


def _from_crls(
    child: Certificate, issuer: Certificate, evidence: Evidence, policy: Policy, at: datetime
) -> Iterator[Problem | None]:
    """As `_from_ocsp`, of the lists issued in the name of the issuer: the first that can be believed decides."""
    problems: list[Problem] = []
    for parsed in map(_parsed, evidence.crls):
        if parsed is None:
            problems.append((Reason.CRL_MALFORMED, "a revocation list cannot be read"))
            continue
        if parsed.issuer.key != issuer.subject.key:
            continue
        try:
            entry = verify_crl(parsed, issuer, at=at, clock_skew=policy.clock_skew).entry(child)
        except CrlRejected as error:
            problems.append((error.reason, str(error)))
            continue
        yield None if entry is None else _revoked(entry.revoked_at)
        return
    yield from problems


def _parsed(encoded: bytes) -> Crl | None:
    try:
        return parse_crl(encoded)
    except MalformedCrl:
        return None


def _revoked(at: datetime | None) -> Problem:
    return Reason.REVOKED, "the certificate was revoked" + (f" on {at:%Y-%m-%d}" if at else "")
