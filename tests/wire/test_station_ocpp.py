"""Our station at our CSMS over real OCPP (WebSocket, mutual TLS), with a vehicle in front of it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from charging_bench import EVCC_ID, TraceList, clock_at_test_time, credential
from net_support import ServiceCa
from ocpp_support import EMAID_TEXT, EVSE_ID, IDENTITY, STATION, Bench, WatchedRegistry, hash_data, make_csms
from pki_factory import NOW, ROLE, Pki, mint_pki
from plugpass.errors import PeerError
from plugpass.ids import EMAID, EVSEID
from plugpass.net.clock import LabClock
from plugpass.net.ocpp_server import OcppServer
from plugpass.net.tls_service import client_context, server_context
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.ocpp.rules import BackOff
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.ocsp import CertStatus
from plugpass.ports.charging import ContractAuthorization, TransactionPhase
from plugpass.roles.csms import Csms
from plugpass.roles.station import OcppBackend, OcppSettings, SeccCredentials, Station, StationRoots, StationSettings
from plugpass.roles.vehicle import Outlet, Vehicle, VehicleSettings
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore
from plugpass.store.station import StationMemory

EVSE = EVSEID.parse(EVSE_ID)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@pytest.fixture(scope="module")
def services() -> ServiceCa:
    return ServiceCa.mint(now=NOW - timedelta(days=1))


@dataclass(kw_only=True)
class Memory:
    """What a station keeps over a restart."""

    database: Database

    @property
    def keys(self) -> SqlKeyStore:
        return SqlKeyStore(self.database, b"a test passphrase")

    @property
    def records(self) -> StationMemory:
        return StationMemory(self.database)


@dataclass(kw_only=True)
class Site:
    """A running station."""

    station: Station
    backend: OcppBackend
    credentials: SeccCredentials
    roots: StationRoots
    memory: Memory
    trace: TraceList


class Watched:
    """The CSMS, with its station's connection in reach of the tests."""

    def __init__(self, csms: Csms) -> None:
        self._csms = csms
        self.link: Any = None

    async def connected(self, link: Any) -> None:
        self.link = link
        await self._csms.connected(link)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._csms, name)


@dataclass(kw_only=True)
class Field:
    """A running CSMS."""

    csms: Bench
    server: OcppServer
    central: Watched
    clock: LabClock
    services: ServiceCa

    async def leaf_accepted(self, count: int = 1) -> None:
        """Return once the station has accepted that many leaves."""

        async def look() -> bool | None:
            attempts = await self.csms.registry.attempts()
            accepted = [item for item in attempts if (item.use, item.status) == ("V2GCertificate", "Accepted")]
            return len(accepted) >= count or None

        await self.csms.registry.wait(look)


@asynccontextmanager
async def central(pki: Pki, services: ServiceCa) -> AsyncIterator[Field]:
    clock = clock_at_test_time()
    database = await Database.in_memory()
    try:
        registry = WatchedRegistry(database)
        await registry.save_station(STATION)
        parties = make_csms(registry, pki, clock=clock)  # type: ignore[arg-type]  # any clock will do
        tls = server_context(
            services.issue("csms", now=NOW, validity=timedelta(days=3000)),
            client_roots=[services.der],
            require_client=True,
            clock=clock,
        )
        watched = Watched(parties.csms)
        server = OcppServer(watched, tls=tls, clock=clock, random=os.urandom)
        async with parties.csms, server:
            yield Field(csms=parties, server=server, central=watched, clock=clock, services=services)
    finally:
        await database.close()


@asynccontextmanager
async def memory() -> AsyncIterator[Memory]:
    database = await Database.in_memory()
    try:
        yield Memory(database=database)
    finally:
        await database.close()


@asynccontextmanager
async def site(field: Field, kept: Memory, *, url: str = "") -> AsyncIterator[Site]:
    """A station in front of that CSMS."""
    credentials, roots, trace = SeccCredentials(kept.keys, str(EVSE)), StationRoots(kept.records), TraceList()
    mine = field.services.issue(IDENTITY, names=("station",), now=NOW, validity=timedelta(days=3000))
    backend = OcppBackend(
        settings=OcppSettings(
            url=url or field.server.url,
            identity=IDENTITY,
            evse_id=EVSE,
            organization="Plugpass Test",
            country="DE",
            back_off=BackOff(wait_minimum=0.05, repeat_times=0, random_range=0.01),
        ),
        tls=client_context([field.services.der], mine, clock=field.clock),
        credentials=credentials,
        roots=roots,
        memory=kept.records,
        clock=field.clock,
        random=os.urandom,
        trace=trace,
    )
    station = Station(
        settings=StationSettings(evse_id=EVSE, sdp_port=0, receipt_every=3, update_interval=timedelta(0)),
        credentials=credentials,
        anchors=roots.anchors,
        backend=backend,
        clock=field.clock,
        random=os.urandom,
    )
    async with backend, station:
        yield Site(station=station, backend=backend, credentials=credentials, roots=roots, memory=kept, trace=trace)


