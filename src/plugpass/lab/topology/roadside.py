"""The roadside: CSMS, station and vehicle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from plugpass.ids import PCID
from plugpass.iso15118.iso2.config import EnergyRequest
from plugpass.lab.faults import TamperedContracts
from plugpass.lab.settings import Fault
from plugpass.lab.topology.authorities import Authorities, est_issuer
from plugpass.lab.topology.backoffice import BackOffice, revocation_source
from plugpass.lab.topology.ground import HOST, Ground
from plugpass.lifecycle.policy import RenewalPolicy
from plugpass.net.ocpp_server import OcppServer
from plugpass.net.tls_service import client_context, server_context
from plugpass.opcp.rights import Account, Party
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import ContractProvider
from plugpass.ports.stations import StationRecord
from plugpass.providers.ocpi import OcpiAuthorizer
from plugpass.providers.opcp import OpcpContractPool, OpcpRootPool
from plugpass.roles.csms import Csms, RenewalRules
from plugpass.roles.csms import Settings as CsmsSettings
from plugpass.roles.station import (
    Nameplate,
    OcppBackend,
    OcppSettings,
    SeccCredentials,
    SimulatedMeter,
    Station,
    StationRoots,
    StationSettings,
)
from plugpass.roles.vehicle import Outlet, Vehicle, VehicleSettings
from plugpass.roles.vehicle.vehicle import OEM_PROVISIONING
from plugpass.store.csms import SqlStationRegistry
from plugpass.store.station import StationMemory

ANY_PORT = 0

RENEWAL = RenewalPolicy()
"""When anything is renewed: one rule, for the monitor and for what the CSMS looks at when a station boots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The charging backend and what it remembers."""

    csms: Csms
    registry: SqlStationRegistry
    server: OcppServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The station with its way to the CSMS."""

    station: Station
    backend: OcppBackend
    credentials: SeccCredentials

    @property
    def outlet(self) -> Outlet:
        """Where a vehicle plugs in."""
        return Outlet(sdp_port=self.station.sdp_port)


async def start_csms(
    ground: Ground, authorities: Authorities, office: BackOffice, fault: Fault | None = None
) -> Backend:
    """Start the CSMS; it knows the station, and nothing of its certificates."""
    settings = ground.settings
    session = await office.pools.session(Account(client_id="csms", parties=frozenset({Party.CPO})), "csms")
    contracts: ContractProvider = OpcpContractPool(session)
    if fault is Fault.TAMPERED_CONTRACT:
        contracts = TamperedContracts(contracts)
    registry = SqlStationRegistry(await ground.database("csms"))
    if await registry.station(settings.station) is None:
        await registry.save_station(
            StationRecord(identity=settings.station, operator=settings.operator, evse_ids=(str(settings.evse),))
        )
    csms = Csms(
        registry=registry,
        issuer=await est_issuer(ground, authorities, "csms"),
        contracts=contracts,
        authorizer=OcpiAuthorizer(
            await ground.client("emsp"),
            token=office.ocpi_token,
            clock=ground.clock,
            actor="csms",
            peer="emsp",
            trace=ground.recorder,
        ),
        revocation=await revocation_source(ground, "csms"),
        roots=OpcpRootPool(session),
        clock=ground.clock,
        settings=CsmsSettings(renewal=RenewalRules(is_due=RENEWAL.is_due)),
    )
    services = await ground.service_pki()
    root = await services.root()
    server = OcppServer(
        csms,
        # Security profile 3: mutual TLS, and the client certificate must be the station's own (A00.FR.405).
        tls=server_context(
            await services.server("csms"), client_roots=[root.chain[0]], require_client=True, clock=ground.clock
        ),
        clock=ground.clock,
        random=ground.random,
        host=HOST,
        port=ground.port("csms"),
        organization=settings.operator,
        trace=ground.recorder,
    )
    await ground.stack.enter_async_context(csms)
    await ground.stack.enter_async_context(server)
    return Backend(csms=csms, registry=registry, server=server)


async def start_station(ground: Ground, backend: Backend) -> Site:
    """Start the station: it boots at the CSMS and serves vehicles as soon as it has a SECC leaf."""
    settings = ground.settings
    evse_id = settings.evse
    services = await ground.service_pki()
    root = await services.root()
    identity = await services.station(settings.station, settings.operator)
    memory = StationMemory(await ground.database("station"))
    roots = StationRoots(memory)
    credentials = SeccCredentials(await ground.keys("station"), str(evse_id))
    uplink = OcppBackend(
        settings=OcppSettings(
            url=backend.server.url,
            identity=settings.station,
            evse_id=evse_id,
            organization=settings.operator,
            country=settings.operator[:2],
            nameplate=Nameplate(vendor="plugpass", model="lab", serial_number=settings.station),
        ),
        tls=client_context([root.chain[0]], identity, clock=ground.clock),
        credentials=credentials,
        roots=roots,
        memory=memory,
        clock=ground.clock,
        random=ground.random,
        trace=ground.recorder,
    )
    station = Station(
        settings=StationSettings(evse_id=evse_id, sdp_port=ANY_PORT, receipt_every=2, update_interval=timedelta(0)),
        credentials=credentials,
        anchors=roots.anchors,
        backend=uplink,
        clock=ground.clock,
        random=ground.random,
        meter=SimulatedMeter(step_wh=250),
    )
    uplink.on_deauthorized = lambda transaction: station.stop_transaction(transaction, "DeAuthorized")
    await ground.stack.enter_async_context(uplink)
    await ground.stack.enter_async_context(station)
    return Site(station=station, backend=uplink, credentials=credentials)


async def park_vehicle(ground: Ground, authorities: Authorities, office: BackOffice) -> Vehicle:
    """The vehicle with its provisioning certificate; the maker builds it where the vehicle has none yet."""
    keys = await ground.keys("vehicle")
    pcid = PCID.parse(ground.settings.pcid)
    if await keys.get(OEM_PROVISIONING) is None:
        await keys.put(OEM_PROVISIONING, await office.oem.build_vehicle(pcid))
    else:
        await office.oem.publish_missing()
        await office.vehicles.find(pcid)
    return Vehicle(
        settings=VehicleSettings(
            evcc_id=bytes.fromhex(ground.settings.evcc_id), energy=EnergyRequest(), max_loops=ground.settings.loops
        ),
        keys=keys,
        contracts=keys,
        anchors=TrustAnchors.of(v2g=[authorities.v2g.root], mo=[authorities.mo.root]),
        clock=ground.clock,
        random=ground.random,
        trace=ground.recorder,
    )
