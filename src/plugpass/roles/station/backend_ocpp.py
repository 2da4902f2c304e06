"""A CSMS as the station's backend: OCPP 2.0.1, security profile 3."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError
from plugpass.ids import EVSEID
from plugpass.net.ocpp_channel import Deferred, Handler
from plugpass.net.ocpp_client import OcppClient
from plugpass.ocpp.enums import (
    CertificateAction,
    ConnectorStatus,
    IdTokenType,
    Iso15118EVCertificateStatus,
    MessageTrigger,
    TriggerMessageStatus,
)
from plugpass.ocpp.messages import (
    MAX_CERTIFICATE,
    MAX_EXI_REQUEST,
    AuthorizeRequest,
    Get15118EVCertificateRequest,
    IdToken,
    TriggerMessageRequest,
    TriggerMessageResponse,
)
from plugpass.ocpp.rules import BackOff, SigningRetry
from plugpass.pki.bundle import pem
from plugpass.ports.charging import (
    AuthorizationVerdict,
    CertificateStatus,
    ContractAuthorization,
    InstallationAnswer,
    TransactionPhase,
    TransactionReport,
)
from plugpass.ports.trace import Trace
from plugpass.roles.station.boot import Nameplate, Presence
from plugpass.roles.station.certificates import CertificateCommands
from plugpass.roles.station.credentials import SeccCredentials
from plugpass.roles.station.enrolment import Enrolment, SeccIdentity
from plugpass.roles.station.hash_data import MAX_HASH_DATA, ocsp_request_data, with_issuers
from plugpass.roles.station.reporting import Reporter
from plugpass.roles.station.roots import StationRoots
from plugpass.roles.station.staples import RETRY, Staple, fetch_staple
from plugpass.roles.station.transaction import interrupted
from plugpass.store.station import StationMemory

log = structlog.get_logger(__name__)

_CONNECTOR_AT: Mapping[TransactionPhase, ConnectorStatus] = {
    TransactionPhase.STARTED: ConnectorStatus.OCCUPIED,
    TransactionPhase.ENDED: ConnectorStatus.AVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppSettings:
    """Which CSMS, and as whom."""

    url: str  #: wss://...; the identity is appended
    identity: str  #: OCPP identity, the CN of the station's TLS client certificate
    evse_id: EVSEID
    organization: str  #: O of the SECC leaf
    country: str  #: C of the SECC leaf, 2 letters
    evse: int = 1
    nameplate: Nameplate = field(default_factory=Nameplate)
    signing_retry: SigningRetry = field(default_factory=SigningRetry)
    back_off: BackOff = field(default_factory=BackOff)


class OcppBackend:
    """`StationBackend` over OCPP; use it as `async with OcppBackend(...) as backend`.

    `on_deauthorized(transaction_id)` is called where the CSMS withdraws its yes; the lab and the command line connect
    it with `Station.stop_transaction`.
    """

    def __init__(
        self,
        *,
        settings: OcppSettings,
        tls: ssl.SSLContext,
        credentials: SeccCredentials,
        roots: StationRoots,
        memory: StationMemory,
        clock: Clock,
        random: Callable[[int], bytes],
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self.on_deauthorized: Callable[[str], object] = _nobody
        self._credentials = credentials
        self._roots = roots
        self._memory = memory
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._enrolling: asyncio.Task[None] | None = None
        self._stapling: asyncio.Task[None] | None = None
        self._staple_due = clock.now()
        self._staple_news = asyncio.Event()
        self._client = OcppClient(
            settings.url,
            settings.identity,
            tls,
            self._handlers(),
            clock=clock,
            random=random,
            on_connected=self._connected,
            trace=trace,
            back_off=settings.back_off,
        )
        self._presence = Presence(nameplate=settings.nameplate, evse=settings.evse, uplink=self._client, clock=clock)
        self._reporter = Reporter(
            memory=memory,
            uplink=self._client,
            clock=clock,
            ready=lambda: self._client.online and self._presence.accepted,
            on_deauthorized=self._deauthorized,
        )
        self._commands = CertificateCommands(roots=roots, credentials=credentials, clock=clock)
        self._enrolment = Enrolment(
            identity=SeccIdentity(
                evse_id=settings.evse_id, organization=settings.organization, country=settings.country
            ),
            credentials=credentials,
            roots=roots,
            uplink=self._client,
            clock=clock,
            staple=self._staple_for,
            on_invalid=self._invalid_certificate,
            retry=settings.signing_retry,
        )

    # --- life -------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Remember what earlier runs left, then connect in the background."""
        await self._credentials.load()
        await self._roots.load()
        for report in await self._memory.unfinished():
            log.warning("transaction_was_interrupted", transaction=report.transaction_id)
            await self._reporter.keep(interrupted(report, self._clock.now()))
        self._spawn(self._reporter.run())
        self._spawn(self._presence.keep_beating())
        await self._client.start()

    async def stop(self) -> None:
        """Disconnect; what is not delivered yet is delivered by the next run."""
        await self._client.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def online(self) -> bool:
        """Whether the CSMS is connected."""
        return self._client.online

    async def wait_booted(self) -> None:
        """Return once the CSMS has accepted the station."""
        await self._presence.wait_accepted()

    async def wait_delivered(self) -> None:
        """Return once the CSMS has taken every report."""
        await self._reporter.wait_delivered()

    async def reconnect(self, tls: ssl.SSLContext) -> None:
        """Present another station certificate from now on (A02.FR.08)."""
        await self._client.reconnect(tls)

    # --- StationBackend ---------------------------------------------------------------------------------------------

    async def install_contract(
        self, exi_request: bytes, namespace: str, action: Literal["Install", "Update"]
    ) -> InstallationAnswer:
        """Relay the vehicle's request (M01, M02). Raises Unavailable, or PeerError where the CSMS refuses."""
        encoded = base64.b64encode(exi_request).decode("ascii")
        if len(encoded) > MAX_EXI_REQUEST:
            reason = f"the request takes {len(encoded)} characters, OCPP carries {MAX_EXI_REQUEST}"
            return InstallationAnswer(accepted=False, exi=b"", reason=reason)
        answer = await self._client.call(
            Get15118EVCertificateRequest(
                iso15118_schema_version=namespace, action=CertificateAction(action), exi_request=encoded
            )
        )
        try:
            exi = base64.b64decode(answer.exi_response, validate=True)
        except binascii.Error as error:
            raise PeerError(f"Get15118EVCertificate: exiResponse is no base64: {error}") from None
        info = answer.status_info
        return InstallationAnswer(
            accepted=answer.status is Iso15118EVCertificateStatus.ACCEPTED,
            exi=exi,
            reason=(info.additional_info or info.reason_code) if info else "",
        )

    async def authorize(self, request: ContractAuthorization) -> AuthorizationVerdict:
        """Ask the CSMS (C07). Raises Unavailable, or PeerError where it refuses to answer."""
        hashes = (ocsp_request_data(*pair) for pair in with_issuers(request.chain, self._roots.anchors()))
        asked = tuple(data for data in hashes if data is not None)[:MAX_HASH_DATA]
        chain = pem(request.chain)
        answer = await self._client.call(
            AuthorizeRequest(
                id_token=IdToken(id_token=str(request.emaid), type=IdTokenType.EMAID),
                certificate=chain if len(chain) <= MAX_CERTIFICATE else None,
                iso15118_certificate_hash_data=asked or None,
            )
        )
        if answer.certificate_status is None:
            # A CSMS that is silent about the certificate has not checked it.
            return AuthorizationVerdict(
                certificate_status=CertificateStatus.CERT_CHAIN_ERROR,
                token_status=answer.id_token_info.status,
                reason="the CSMS gave no certificateStatus",
            )
        return AuthorizationVerdict(
            certificate_status=answer.certificate_status, token_status=answer.id_token_info.status
        )

    async def report(self, report: TransactionReport) -> None:
        """Keep the report; it is delivered in order, also after an outage or a restart."""
        await self._reporter.keep(report)
        if (status := _CONNECTOR_AT.get(report.phase)) is not None:
            self._spawn(self._presence.say_status(status))

    # --- what the CSMS asks -----------------------------------------------------------------------------------------

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "InstallCertificate": lambda request: self._commands.install(request),
            "GetInstalledCertificateIds": lambda request: self._commands.list(request),
            "DeleteCertificate": lambda request: self._commands.delete(request),
            "CertificateSigned": self._certificate_signed,
            "TriggerMessage": self._trigger,
        }

    async def _certificate_signed(self, request: Any) -> Any:
        answer = await self._enrolment.signed(request)
        self._restart_stapling(fetch_first=False)
        return answer

    async def _trigger(self, request: TriggerMessageRequest) -> TriggerMessageResponse | Deferred:
        """F06: Accepted first, then the message."""
        triggered: dict[MessageTrigger, Callable[[], Awaitable[None]]] = {
            MessageTrigger.SIGN_V2G_CERTIFICATE: self._enrol,
            MessageTrigger.BOOT_NOTIFICATION: self._presence.boot,
            MessageTrigger.HEARTBEAT: self._presence.heartbeat,
            MessageTrigger.STATUS_NOTIFICATION: lambda: self._presence.say_status(ConnectorStatus.AVAILABLE),
        }
        if request.evse is not None and request.evse.id != self.settings.evse:
            return TriggerMessageResponse(status=TriggerMessageStatus.REJECTED)
        action = triggered.get(request.requested_message)
        if action is None:
            return TriggerMessageResponse(status=TriggerMessageStatus.NOT_IMPLEMENTED)
        return Deferred(response=TriggerMessageResponse(status=TriggerMessageStatus.ACCEPTED), then=action)

    async def _enrol(self) -> None:
        """Start over with a new key; the retries outlive the connection they began on."""
        if self._enrolling is not None:
            self._enrolling.cancel()
        self._enrolling = self._spawn(self._enrolment.request())

    # --- what happens by itself ---------------------------------------------------------------------------------------

    async def _connected(self) -> None:
        await self._presence.boot()
        await self._presence.say_status(ConnectorStatus.AVAILABLE)
        self._restart_stapling(fetch_first=True)  # M06.FR.10
        self._reporter.wake()

    async def _invalid_certificate(self, reason: str) -> None:
        await self._reporter.keep_security_event("InvalidChargingStationCertificate", reason)  # A02.FR.06

    async def _deauthorized(self, transaction_id: str) -> None:
        log.warning("transaction_deauthorized", transaction=transaction_id)
        self.on_deauthorized(transaction_id)

    async def refresh_staple(self) -> bool:
        """Fetch a new OCSP response for the leaf in use; False where there is no leaf or no response."""
        return await self._refresh() is not None

    async def wait_stapled(self) -> None:
        """Return once the station has renewed its staple by itself, where that is due now."""
        while self._clock.now() >= self._staple_due:
            self._staple_news.clear()
            await self._staple_news.wait()

    async def _refresh(self) -> Staple | None:
        newest = self._credentials.newest
        staple = await self._staple_for(newest.chain) if newest is not None else None
        if newest is not None and staple is not None:
            self._credentials.renew_staple(newest.chain[0], staple.response)
        return staple

    async def _staple_for(self, chain: tuple[bytes, ...]) -> Staple | None:
        staple = await fetch_staple(chain, self._roots.anchors(), self._client, self._clock)
        self._staple_due = staple.refresh_at if staple is not None else self._clock.now() + RETRY
        self._staple_news.set()
        return staple

    def _restart_stapling(self, *, fetch_first: bool) -> None:
        if self._stapling is not None:
            self._stapling.cancel()
        self._stapling = self._spawn(self._keep_stapled(fetch_first=fetch_first))

    async def _keep_stapled(self, *, fetch_first: bool) -> None:
        """A fresh staple at half life, at least weekly, for as long as there is a leaf."""
        while self._credentials.newest is not None:
            if not fetch_first:
                await self._clock.sleep_until(self._staple_due)
            fetch_first = False
            await self._refresh()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("station_task_failed", error=repr(error), exc_info=error)


def _nobody(_transaction_id: str) -> None:
    """Nobody listens."""