@asynccontextmanager
async def running(pki: Pki, services: ServiceCa) -> AsyncIterator[tuple[Field, Site]]:
    """CSMS and station, the station with its first leaf."""
    async with central(pki, services) as field, memory() as kept, site(field, kept) as station:
        await field.leaf_accepted()
        yield field, station


@asynccontextmanager
async def vehicle(pki: Pki, clock: LabClock) -> AsyncIterator[Vehicle]:
    """A vehicle with a contract."""
    database = await Database.in_memory()
    try:
        store = SqlKeyStore(database, b"a test passphrase")
        await store.install(EMAID.parse(EMAID_TEXT), credential(pki.leaf(ROLE.CONTRACT, EMAID_TEXT)))
        yield Vehicle(
            settings=VehicleSettings(evcc_id=EVCC_ID, max_loops=4, ongoing_interval=0.01),
            keys=store,
            contracts=store,
            anchors=pki.anchors,
            clock=clock,
            random=os.urandom,
        )
    finally:
        await database.close()


async def ask(field: Field, request: m.Request[Any]) -> Any:
    """A CALL of the CSMS to the station."""
    return await field.central.link.call(request)


# --- enrolment ------------------------------------------------------------------------------------------------------


async def test_station_boots_gets_roots_and_a_stapled_leaf(pki: Pki, services: ServiceCa) -> None:
    async with running(pki, services) as (_, site):
        leaf = site.credentials.credential()
        assert leaf is not None
        assert len(leaf.chain) == 3
        assert site.credentials.staple() is not None
        assert {root.use for root in site.roots.installed} == {"V2GRootCertificate", "MORootCertificate"}
        calls = [event.message for event in site.trace.events]
        assert calls[0] == "BootNotification"
        assert "SignCertificate" in calls
        assert "GetCertificateStatus" in calls
        assert all(event.ok for event in site.trace.events)


async def test_vehicle_charges_on_the_csms_word(pki: Pki, services: ServiceCa) -> None:
    async with running(pki, services) as (field, site), vehicle(pki, field.clock) as car:
        result = await car.plug_in(Outlet(sdp_port=site.station.sdp_port))
        assert result.ok, result.reason
        await site.station.wait_idle()
        await site.backend.wait_delivered()

        told = [report for _, report in await field.csms.registry.transactions()]
        assert [report.sequence for report in told] == list(range(len(told)))
        assert told[0].phase is TransactionPhase.STARTED
        assert told[-1].phase is TransactionPhase.ENDED
        assert all(report.emaid == EMAID.parse(EMAID_TEXT) for report in told)
        assert all(report.energy_wh is not None for report in told)
        assert any(report.signed_receipt for report in told)
        assert await site.memory.records.pending_reports() == ()
        (record,) = await field.csms.registry.authorizations()
        assert (record.certificate_status, record.token_status) == ("Accepted", "Accepted")


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        ("revoked", "FAILED_CertificateRevoked"),
        ("blocked", "FAILED_ContractCanceled"),
        ("no ocsp", "FAILED_CertChainError"),
    ],
)
async def test_refusals_of_the_csms_reach_the_vehicle(pki: Pki, services: ServiceCa, break_it: str, code: str) -> None:
    async with running(pki, services) as (field, site), vehicle(pki, field.clock) as car:
        current = await car._contracts.current()
        assert current is not None
        serial = parse(current[1].chain[0]).serial
        if break_it == "revoked":
            field.csms.responder.statuses[serial] = CertStatus.REVOKED
        elif break_it == "blocked":
            field.csms.emsp.status = e.AuthorizationStatus.BLOCKED
        else:
            field.csms.responder.lost.add(serial)
        result = await car.plug_in(Outlet(sdp_port=site.station.sdp_port))
        assert not result.ok
        assert result.refused == code
        assert await field.csms.registry.transactions() == ()
        kept = await car._contracts.current()
        assert (kept is None) == (code != "FAILED_CertChainError")


