"""The charging station: an SECC on the wire, one session machine for each connection, a backend for every decision."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from plugpass.clock import Clock
from plugpass.ids import EVSEID
from plugpass.iso15118.iso2 import Secc
from plugpass.iso15118.iso2.config import AcSupply, SeccConfig
from plugpass.iso15118.machine import Event, Machine, SessionEnded
from plugpass.iso15118.sdp import SDP_PORT
from plugpass.iso15118.timing import ISO2_TIMING, SessionTiming
from plugpass.net.secc_server import ConnectionInfo, SeccServer
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import StationBackend
from plugpass.roles.station.credentials import CredentialSource
from plugpass.roles.station.meter import Meter, SimulatedMeter
from plugpass.roles.station.session import StationSession

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSettings:
    """One EVSE and how it is served."""

    evse_id: EVSEID
    evse: int = 1  #: OCPP evse id
    interface: str | None = None  #: None: loopback
    sdp_port: int = SDP_PORT  #: 0: any
    central_validation: bool = False  #: leave a contract chain without a known root to the backend (C07.FR.06)
    certificate_service: bool = True  #: relay installations of contract certificates
    receipt_every: int | None = None  #: ask for a signed receipt with every n-th ChargingStatusRes, n >= 2
    update_interval: timedelta = timedelta(seconds=60)  #: between meter reports of a transaction
    supply: AcSupply = field(default_factory=AcSupply)
    timing: SessionTiming = ISO2_TIMING
    max_connections: int = 8


class Station:
    """Use it as `async with Station(...) as station`; vehicles find it by SDP.

    `anchors` is asked for each session: the roots against which contract chains are validated on the spot.
    """

    def __init__(
        self,
        *,
        settings: StationSettings,
        credentials: CredentialSource,
        anchors: Callable[[], TrustAnchors | None],
        backend: StationBackend,
        clock: Clock,
        random: Callable[[int], bytes],
        meter: Meter | None = None,
    ) -> None:
        self.settings = settings
        self._anchors = anchors
        self._backend = backend
        self._clock = clock
        self._random = random
        self.meter = meter or SimulatedMeter()
        self._sessions: dict[str, StationSession] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._server = SeccServer(
            credential=credentials.credential,
            staple=credentials.staple,
            new_session=self._new_session,
            clock=clock,
            interface=settings.interface,
            sdp_port=settings.sdp_port,
            max_connections=settings.max_connections,
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen for vehicles."""
        await self._server.start()
        log.info(
            "station_started",
            evse_id=str(self.settings.evse_id),
            host=self._server.host,
            port=self._server.port,
            sdp_port=self._server.sdp_port,
        )

    async def stop(self) -> None:
        """End running sessions and listen no more."""
        for session in tuple(self._sessions.values()):
            session.abort("the station is stopping", "Reboot")
        await self._server.stop()

    @property
    def sdp_port(self) -> int:
        """Where SDP requests are answered."""
        return self._server.sdp_port

    @property
    def port(self) -> int:
        """Where sessions are accepted."""
        return self._server.port

    @property
    def sessions(self) -> int:
        """How many sessions are running."""
        return len(self._sessions)

    async def wait_idle(self) -> None:
        """Return once no session is running; the reports of those that ended are with the backend then."""
        await self._idle.wait()

    def stop_transaction(self, transaction_id: str, reason: str) -> bool:
        """Ask the vehicle of that transaction to stop; False where it is not running."""
        session = self._sessions.get(transaction_id)
        if session is not None:
            session.stop_charging(reason)
        return session is not None

    def _new_session(self, connection: ConnectionInfo) -> tuple[Machine, Callable[[Event], Awaitable[None]]]:
        chosen = self.settings
        machine = Secc(
            SeccConfig(
                evse_id=chosen.evse_id.display,
                wall_clock=self._clock.now,
                meter=self.meter.read,
                tls=connection.tls,
                anchors=self._anchors(),
                central_validation=chosen.central_validation,
                supply=chosen.supply,
                certificate_service=chosen.certificate_service,
                receipt_every=chosen.receipt_every,
                timing=chosen.timing,
            ),
            random=self._random,
            now=self._clock.monotonic(),
        )
        session = StationSession(
            machine=machine,
            backend=self._backend,
            meter=self.meter,
            clock=self._clock,
            evse=chosen.evse,
            evse_id=chosen.evse_id.display,
            transaction_id=str(uuid.UUID(bytes=self._random(16), version=4)),
            update_interval=chosen.update_interval,
        )
        return machine, self._remembered(session)

    def _remembered(self, session: StationSession) -> Callable[[Event], Awaitable[None]]:
        """The session's handler; the station can reach the session by its transaction id until it has ended."""
        self._sessions[session.transaction_id] = session
        self._idle.clear()

        async def handle(event: Event) -> None:
            try:
                await session.handle(event)
            finally:
                if isinstance(event, SessionEnded):
                    self._sessions.pop(session.transaction_id, None)
                    if not self._sessions:
                        self._idle.set()

        return handle
