"""The revocation client: what it believes, what it keeps, and what it does when nobody answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from pki_factory import NOW, ROLE, Minted, mint_pki, shared_pki
from plugpass.errors import Unavailable
from plugpass.net.clock import ManualClock
from plugpass.pki.certificate import parse
from plugpass.pki.issue import issue
from plugpass.pki.keys import Signer, generate
from plugpass.pki.names import subject
from plugpass.pki.ocsp import (
    CertStatus,
    SingleStatus,
    build_request,
    build_response,
    cert_id,
    parse_request,
    verify_response,
)
from plugpass.pki.trust import TrustAnchors
from plugpass.pki.verdict import Status
from plugpass.providers.revocation import RevocationClient

DAY = timedelta(days=1)
OCSP_URL, CRL_URL = "http://ocsp.test/", "http://crl.test/sub2"

PKI = shared_pki()
SUB2 = PKI[ROLE.CPO_SUB2]


def station(*, ocsp_url: str | None = OCSP_URL, crl_url: str | None = None) -> Minted:
    """A station's certificate with the addresses that are given."""
    key, profile = generate(), PKI.profiles[ROLE.SECC_LEAF]
    certificate = issue(
        profile,
        subject(profile, "DE*PLU*E45B*78C", "Plugpass Test", "DE"),
        key.public_key,
        SUB2.certificate,
        SUB2.signer,
        now=NOW,
        serial=int.from_bytes(os.urandom(16)),
        ocsp_url=ocsp_url,
        crl_url=crl_url,
    )
    return Minted(certificate=certificate, signer=key, sub_cas=PKI.above(ROLE.CPO_SUB2))


class Responder:
    """Signs what it is told to say, at the time it is told."""

    def __init__(self, clock: ManualClock, signer: Signer = SUB2.signer) -> None:
        self.clock = clock
        self.signer = signer
        self.status = CertStatus.GOOD
        self.age = timedelta(0)
        self.lifetime: timedelta | None = 2 * DAY
        self.with_nonce = True

    def __call__(self, request: bytes) -> bytes:
        asked, at = parse_request(request), self.clock.now() - self.age
        single = SingleStatus(
            cert_id=asked.cert_ids[0],
            status=self.status,
            this_update=at,
            next_update=at + self.lifetime if self.lifetime else None,
        )
        nonce = asked.nonce if self.with_nonce else None
        return build_response([single], self.signer, SUB2.certificate, produced_at=at, nonce=nonce)


@dataclass(slots=True)
class Net:
    """Answers in place of the network; what was asked is written down."""

    responder: Callable[[bytes], bytes] | None = None
    crl_file: bytes | None = None
    asked: list[str] = field(default_factory=list)
    silent: frozenset[str] = frozenset()  #: who takes the request and never answers

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        await self._arrives("ocsp")
        if self.responder is None:
            raise Unavailable("the responder is down")
        return self.responder(request)

    async def crl(self, url: str) -> bytes:
        assert url == CRL_URL
        await self._arrives("crl")
        if self.crl_file is None:
            raise Unavailable("the distribution point is down")
        return self.crl_file

    async def _arrives(self, what: str) -> None:
        self.asked.append(what)
        await asyncio.sleep(0)
        if what in self.silent:
            await asyncio.Event().wait()