async def test_without_a_csms_nobody_charges(pki: Pki, services: ServiceCa) -> None:
    async with memory() as kept:
        async with central(pki, services) as field, site(field, kept):
            await field.leaf_accepted()
            gone = field.server.url
        # the same station, started again while its CSMS is away: it has its leaf, but no staple and no authorization
        async with site(field, kept, url=gone) as alone, vehicle(pki, field.clock) as car:
            assert alone.credentials.credential() is not None
            result = await car.plug_in(Outlet(sdp_port=alone.station.sdp_port))
            assert result.tls_alert == "bad_certificate_status_response"


async def test_renewal_is_live_when_the_csms_hears_accepted(pki: Pki, services: ServiceCa) -> None:
    async with running(pki, services) as (field, site), vehicle(pki, field.clock) as car:
        outlet = Outlet(sdp_port=site.station.sdp_port)
        first = await car.plug_in(outlet)
        (item,) = await field.csms.csms.items()
        await field.csms.csms.renew(item)
        second = await car.plug_in(outlet)
        assert first.ok
        assert second.ok, second.reason
        assert second.server_serial != first.server_serial

        site.credentials.present_previous_leaf = True
        field.clock.jump(timedelta(days=61))
        third = await car.plug_in(outlet)
        assert third.tls_alert == "certificate_expired"
        assert third.server_serial == first.server_serial


@pytest.mark.parametrize("fault", ["another key", "another root", "another role", "another EVSE", "expired"])
async def test_wrong_secc_certificates_are_rejected_and_reported(pki: Pki, services: ServiceCa, fault: str) -> None:
    async with running(pki, services) as (field, site):
        good = site.credentials.newest
        assert good is not None
        signer: Any = good.signer
        other = mint_pki()
        minted = {
            "another key": lambda: pki.leaf(ROLE.SECC_LEAF, EVSE_ID),
            "another root": lambda: other.leaf(ROLE.SECC_LEAF, EVSE_ID, signer=signer),
            "another role": lambda: pki.leaf(ROLE.CPS_LEAF, signer=signer),
            "another EVSE": lambda: pki.leaf(ROLE.SECC_LEAF, "DE*PLU*E9", signer=signer),
            "expired": lambda: pki.leaf(ROLE.SECC_LEAF, EVSE_ID, signer=signer, validity=timedelta(days=2)),
        }[fault]()
        if fault == "expired":
            field.clock.jump(timedelta(days=3))
        answer = await ask(
            field,
            m.CertificateSignedRequest(
                certificate_chain=pem(minted.chain), certificate_type=e.CertificateSigningUse.V2G
            ),
        )
        assert answer.status is e.GenericStatus.REJECTED
        assert site.credentials.newest is good
        await site.backend.wait_delivered()
        kinds = [event.type for event in await field.csms.registry.security_events()]
        assert kinds == ["InvalidChargingStationCertificate"]


# --- certificates ---------------------------------------------------------------------------------------------------


async def _install(field: Field, use: e.InstallCertificateUse, certificates: tuple[bytes, ...]) -> str:
    answer = await ask(field, m.InstallCertificateRequest(certificate_type=use, certificate=pem(certificates)))
    return str(answer.status)


async def test_only_valid_self_signed_roots_are_let_in(pki: Pki, services: ServiceCa) -> None:
    other = mint_pki()
    v2g = e.InstallCertificateUse.V2G_ROOT
    async with running(pki, services) as (field, site):
        before = site.roots.installed
        refused: tuple[Callable[[], Awaitable[str]], ...] = (
            lambda: _install(field, v2g, (other[ROLE.CPO_SUB1].der,)),
            lambda: _install(field, v2g, (other.leaf(ROLE.SECC_LEAF).der,)),
            lambda: _install(field, v2g, (other[ROLE.V2G_ROOT].der, other[ROLE.CPO_SUB1].der)),
            lambda: _install(field, e.InstallCertificateUse.CSMS_ROOT, (services.der,)),
        )
        for attempt in refused:
            assert await attempt() == "Rejected"
        assert site.roots.installed == before
        assert await _install(field, v2g, (other[ROLE.V2G_ROOT].der,)) == "Accepted"
        assert await _install(field, v2g, (other[ROLE.V2G_ROOT].der,)) == "Accepted"
        assert len(site.roots.installed) == len(before) + 1


