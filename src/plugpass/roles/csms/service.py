"""The CSMS itself: which station may do what, which handler answers which action, and what happens after a boot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.net.ocpp_channel import Deferred, Handler
from plugpass.ocpp.enums import RegistrationStatus
from plugpass.ocpp.frames import ErrorCode
from plugpass.ocpp.messages import (
    BootNotificationRequest,
    BootNotificationResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Response,
    SecurityEventNotificationRequest,
    SecurityEventNotificationResponse,
    StatusNotificationRequest,
    StatusNotificationResponse,
)
from plugpass.ocpp.rules import boot_refusal
from plugpass.pki.policy import FIELD, Policy
from plugpass.ports.charging import Authorizer, ContractProvider, ExpiringItem, RevocationSource
from plugpass.ports.issuing import CertificateIssuer
from plugpass.ports.stations import SecurityEvent, StationRegistry
from plugpass.roles.csms.certificates import RenewalRules, SigningAllowance, StationCertificates
from plugpass.roles.csms.contracts import ContractAuthorization, ContractInstallation, OcspProxy
from plugpass.roles.csms.issuers import KnownIssuers
from plugpass.roles.csms.links import Jobs, Links, StationLink
from plugpass.roles.csms.revocation import StatusChecker
from plugpass.roles.csms.roots import Roots, RootSource
from plugpass.roles.csms.transactions import Transactions
from plugpass.roles.csms.verification import ContractVerifier

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may tune; the times keep the vehicle's budgets (4.5 s installation and payment details)."""

    heartbeat: timedelta = timedelta(minutes=5)
    installation_budget: float = 4.0  #: seconds for the contract pool
    ocsp_budget: float = 1.5  #: seconds for all OCSP responses of one question together
    authorization_budget: float = 2.0  #: seconds for the eMSP
    roots_max_age: timedelta = timedelta(hours=1)
    contract_policy: Policy = FIELD
    allowed_responders: tuple[str, ...] = ()  #: OCSP hosts beyond those that verified certificates name
    renewal: RenewalRules = field(default_factory=RenewalRules)
    signing: SigningAllowance = field(default_factory=SigningAllowance)


