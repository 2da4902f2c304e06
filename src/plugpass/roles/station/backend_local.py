"""The station decides itself: no CSMS, local trust anchors, an explicit word on revocation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError, Unavailable
from plugpass.ids import EMAID, without_identity
from plugpass.pki import ocsp
from plugpass.pki.path import Verdict, validate
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import (
    AuthorizationVerdict,
    CertificateStatus,
    ContractAuthorization,
    ContractProvider,
    InstallationAnswer,
    RevocationSource,
    TokenStatus,
    TransactionReport,
)

log = structlog.get_logger(__name__)


class RevocationRule(StrEnum):
    """What a station without a CSMS does about revoked contracts."""

    OCSP = "ocsp"  #: every certificate that names a responder needs its good answer
    UNCHECKED = "unchecked"  #: a revoked contract charges; for benches and closed sites


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRules:
    """Who may charge."""

    revocation: RevocationRule
    emaids: frozenset[EMAID] = frozenset()  #: empty: every valid contract
    policy: Policy = FIELD


class LocalBackend:
    """`StationBackend` without anybody behind it.

    `contracts` serves installations, where the site has a contract provider of its own; without one the vehicle's
    request is refused. Reports go to the log.
    """

    def __init__(
        self,
        *,
        rules: LocalRules,
        anchors: Callable[[], TrustAnchors],
        clock: Clock,
        revocation: RevocationSource | None = None,
        contracts: ContractProvider | None = None,
    ) -> None:
        self._rules = rules
        self._anchors = anchors
        self._clock = clock
        self._revocation = revocation
        self._contracts = contracts

    async def install_contract(
        self, exi_request: bytes, namespace: str, action: Literal["Install", "Update"]
    ) -> InstallationAnswer:
        """Ask the site's contract provider. Raises what it raises."""
        if self._contracts is None:
            return InstallationAnswer(accepted=False, exi=b"", reason="this station has no contract provider")
        return InstallationAnswer(accepted=True, exi=await self._contracts.deliver(exi_request, namespace))

    async def authorize(self, request: ContractAuthorization) -> AuthorizationVerdict:
        """Judge the chain, its revocation as the rules say, and the EMAID against the list."""
        verdict = self._judge(request)
        if verdict.ok and self._rules.revocation is RevocationRule.OCSP:
            verdict = self._judge(request, revocation=await self._responses(request.emaid, verdict))
        if not verdict.ok:
            status = CertificateStatus(verdict.ocpp_status)
            return AuthorizationVerdict(
                certificate_status=status, token_status=TokenStatus.INVALID, reason=verdict.summary
            )
        if self._rules.emaids and request.emaid not in self._rules.emaids:
            return AuthorizationVerdict(
                certificate_status=CertificateStatus.ACCEPTED,
                # Not Unknown: that would tell the vehicle to forget a contract that is good elsewhere.
                token_status=TokenStatus.NOT_AT_THIS_LOCATION,
                reason="the EMAID is not on this station's list",
            )
        return AuthorizationVerdict(
            certificate_status=CertificateStatus.ACCEPTED, token_status=TokenStatus.ACCEPTED, reason=verdict.summary
        )

    async def report(self, report: TransactionReport) -> None:
        """Write it to the log."""
        log.info(
            "transaction",
            phase=report.phase,
            transaction=report.transaction_id,
            sequence=report.sequence,
            energy_wh=report.energy_wh,
            receipt=report.signed_receipt is not None,
            reason=report.reason,
        )

    def _judge(self, request: ContractAuthorization, revocation: dict[bytes, bytes] | None = None) -> Verdict:
        return validate(
            request.chain,
            role=CertificateRole.CONTRACT,
            anchors=self._anchors(),
            at=self._clock.now(),
            policy=self._rules.policy,
            revocation=revocation,
            expected_cn=str(request.emaid),
        )

    async def _responses(self, emaid: EMAID, verdict: Verdict) -> dict[bytes, bytes]:
        """An OCSP response for each certificate that names a responder; one that cannot be had is missing."""
        found: dict[bytes, bytes] = {}
        for child, issuer in zip(verdict.path, verdict.path[1:], strict=False):
            url = ocsp.ocsp_url(child)
            if url is None or self._revocation is None:
                continue
            try:
                question = ocsp.build_request([ocsp.cert_id(child, issuer)])
                found[child.encoded] = await self._revocation.ocsp_response(question, url)
            except (Unavailable, PeerError) as error:
                subject = without_identity(str(child.subject), emaid)
                log.warning("ocsp_unavailable", subject=subject, reason=without_identity(str(error), emaid))
        return found