class Bench:
    """A client with its clock, its network and its responder."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(NOW)
        self.responder = Responder(self.clock)
        self.net = Net(self.responder)
        self.client = RevocationClient(self.net, clock=self.clock, **options)

    async def ask(self, leaf: Minted, *, again: bool = False) -> CertStatus | None:
        """The status; proven by what comes with it."""
        found = await self.client.status(leaf.der, SUB2.der, ask=again)
        if found.response is not None:
            wanted = cert_id(leaf.der, SUB2.der)
            assert verify_response(found.response, wanted, SUB2.der, at=self.clock.now()).status is found.status
        assert (found.status is None) == (found.response is None and found.crl is None)
        return found.status


# --- OCSP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", CertStatus)
async def test_the_responders_word_is_given_with_its_proof(status: CertStatus) -> None:
    bench = Bench()
    bench.responder.status = status
    assert await bench.ask(station()) is status


async def test_a_response_is_kept_until_half_of_its_life_is_over() -> None:
    bench, leaf = Bench(), station()
    for _ in range(3):
        await bench.ask(leaf)
    bench.clock.advance(DAY - timedelta(seconds=1))
    await bench.ask(leaf)
    assert bench.net.asked == ["ocsp"]
    bench.clock.advance(timedelta(seconds=1))
    await bench.ask(leaf)
    assert bench.net.asked == ["ocsp"] * 2
    await bench.ask(station())
    assert bench.net.asked == ["ocsp"] * 3, "another certificate"


async def test_the_week_bounds_what_a_responder_promises() -> None:
    bench, leaf = Bench(), station()
    bench.responder.lifetime = timedelta(days=60)
    await bench.ask(leaf)
    bench.clock.advance(timedelta(days=4))
    await bench.ask(leaf)
    assert bench.net.asked == ["ocsp"] * 2, "[V2G2-649]: seven days, half of which are over"


@pytest.mark.parametrize(
    ("status", "lifetime"), [(CertStatus.UNKNOWN, 2 * DAY), (CertStatus.GOOD, None)], ids=["unknown", "no nextUpdate"]
)
async def test_some_answers_are_not_kept(status: CertStatus, lifetime: timedelta | None) -> None:
    bench, leaf = Bench(), station()
    bench.responder.status, bench.responder.lifetime = status, lifetime
    for _ in range(2):
        assert await bench.ask(leaf) is status
    assert bench.net.asked == ["ocsp"] * 2


async def test_asking_again_sees_a_revocation_at_once() -> None:
    bench, leaf = Bench(), station()
    assert await bench.ask(leaf, again=True) is CertStatus.GOOD
    bench.clock.advance(timedelta(seconds=1))
    bench.responder.status = CertStatus.REVOKED
    assert await bench.ask(leaf) is CertStatus.GOOD, "what is at hand"
    assert await bench.ask(leaf, again=True) is CertStatus.REVOKED
    bench.net.responder = None
    assert await bench.ask(leaf, again=True) is None, "what is at hand is not enough"
    assert await bench.ask(leaf) is CertStatus.REVOKED


async def test_while_nobody_answers_the_old_word_holds_until_its_end() -> None:
    bench, leaf = Bench(), station()
    await bench.ask(leaf)
    bench.net.responder = None
    bench.clock.advance(1.5 * DAY)
    with capture_logs() as logs:
        assert await bench.ask(leaf) is CertStatus.GOOD
    assert [(line["event"], line["cause"]) for line in logs] == [("revocation.not_known", "the responder is down")]
    bench.clock.advance(0.6 * DAY)
    assert await bench.ask(leaf) is None


async def test_an_older_word_does_not_replace_a_newer_one() -> None:
    bench, leaf = Bench(), station()
    bench.responder.status = CertStatus.REVOKED
    await bench.ask(leaf)
    bench.clock.advance(DAY)
    bench.responder.status, bench.responder.age, bench.responder.lifetime = CertStatus.GOOD, 2 * DAY, 5 * DAY
    with capture_logs() as logs:
        assert await bench.ask(leaf) is CertStatus.REVOKED, "a good response from before the revocation is replayed"
    assert [line["cause"] for line in logs] == ["the OCSP response is older than the one at hand"]


def _stranger(bench: Bench) -> None:
    bench.responder.signer = generate()


def _too_old(bench: Bench) -> None:
    bench.responder.age = timedelta(days=8)
    bench.responder.lifetime = timedelta(days=30)


def _ended(bench: Bench) -> None:
    bench.responder.age, bench.responder.lifetime = DAY, DAY / 2


def _from_the_future(bench: Bench) -> None:
    bench.responder.age = -DAY


def _about_another(bench: Bench) -> None:
    other = build_request([cert_id(station().der, SUB2.der)])
    bench.net.responder = lambda _: bench.responder(other)


def _rubbish(bench: Bench) -> None:
    bench.net.responder = lambda _: b"rubbish"


def _try_later(bench: Bench) -> None:
    bench.net.responder = lambda _: b"\x30\x03\x0a\x01\x03"


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (_stranger, "signature does not verify"),
        (_too_old, "older than 7 days"),
        (_ended, "was to be renewed"),
        (_from_the_future, "from the future"),
        (_about_another, "about another certificate"),
        (_rubbish, "cannot be read"),
        (_try_later, "status 3"),
    ],
)
async def test_responses_that_prove_nothing_are_no_answer(spoil: Callable[[Bench], None], cause: str) -> None:
    bench, leaf = Bench(), station()
    spoil(bench)
    with capture_logs() as logs:
        assert await bench.ask(leaf) is None
    assert [cause in line["cause"] for line in logs] == [True], logs
    assert "DE*PLU" not in str(logs), "the certificate is told by its serial number"


async def test_a_nonce_must_come_back() -> None:
    bench, leaf = Bench(random=os.urandom), station()
    assert await bench.ask(leaf) is CertStatus.GOOD
    bench.responder.with_nonce = False
    assert await bench.ask(leaf, again=True) is None


async def test_many_at_once_ask_once() -> None:
    bench, leaf = Bench(), station()
    assert set(await asyncio.gather(*(bench.ask(leaf) for _ in range(20)))) == {CertStatus.GOOD}
    assert bench.net.asked == ["ocsp"]


# --- revocation lists ------------------------------------------------------------------------------------------------


async def test_the_list_answers_where_the_responder_does_not() -> None:
    bench, good, bad = Bench(), station(crl_url=CRL_URL), station(crl_url=CRL_URL)
    bench.net.responder = None
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, bad.certificate)
    assert await bench.ask(good) is CertStatus.GOOD
    assert await bench.ask(bad) is CertStatus.REVOKED
    assert bench.net.asked == ["ocsp", "crl", "ocsp"], "the list was kept"


async def test_a_certificate_without_a_responder_has_its_list() -> None:
    bench, leaf = Bench(), station(ocsp_url=None, crl_url=CRL_URL)
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, leaf.certificate)
    assert await bench.ask(leaf) is CertStatus.REVOKED
    assert bench.net.asked == ["crl"]


async def test_unknown_is_an_answer_and_not_asked_elsewhere() -> None:
    bench, leaf = Bench(), station(crl_url=CRL_URL)
    bench.responder.status = CertStatus.UNKNOWN
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2)
    assert await bench.ask(leaf) is CertStatus.UNKNOWN
    assert bench.net.asked == ["ocsp"]


async def test_a_list_is_renewed_at_half_its_life_and_holds_until_its_end() -> None:
    bench, leaf = Bench(), station(ocsp_url=None, crl_url=CRL_URL)
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, leaf.certificate, lifetime=2 * DAY)
    await bench.ask(leaf)
    bench.clock.advance(DAY)
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, at=NOW - DAY, lifetime=7 * DAY)
    assert await bench.ask(leaf) is CertStatus.REVOKED, "an older list is no news"
    bench.net.crl_file = None
    assert await bench.ask(leaf) is CertStatus.REVOKED
    bench.clock.advance(1.1 * DAY)
    assert await bench.ask(leaf) is None
    assert bench.net.asked == ["crl"] * 4


def flipped(encoded: bytes) -> bytes:
    """With another last bit: in the signature."""
    return encoded[:-1] + bytes([encoded[-1] ^ 1])


@pytest.mark.parametrize(
    ("file", "cause"),
    [
        (lambda: b"<html>not found</html>", "cannot be read"),
        (lambda: PKI.crl(ROLE.CPO_SUB1), "is issued by"),
        (lambda: mint_pki().crl(ROLE.CPO_SUB2), "another key"),
        (lambda: PKI.crl(ROLE.CPO_SUB2, at=NOW - 8 * DAY), "was to be renewed"),
        (lambda: PKI.crl(ROLE.CPO_SUB2, at=NOW + DAY), "from the future"),
        (lambda: flipped(PKI.crl(ROLE.CPO_SUB2)), "signature does not verify"),
    ],
)
async def test_lists_that_prove_nothing_are_no_answer(file: Callable[[], bytes], cause: str) -> None:
    bench, leaf = Bench(), station(ocsp_url=None, crl_url=CRL_URL)
    bench.net.crl_file = file()
    with capture_logs() as logs:
        assert await bench.ask(leaf) is None
    assert [cause in line["cause"] for line in logs] == [True], logs


# --- time ------------------------------------------------------------------------------------------------------------


async def test_the_budget_is_hard() -> None:
    bench, leaf = Bench(budget=0.05), station(crl_url=CRL_URL)
    bench.net.silent = frozenset({"ocsp", "crl"})
    with capture_logs() as logs:
        assert await bench.ask(leaf) is None
    assert [line["cause"] for line in logs] == ["the OCSP responder is late", "no status within 0.05 s"]


async def test_a_silent_responder_leaves_time_for_the_list() -> None:
    bench, leaf = Bench(budget=0.3), station(crl_url=CRL_URL)
    bench.net.silent = frozenset({"ocsp"})
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, leaf.certificate)
    assert await bench.ask(leaf) is CertStatus.REVOKED


@pytest.mark.parametrize("urls", [(OCSP_URL, None), (None, CRL_URL)], ids=["ocsp", "crl"])
async def test_what_is_at_hand_answers_when_the_budget_is_over(urls: tuple[str | None, str | None]) -> None:
    bench, leaf = Bench(budget=0.05), station(ocsp_url=urls[0], crl_url=urls[1])
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2, lifetime=2 * DAY)
    await bench.ask(leaf)
    bench.clock.advance(1.5 * DAY)
    bench.net.silent = frozenset({"ocsp", "crl"})
    assert await bench.ask(leaf) is CertStatus.GOOD


async def test_a_certificate_without_addresses_is_not_asked_about() -> None:
    bench = Bench()
    assert await bench.ask(station(ocsp_url=None)) is None
    assert bench.net.asked == []


# --- whole paths -----------------------------------------------------------------------------------------------------


class Hierarchy(Bench):
    """Answers for every CA of the shared hierarchy."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.revoked: set[int] = set()
        self.net.responder = self.answer

    def answer(self, request: bytes) -> bytes:
        (wanted,) = parse_request(request).cert_ids
        for role in (ROLE.CPO_SUB2, ROLE.CPO_SUB1, ROLE.V2G_ROOT):
            issuer = PKI[role]
            if cert_id(issuer.der, issuer.der).issuer_key_hash == wanted.issuer_key_hash:
                status = CertStatus.REVOKED if wanted.serial in self.revoked else CertStatus.GOOD
                now = self.clock.now()
                single = SingleStatus(cert_id=wanted, status=status, this_update=now, next_update=now + DAY)
                return build_response([single], issuer.signer, issuer.certificate, produced_at=now)
        raise Unavailable("not of this hierarchy")

    async def verdict(self, leaf: Minted, anchors: TrustAnchors | None = None, **options: Any) -> Status:
        found = await self.client.validate(leaf.chain, role=ROLE.SECC_LEAF, anchors=anchors or PKI.anchors, **options)
        return found.status


