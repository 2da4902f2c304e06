"""Signed responses that are given again: how long, to whom, and when not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography.x509.ocsp import OCSPResponseStatus, load_der_ocsp_response
from structlog.testing import capture_logs

from ca_support import Stores, authority, station_csr, stores
from pki_factory import NOW, ROLE
from plugpass.net.clock import ManualClock
from plugpass.pki.certificate import CertificateLike
from plugpass.pki.keys import LocalSigner, generate
from plugpass.pki.ocsp import CertId, CertStatus, build_request, cert_id, verify_response
from plugpass.pki.profiles import PROFILES_ISO2
from plugpass.ports.issuing import CertificateRecord
from plugpass.providers.local_ca import LocalCertificateAuthority, Operator
from plugpass.providers.local_ca.hierarchy import open_hierarchy
from plugpass.providers.local_ca.plan import PLANS, Hierarchy
from plugpass.providers.local_ca.registrar import Registrar
from plugpass.providers.local_ca.responder import RECHECK, OcspResponder
from plugpass.store.authority import SqlCertificateLedger

SECOND = timedelta(seconds=1)


class CountingLedger(SqlCertificateLedger):
    """Counts how often it is asked about certificates, and about revocations at all."""

    finds = 0
    looks = 0

    async def find(self, issuer_key_id: str, serial: int) -> CertificateRecord | None:
        self.finds += 1
        return await super().find(issuer_key_id, serial)

    async def revocations(self) -> int:
        self.looks += 1
        return await super().revocations()


class Bench:
    """An authority, and a responder for its CAs beside it whose ledger counts."""

    def __init__(self, memory: Stores, clock: ManualClock, v2g: LocalCertificateAuthority) -> None:
        self.memory = memory
        self.clock = clock
        self.v2g = v2g
        self.ledger = CountingLedger(memory.database)
        self.new_keys = 0

    async def responder(self, recheck: timedelta = RECHECK, validity: timedelta = timedelta(days=1)) -> OcspResponder:
        registrar = Registrar(
            ledger=self.memory.ledger,
            clock=self.clock,
            random=os.urandom,
            profiles=PROFILES_ISO2,
            ocsp_base_url="http://127.0.0.1:1",
        )
        cas = await open_hierarchy(
            PLANS[Hierarchy.V2G], operator=Operator(), keys=self.memory.keys, registrar=registrar
        )
        return OcspResponder(
            cas,
            operator=Operator(),
            keys=self.memory.keys,
            ledger=self.ledger,
            registrar=registrar,
            clock=self.clock,
            recheck=recheck,
            validity=validity,
            new_key=self.new_key,
        )

    def new_key(self) -> LocalSigner:
        self.new_keys += 1
        return generate()

    async def leaf(self) -> tuple[bytes, bytes]:
        leaf, issuer, *_ = (await self.v2g.issue(station_csr(generate()), ROLE.SECC_LEAF)).certificates
        return leaf, issuer

    def status(self, response: bytes, wanted: CertId, issuer: CertificateLike) -> CertStatus:
        return verify_response(response, wanted, issuer, at=self.clock.now()).status


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = ManualClock(NOW)
    async with stores() as memory:
        yield Bench(memory, clock, await authority(memory, clock))


async def test_a_response_is_signed_once_until_half_its_life_is_over(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    wanted = cert_id(leaf, issuer)
    request = build_request([wanted])
    first = await responder.respond(request)
    bench.clock.advance(timedelta(hours=12) - SECOND)
    assert await responder.respond(request) is first
    bench.clock.advance(SECOND)
    second = await responder.respond(request)
    assert second != first
    assert bench.status(second, wanted, issuer) is CertStatus.GOOD
    times = [load_der_ocsp_response(each).produced_at_utc for each in (first, second)]
    assert times[1] - times[0] == timedelta(hours=12)


async def test_the_ledger_is_looked_at_now_and_then(bench: Bench) -> None:
    responder = await bench.responder()
    requests = [build_request([cert_id(*await bench.leaf())]) for _ in range(3)]
    for looks in (1, 2, 3):
        for request in requests * 2:
            await responder.respond(request)
        assert (bench.ledger.looks, bench.ledger.finds) == (looks, 3)
        bench.clock.advance(RECHECK)


async def test_many_at_once_look_once(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    request = build_request([cert_id(leaf, issuer)])
    await responder.respond(request)
    bench.clock.advance(RECHECK)
    await asyncio.gather(*(responder.respond(request) for _ in range(10)))
    assert bench.ledger.looks == 2


async def test_a_revocation_that_is_told_of_shows_at_once(bench: Bench) -> None:
    responder, (leaf, issuer), (other, _) = await bench.responder(), await bench.leaf(), await bench.leaf()
    wanted, neighbour = cert_id(leaf, issuer), cert_id(other, issuer)
    requests = [build_request(each) for each in ([wanted], [neighbour, wanted], [neighbour])]
    kept = [await responder.respond(request) for request in requests]
    record = await bench.v2g.record_of(leaf)
    assert record is not None
    await bench.v2g.revoke(leaf, "keyCompromise")
    responder.forget(record.issuer_key_id, record.serial)
    again = [await responder.respond(request) for request in requests]
    assert [bench.status(each, wanted, issuer) for each in again[:2]] == [CertStatus.REVOKED] * 2
    assert bench.status(again[1], neighbour, issuer) is CertStatus.GOOD
    assert again[2] is kept[2]


async def test_a_revocation_by_another_process_shows_at_the_next_look(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    wanted = cert_id(leaf, issuer)
    request = build_request([wanted])
    await responder.respond(request)
    await bench.v2g.revoke(leaf, "superseded")
    assert bench.status(await responder.respond(request), wanted, issuer) is CertStatus.GOOD
    bench.clock.advance(RECHECK)
    assert bench.status(await responder.respond(request), wanted, issuer) is CertStatus.REVOKED


async def test_the_authority_tells_its_responder(bench: Bench) -> None:
    leaf, issuer = await bench.leaf()
    wanted = cert_id(leaf, issuer)
    request = build_request([wanted])
    assert bench.status(await bench.v2g.respond_ocsp(request), wanted, issuer) is CertStatus.GOOD
    await bench.v2g.revoke(leaf, "superseded")
    assert bench.status(await bench.v2g.respond_ocsp(request), wanted, issuer) is CertStatus.REVOKED


async def test_without_a_recheck_time_every_answer_is_from_the_ledger(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(recheck=timedelta(0)), await bench.leaf()
    wanted = cert_id(leaf, issuer)
    request = build_request([wanted])
    first = await responder.respond(request)
    assert await responder.respond(request) is first, "signed once all the same"
    await bench.v2g.revoke(leaf, "superseded")
    assert bench.status(await responder.respond(request), wanted, issuer) is CertStatus.REVOKED
    assert (bench.ledger.looks, bench.ledger.finds) == (3, 2)


async def test_what_changes_while_it_is_signed_is_not_kept(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    wanted = cert_id(leaf, issuer)
    record = await bench.v2g.record_of(leaf)
    assert record is not None
    find = bench.ledger.find

    async def find_then_revoke(issuer_key_id: str, serial: int) -> CertificateRecord | None:
        found = await find(issuer_key_id, serial)
        await bench.v2g.revoke(leaf, "keyCompromise")
        responder.forget(record.issuer_key_id, record.serial)
        return found

    bench.ledger.find = find_then_revoke  # type: ignore[method-assign]  # the revocation comes in between
    await responder.respond(build_request([wanted]))
    bench.ledger.find = find  # type: ignore[method-assign]
    assert bench.status(await responder.respond(build_request([wanted])), wanted, issuer) is CertStatus.REVOKED


async def test_a_nonce_gets_an_answer_of_its_own(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    request = build_request([cert_id(leaf, issuer)], nonce=b"n" * 16)
    await responder.respond(request)
    await responder.respond(request)
    assert bench.ledger.finds == 2
    assert bench.new_keys <= 1


async def test_what_was_never_issued_is_not_kept(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    known = cert_id(leaf, issuer)
    unknown = CertId(
        issuer_name_hash=known.issuer_name_hash, issuer_key_hash=known.issuer_key_hash, serial=known.serial + 1
    )
    for request in (build_request([unknown]), build_request([known, unknown])):
        first = await responder.respond(request)
        assert bench.status(first, unknown, issuer) is CertStatus.UNKNOWN
        finds = bench.ledger.finds
        await responder.respond(request)
        assert bench.ledger.finds > finds


async def test_the_oldest_responses_make_room(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.providers.local_ca.responder._MAX_KEPT", 2)
    responder = await bench.responder()
    requests = [build_request([cert_id(*await bench.leaf())]) for _ in range(3)]
    kept = [await responder.respond(request) for request in requests]
    assert await responder.respond(requests[2]) is kept[2]
    assert bench.ledger.finds == 3
    await responder.respond(requests[0])
    assert bench.ledger.finds == 4


async def test_long_requests_are_answered_and_not_remembered(bench: Bench) -> None:
    responder = await bench.responder()
    wanted = [cert_id(*await bench.leaf()) for _ in range(16)]
    request = build_request(wanted)
    assert len(request) > 1024
    response = load_der_ocsp_response(await responder.respond(request))
    assert len(list(response.responses)) == 16
    await responder.respond(request)
    assert bench.ledger.finds == 32


async def test_a_response_does_not_outlive_its_signer(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(validity=timedelta(days=70)), await bench.leaf()
    wanted = cert_id(leaf, issuer)
    request = build_request([wanted])
    first = await responder.respond(request)
    bench.clock.advance(timedelta(days=31))
    second = await responder.respond(request)
    assert second != first
    assert bench.status(second, wanted, issuer) is CertStatus.GOOD


async def test_a_clock_that_goes_back_gets_a_response_of_its_time(bench: Bench) -> None:
    responder, (leaf, issuer) = await bench.responder(), await bench.leaf()
    request = build_request([cert_id(leaf, issuer)])
    first = await responder.respond(request)
    bench.clock.advance(-timedelta(minutes=5))
    assert await responder.respond(request) != first


async def test_malformed_requests_are_never_kept(bench: Bench) -> None:
    responder = await bench.responder()
    with capture_logs() as logs:
        answers = [await responder.respond(b"\x30\x00") for _ in range(2)]
    assert {load_der_ocsp_response(each).response_status for each in answers} == {OCSPResponseStatus.MALFORMED_REQUEST}
    assert len(logs) == 2