async def test_installed_certificates_are_listed_and_deleted_by_hash(pki: Pki, services: ServiceCa) -> None:
    async with running(pki, services) as (field, site):
        listed = await ask(field, m.GetInstalledCertificateIdsRequest())
        kinds = [entry.certificate_type for entry in listed.certificate_hash_data_chain]
        assert sorted(kinds) == ["MORootCertificate", "V2GCertificateChain", "V2GRootCertificate"]
        chain = next(entry for entry in listed.certificate_hash_data_chain if entry.child_certificate_hash_data)
        assert len(chain.child_certificate_hash_data) == 2

        child = m.DeleteCertificateRequest(certificate_hash_data=chain.child_certificate_hash_data[0])
        assert (await ask(field, child)).status is e.DeleteCertificateStatus.FAILED
        root = pki[ROLE.MO_ROOT].der
        delete_root = m.DeleteCertificateRequest(certificate_hash_data=hash_data(root, root))
        assert (await ask(field, delete_root)).status is e.DeleteCertificateStatus.ACCEPTED
        assert (await ask(field, delete_root)).status is e.DeleteCertificateStatus.NOT_FOUND
        only = m.GetInstalledCertificateIdsRequest(certificate_type=(e.GetCertificateIdUse.MO_ROOT,))
        assert (await ask(field, only)).status is e.GetInstalledCertificateStatus.NOT_FOUND

        leaf = m.DeleteCertificateRequest(certificate_hash_data=chain.certificate_hash_data)
        assert (await ask(field, leaf)).status is e.DeleteCertificateStatus.ACCEPTED
        assert site.credentials.credential() is None


@pytest.mark.parametrize(
    ("trigger", "evse", "status"),
    [
        (e.MessageTrigger.HEARTBEAT, None, "Accepted"),
        (e.MessageTrigger.STATUS_NOTIFICATION, m.EVSE(id=1), "Accepted"),
        (e.MessageTrigger.SIGN_V2G_CERTIFICATE, m.EVSE(id=2), "Rejected"),
        (e.MessageTrigger.LOG_STATUS_NOTIFICATION, None, "NotImplemented"),
    ],
)
async def test_triggers(
    pki: Pki, services: ServiceCa, trigger: e.MessageTrigger, evse: m.EVSE | None, status: str
) -> None:
    async with running(pki, services) as (field, _):
        answer = await ask(field, m.TriggerMessageRequest(requested_message=trigger, evse=evse))
        assert answer.status == status


# --- outages --------------------------------------------------------------------------------------------------------


async def test_reports_survive_an_outage_and_a_killed_process(pki: Pki, services: ServiceCa) -> None:
    async with memory() as kept, central(pki, services) as field:
        async with site(field, kept) as first, vehicle(pki, field.clock) as car:
            await field.leaf_accepted()
            assert (await car.plug_in(Outlet(sdp_port=first.station.sdp_port))).ok
            await first.station.wait_idle()
            await first.backend.wait_delivered()
        told = [report for _, report in await field.csms.registry.transactions()]
        running = told[0]
        # what a process leaves that was killed in the middle of a transaction
        left = dataclasses.replace(running, transaction_id="interrupted", sequence=0)
        await kept.records.keep_report(left, offline=True)
        async with site(field, kept) as second:
            await second.backend.wait_booted()
            await second.backend.wait_delivered()
        late = [r for _, r in await field.csms.registry.transactions() if r.transaction_id == "interrupted"]
        assert [(report.phase, report.sequence, report.reason) for report in late] == [
            (TransactionPhase.STARTED, 0, ""),
            (TransactionPhase.ENDED, 1, "PowerLoss"),
        ]


# --- CSMSes that are not ours ---------------------------------------------------------------------------------------


class CarelessCsms:
    """A foreign CSMS: accepts every boot, answers as told, and checks nothing."""

    def __init__(self, answers: dict[str, m.Response], boots: list[e.RegistrationStatus] | None = None) -> None:
        self._answers = answers
        self._boots = boots or []
        self.asked: list[Any] = []

    async def admit(self, identity: str) -> bool:
        return True

    def refusal(self, identity: str, action: str) -> None:
        return None

    def handlers(self, link: Any) -> dict[str, Any]:
        return {"BootNotification": self._boot, **dict.fromkeys(self._answers, self._answer)}

    async def connected(self, link: Any) -> None:
        """Nothing happens by itself."""

    async def disconnected(self, link: Any) -> None:
        """Nothing happens by itself."""

    async def _boot(self, request: m.BootNotificationRequest) -> m.BootNotificationResponse:
        self.asked.append(request)
        status = self._boots.pop(0) if self._boots else e.RegistrationStatus.ACCEPTED
        return m.BootNotificationResponse(current_time=NOW, interval=60, status=status)

    async def _answer(self, request: m.Request[Any]) -> m.Response:
        self.asked.append(request)
        return self._answers[m.action_of(request)]


