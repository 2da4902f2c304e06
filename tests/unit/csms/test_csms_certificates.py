"""Certificates of stations: pushed and read back after the boot, signed, renewed; and each way it can fail, named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from ocpp_support import EVSE_ID, IDENTITY, STATION, Bench, ScriptedStation, WatchedRegistry, make_csms
from pki_factory import ROLE, shared_pki
from plugpass.errors import LocalError, PeerError, PlugpassError, Unavailable
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.pki.bundle import pem_block
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.ports.charging import ExpiringItem
from plugpass.ports.stations import AttemptStatus, CertificateAttempt
from plugpass.roles.csms import Settings
from plugpass.roles.csms.certificates import RenewalFailed, RenewalRules

V2G, MO = e.GetCertificateIdUse.V2G_ROOT, e.GetCertificateIdUse.MO_ROOT
SECOND_EVSE = "DE*PLU*E45B*78D"


async def statuses(bench: Bench, use: str = "V2GCertificate") -> list[AttemptStatus]:
    return [attempt.status for attempt in await bench.registry.attempts(IDENTITY) if attempt.use == use]


async def attempt(bench: Bench, status: AttemptStatus, use: str | None = None) -> CertificateAttempt:
    """Wait until an attempt of this status is recorded; returns the first one."""

    async def look() -> CertificateAttempt | None:
        found = await bench.registry.attempts(IDENTITY)
        return next((item for item in found if item.status is status and use in (None, item.use)), None)

    return await bench.registry.wait(look)


async def certified(bench: Bench) -> None:
    await bench.boot()
    await attempt(bench, AttemptStatus.ACCEPTED, "V2GCertificate")


async def test_a_boot_brings_the_station_to_what_it_needs(bench: Bench) -> None:
    answer = await bench.boot()
    assert answer.status is e.RegistrationStatus.ACCEPTED
    assert answer.current_time == bench.clock.now()
    assert answer.interval == 300
    await certified(bench)
    assert bench.station.roots == {V2G: [bench.pki[ROLE.V2G_ROOT].der], MO: [bench.pki[ROLE.MO_ROOT].der]}
    assert parse(bench.station.chains[EVSE_ID][0]).common_name == EVSE_ID
    assert len(bench.station.chains[EVSE_ID]) == 3  # leaf and both Sub-CAs, no root
    (stored,) = await bench.registry.certificates()
    assert stored.chain == bench.station.chains[EVSE_ID]
    assert bench.station.calls == [
        "GetInstalledCertificateIds",
        "InstallCertificate",
        "InstallCertificate",
        "GetInstalledCertificateIds",
        "TriggerMessage",
        "CertificateSigned",
    ]
    record = await bench.registry.station(IDENTITY)
    assert record is not None
    assert (record.vendor, record.model, record.serial_number) == ("Plugpass", "One", "0001")
    assert record.last_boot == bench.clock.now()


async def test_the_signing_request_is_answered_before_the_certificate_comes(bench: Bench) -> None:
    await certified(bench)
    assert bench.link.log.index("< SignCertificate") < bench.link.log.index("> CertificateSigned")


async def test_each_step_is_recorded(bench: Bench) -> None:
    await certified(bench)
    assert set(await statuses(bench)) == {
        AttemptStatus.TRIGGERED,
        AttemptStatus.RECEIVED,
        AttemptStatus.ISSUED,
        AttemptStatus.ACCEPTED,
    }
    assert await statuses(bench, "V2GRootCertificate") == [AttemptStatus.ACCEPTED]
    assert await statuses(bench, "MORootCertificate") == [AttemptStatus.ACCEPTED]


async def test_a_second_boot_finds_everything_in_place(bench: Bench) -> None:
    await certified(bench)
    bench.station.calls.clear()
    await bench.boot()
    await bench.station.wait_for(lambda: bool(bench.station.calls))
    await bench.csms.close()
    assert bench.station.calls == ["GetInstalledCertificateIds"]


async def test_a_leaf_past_two_thirds_of_its_life_is_renewed_at_the_boot(bench: Bench) -> None:
    await certified(bench)
    (old,) = await bench.registry.certificates()
    bench.clock.advance((old.not_after - old.not_before) * 0.7)
    await bench.boot()
    await bench.station.wait_for(lambda: parse(bench.station.chains[EVSE_ID][0]).serial != old.serial)


async def test_the_rule_of_renewal_is_injected(registry: WatchedRegistry) -> None:
    asked: list[tuple[ExpiringItem, datetime]] = []

    def always(item: ExpiringItem, now: datetime) -> bool:
        asked.append((item, now))
        return True

    await registry.save_station(STATION)
    bench = make_csms(registry, shared_pki(), settings=Settings(renewal=RenewalRules(is_due=always)))
    async with bench.csms:
        await certified(bench)
        (old,) = await bench.csms.items()
        await bench.boot()
        await bench.station.wait_for(lambda: parse(bench.station.chains[EVSE_ID][0]).serial != old.serial)
    assert asked == [(old, bench.clock.now())]


@pytest.fixture
async def two_evses(registry: WatchedRegistry) -> AsyncIterator[Bench]:
    evse_ids = (EVSE_ID, SECOND_EVSE)
    await registry.save_station(replace(STATION, evse_ids=evse_ids))
    bench = make_csms(registry, shared_pki(), station=ScriptedStation(evse_ids))
    async with bench.csms:
        yield bench


async def test_every_evse_gets_a_leaf_of_its_own(two_evses: Bench) -> None:
    await two_evses.boot()
    await two_evses.station.wait_for(lambda: len(two_evses.station.chains) == 2)
    names = {evse_id: parse(chain[0]).common_name for evse_id, chain in two_evses.station.chains.items()}
    assert names == {EVSE_ID: EVSE_ID, SECOND_EVSE: SECOND_EVSE}


async def test_the_root_pool_being_away_leaves_the_leaf_to_be_signed(bench: Bench) -> None:
    bench.roots.away = True
    await certified(bench)
    assert bench.station.roots == {}


async def test_a_root_the_station_does_not_take_is_recorded(bench: Bench) -> None:
    bench.station.refuse_roots = True
    await bench.boot()
    assert "the disk is full" in (await attempt(bench, AttemptStatus.REJECTED)).reason
    assert "does not list" in (await attempt(bench, AttemptStatus.FAILED)).reason


async def test_a_refused_trigger_is_recorded(bench: Bench) -> None:
    bench.station.refuse_trigger = True
    await bench.boot()
    assert "trigger Rejected" in (await attempt(bench, AttemptStatus.REJECTED)).reason


# Signing requests ----------------------------------------------------------------------------------------------------


def csr(common_name: str, **changes: object) -> str:
    options = {"organization": "Plugpass Test", "country": "DE", "domain": "CPO", **changes}
    return pem_block(create_csr(generate(), common_name=common_name, **options), "CERTIFICATE REQUEST")  # type: ignore[arg-type]  # a test's shorthand


def broken_signature() -> str:
    encoded = bytearray(create_csr(generate(), common_name=EVSE_ID, organization="Plugpass Test"))
    encoded[-1] ^= 1
    return pem_block(bytes(encoded), "CERTIFICATE REQUEST")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (broken_signature, "signature does not verify"),
        (lambda: "no PEM at all", "base64"),
        (lambda: csr("CS-001"), "no EVSE id"),
        (lambda: csr("DE*ABC*E1"), "does not belong"),
        (lambda: csr("DE*PLU*E99"), "does not belong to station"),
        (lambda: ScriptedStation().csr(EVSE_ID, san="DE*PLU*E99").csr, "different EVSEs"),
        (lambda: ScriptedStation().csr(EVSE_ID, san="DE*ABC*E1").csr, "does not belong to operator"),
    ],
)
async def test_a_bad_request_is_rejected_with_its_reason(bench: Bench, text: object, cause: str) -> None:
    assert callable(text)
    request = m.SignCertificateRequest(csr=text(), certificate_type=e.CertificateSigningUse.V2G)
    answer = await bench.link.send(request)
    assert answer.status is e.GenericStatus.REJECTED
    assert answer.status_info.reason_code == "InvalidCSR"
    assert cause in answer.status_info.additional_info
    assert cause in (await attempt(bench, AttemptStatus.REFUSED)).reason
    assert bench.issuer.serials == []


@pytest.mark.parametrize("use", [None, e.CertificateSigningUse.CHARGING_STATION])
async def test_other_uses_are_rejected_aloud_instead_of_forgotten(
    bench: Bench, use: e.CertificateSigningUse | None
) -> None:
    request = m.SignCertificateRequest(csr=csr(EVSE_ID), certificate_type=use)
    answer = await bench.link.send(request)
    assert answer.status is e.GenericStatus.REJECTED
    assert answer.status_info.reason_code == "UnsupportedType"
    assert await attempt(bench, AttemptStatus.REFUSED)


async def signings(bench: Bench, evse_id: str, times: int) -> list[str]:
    """What is answered to so many signing requests: the status or the reason of the refusal."""
    return [await signing(bench, evse_id) for _ in range(times)]


async def signing(bench: Bench, evse_id: str) -> str:
    before = (await statuses(bench)).count(AttemptStatus.FAILED)

    async def ended() -> bool | None:
        return (await statuses(bench)).count(AttemptStatus.FAILED) > before or None

    answer = await bench.link.send(bench.station.csr(evse_id))
    if answer.status is e.GenericStatus.ACCEPTED:
        await bench.registry.wait(ended)  # enrolled, and then not handed over: the station is not connected
    return answer.status_info.reason_code if answer.status_info else answer.status.value


async def test_a_station_has_so_many_enrolments_and_no_more(bench: Bench) -> None:
    with capture_logs() as lines:
        assert await signings(bench, EVSE_ID, 4) == ["Accepted"] * 3 + ["TooManyRequests"]
    (line,) = [line for line in lines if line["event"] == "csms.signing_refused"]
    assert (line["log_level"], line["station"]) == ("warning", IDENTITY)
    assert (await statuses(bench)).count(AttemptStatus.RECEIVED) == 3
    bench.clock.advance(timedelta(minutes=9))
    assert await signings(bench, EVSE_ID, 1) == ["TooManyRequests"]
    bench.clock.advance(timedelta(minutes=1))
    assert await signings(bench, EVSE_ID, 1) == ["Accepted"]


async def test_requests_that_are_no_use_count_too(bench: Bench) -> None:
    assert await signings(bench, "DE*PLU*E99", 4) == ["InvalidCSR"] * 3 + ["TooManyRequests"]


async def test_a_station_has_enrolments_for_each_of_its_evses(two_evses: Bench) -> None:
    assert await signings(two_evses, EVSE_ID, 3) == ["Accepted"] * 3
    assert await signings(two_evses, SECOND_EVSE, 4) == ["Accepted"] * 3 + ["TooManyRequests"]


async def test_the_ca_refusing_is_recorded(bench: Bench) -> None:
    bench.issuer.refuse = PeerError("the CA refuses: not your EVSE", wire="403")
    await bench.boot()
    assert "not your EVSE" in (await attempt(bench, AttemptStatus.FAILED)).reason
    assert "CertificateSigned" not in bench.station.calls


async def test_a_certificate_for_another_key_is_not_handed_over(bench: Bench) -> None:
    bench.issuer.other_key = True
    await bench.boot()
    assert "another key" in (await attempt(bench, AttemptStatus.FAILED)).reason
    assert bench.station.chains == {}


async def test_a_station_that_refuses_its_certificate_keeps_the_old_one(bench: Bench) -> None:
    await certified(bench)
    (old,) = await bench.registry.certificates()
    bench.station.refuse_certificate = True
    (item,) = await bench.csms.items()
    with pytest.raises(RenewalFailed, match="InvalidCertificate"):
        await bench.csms.renew(item)
    assert await bench.registry.certificates() == (old,)
    assert "InvalidCertificate" in (await attempt(bench, AttemptStatus.REJECTED)).reason


# Inventory and renewal -----------------------------------------------------------------------------------------------


async def test_the_inventory_lists_the_leaf_in_use(bench: Bench) -> None:
    assert await bench.csms.items() == ()
    await certified(bench)
    (item,) = await bench.csms.items()
    leaf = parse(bench.station.chains[EVSE_ID][0])
    assert item == ExpiringItem(
        item_id=f"secc:{IDENTITY}:{EVSE_ID}",
        kind="secc",
        subject=EVSE_ID,
        serial=leaf.serial,
        not_before=leaf.not_before,
        not_after=leaf.not_after,
        labels={"station": IDENTITY, "evse_id": EVSE_ID},
    )


async def test_a_renewal_returns_when_the_new_leaf_is_in_place(bench: Bench) -> None:
    await certified(bench)
    (item,) = await bench.csms.items()
    bench.clock.advance(timedelta(days=40))
    await bench.csms.renew(item)
    (renewed,) = await bench.csms.items()
    assert renewed.serial != item.serial
    assert renewed.not_after > item.not_after
    assert parse(bench.station.chains[EVSE_ID][0]).serial == renewed.serial


async def test_a_renewal_fails_where_the_station_is_away(bench: Bench) -> None:
    await certified(bench)
    (item,) = await bench.csms.items()
    await bench.csms.disconnected(bench.link)
    with pytest.raises(Unavailable, match="not connected"):
        await bench.csms.renew(item)


async def test_a_renewal_fails_where_the_station_refuses_the_trigger(bench: Bench) -> None:
    await certified(bench)
    (item,) = await bench.csms.items()
    bench.station.refuse_trigger = True
    with pytest.raises(RenewalFailed, match="does not start"):
        await bench.csms.renew(item)


async def test_a_renewal_fails_where_the_ca_is_away(bench: Bench) -> None:
    await certified(bench)
    (item,) = await bench.csms.items()
    bench.issuer.refuse = Unavailable("the CA cannot be reached")
    with pytest.raises(Unavailable, match="CA cannot be reached"):
        await bench.csms.renew(item)


async def test_a_renewal_is_bounded_in_time(registry: WatchedRegistry) -> None:
    await registry.save_station(STATION)
    settings = Settings(renewal=RenewalRules(patience=0.05))
    bench = make_csms(registry, shared_pki(), settings=settings)
    async with bench.csms:
        await certified(bench)
        (item,) = await bench.csms.items()
        bench.station.silent_after_trigger = True
        with pytest.raises(Unavailable, match="did not finish"):
            await bench.csms.renew(item)


@pytest.mark.parametrize("item_id", ["contract:DEPLU1", "secc:", f"secc:CS-404:{EVSE_ID}", f"secc:{IDENTITY}:DE*X"])
async def test_an_item_of_somebody_else_is_our_own_mistake(bench: Bench, item_id: str) -> None:
    await certified(bench)
    (item,) = await bench.csms.items()
    with pytest.raises(LocalError):
        await bench.csms.renew(replace(item, item_id=item_id))


async def test_an_identity_with_colons_is_found_again(registry: WatchedRegistry) -> None:
    identity = "urn:station:7"
    await registry.save_station(replace(STATION, identity=identity))
    bench = make_csms(registry, shared_pki())
    bench.link._identity = identity
    async with bench.csms:
        await bench.boot()
        (item,) = await bench.registry.wait(bench.csms.items)
        await bench.csms.renew(item)


async def test_a_newer_connection_stays_when_the_older_one_ends(bench: Bench) -> None:
    await certified(bench)
    newer = type(bench.link)(bench.csms, bench.station)
    await bench.csms.connected(newer)
    await bench.csms.disconnected(bench.link)
    assert bench.csms.stations_online == (IDENTITY,)
    await bench.csms.disconnected(newer)
    assert bench.csms.stations_online == ()


async def test_a_failing_job_is_no_failing_csms(bench: Bench) -> None:
    async def lost(_request: object) -> object:
        raise Unavailable("the connection was lost")

    bench.link.call = lost  # type: ignore[method-assign,assignment]  # the connection breaks
    await bench.boot()
    await asyncio.sleep(0)
    assert isinstance(await bench.link.send(m.HeartbeatRequest()), m.HeartbeatResponse)


def test_renewal_failures_are_plugpass_errors() -> None:
    assert issubclass(RenewalFailed, PlugpassError)
