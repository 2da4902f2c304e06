"""How the station introduces itself to its CSMS and stays in touch (B01-B04, G02)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError, Unavailable
from plugpass.ocpp.enums import BootReason, ConnectorStatus, RegistrationStatus
from plugpass.ocpp.messages import (
    BootNotificationRequest,
    ChargingStation,
    HeartbeatRequest,
    Response,
    StatusNotificationRequest,
)
from plugpass.roles.station.uplink import Uplink

log = structlog.get_logger(__name__)

RETRY = timedelta(seconds=10)  #: after a boot that got no answer
MIN_INTERVAL = 1  #: seconds; a CSMS that sends 0 leaves the choice to the station
DEFAULT_INTERVAL = 300  #: seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """What the station says it is."""

    vendor: str = "plugpass"
    model: str = "Station"
    serial_number: str = ""
    firmware_version: str = ""


class Presence:
    """Boot, status and heartbeats over one uplink."""

    def __init__(self, *, nameplate: Nameplate, evse: int, uplink: Uplink, clock: Clock) -> None:
        self._nameplate = nameplate
        self._evse = evse
        self._uplink = uplink
        self._clock = clock
        self._accepted = asyncio.Event()
        self._reason = BootReason.POWER_UP
        self._interval = DEFAULT_INTERVAL

    @property
    def accepted(self) -> bool:
        """Whether the CSMS has accepted the last boot."""
        return self._accepted.is_set()

    async def wait_accepted(self) -> None:
        """Return once the CSMS has accepted a boot."""
        await self._accepted.wait()

    async def boot(self) -> None:
        """Introduce the station until the CSMS accepts it (B01); a pending or rejected boot is repeated (B02, B03)."""
        self._accepted.clear()
        plate = self._nameplate
        request = BootNotificationRequest(
            charging_station=ChargingStation(
                model=plate.model,
                vendor_name=plate.vendor,
                serial_number=plate.serial_number or None,
                firmware_version=plate.firmware_version or None,
            ),
            reason=self._reason,
        )
        while True:
            wait = RETRY
            try:
                answer = await self._uplink.call(request)
            except (Unavailable, PeerError) as error:
                log.warning("boot_failed", reason=str(error))
            else:
                self._interval = max(MIN_INTERVAL, answer.interval or DEFAULT_INTERVAL)
                if answer.status is RegistrationStatus.ACCEPTED:
                    break
                log.warning("boot_not_accepted", status=answer.status, retry_s=self._interval)
                wait = timedelta(seconds=self._interval)
            await self._clock.sleep_until(self._clock.now() + wait)
        self._reason = BootReason.UNKNOWN  # a later boot is a reconnection, not a start
        self._accepted.set()
        log.info("boot_accepted", heartbeat_s=self._interval)

    async def say_status(self, status: ConnectorStatus) -> None:
        """Tell what the connector is doing (G01); lost without harm where the CSMS is away."""
        request = StatusNotificationRequest(
            timestamp=self._clock.now(), connector_status=status, evse_id=self._evse, connector_id=1
        )
        call = self._uplink.call(request)
        await self._quietly(call)

    async def heartbeat(self) -> None:
        """One heartbeat."""
        call = self._uplink.call(HeartbeatRequest())
        await self._quietly(call)

    async def keep_beating(self) -> None:
        """Heartbeats at the interval the CSMS asked for, until cancelled."""
        while True:
            await self._clock.sleep_until(self._clock.now() + timedelta(seconds=self._interval))
            if self._uplink.online and self.accepted:
                await self.heartbeat()

    async def _quietly(self, call: Awaitable[Response]) -> None:
        try:
            await call
        except (Unavailable, PeerError) as error:
            log.info("notification_lost", reason=str(error))
