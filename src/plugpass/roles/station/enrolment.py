"""How the station gets its SECC leaf (A02): new key, CSR, verified chain, live in one step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError, Unavailable
from plugpass.ids import EVSEID
from plugpass.ocpp.enums import CertificateSigningUse, GenericStatus
from plugpass.ocpp.messages import (
    CertificateSignedRequest,
    CertificateSignedResponse,
    SignCertificateRequest,
    StatusInfo,
)
from plugpass.ocpp.rules import SigningRetry
from plugpass.pki.bundle import pem_block, read_certificates
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import LocalSigner, Signer, generate, public_key_info
from plugpass.pki.path import validate
from plugpass.pki.policy import FIELD, Policy
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.keys import Credential
from plugpass.roles.station.credentials import SeccCredentials
from plugpass.roles.station.roots import StationRoots
from plugpass.roles.station.staples import Staple
from plugpass.roles.station.uplink import Uplink

log = structlog.get_logger(__name__)

DOMAIN = "CPO"  #: DC of a SECC leaf [V2G2-925]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeccIdentity:
    """What the station asks its leaf to say."""

    evse_id: EVSEID
    organization: str
    country: str


class InvalidSeccCertificate(PeerError):
    """A CertificateSigned brought something this station must not present."""


class Enrolment:
    """One EVSE's enrolment. At most one key waits for its certificate; asking again starts over with a new key."""

    def __init__(
        self,
        *,
        identity: SeccIdentity,
        credentials: SeccCredentials,
        roots: StationRoots,
        uplink: Uplink,
        clock: Clock,
        staple: Callable[[tuple[bytes, ...]], Awaitable[Staple | None]],
        on_invalid: Callable[[str], Awaitable[None]],
        retry: SigningRetry | None = None,
        policy: Policy = FIELD,
        new_key: Callable[[], LocalSigner] = generate,
    ) -> None:
        self._identity = identity
        self._credentials = credentials
        self._roots = roots
        self._uplink = uplink
        self._clock = clock
        self._staple = staple
        self._on_invalid = on_invalid
        self._retry = retry or SigningRetry()
        self._policy = policy
        self._new_key = new_key
        self._pending: Signer | None = None

    async def request(self) -> None:
        """Send the CSR of a new key, and again with doubling waits while no certificate comes (A02.FR.17, FR.18)."""
        signer: Signer = self._new_key()
        self._pending = signer
        csr = pem_block(
            create_csr(
                signer,
                common_name=self._identity.evse_id.display,
                organization=self._identity.organization,
                country=self._identity.country,
                domain=DOMAIN,
                evse_id=self._identity.evse_id,
            ),
            "CERTIFICATE REQUEST",
        )
        attempt = 0
        while (delay := self._retry.delay(attempt)) is not None:
            if not await self._send(csr):
                self._pending = None
                return
            await self._clock.sleep_until(self._clock.now() + delay)
            if self._pending is not signer:
                return
            attempt += 1
        # A02.FR.19. The key is kept: a certificate that comes late is still welcome.
        log.warning("enrolment_unanswered", evse_id=str(self._identity.evse_id), attempts=attempt)

    async def _send(self, csr: str) -> bool:
        """Whether to go on waiting; a CSMS that says Rejected is not asked again (A02.FR.20)."""
        try:
            answer = await self._uplink.call(
                SignCertificateRequest(csr=csr, certificate_type=CertificateSigningUse.V2G)
            )
        except (Unavailable, PeerError) as error:
            log.warning("sign_certificate_failed", reason=str(error))
            return True
        if answer.status is GenericStatus.REJECTED:
            log.warning("sign_certificate_rejected", evse_id=str(self._identity.evse_id))
            return False
        return True

    async def signed(self, request: CertificateSignedRequest) -> CertificateSignedResponse:
        """Judge the chain (A02.FR.06); once Accepted is answered, handshakes present it, with a fresh staple."""
        try:
            credential = self._judge(request)
        except PeerError as error:
            log.warning("secc_certificate_refused", evse_id=str(self._identity.evse_id), reason=str(error))
            await self._on_invalid(str(error))
            info = StatusInfo(reason_code="InvalidCertificate", additional_info=str(error)[:512])
            return CertificateSignedResponse(status=GenericStatus.REJECTED, status_info=info)
        staple = await self._staple(credential.chain)
        await self._credentials.install(credential, staple.response if staple else None)
        self._pending = None
        leaf = parse(credential.chain[0])
        log.info(
            "secc_certificate_installed",
            evse_id=str(self._identity.evse_id),
            serial=f"{leaf.serial:x}",
            not_after=leaf.not_after.isoformat(),
            stapled=staple is not None,
        )
        return CertificateSignedResponse(status=GenericStatus.ACCEPTED)

    def _judge(self, request: CertificateSignedRequest) -> Credential:
        """The chain with the key that was kept for it. Raises PeerError."""
        if request.certificate_type is CertificateSigningUse.CHARGING_STATION:
            raise InvalidSeccCertificate("no ChargingStationCertificate was asked for")
        chain = read_certificates(request.certificate_chain)
        signer = self._signer_of(chain[0])
        verdict = validate(
            chain,
            role=CertificateRole.SECC_LEAF,  # with DC=CPO [V2G2-925]
            anchors=self._roots.anchors(),
            at=self._clock.now(),
            policy=self._policy,
            expected_cn=self._identity.evse_id.display,
        )
        if not verdict.ok:
            raise InvalidSeccCertificate(verdict.summary)
        return Credential(chain=tuple(step.encoded for step in verdict.path[:-1]), signer=signer)

    def _signer_of(self, leaf: bytes) -> Signer:
        """The key the leaf was made for: the one that waits, or the one in use where a CSR was answered twice."""
        wanted = parse(leaf).key.encoded
        newest = self._credentials.newest
        for signer in (self._pending, newest.signer if newest else None):
            if signer is not None and public_key_info(signer.public_key) == wanted:
                return signer
        raise InvalidSeccCertificate("the certificate's key is none of this station's")
