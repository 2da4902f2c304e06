"""Enrolling at a certificate authority over EST (RFC 7030): any V2G CA, ours or a real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import httpx
import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError, PlugpassError, Unavailable
from plugpass.est import client as est
from plugpass.est.messages import EstRequest, EstResponse
from plugpass.net.http_client import fetch
from plugpass.pki.csr import Csr, parse_csr
from plugpass.pki.path import validate
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.issuing import IssuedChain
from plugpass.ports.trace import NullTrace, Trace, WireEvent

log = structlog.get_logger(__name__)

#: The labels that OPCP gives the CAs.
OPCP_LABELS: Final[Mapping[CertificateRole, str]] = MappingProxyType(
    {
        CertificateRole.SECC_LEAF: "cpo",
        CertificateRole.CPS_LEAF: "cps",
        CertificateRole.CONTRACT: "mo",
        CertificateRole.OEM_PROVISIONING: "oem",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client waits for a request that the CA has to decide on (202)."""

    polls: int = 10
    total: timedelta = timedelta(minutes=10)


class EstIssuer:
    """`plugpass.ports.issuing.CertificateIssuer` over EST.

    Nothing is returned that does not lead to one of the configured `anchors` and does not certify the request's key
    and name: the server is authenticated by TLS, its certificates by themselves.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        anchors: TrustAnchors,
        clock: Clock,
        labels: Mapping[CertificateRole, str] = OPCP_LABELS,
        actor: str = "csms",
        peer: str = "v2g-ca",
        trace: Trace | None = None,
        patience: Patience = Patience(),
        policy: Policy = FIELD,
    ) -> None:
        """`http` has the server's base URL, the roots of its TLS, and our password or certificate
        (`plugpass.net.http_client`); `labels` selects the CA by role, "" for the server's default."""
        self._http = http
        self._anchors = anchors
        self._clock = clock
        self._labels = labels
        self._actor = actor
        self._peer = peer
        self._trace = trace or NullTrace()
        self._patience = patience
        # A server in a roll-over sends several roots and Sub-CAs, more than a vehicle would.
        self._policy = replace(policy, max_certificates=32, max_octets=64 * 1024)

    async def issue(self, csr: bytes, role: CertificateRole) -> IssuedChain:
        """The chain for the PKCS#10 `csr` (DER), by /simpleenroll.

        Raises EstAnswerRefused (PeerError) where the server refuses or its certificate is not the one asked for, and
        Unavailable where it cannot be reached or does not decide in time.
        """
        return await self._enrol(csr, role, renewing=False)

    async def renew(self, csr: bytes, role: CertificateRole) -> IssuedChain:
        """As `issue`, by /simplereenroll: `http` must present the certificate that is renewed."""
        return await self._enrol(csr, role, renewing=True)

    async def ca_certificates(self, role: CertificateRole) -> tuple[bytes, ...]:
        """The CA certificates above `role`, DER: issuing CA first, root last; the root is one of the anchors."""
        response = await self._exchange(est.ca_certificates_request(self._label(role)))
        certificates = est.issuers_first(est.read_ca_certificates(response))
        if not any(anchor.certificate.encoded in certificates for anchor in self._anchors.anchors):
            raise est.EstAnswerRefused("none of the EST server's CA certificates is a root configured here", wire="200")
        return certificates

    async def _enrol(self, csr: bytes, role: CertificateRole, *, renewing: bool) -> IssuedChain:
        request = parse_csr(csr)
        received = await self._decided(est.enrol_request(self._label(role), request.encoded, renewing=renewing))
        leaf = est.certificate_for(request.public_key, received)
        others = [certificate for certificate in received if certificate != leaf]
        if not others:  # RFC 7030 §4.2.3: the certificate alone; what is above it has to be asked for
            others = list(await self.ca_certificates(role))
        return self._verified((leaf, *others), role, request)

    async def _decided(self, request: EstRequest) -> tuple[bytes, ...]:
        """The answer to `request`, repeated as long as the server has not decided."""
        deadline = self._clock.now() + self._patience.total
        for _ in range(self._patience.polls + 1):
            answer = est.read_enrolment(await self._exchange(request), now=self._clock.now())
            if not isinstance(answer, est.Pending):
                return answer
            log.info("est.pending", wait_seconds=answer.wait.total_seconds(), path=request.path)
            when = self._clock.now() + answer.wait
            if when > deadline:
                break
            await self._clock.sleep_until(when)
        raise Unavailable("the EST server has not decided on the request in time: ask its operator, then try again")

    def _verified(self, certificates: tuple[bytes, ...], role: CertificateRole, request: Csr) -> IssuedChain:
        leaf, *others = certificates
        roots = {anchor.certificate.encoded for anchor in self._anchors.anchors}
        verdict = validate(
            (leaf, *(other for other in others if other not in roots)),
            role=role,
            anchors=self._anchors,
            at=self._clock.now(),
            policy=self._policy,
            expected_cn=request.common_name,
        )
        if not verdict.ok:
            log.warning("est.certificate_refused", role=role.value, cause=verdict.summary)
            raise est.EstAnswerRefused(f"the EST server's certificate is not used: {verdict.summary}", wire="200")
        return IssuedChain(certificates=tuple(item.encoded for item in verdict.path[:-1]))

    def _label(self, role: CertificateRole) -> str:
        label = self._labels.get(role)
        if label is None:
            raise LocalError(f"no EST label is configured for {role} certificates: add one to `labels`")
        return label

    async def _exchange(self, request: EstRequest) -> EstResponse:
        started = self._clock.monotonic()
        try:
            answer = await fetch(
                self._http, request.method, request.path, content=request.body, headers=dict(request.headers)
            )
        except PlugpassError as error:
            self._record(request, None, started, str(error))
            raise
        response = EstResponse(status=answer.status_code, headers=est.lower_case(answer.headers), body=answer.content)
        self._record(request, response, started, f"HTTP {response.status}")
        return response

    def _record(self, request: EstRequest, response: EstResponse | None, started: float, detail: str) -> None:
        self._trace.record(
            WireEvent(
                actor=self._actor,
                peer=self._peer,
                protocol="EST",
                message=f"{request.method} {request.path.removeprefix('/.well-known/est')}",
                size=len(request.body) + (len(response.body) if response else 0),
                ms=(self._clock.monotonic() - started) * 1000,
                ok=response is not None and response.status < 300,
                detail=detail,
            )
        )
