"""A02 at the station: what it asks for, how often, and what it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pki_factory import NOW, ROLE, Pki, mint_pki
from plugpass.errors import Unavailable
from plugpass.ids import EVSEID
from plugpass.net.clock import ManualClock
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.ocpp.rules import SigningRetry
from plugpass.pki.bundle import pem
from plugpass.pki.csr import parse_csr
from plugpass.pki.keys import LocalSigner, generate
from plugpass.roles.station.credentials import SeccCredentials
from plugpass.roles.station.enrolment import Enrolment, SeccIdentity
from plugpass.roles.station.roots import StationRoots
from plugpass.roles.station.staples import Staple
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore
from plugpass.store.station import StationMemory

EVSE = EVSEID.parse("DE*PLU*E45B*78C")


@dataclass
class Csms:
    """Answers SignCertificate as told, and wakes whoever waits for the next one."""

    status: e.GenericStatus = e.GenericStatus.ACCEPTED
    away: bool = False
    asked: list[m.SignCertificateRequest] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    online: bool = True

    async def call(self, request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # the port's
        self.asked.append(request)
        self.news.set()
        if self.away:
            raise Unavailable("no connection to the CSMS")
        return m.SignCertificateResponse(status=self.status)

    async def next(self) -> None:
        await self.news.wait()
        self.news.clear()


@dataclass(kw_only=True)
class Bench:
    enrolment: Enrolment
    csms: Csms
    clock: ManualClock
    credentials: SeccCredentials
    keys: list[LocalSigner]
    complaints: list[str]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@pytest.fixture
async def bench(pki: Pki) -> AsyncIterator[Bench]:
    database = await Database.in_memory()
    roots = StationRoots(StationMemory(database))
    await roots.install(pki[ROLE.V2G_ROOT].der, "V2GRootCertificate", NOW)
    clock, csms = ManualClock(NOW), Csms()
    credentials = SeccCredentials(SqlKeyStore(database, b"a test passphrase"), str(EVSE))
    keys: list[LocalSigner] = []
    complaints: list[str] = []

    async def staple(chain: tuple[bytes, ...]) -> Staple:
        return Staple(response=b"staple", refresh_at=NOW)

    async def complain(reason: str) -> None:
        complaints.append(reason)

    def new_key() -> LocalSigner:
        keys.append(generate())
        return keys[-1]

    enrolment = Enrolment(
        identity=SeccIdentity(evse_id=EVSE, organization="Plugpass Test", country="DE"),
        credentials=credentials,
        roots=roots,
        uplink=csms,
        clock=clock,
        staple=staple,
        on_invalid=complain,
        retry=SigningRetry(wait_minimum=timedelta(seconds=30), repeat_times=2),
        new_key=new_key,
    )
    yield Bench(enrolment=enrolment, csms=csms, clock=clock, credentials=credentials, keys=keys, complaints=complaints)
    await database.close()


def signed(pki: Pki, signer: LocalSigner) -> m.CertificateSignedRequest:
    minted = pki.leaf(ROLE.SECC_LEAF, str(EVSE), signer=signer, evse_id=EVSE)
    return m.CertificateSignedRequest(certificate_chain=pem(minted.chain), certificate_type=e.CertificateSigningUse.V2G)


async def test_csr_names_the_evse_twice(bench: Bench) -> None:
    bench.csms.status = e.GenericStatus.REJECTED
    await bench.enrolment.request()
    (request,) = bench.csms.asked
    csr = parse_csr(request.csr)
    assert request.certificate_type is e.CertificateSigningUse.V2G
    assert csr.common_name == str(EVSE)
    assert csr.extensions.san_uris == (EVSE.uri,)
    assert "DC=CPO" in str(csr.subject)


async def test_rejected_csr_is_not_sent_again(bench: Bench) -> None:
    bench.csms.status = e.GenericStatus.REJECTED
    await bench.enrolment.request()
    bench.clock.advance(timedelta(hours=1))
    assert len(bench.csms.asked) == 1


@pytest.mark.parametrize("away", [False, True], ids=["no certificate follows", "the CSMS is away"])
async def test_unanswered_csr_is_repeated_with_doubling_waits(bench: Bench, away: bool) -> None:
    bench.csms.away = away
    task = asyncio.create_task(bench.enrolment.request())
    await bench.csms.next()
    for wait in (30, 60):
        bench.clock.advance(timedelta(seconds=wait - 1))
        await asyncio.sleep(0)
        assert not bench.csms.news.is_set()
        bench.clock.advance(timedelta(seconds=1))
        await bench.csms.next()
    while not task.done():
        bench.clock.advance(timedelta(seconds=120))
        await asyncio.sleep(0)
    assert len(bench.csms.asked) == 3
    assert len({request.csr for request in bench.csms.asked}) == 1


async def test_certificate_stops_the_repeats_and_goes_live(bench: Bench, pki: Pki) -> None:
    task = asyncio.create_task(bench.enrolment.request())
    await bench.csms.next()
    answer = await bench.enrolment.signed(signed(pki, bench.keys[0]))
    assert answer.status is e.GenericStatus.ACCEPTED
    live = bench.credentials.credential()
    assert live is not None
    assert live.signer is bench.keys[0]
    assert bench.credentials.staple() == b"staple"
    while not task.done():
        bench.clock.advance(timedelta(seconds=31))
        await asyncio.sleep(0)
    assert len(bench.csms.asked) == 1


async def test_answer_to_an_older_key_is_refused(bench: Bench, pki: Pki) -> None:
    tasks = []
    for _ in range(2):
        tasks.append(asyncio.create_task(bench.enrolment.request()))
        await bench.csms.next()
    assert (await bench.enrolment.signed(signed(pki, bench.keys[0]))).status is e.GenericStatus.REJECTED
    assert bench.complaints
    assert (await bench.enrolment.signed(signed(pki, bench.keys[1]))).status is e.GenericStatus.ACCEPTED
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_csr_signed_twice_is_taken_twice(bench: Bench, pki: Pki) -> None:
    task = asyncio.create_task(bench.enrolment.request())
    await bench.csms.next()
    for _ in range(2):
        assert (await bench.enrolment.signed(signed(pki, bench.keys[0]))).status is e.GenericStatus.ACCEPTED
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
async def test_garbage_is_rejected_with_a_reason(bench: Bench, text: str) -> None:
    answer = await bench.enrolment.signed(m.CertificateSignedRequest(certificate_chain=text))
    assert answer.status is e.GenericStatus.REJECTED
    assert answer.status_info is not None
    assert answer.status_info.additional_info
    assert bench.credentials.credential() is None


async def test_station_certificate_is_not_a_secc_certificate(bench: Bench, pki: Pki) -> None:
    request = m.CertificateSignedRequest(
        certificate_chain=pem(pki.leaf(ROLE.SECC_LEAF).chain),
        certificate_type=e.CertificateSigningUse.CHARGING_STATION,
    )
    assert (await bench.enrolment.signed(request)).status is e.GenericStatus.REJECTED
