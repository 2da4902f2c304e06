"""Get15118EVCertificate relayed (M01, M02) and GetCertificateStatus proxied (M06)."""

from __future__ import annotations

import base64

import pytest

from ocpp_support import EVSE_ID, IDENTITY, STATION, Bench, WatchedRegistry, make_csms, ocsp_data
from pki_factory import OCSP_URL, ROLE, shared_pki
from plugpass.errors import PeerError, Unavailable
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.pki import ocsp
from plugpass.pki.certificate import parse
from plugpass.ports.contracts import ISO2_NAMESPACE
from plugpass.ports.stations import StationCertificate
from plugpass.roles.csms import Settings

ACCEPTED, FAILED = e.Iso15118EVCertificateStatus.ACCEPTED, e.Iso15118EVCertificateStatus.FAILED
EXI = b"\x80\x98\x02installation request"


def request(exi: str | None = None) -> m.Get15118EVCertificateRequest:
    return m.Get15118EVCertificateRequest(
        iso15118_schema_version=ISO2_NAMESPACE,
        action=e.CertificateAction.INSTALL,
        exi_request=base64.b64encode(EXI).decode() if exi is None else exi,
    )


async def test_the_request_reaches_the_pool_unread_and_its_answer_the_station(bench: Bench) -> None:
    answer = await bench.link.send(request())
    assert answer.status is ACCEPTED
    assert base64.b64decode(answer.exi_response) == bench.pool.answer
    assert bench.pool.asked == [(EXI, ISO2_NAMESPACE)]


@pytest.mark.parametrize(
    ("refuse", "code"),
    [
        (Unavailable("the pool cannot be reached"), "PoolUnavailable"),
        (PeerError("the pool refuses", wire="403"), "PoolRefused"),
    ],
)
async def test_a_pool_that_gives_nothing_is_a_failure_with_an_empty_answer(
    bench: Bench, refuse: Exception, code: str
) -> None:
    bench.pool.refuse = refuse
    answer = await bench.link.send(request())
    assert (answer.status, answer.exi_response, answer.status_info.reason_code) == (FAILED, "", code)


@pytest.mark.parametrize("answer", [b"", b"x" * 5626])
async def test_an_answer_ocpp_cannot_carry(bench: Bench, answer: bytes) -> None:
    bench.pool.answer = answer
    relayed = await bench.link.send(request())
    assert (relayed.status, relayed.exi_response) == (FAILED, "")
    assert relayed.status_info.reason_code == "ExiResponseSize"


async def test_the_largest_answer_ocpp_can_carry(bench: Bench) -> None:
    bench.pool.answer = b"x" * 5625
    relayed = await bench.link.send(request())
    assert (relayed.status, len(relayed.exi_response)) == (ACCEPTED, 7500)


@pytest.mark.parametrize("text", ["not base64!", "AAA", "ä"])
async def test_a_request_that_is_no_base64(bench: Bench, text: str) -> None:
    answer = await bench.link.send(request(text))
    assert (answer.status, answer.status_info.reason_code) == (FAILED, "InvalidExiRequest")
    assert bench.pool.asked == []


async def test_a_slow_pool_is_given_up_before_the_vehicle_gives_up(registry: WatchedRegistry) -> None:
    await registry.save_station(STATION)
    bench = make_csms(registry, shared_pki(), settings=Settings(installation_budget=0.05))
    bench.pool.slow = True
    async with bench.csms:
        answer = await bench.link.send(request())
    assert (answer.status, answer.exi_response, answer.status_info.reason_code) == (FAILED, "", "PoolTimeout")


# OCSP proxy ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def chain(bench: Bench) -> tuple[bytes, ...]:
    """The SECC chain of the bench's station."""
    secc = bench.pki.leaf(ROLE.SECC_LEAF, EVSE_ID)
    await bench.registry.save_certificate(
        StationCertificate(
            station=IDENTITY,
            evse_id=EVSE_ID,
            chain=secc.chain,
            serial=secc.certificate.serial_number,
            not_before=secc.certificate.not_valid_before_utc,
            not_after=secc.certificate.not_valid_after_utc,
            installed_at=bench.clock.now(),
        )
    )
    return secc.chain


async def proxied(
    bench: Bench, certificate: bytes, issuer: bytes, url: str = OCSP_URL
) -> m.GetCertificateStatusResponse:
    answer = await bench.link.send(m.GetCertificateStatusRequest(ocsp_request_data=ocsp_data(certificate, issuer, url)))
    assert isinstance(answer, m.GetCertificateStatusResponse)
    return answer


async def test_every_certificate_of_the_chain_can_be_asked_for(bench: Bench, chain: tuple[bytes, ...]) -> None:
    issuers = (*chain[1:], bench.pki[ROLE.V2G_ROOT].der)
    for certificate, issuer in zip(chain, issuers, strict=True):
        answer = await proxied(bench, certificate, issuer)
        assert answer.status is ACCEPTED
        assert answer.ocsp_result is not None
        single = ocsp.verify_response(
            base64.b64decode(answer.ocsp_result), ocsp.cert_id(certificate, issuer), issuer, at=bench.clock.now()
        )
        assert single.status is ocsp.CertStatus.GOOD


async def test_a_revoked_status_is_relayed_like_any_other(bench: Bench, chain: tuple[bytes, ...]) -> None:
    bench.responder.statuses[parse(chain[0]).serial] = ocsp.CertStatus.REVOKED
    assert (await proxied(bench, chain[0], chain[1])).status is ACCEPTED


async def test_a_responder_that_is_away(bench: Bench, chain: tuple[bytes, ...]) -> None:
    bench.responder.lost.add(parse(chain[0]).serial)
    answer = await proxied(bench, chain[0], chain[1])
    assert (answer.status, answer.ocsp_result) == (FAILED, None)
    assert answer.status_info is not None
    assert answer.status_info.reason_code == "NoOcspResponse"


async def test_a_forged_response_is_not_relayed(bench: Bench, chain: tuple[bytes, ...]) -> None:
    bench.responder.forge = True
    assert (await proxied(bench, chain[0], chain[1])).status is FAILED


async def test_only_the_stations_own_certificates_and_their_responders_are_asked(
    bench: Bench, chain: tuple[bytes, ...]
) -> None:
    foreign = bench.pki.leaf(ROLE.SECC_LEAF, "DE*PLU*E99")
    answer = await proxied(bench, foreign.der, foreign.chain[1])
    assert answer.status is FAILED
    assert answer.status_info is not None
    assert answer.status_info.reason_code == "UnknownCertificate"
    assert (await proxied(bench, chain[0], chain[1], "http://10.0.0.1/admin")).status is ACCEPTED
    assert set(bench.responder.urls) == {OCSP_URL}


async def test_hash_data_that_are_no_hex(bench: Bench) -> None:
    data = m.OCSPRequestData(
        hash_algorithm=e.HashAlgorithm.SHA256,
        issuer_name_hash="zz",
        issuer_key_hash="zz",
        serial_number="zz",
        responder_url=OCSP_URL,
    )
    answer = await bench.link.send(m.GetCertificateStatusRequest(ocsp_request_data=data))
    assert answer.status is FAILED
    assert answer.status_info.reason_code == "InvalidHashData"


async def test_a_leaf_can_be_asked_for_while_it_is_being_handed_over(bench: Bench) -> None:
    await bench.boot()
    await bench.station.wait_for(lambda: bool(bench.station.chains))
    leaf, issuer, _ = bench.station.chains[EVSE_ID]
    assert (await proxied(bench, leaf, issuer)).status is ACCEPTED
