"""Authorize: C07 with real chains, real OCSP responses and a manual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ocpp_support import (
    EMAID_TEXT,
    IDENTITY,
    STATION,
    Bench,
    WatchedRegistry,
    authorize,
    contract_hash_data,
    make_csms,
    ocsp_data,
)
from pki_factory import OCSP_URL, ROLE, Minted, mint_pki, shared_pki
from plugpass.ids import EMAID
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.pki.certificate import parse
from plugpass.pki.ocsp import CertStatus
from plugpass.ports.contracts import RootEntry
from plugpass.roles.csms import Settings

Token, Cert = e.AuthorizationStatus, e.AuthorizeCertificateStatus
Pair = tuple[Cert | None, Token]

ACCEPTED: Pair = (Cert.ACCEPTED, Token.ACCEPTED)
CHAIN_ERROR: Pair = (Cert.CERT_CHAIN_ERROR, Token.INVALID)
REVOKED: Pair = (Cert.CERTIFICATE_REVOKED, Token.INVALID)
EXPIRED: Pair = (Cert.CERTIFICATE_EXPIRED, Token.EXPIRED)


@pytest.fixture
def contract() -> Minted:
    return shared_pki().leaf(ROLE.CONTRACT, EMAID_TEXT)


async def ask(bench: Bench, request: m.AuthorizeRequest) -> Pair:
    answer = await bench.link.send(request)
    assert isinstance(answer, m.AuthorizeResponse)
    return answer.certificate_status, answer.id_token_info.status


async def reason(bench: Bench) -> str:
    return (await bench.registry.authorizations(IDENTITY))[-1].reason


def with_roots(entries: tuple[RootEntry, ...]) -> Callable[[], Awaitable[tuple[RootEntry, ...]]]:
    async def roots() -> tuple[RootEntry, ...]:
        return entries

    return roots


Inputs = Callable[[Minted], m.AuthorizeRequest]


def by_certificate(contract: Minted) -> m.AuthorizeRequest:
    return authorize(contract.chain)


def by_both(contract: Minted) -> m.AuthorizeRequest:
    return authorize(contract.chain, contract_hash_data(shared_pki(), contract.chain))


both_ways = pytest.mark.parametrize("inputs", [by_certificate, by_both])


@both_ways
async def test_a_good_contract_may_charge(bench: Bench, contract: Minted, inputs: Inputs) -> None:
    assert await ask(bench, inputs(contract)) == ACCEPTED
    assert bench.emsp.asked == [EMAID.parse(EMAID_TEXT)]
    (record,) = await bench.registry.authorizations()
    assert (record.station, record.emaid) == (IDENTITY, EMAID_TEXT)
    assert (record.certificate_status, record.token_status) == ACCEPTED
    # each certificate of the chain was asked for once, whether named once or twice
    assert len(bench.responder.asked) == 3


@both_ways
@pytest.mark.parametrize(
    ("token", "pair"),
    [
        (Token.BLOCKED, (Cert.CONTRACT_CANCELLED, Token.BLOCKED)),
        (Token.EXPIRED, (Cert.CONTRACT_CANCELLED, Token.EXPIRED)),
        (Token.INVALID, (Cert.CONTRACT_CANCELLED, Token.INVALID)),
        (Token.UNKNOWN, (Cert.CONTRACT_CANCELLED, Token.UNKNOWN)),
        (Token.NO_CREDIT, (Cert.ACCEPTED, Token.NO_CREDIT)),
        (Token.NOT_AT_THIS_LOCATION, (Cert.ACCEPTED, Token.NOT_AT_THIS_LOCATION)),
    ],
)
async def test_the_word_of_the_emsp(bench: Bench, contract: Minted, inputs: Inputs, token: Token, pair: Pair) -> None:
    bench.emsp.status = token
    assert await ask(bench, inputs(contract)) == pair


@both_ways
async def test_an_emsp_that_is_away_is_no_yes_and_cancels_nothing(
    bench: Bench, contract: Minted, inputs: Inputs
) -> None:
    bench.emsp.status = None
    assert await ask(bench, inputs(contract)) == (Cert.ACCEPTED, Token.NOT_AT_THIS_TIME)
    assert "cannot be reached" in await reason(bench)


@both_ways
@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_revoked_certificate_anywhere_in_the_chain(
    bench: Bench, contract: Minted, inputs: Inputs, position: int
) -> None:
    bench.responder.statuses[parse(contract.chain[position]).serial] = CertStatus.REVOKED
    assert await ask(bench, inputs(contract)) == REVOKED
    assert "revoked" in await reason(bench)
    assert bench.emsp.asked == []


@both_ways
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("fault", ["unknown", "lost"])
async def test_no_good_status_no_charging(
    bench: Bench, contract: Minted, inputs: Inputs, position: int, fault: str
) -> None:
    serial = parse(contract.chain[position]).serial
    if fault == "unknown":
        bench.responder.statuses[serial] = CertStatus.UNKNOWN
    else:
        bench.responder.lost.add(serial)
    assert await ask(bench, inputs(contract)) == CHAIN_ERROR


@both_ways
async def test_a_forged_ocsp_response_proves_nothing(bench: Bench, contract: Minted, inputs: Inputs) -> None:
    bench.responder.forge = True
    assert await ask(bench, inputs(contract)) == CHAIN_ERROR
    assert "signature" in await reason(bench)


@both_ways
async def test_a_responder_that_is_late_has_not_answered(
    registry: WatchedRegistry, contract: Minted, inputs: Inputs
) -> None:
    await registry.save_station(STATION)
    bench = make_csms(registry, shared_pki(), settings=Settings(ocsp_budget=0.05))
    bench.responder.slow.add(contract.certificate.serial_number)
    async with bench.csms:
        assert await ask(bench, inputs(contract)) == CHAIN_ERROR
        assert "within 0.05 s" in await reason(bench)


async def test_a_revocation_counts_at_the_next_plug_in(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_both(contract)) == ACCEPTED
    bench.responder.statuses[contract.certificate.serial_number] = CertStatus.REVOKED
    assert await ask(bench, by_both(contract)) == REVOKED


async def test_the_status_of_cas_is_kept_for_half_its_life(bench: Bench, contract: Minted) -> None:
    for _ in range(2):
        assert await ask(bench, by_both(contract)) == ACCEPTED
    leaf = contract.certificate.serial_number
    assert bench.responder.asked.count(leaf) == 2
    assert len(bench.responder.asked) == 4  # two CAs once, the leaf twice
    bench.clock.advance(timedelta(days=2, minutes=1))  # the responses live four days
    assert await ask(bench, by_both(contract)) == ACCEPTED
    assert len(bench.responder.asked) == 7


async def test_an_expired_contract(bench: Bench) -> None:
    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT, validity=timedelta(days=30))
    bench.clock.advance(timedelta(days=31))
    assert await ask(bench, by_certificate(contract)) == EXPIRED
    bench.clock.advance(timedelta(days=-31))
    assert await ask(bench, by_certificate(contract)) == ACCEPTED


async def test_a_contract_that_is_not_valid_yet(bench: Bench) -> None:
    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT, now=bench.clock.now() + timedelta(days=2))
    assert await ask(bench, by_certificate(contract)) == CHAIN_ERROR


async def test_a_chain_to_a_root_nobody_trusts(bench: Bench) -> None:
    stranger = mint_pki().leaf(ROLE.CONTRACT, EMAID_TEXT)
    assert await ask(bench, by_certificate(stranger)) == CHAIN_ERROR
    assert bench.responder.asked == []  # nobody is asked about what is not trusted


async def test_without_roots_nothing_is_trusted(bench: Bench, contract: Minted) -> None:
    bench.roots.empty = True
    assert await ask(bench, by_certificate(contract)) == CHAIN_ERROR


async def test_a_root_that_is_no_ca_is_left_out(bench: Bench, contract: Minted) -> None:
    good = await bench.roots.roots()
    bad = RootEntry(root_id="bad", root_type="MO", certificate=contract.der)
    bench.roots.roots = with_roots((bad, *good))  # type: ignore[method-assign,assignment]  # a pool with a bad entry
    assert await ask(bench, by_certificate(contract)) == ACCEPTED


async def test_the_roots_read_last_stay_in_use_while_the_pool_is_away(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_certificate(contract)) == ACCEPTED
    bench.roots.away = True
    bench.clock.advance(timedelta(hours=2))
    assert await ask(bench, by_certificate(contract)) == ACCEPTED


async def test_a_withdrawn_root_is_noticed(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_both(contract)) == ACCEPTED
    bench.roots.empty = True
    bench.clock.advance(timedelta(hours=2))
    assert await ask(bench, by_both(contract)) == CHAIN_ERROR
    hashes_only = authorize(None, contract_hash_data(bench.pki, contract.chain))
    assert await ask(bench, hashes_only) == CHAIN_ERROR


async def test_somebody_elses_certificate(bench: Bench, contract: Minted) -> None:
    request = authorize(contract.chain, emaid="DEPLUC87654321")
    assert await ask(bench, request) == CHAIN_ERROR
    assert "common name" in await reason(bench)


@pytest.mark.parametrize("spelling", ["DE-PLU-C12345678-Q", "deplUc12345678q", "DEPLUC12345678"])
async def test_spellings_of_the_same_emaid(bench: Bench, contract: Minted, spelling: str) -> None:
    assert await ask(bench, authorize(contract.chain, emaid=spelling)) == ACCEPTED


async def test_another_kind_of_leaf_is_no_contract(bench: Bench) -> None:
    secc = bench.pki.leaf(ROLE.SECC_LEAF)
    assert await ask(bench, authorize(secc.chain)) == CHAIN_ERROR


async def test_the_leaf_alone_is_no_chain(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, authorize(contract.chain[:1])) == CHAIN_ERROR


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
async def test_a_certificate_that_is_none(bench: Bench, text: str) -> None:
    request = m.AuthorizeRequest(id_token=authorize(None).id_token, certificate=text)
    assert await ask(bench, request) == CHAIN_ERROR


async def test_nothing_to_verify_is_nothing_verified(bench: Bench) -> None:
    assert await ask(bench, authorize(None)) == CHAIN_ERROR
    assert bench.emsp.asked == []


async def test_a_malformed_emaid(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, authorize(contract.chain, emaid="nobody")) == CHAIN_ERROR


async def test_other_tokens_are_unknown_here(bench: Bench) -> None:
    request = m.AuthorizeRequest(id_token=m.IdToken(id_token="04A1B2C3", type=e.IdTokenType.ISO14443))
    assert await ask(bench, request) == (None, Token.UNKNOWN)


# Hash data -----------------------------------------------------------------------------------------------------------


async def test_hash_data_alone_name_an_issuer_nobody_has_seen(bench: Bench, contract: Minted) -> None:
    request = authorize(None, contract_hash_data(bench.pki, contract.chain))
    assert await ask(bench, request) == CHAIN_ERROR
    assert "issuer named by the hash data is not known" in await reason(bench)


async def test_hash_data_alone_suffice_once_the_cas_are_known(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_certificate(contract)) == ACCEPTED
    other = bench.pki.leaf(ROLE.CONTRACT, "DEPLUC87654321")
    request = authorize(None, contract_hash_data(bench.pki, other.chain), emaid="DEPLUC87654321")
    assert await ask(bench, request) == ACCEPTED
    bench.responder.statuses[other.certificate.serial_number] = CertStatus.REVOKED
    assert await ask(bench, request) == REVOKED


async def test_hash_data_of_the_leaf_bring_its_known_cas_along(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_certificate(contract)) == ACCEPTED
    request = authorize(None, contract_hash_data(bench.pki, contract.chain)[:1])
    assert await ask(bench, request) == ACCEPTED
    bench.clock.advance(timedelta(days=3))  # what is known of the CAs is to be asked again
    bench.responder.statuses[bench.pki[ROLE.MO_SUB2].certificate.serial_number] = CertStatus.REVOKED
    assert await ask(bench, request) == REVOKED


async def test_hash_data_without_the_leaf_verify_no_contract(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_certificate(contract)) == ACCEPTED
    request = authorize(None, contract_hash_data(bench.pki, contract.chain)[1:])
    assert await ask(bench, request) == CHAIN_ERROR


async def test_the_cas_known_must_still_be_valid(bench: Bench, contract: Minted) -> None:
    assert await ask(bench, by_certificate(contract)) == ACCEPTED
    bench.clock.advance(timedelta(days=365 * 11))
    request = authorize(None, contract_hash_data(bench.pki, contract.chain)[:1])
    assert await ask(bench, request) == CHAIN_ERROR


async def test_both_must_pass_and_neither_overwrites_the_other(bench: Bench, contract: Minted) -> None:
    other = bench.pki.leaf(ROLE.CONTRACT, "DEPLUC87654321")
    # a good chain with hash data about another contract
    assert await ask(bench, authorize(contract.chain, contract_hash_data(bench.pki, other.chain))) == CHAIN_ERROR
    # a bad chain with good hash data
    request = authorize(other.chain, contract_hash_data(bench.pki, contract.chain))
    assert await ask(bench, request) == CHAIN_ERROR
    # a good chain with hash data of which one is revoked
    bench.responder.statuses[other.certificate.serial_number] = CertStatus.REVOKED
    mixed = (*contract_hash_data(bench.pki, contract.chain), contract_hash_data(bench.pki, other.chain)[0])
    assert await ask(bench, authorize(contract.chain, mixed)) == REVOKED


async def test_a_responder_only_the_request_names_is_never_asked(bench: Bench, contract: Minted) -> None:
    evil = tuple(
        replace_url(data, "http://169.254.169.254/latest/meta-data")
        for data in contract_hash_data(bench.pki, contract.chain)
    )
    assert await ask(bench, authorize(contract.chain, evil)) == CHAIN_ERROR
    assert set(bench.responder.urls) == {OCSP_URL}


async def test_a_responder_may_be_allowed_by_name(registry: WatchedRegistry, contract: Minted) -> None:
    await registry.save_station(STATION)
    settings = Settings(allowed_responders=("status.example",))
    bench = make_csms(registry, shared_pki(), settings=settings)
    elsewhere = tuple(
        replace_url(data, "https://status.example/ocsp") for data in contract_hash_data(bench.pki, contract.chain)
    )
    async with bench.csms:
        assert await ask(bench, authorize(contract.chain, elsewhere)) == ACCEPTED


def replace_url(data: m.OCSPRequestData, url: str) -> m.OCSPRequestData:
    return m.OCSPRequestData(
        hash_algorithm=data.hash_algorithm,
        issuer_name_hash=data.issuer_name_hash,
        issuer_key_hash=data.issuer_key_hash,
        serial_number=data.serial_number,
        responder_url=url,
    )


async def test_hash_data_in_upper_case_with_zeros_in_front(bench: Bench, contract: Minted) -> None:
    data = contract_hash_data(bench.pki, contract.chain)
    shouted = tuple(
        m.OCSPRequestData(
            hash_algorithm=item.hash_algorithm,
            issuer_name_hash=item.issuer_name_hash.upper(),
            issuer_key_hash=item.issuer_key_hash.upper(),
            serial_number="00" + item.serial_number.upper(),
            responder_url=item.responder_url,
        )
        for item in data
    )
    assert await ask(bench, authorize(contract.chain, shouted)) == ACCEPTED


async def test_hash_data_that_are_no_hex(bench: Bench, contract: Minted) -> None:
    data = contract_hash_data(bench.pki, contract.chain)[0]
    broken = m.OCSPRequestData(
        hash_algorithm=data.hash_algorithm,
        issuer_name_hash="zz",
        issuer_key_hash=data.issuer_key_hash,
        serial_number=data.serial_number,
        responder_url=data.responder_url,
    )
    assert await ask(bench, authorize(contract.chain, (broken,))) == CHAIN_ERROR


async def test_a_contract_without_a_responder_is_judged_by_its_chain(bench: Bench) -> None:
    contract = bench.pki.leaf(ROLE.CONTRACT, EMAID_TEXT, ocsp_url=None)
    assert await ask(bench, authorize(contract.chain)) == ACCEPTED
    assert contract.certificate.serial_number not in bench.responder.asked


async def test_a_root_named_as_the_issuer_of_the_contract(bench: Bench) -> None:
    root = bench.pki[ROLE.MO_ROOT]
    data = ocsp_data(bench.pki[ROLE.MO_SUB1].der, root.der)
    assert await ask(bench, authorize(None, (data,))) == CHAIN_ERROR


async def test_a_slow_authorize_blocks_nobody_else(bench: Bench, contract: Minted) -> None:
    bench.emsp.slow = True
    slow = asyncio.create_task(ask(bench, by_certificate(contract)))
    assert isinstance(await bench.link.send(m.HeartbeatRequest()), m.HeartbeatResponse)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


async def test_the_log_names_the_cause_and_nobody(bench: Bench, contract: Minted) -> None:
    bench.responder.statuses[contract.certificate.serial_number] = CertStatus.REVOKED
    with capture_logs() as lines:
        await ask(bench, by_certificate(contract))
    (line,) = [line for line in lines if line["event"] == "csms.authorize"]
    assert line["log_level"] == "warning"
    assert line["causes"] == ["revoked"]
    assert EMAID_TEXT not in str(lines)
