"""Is this contract certificate chain good? C07: by its certificates and by its OCSP hash data, and both must pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType

from plugpass.ids import EMAID
from plugpass.ocpp.messages import OCSPRequestData
from plugpass.ocpp.rules import ChainFinding, combine
from plugpass.pki import ocsp
from plugpass.pki.bundle import read_certificates
from plugpass.pki.certificate import Certificate
from plugpass.pki.der import MalformedDer
from plugpass.pki.path import Verdict, validate
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchors
from plugpass.roles.csms.issuers import KnownIssuers
from plugpass.roles.csms.revocation import Answer, Query, StatusChecker

_FINDINGS: Mapping[str, ChainFinding] = MappingProxyType(
    {"CertificateExpired": ChainFinding.EXPIRED, "CertificateRevoked": ChainFinding.REVOKED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What is known of a contract chain, and why; `causes` are rule names fit for a log, `text` is for people."""

    finding: ChainFinding
    causes: tuple[str, ...] = ()
    text: str = ""


_VALID = Assessment(finding=ChainFinding.VALID)


def _unverifiable(cause: str, text: str) -> Assessment:
    return Assessment(finding=ChainFinding.NOT_VERIFIABLE, causes=(cause,), text=text)


def _joined(parts: Sequence[Assessment]) -> Assessment:
    finding = combine(part.finding for part in parts)
    return Assessment(
        finding=finding,
        causes=tuple(dict.fromkeys(cause for part in parts for cause in part.causes)),
        text="; ".join(dict.fromkeys(part.text for part in parts if part.text)),
    )


class ContractVerifier:
    """Judges contract chains; OCSP responses are fetched within the budget of `statuses`, once for both inputs."""

    def __init__(self, statuses: StatusChecker, issuers: KnownIssuers, *, policy: Policy = FIELD) -> None:
        self._statuses = statuses
        self._issuers = issuers
        self._policy = policy

    async def assess(
        self,
        emaid: EMAID,
        *,
        certificate: str | None,
        hash_data: Sequence[OCSPRequestData],
        anchors: TrustAnchors,
        at: datetime,
    ) -> Assessment:
        """The one finding of all the station sent; with neither certificate nor hash data nothing is verified."""
        if certificate is None and not hash_data:
            return _unverifiable("nothing-to-verify", "neither a certificate chain nor hash data were sent")
        parts: list[Assessment] = []
        verdict: Verdict | None = None
        if certificate is not None:
            verdict = self._path(certificate, emaid, anchors, at)
            if verdict is None:
                return _unverifiable(Reason.ENCODING, "the certificate chain is no PEM")
            if not verdict.ok:
                parts.append(_of_verdict(verdict))
        path = verdict.path if verdict is not None and verdict.ok else ()
        named, problems = self._named(hash_data, path, anchors, at)
        parts += problems
        above = [query for issuer_path in named.values() for query in _queries(issuer_path, leaf=False)]
        chain_queries = _queries(path, leaf=True)
        answers = await self._statuses.ask([*chain_queries, *named, *above])
        if verdict is not None and verdict.ok:
            parts.append(self._judged(verdict, emaid, answers, anchors, at))
        parts += [_of_answer(answers[query]) for query in (*named, *above)]
        return _joined(parts)

    def _path(self, pem: str, emaid: EMAID, anchors: TrustAnchors, at: datetime) -> Verdict | None:
        """The verdict on everything but revocation; None where the text holds no certificate."""
        try:
            chain = read_certificates(pem)
        except MalformedDer:
            return None
        return validate(
            chain,
            role=CertificateRole.CONTRACT,
            anchors=anchors,
            at=at,
            policy=self._policy,
            expected_cn=str(emaid),  # the leaf must be the contract's: else any good certificate would do
        )

    def _judged(
        self,
        verdict: Verdict,
        emaid: EMAID,
        answers: Mapping[Query, Answer],
        anchors: TrustAnchors,
        at: datetime,
    ) -> Assessment:
        """The verdict again, now with the responses; each counts only for the certificate it was fetched for."""
        queries = _queries(verdict.path, leaf=True)
        responses: dict[bytes, bytes] = {}
        for child, query in zip(_offering(verdict.path), queries, strict=True):
            if (response := answers[query].response) is not None:
                responses[child.encoded] = response
        final = validate(
            [certificate.encoded for certificate in verdict.path[:-1]],
            role=CertificateRole.CONTRACT,
            anchors=anchors,
            at=at,
            policy=self._policy,
            revocation=responses,
            expected_cn=str(emaid),
        )
        if final.ok:
            self._issuers.learn(final.path)
            return _VALID
        failed = [answers[query] for query in queries if answers[query].response is None]
        return _joined([_of_verdict(final), *(_of_answer(answer) for answer in failed)])

    def _named(
        self,
        hash_data: Sequence[OCSPRequestData],
        path: tuple[Certificate, ...],
        anchors: TrustAnchors,
        at: datetime,
    ) -> tuple[dict[Query, tuple[Certificate, ...]], list[Assessment]]:
        """For each entry the query to make and the path of its issuer; and what is wrong with the entries."""
        queries: dict[Query, tuple[Certificate, ...]] = {}
        problems: list[Assessment] = []
        leaf_named = False
        for entry in hash_data:
            try:
                cert_id = _cert_id(entry)
            except ocsp.MalformedOcsp as error:
                problems.append(_unverifiable(Reason.OCSP_MALFORMED, str(error)))
                continue
            issuer_path = self._issuers.find(cert_id, path, anchors, at)
            if issuer_path is None:
                problems.append(_unverifiable("issuer-unknown", "the issuer named by the hash data is not known here"))
                continue
            issuer = issuer_path[0]
            if not self._issuers.allows(entry.responder_url, issuer, path):
                problems.append(_unverifiable("responder-unknown", "the hash data name a responder of nobody known"))
                continue
            is_ca = self._issuers.is_ca(cert_id, issuer, path)
            leaf_named |= not is_ca and len(issuer_path) > 1 and _is_leaf(cert_id, issuer, path)
            queries[Query(cert_id=cert_id, issuer=issuer, url=entry.responder_url, cacheable=is_ca)] = issuer_path
        if hash_data and not problems and not leaf_named:
            problems.append(_unverifiable("leaf-not-named", "the hash data do not name the contract certificate"))
        return queries, problems


