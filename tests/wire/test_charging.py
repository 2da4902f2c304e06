"""Our vehicle at our station over real SDP, TLS and EXI on loopback, every decision local."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import timedelta

import pytest
import structlog

from charging_bench import CONTRACT, EVSE, bench
from pki_factory import ROLE, Pki, mint_pki
from plugpass.errors import Unavailable
from plugpass.ids import EMAID
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import AuthorizationVerdict, InstallationAnswer, TransactionPhase
from plugpass.roles.station import LocalRules, RevocationRule, session
from plugpass.roles.vehicle import Outlet, StapleRule


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


async def test_first_plug_in_installs_a_contract_and_charges(pki: Pki) -> None:
    async with bench(pki) as b:
        result = await b.vehicle.plug_in(b.outlet)

        assert result.ok, result.reason
        assert result.installed == result.emaid == CONTRACT
        assert result.protocol == "ISO 15118-2"
        assert result.evse_id == EVSE.display
        assert result.response_code("CertificateInstallationReq") == "OK"
        assert result.response_code("AuthorizationReq") == "OK"
        assert result.receipts == 2
        assert result.energy_wh > 0
        assert result.ms_to_charging is not None
        assert result.ms_to_charging < result.ms
        assert len(b.provider.requests) == 1
        stored = await b.store.current()
        assert stored is not None
        assert stored[0] == CONTRACT
        shown = json.loads(json.dumps(result.as_dict()))
        assert (shown["emaid"], shown["session_id"]) == (str(CONTRACT), result.session_id.hex())


async def test_transaction_is_reported_without_gaps(pki: Pki) -> None:
    async with bench(pki) as b:
        assert (await b.vehicle.plug_in(b.outlet)).ok
        await b.station.wait_idle()
        reports = b.backend.reports

        assert [report.sequence for report in reports] == list(range(len(reports)))
        assert reports[0].phase is TransactionPhase.STARTED
        assert reports[-1].phase is TransactionPhase.ENDED
        assert reports[-1].reason == "StoppedByEV"
        assert {report.phase for report in reports[1:-1]} == {TransactionPhase.UPDATED}
        assert len({report.transaction_id for report in reports}) == 1
        assert sum(report.signed_receipt is not None for report in reports) == 2
        energies = [report.energy_wh or 0 for report in reports]
        assert energies == sorted(energies)
        assert b.station.sessions == 0


async def test_energy_of_the_vehicle_is_the_difference_of_the_readings_it_has_seen(pki: Pki) -> None:
    async with bench(pki) as b:
        result = await b.vehicle.plug_in(b.outlet)
        await b.station.wait_idle()
        shown = [report.energy_wh for report in b.backend.reports if report.phase is TransactionPhase.UPDATED]
        assert None not in shown
        assert result.energy_wh == shown[-1] - shown[0] > 0  # type: ignore[operator]  # none is None
        short = await b.vehicle.plug_in(b.outlet)
        assert short.energy_wh == result.energy_wh, "a second session begins anew"


async def test_second_plug_in_starts_from_the_stored_contract(pki: Pki) -> None:
    async with bench(pki) as b:
        first = await b.vehicle.plug_in(b.outlet)
        second = await b.vehicle.plug_in(b.outlet)

        assert first.ok
        assert second.ok
        assert second.installed is None
        assert second.emaid == CONTRACT
        assert second.session_id != first.session_id
        assert len(b.provider.requests) == 1


async def test_renewed_contract_is_picked_up_on_request(pki: Pki) -> None:
    async with bench(pki) as b:
        assert (await b.vehicle.plug_in(b.outlet)).ok
        again = await b.vehicle.plug_in(b.outlet, request_installation=True)
        assert again.ok
        assert again.installed == CONTRACT
        assert len(b.provider.requests) == 2


async def test_every_exchange_is_traced(pki: Pki) -> None:
    async with bench(pki) as b:
        result = await b.vehicle.plug_in(b.outlet)
        events = b.trace.events

        assert [event.protocol for event in events[:3]] == ["SDP", "TLS", "SAP"]
        assert {event.protocol for event in events[3:]} == {"ISO 15118-2"}
        assert [event.message for event in events[3:8]] == [
            "SessionSetupReq",
            "ServiceDiscoveryReq",
            "ServiceDetailReq",
            "PaymentServiceSelectionReq",
            "CertificateInstallationReq",
        ]
        assert all(event.ok and event.size > 0 for event in events)
        assert len(result.exchanges) == len(events) - 2


async def test_station_without_a_provider_refuses_the_installation(pki: Pki) -> None:
    async with bench(pki) as b:
        b.backend._contracts = None
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.installation_refusal.startswith("FAILED")
        assert await b.store.current() is None


async def test_emaid_that_is_not_on_the_list_is_refused_and_keeps_its_contract(pki: Pki) -> None:
    rules = LocalRules(revocation=RevocationRule.UNCHECKED, emaids=frozenset({EMAID.create("DE", "XYZ", "000000001")}))
    async with bench(pki, rules=rules) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.refused == "FAILED_CertificateNotAllowedAtThisEVSE"
        stored = await b.store.current()
        assert stored is not None, "the contract is good elsewhere"
        assert stored[0] == CONTRACT
        assert b.backend.reports == []


async def test_revocation_that_cannot_be_checked_is_no_yes(pki: Pki) -> None:
    async with bench(pki, rules=LocalRules(revocation=RevocationRule.OCSP)) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.refused == "FAILED_CertChainError"
        assert await b.store.current() is not None


async def test_late_backend_costs_the_installation_only(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "INSTALLATION_BUDGET", 0.05)
    async with bench(pki) as b:

        async def never(*_: object) -> InstallationAnswer:
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(b.backend, "install_contract", never)
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.installation_refusal.startswith("FAILED")
        await b.station.wait_idle()


async def test_unreachable_backend_is_no_yes(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(pki) as b:

        async def away(*_: object) -> AuthorizationVerdict:
            raise Unavailable("no connection to the CSMS")

        monkeypatch.setattr(b.backend, "authorize", away)
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.refused == "FAILED"
        assert await b.store.current() is not None, "the contract itself was not refused for good"


async def test_station_can_end_the_transaction(pki: Pki) -> None:
    endless = {"max_loops": None, "loop_interval": 0.01}
    async with bench(pki, vehicle=endless) as b:
        charging = asyncio.create_task(b.vehicle.plug_in(b.outlet))
        started = await b.backend.wait_for(TransactionPhase.UPDATED)
        assert b.station.sessions == 1
        assert b.station.stop_transaction(started.transaction_id, "DeAuthorized")
        result = await charging
        assert result.ok, result.reason
        await b.station.wait_idle()
        assert b.backend.reports[-1].reason == "DeAuthorized"
        assert not b.station.stop_transaction(started.transaction_id, "DeAuthorized")


async def test_vehicle_that_drives_off_ends_the_transaction(pki: Pki) -> None:
    endless = {"max_loops": None, "loop_interval": 0.01}
    async with bench(pki, vehicle=endless) as b:
        charging = asyncio.create_task(b.vehicle.plug_in(b.outlet))
        await b.backend.wait_for(TransactionPhase.UPDATED)
        charging.cancel()
        await asyncio.gather(charging, return_exceptions=True)
        ended = await b.backend.wait_for(TransactionPhase.ENDED)
        assert ended.reason == "EVDisconnected"
        assert ended.sequence == len(b.backend.reports) - 1


async def test_stopping_station_ends_its_transactions(pki: Pki) -> None:
    endless = {"max_loops": None, "loop_interval": 0.01}
    async with bench(pki, vehicle=endless) as b:
        charging = asyncio.create_task(b.vehicle.plug_in(b.outlet))
        await b.backend.wait_for(TransactionPhase.UPDATED)
        await b.station.stop()
        assert (await b.backend.wait_for(TransactionPhase.ENDED)).reason == "Reboot"
        result = await charging
        assert not result.ok


# --- the vehicle judges the station ---------------------------------------------------------------------------------


async def test_expired_station_certificate_ends_the_handshake(pki: Pki) -> None:
    old = pki.leaf(ROLE.SECC_LEAF, EVSE.display, validity=timedelta(days=60))
    async with bench(pki, secc=old) as b:
        b.clock.jump(timedelta(days=61))
        result = await b.vehicle.plug_in(b.outlet)
        assert not result.ok
        assert result.tls_alert == "certificate_expired"
        assert result.server_serial == old.certificate.serial_number
        assert result.exchanges == ()
        assert [event.ok for event in b.trace.events] == [True, False]


async def test_station_of_an_unknown_root_is_refused(pki: Pki) -> None:
    stranger = mint_pki()
    async with bench(pki, secc=stranger.leaf(ROLE.SECC_LEAF, EVSE.display)) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert result.tls_alert == "unknown_ca"


async def test_contract_certificate_is_no_station_certificate(pki: Pki) -> None:
    async with bench(pki, secc=pki.leaf(ROLE.CONTRACT)) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert result.tls_alert == "bad_certificate"


async def test_missing_staple_is_refused_unless_tolerated_by_name(pki: Pki) -> None:
    async with bench(pki, stapled=False) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert result.tls_alert == "bad_certificate_status_response"
    async with bench(pki, stapled=False, vehicle={"staple": StapleRule.TOLERATE_MISSING}) as b:
        assert (await b.vehicle.plug_in(b.outlet)).ok


async def test_vehicle_without_anchors_trusts_nobody(pki: Pki) -> None:
    async with bench(pki, vehicle_anchors=TrustAnchors.of(mo=[pki[ROLE.MO_ROOT].der])) as b:
        result = await b.vehicle.plug_in(b.outlet)
        assert result.tls_alert == "unknown_ca"


async def test_nobody_answers(pki: Pki) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as silent:
        silent.bind(("::1", 0))
        async with bench(pki) as b:
            result = await b.vehicle.plug_in(Outlet(sdp_port=silent.getsockname()[1], sdp_tries=2))
    assert not result.ok
    assert result.reason
    assert result.exchanges == ()


# --- strangers at the station ---------------------------------------------------------------------------------------


async def _garbage(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("::1", port)
    try:
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 4000, b"\x01\xfe\x80\x01\xff\xff\xff\xff"])
async def test_garbage_instead_of_tls_costs_one_log_line(pki: Pki, data: bytes) -> None:
    async with bench(pki) as b:
        with structlog.testing.capture_logs() as logs:
            await _garbage(b.station.port, data)
            result = await b.vehicle.plug_in(b.outlet)
        assert result.ok, "the station goes on serving"
        refused = [entry for entry in logs if entry["log_level"] == "warning"]
        assert len(refused) == 1, refused
