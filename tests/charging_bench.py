"""A station and a vehicle of ours for tests: real SDP, TLS and EXI, certificates minted now, every decision local."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pki_factory import NOW, ROLE, Minted, Pki
from plugpass.clock import Clock
from plugpass.exi import decode, encode
from plugpass.ids import EMAID, EVSEID
from plugpass.iso15118.contract import build_installation_response, seal_iso2
from plugpass.iso15118.messages import iso2
from plugpass.net.clock import LabClock, SystemClock
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.keys import LocalSigner
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import TransactionPhase, TransactionReport
from plugpass.ports.keys import Credential
from plugpass.ports.trace import WireEvent
from plugpass.roles.station import (
    FixedCredential,
    LocalBackend,
    LocalRules,
    RevocationRule,
    SimulatedMeter,
    Station,
    StationSettings,
)
from plugpass.roles.vehicle import Outlet, Vehicle, VehicleSettings
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore

EVSE = EVSEID.parse("DE*PLU*E45B*78C")
CONTRACT = EMAID.create("DE", "PLU", "C12345678")
EVCC_ID = bytes.fromhex("02a0b0c0d0e0")


def clock_at_test_time() -> LabClock:
    """A running clock that begins where the test PKI does."""
    return LabClock(NOW - SystemClock().now())


@dataclass(kw_only=True)
class SealingProvider:
    """A contract provider in a few lines: seals one contract for whichever vehicle asks, signed by a CPS."""

    contract: Credential
    contract_key: LocalSigner
    emaid: EMAID
    cps: Credential
    requests: list[bytes] = field(default_factory=list)

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        self.requests.append(installation_request)
        message: Any = decode("iso2", installation_request)
        receiver = public_key(parse(message.body.element.oem_provisioning_cert).key.encoded)
        response = build_installation_response(
            emaid=self.emaid,
            contract_chain=self.contract.chain,
            sealed=seal_iso2(self.contract_key, receiver, random=os.urandom),
            cps_chain=self.cps.chain,
            cps_signer=self.cps.signer,
            session_id=message.header.session_id,
        )
        assert isinstance(response, iso2.V2GMessage)
        return encode("iso2", response)


class RecordingBackend(LocalBackend):
    """Remembers the reports."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.reports: list[TransactionReport] = []
        self._news = asyncio.Event()

    async def report(self, report: TransactionReport) -> None:
        self.reports.append(report)
        self._news.set()
        await super().report(report)

    async def wait_for(self, phase: TransactionPhase) -> TransactionReport:
        """The first report of that phase, as soon as there is one."""
        async with asyncio.timeout(10):
            while True:
                if found := next((report for report in self.reports if report.phase is phase), None):
                    return found
                self._news.clear()
                await self._news.wait()


class TraceList:
    """A trace to look at."""

    def __init__(self) -> None:
        self.events: list[WireEvent] = []

    def record(self, event: WireEvent) -> None:
        self.events.append(event)


def credential(minted: Minted) -> Credential:
    return Credential(chain=minted.chain, signer=minted.signer)


@dataclass(kw_only=True)
class Bench:
    """A running station, and a vehicle in front of it."""

    pki: Pki
    clock: LabClock
    station: Station
    backend: RecordingBackend
    provider: SealingProvider
    vehicle: Vehicle
    store: SqlKeyStore
    trace: TraceList

    @property
    def outlet(self) -> Outlet:
        return Outlet(sdp_port=self.station.sdp_port)


@asynccontextmanager
async def bench(
    pki: Pki,
    *,
    secc: Minted | None = None,
    stapled: bool = True,
    rules: LocalRules | None = None,
    provisioned: bool = True,
    contract: Minted | None = None,
    station: dict[str, Any] | None = None,
    vehicle: dict[str, Any] | None = None,
    vehicle_anchors: TrustAnchors | None = None,
) -> AsyncIterator[Bench]:
    """Everything running on loopback; `station` and `vehicle` override settings."""
    clock = clock_at_test_time()
    leaf = secc or pki.leaf(ROLE.SECC_LEAF, EVSE.display, evse_id=EVSE)
    response = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2) if stapled else None
    backend, provider = _backend(pki, clock, rules)
    server = Station(
        settings=StationSettings(
            **{"evse_id": EVSE, "sdp_port": 0, "receipt_every": 3, "update_interval": timedelta(0), **(station or {})}
        ),
        credentials=FixedCredential(chain=credential(leaf), ocsp_response=response),
        anchors=lambda: pki.anchors,
        backend=backend,
        clock=clock,
        random=os.urandom,
        meter=SimulatedMeter(step_wh=250),
    )
    database = await Database.in_memory()
    store = SqlKeyStore(database, b"a test passphrase")
    try:
        if provisioned:
            await store.put("oem-provisioning", credential(pki.leaf(ROLE.OEM_PROVISIONING)))
        if contract is not None:
            await store.install(EMAID.parse(parse(contract.der).common_name), credential(contract))
        trace = TraceList()
        car = _vehicle(store, clock, trace, vehicle_anchors or pki.anchors, vehicle or {})
        async with server:
            yield Bench(
                pki=pki,
                clock=clock,
                station=server,
                backend=backend,
                provider=provider,
                vehicle=car,
                store=store,
                trace=trace,
            )
    finally:
        await database.close()


def _backend(pki: Pki, clock: Clock, rules: LocalRules | None) -> tuple[RecordingBackend, SealingProvider]:
    minted = pki.leaf(ROLE.CONTRACT, str(CONTRACT))
    provider = SealingProvider(
        contract=credential(minted),
        contract_key=minted.signer,
        emaid=CONTRACT,
        cps=credential(pki.leaf(ROLE.CPS_LEAF)),
    )
    backend = RecordingBackend(
        rules=rules or LocalRules(revocation=RevocationRule.UNCHECKED),
        anchors=lambda: pki.anchors,
        clock=clock,
        contracts=provider,
    )
    return backend, provider


def _vehicle(
    store: SqlKeyStore, clock: Clock, trace: TraceList, anchors: TrustAnchors, overrides: dict[str, Any]
) -> Vehicle:
    return Vehicle(
        settings=VehicleSettings(**{"evcc_id": EVCC_ID, "max_loops": 6, "ongoing_interval": 0.01, **overrides}),
        keys=store,
        contracts=store,
        anchors=anchors,
        clock=clock,
        random=os.urandom,
        trace=trace,
    )