@asynccontextmanager
async def at_foreign_csms(services: ServiceCa, csms: CarelessCsms) -> AsyncIterator[tuple[OcppBackend, LabClock]]:
    """Our station's backend, connected to that CSMS."""
    clock = clock_at_test_time()
    tls = server_context(services.issue("csms", now=NOW), client_roots=[services.der], require_client=True, clock=clock)
    server = OcppServer(csms, tls=tls, clock=clock, random=os.urandom)
    async with memory() as kept, server:
        backend = OcppBackend(
            settings=OcppSettings(
                url=server.url, identity=IDENTITY, evse_id=EVSE, organization="Plugpass Test", country="DE"
            ),
            tls=client_context([services.der], services.issue(IDENTITY, names=("station",), now=NOW), clock=clock),
            credentials=SeccCredentials(kept.keys, str(EVSE)),
            roots=StationRoots(kept.records),
            memory=kept.records,
            clock=clock,
            random=os.urandom,
        )
        async with backend:
            yield backend, clock


def contract_of(pki: Pki) -> ContractAuthorization:
    return ContractAuthorization(emaid=EMAID.parse(EMAID_TEXT), chain=pki.leaf(ROLE.CONTRACT, EMAID_TEXT).chain)


async def test_csms_that_is_silent_about_the_certificate_has_not_checked_it(pki: Pki, services: ServiceCa) -> None:
    careless = m.AuthorizeResponse(id_token_info=m.IdTokenInfo(status=e.AuthorizationStatus.ACCEPTED))
    csms = CarelessCsms({"Authorize": careless})
    async with at_foreign_csms(services, csms) as (backend, _):
        await backend.wait_booted()
        verdict = await backend.authorize(contract_of(pki))
    assert not verdict.accepted
    assert verdict.certificate_status == "CertChainError"
    asked = csms.asked[-1]
    assert asked.id_token == m.IdToken(id_token=EMAID_TEXT, type=e.IdTokenType.EMAID)
    assert asked.certificate is not None
    assert len(asked.iso15118_certificate_hash_data) == 2, "the root that issued the last Sub-CA is not installed"


async def test_installation_request_that_does_not_fit_is_not_sent(services: ServiceCa) -> None:
    csms = CarelessCsms({})
    async with at_foreign_csms(services, csms) as (backend, _):
        await backend.wait_booted()
        answer = await backend.install_contract(b"x" * 4201, "urn:iso:15118:2:2013:MsgDef", "Install")
    assert not answer.accepted
    assert answer.exi == b""
    assert "5600" in answer.reason


@pytest.mark.parametrize(
    ("status", "exi", "accepted"), [("Accepted", "gJgC", True), ("Failed", "gJgC", False), ("Failed", "", False)]
)
async def test_installation_answer_is_relayed_also_where_it_failed(
    services: ServiceCa, status: str, exi: str, accepted: bool
) -> None:
    answer = m.Get15118EVCertificateResponse(
        status=e.Iso15118EVCertificateStatus(status),
        exi_response=exi,
        status_info=m.StatusInfo(reason_code="NoContract", additional_info="nothing for this vehicle"),
    )
    async with at_foreign_csms(services, CarelessCsms({"Get15118EVCertificate": answer})) as (backend, _):
        await backend.wait_booted()
        got = await backend.install_contract(b"exi", "urn:iso:15118:2:2013:MsgDef", "Install")
    assert (got.accepted, got.exi, got.reason) == (accepted, b64decode(exi), "nothing for this vehicle")


async def test_installation_answer_that_is_no_base64_is_a_peers_fault(services: ServiceCa) -> None:
    answer = m.Get15118EVCertificateResponse(status=e.Iso15118EVCertificateStatus.ACCEPTED, exi_response="not base64!")
    async with at_foreign_csms(services, CarelessCsms({"Get15118EVCertificate": answer})) as (backend, _):
        await backend.wait_booted()
        with pytest.raises(PeerError, match="base64"):
            await backend.install_contract(b"exi", "urn:iso:15118:2:2013:MsgDef", "Update")


async def test_boot_is_repeated_until_it_is_accepted(services: ServiceCa) -> None:
    csms = CarelessCsms({}, boots=[e.RegistrationStatus.PENDING, e.RegistrationStatus.REJECTED])
    async with at_foreign_csms(services, csms) as (backend, clock):
        booted = asyncio.create_task(backend.wait_booted())
        async with asyncio.timeout(10):
            while not booted.done():
                clock.jump(timedelta(seconds=61))
                await asyncio.wait({booted}, timeout=0.02)
    assert [type(request) for request in csms.asked[:3]] == [m.BootNotificationRequest] * 3
