"""The lab as a whole: parties start in the order of the chain, and the renewal monitor watches all of them."""

from __future__ import annotations

import asyncio
import contextlib

from plugpass.lab.settings import Fault
from plugpass.lab.topology.authorities import Authorities, start_authorities
from plugpass.lab.topology.backoffice import BackOffice, PoolServer, publish_roots, start_back_office, start_pools
from plugpass.lab.topology.ground import Ground
from plugpass.lab.topology.roadside import RENEWAL, Backend, Site, park_vehicle, start_csms, start_station
from plugpass.lifecycle.monitor import RenewalMonitor
from plugpass.roles.vehicle import Vehicle


class Lab:
    """The parties, each there once its `start_...` has been called."""

    authorities: Authorities
    pools: PoolServer
    office: BackOffice
    vehicle: Vehicle
    backend: Backend
    site: Site
    monitor: RenewalMonitor

    def __init__(self, ground: Ground, fault: Fault | None = None) -> None:
        self.ground = ground
        self._fault = fault

    async def start_authorities(self) -> None:
        """The hierarchies with their OCSP responders and the EST server."""
        self.authorities = await start_authorities(self.ground)

    async def start_back_office(self) -> None:
        """Pools, CPS, OEM and eMSP; the roots are published."""
        self.pools = await start_pools(self.ground)
        await publish_roots(self.ground, self.authorities, self.pools)
        self.office = await start_back_office(self.ground, self.authorities, self.pools)

    async def park_vehicle(self) -> None:
        """The vehicle, with its provisioning certificate."""
        self.vehicle = await park_vehicle(self.ground, self.authorities, self.office)

    async def start_roadside(self) -> None:
        """The CSMS and the station."""
        self.backend = await start_csms(self.ground, self.authorities, self.office, self._fault)
        self.site = await start_station(self.ground, self.backend)

    async def watch_expiry(self) -> None:
        """Let the monitor renew SECC leaves, contracts and the CPS leaf by itself, from now on.

        What is due already, such as after a run that was interrupted, is renewed when this returns.
        """
        cps = self.office.cps.credential
        self.monitor = RenewalMonitor(
            [self.backend.csms, self.office.renewal, cps],
            {"secc": self.backend.csms, "contract": self.office.renewal, "cps": cps},
            clock=self.ground.clock,
            policy=RENEWAL,
        )
        await self.monitor.pass_once()
        task = asyncio.create_task(self.monitor.run(), name="renewal-monitor")
        self.ground.stack.push_async_callback(_stop, task)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