async def test_a_path_is_good_or_revoked_at_any_place() -> None:
    bench, leaf = Hierarchy(), station()
    assert await bench.verdict(leaf) is Status.ACCEPTED
    assert bench.net.asked == ["ocsp"] * 3
    bench.revoked.add(parse(PKI[ROLE.CPO_SUB1].der).serial)
    assert await bench.verdict(leaf) is Status.ACCEPTED, "what is at hand"
    bench.clock.advance(DAY)
    assert await bench.verdict(leaf) is Status.REFUSED


async def test_a_contract_like_leaf_is_asked_about_each_time() -> None:
    bench, leaf = Hierarchy(), station()
    for _ in range(2):
        assert await bench.verdict(leaf, ask_leaf=True) is Status.ACCEPTED
    assert bench.net.asked == ["ocsp"] * 4
    bench.clock.advance(timedelta(seconds=1))
    bench.revoked.add(leaf.certificate.serial_number)
    assert await bench.verdict(leaf, ask_leaf=True) is Status.REFUSED


async def test_nobody_answering_is_indeterminate() -> None:
    bench = Hierarchy()
    bench.net.responder = None
    assert await bench.verdict(station()) is Status.INDETERMINATE


async def test_one_list_among_responses_suffices() -> None:
    bench, leaf = Hierarchy(), station(ocsp_url=None, crl_url=CRL_URL)
    bench.net.crl_file = PKI.crl(ROLE.CPO_SUB2)
    assert await bench.verdict(leaf) is Status.ACCEPTED
    assert sorted(bench.net.asked) == ["crl", "ocsp", "ocsp"]


async def test_nothing_is_fetched_for_a_chain_that_is_refused_anyway() -> None:
    bench = Hierarchy()
    assert await bench.verdict(station(), TrustAnchors.of(v2g=[mint_pki()[ROLE.V2G_ROOT].der])) is Status.REFUSED
    assert bench.net.asked == []