class Csms:
    """The central system behind an `OcppServer`. It also is an inventory of SECC leaves and their renewer.

    After an accepted boot it brings the station to what it needs, by itself. Close it after the server.
    """

    def __init__(
        self,
        *,
        registry: StationRegistry,
        issuer: CertificateIssuer,
        contracts: ContractProvider,
        authorizer: Authorizer,
        revocation: RevocationSource,
        roots: RootSource,
        clock: Clock,
        settings: Settings | None = None,
    ) -> None:
        options = settings or Settings()
        self._registry = registry
        self._clock = clock
        self._heartbeat = options.heartbeat
        self._boots: dict[str, RegistrationStatus] = {}
        self._links = Links()
        self._jobs = Jobs()
        trusted = Roots(roots, clock=clock, max_age=options.roots_max_age)
        statuses = StatusChecker(revocation, clock=clock, budget=options.ocsp_budget)
        issuers = KnownIssuers(allowed_responders=options.allowed_responders)
        verifier = ContractVerifier(statuses, issuers, policy=options.contract_policy)
        self._certificates = StationCertificates(
            registry,
            issuer,
            trusted,
            self._links,
            self._jobs,
            clock=clock,
            rules=options.renewal,
            allowance=options.signing,
        )
        self._installation = ContractInstallation(contracts, budget=options.installation_budget)
        self._authorization = ContractAuthorization(
            registry, verifier, authorizer, trusted, clock=clock, budget=options.authorization_budget
        )
        self._ocsp = OcspProxy(self._certificates, statuses, trusted)
        self._transactions = Transactions(registry, self._authorization)
        self._table: Mapping[str, Callable[[StationLink, Any], Awaitable[Response | Deferred]]] = MappingProxyType(
            {
                "Authorize": self._authorization.authorize,
                "BootNotification": self._boot,
                "Get15118EVCertificate": self._installation.deliver,
                "GetCertificateStatus": self._ocsp.status,
                "Heartbeat": self._beat,
                "SecurityEventNotification": self._security_event,
                "SignCertificate": self._certificates.sign,
                "StatusNotification": self._status,
                "TransactionEvent": self._transactions.event,
            }
        )

    async def __aenter__(self) -> Csms:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End background work."""
        await self._jobs.close()

    # What the endpoint asks -------------------------------------------------------------------------------------

    async def admit(self, identity: str) -> bool:
        """Whether the station is in the registry. One that has booted before need not boot for a new connection."""
        record = await self._registry.station(identity)
        if record is not None and record.last_boot is not None:
            self._boots.setdefault(identity, RegistrationStatus.ACCEPTED)
        return record is not None

    def refusal(self, identity: str, action: str) -> ErrorCode | None:
        """The error code for an action that the station's boot status does not allow."""
        return boot_refusal(action, self._boots.get(identity))

    def handlers(self, link: StationLink) -> Mapping[str, Handler]:
        """Handlers by action for one connection."""
        return {action: partial(handle, link) for action, handle in self._table.items()}

    async def connected(self, link: StationLink) -> None:
        """The station can be reached."""
        self._links.add(link)

    async def disconnected(self, link: StationLink) -> None:
        """That connection is gone."""
        self._links.remove(link)

    @property
    def stations_online(self) -> tuple[str, ...]:
        """The identities of the stations that are connected now."""
        return self._links.identities

    # Inventory and renewal of SECC leaves -----------------------------------------------------------------------

    async def items(self) -> tuple[ExpiringItem, ...]:
        """The SECC leaf in use at each EVSE (`plugpass.ports.charging.Inventory`)."""
        return await self._certificates.items()

    async def renew(self, item: ExpiringItem) -> None:
        """Renew one SECC leaf (`plugpass.ports.charging.Renewer`); returns when the station has accepted the new one.

        Raises Unavailable where the station is away or does not finish, a PeerError where station or CA refuse.
        """
        await self._certificates.renew(item)

    # Handlers ---------------------------------------------------------------------------------------------------

    async def _boot(self, link: StationLink, request: BootNotificationRequest) -> Deferred:
        record = await self._registry.station(link.identity)
        if record is None:
            raise LocalError(f"station {link.identity} is connected but no longer in the registry")
        station, now = request.charging_station, self._clock.now()
        await self._registry.save_station(
            replace(
                record,
                vendor=station.vendor_name,
                model=station.model,
                serial_number=station.serial_number or "",
                last_boot=now,
            )
        )
        self._boots[link.identity] = RegistrationStatus.ACCEPTED
        log.info("csms.boot", station=link.identity, reason=request.reason.value, model=station.model)
        response = BootNotificationResponse(
            current_time=now,
            interval=round(self._heartbeat.total_seconds()),
            status=RegistrationStatus.ACCEPTED,
        )
        return Deferred(response=response, then=partial(self._provision, link))

    async def _provision(self, link: StationLink) -> None:
        self._jobs.start(("provision", link.identity), self._certificates.provision(link))

    async def _beat(self, _link: StationLink, _request: HeartbeatRequest) -> HeartbeatResponse:
        return HeartbeatResponse(current_time=self._clock.now())

    async def _status(self, link: StationLink, request: StatusNotificationRequest) -> StatusNotificationResponse:
        log.info("csms.connector", station=link.identity, evse=request.evse_id, status=request.connector_status.value)
        return StatusNotificationResponse()

    async def _security_event(
        self, link: StationLink, request: SecurityEventNotificationRequest
    ) -> SecurityEventNotificationResponse:
        log.warning("csms.security_event", station=link.identity, type=request.type)
        await self._registry.record_security_event(
            SecurityEvent(
                station=link.identity, type=request.type, tech_info=request.tech_info or "", at=request.timestamp
            )
        )
        return SecurityEventNotificationResponse()