def _cert_id(entry: OCSPRequestData) -> ocsp.CertId:
    return ocsp.CertId.from_hex(
        issuer_name_hash=entry.issuer_name_hash,
        issuer_key_hash=entry.issuer_key_hash,
        serial_number=entry.serial_number,
        hash_algorithm=entry.hash_algorithm.value,
    )


def _is_leaf(cert_id: ocsp.CertId, issuer: Certificate, path: tuple[Certificate, ...]) -> bool:
    """Whether the entry names the leaf of the chain that came along; without a chain any leaf of a known CA will do."""
    return not path or ocsp.same_certificate(ocsp.cert_id(path[0], path[1]), cert_id, issuer)


def _offering(path: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The certificates of a path, its root aside, that name an OCSP responder."""
    return tuple(certificate for certificate in path[:-1] if ocsp.ocsp_url(certificate))


def _queries(path: Sequence[Certificate], *, leaf: bool) -> tuple[Query, ...]:
    """One query for each certificate of a path that names a responder, by that name: it was verified with the path."""
    return tuple(
        Query(
            cert_id=ocsp.cert_id(child, issuer),
            issuer=issuer,
            url=url,
            cacheable=not (leaf and position == 0),
        )
        for position, (child, issuer) in enumerate(pairwise(path))
        if (url := ocsp.ocsp_url(child))
    )


def _of_verdict(verdict: Verdict) -> Assessment:
    return Assessment(
        finding=_FINDINGS.get(verdict.ocpp_status, ChainFinding.NOT_VERIFIABLE),
        causes=tuple(verdict.reasons),
        text=verdict.summary,
    )


def _of_answer(answer: Answer) -> Assessment:
    match answer.status:
        case ocsp.CertStatus.GOOD:
            return _VALID
        case ocsp.CertStatus.REVOKED:
            return Assessment(finding=ChainFinding.REVOKED, causes=(Reason.REVOKED,), text="revoked by its issuer")
        case ocsp.CertStatus.UNKNOWN:
            return _unverifiable(Reason.OCSP_UNKNOWN, "the responder does not know the certificate")
        case None:
            return _unverifiable(answer.reason or Reason.OCSP_MISSING, answer.text)
