"""OCSP responses for the station's own leaf, by way of the CSMS."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pki_factory import NOW, ROLE, Minted, Pki, mint_pki
from plugpass.errors import Unavailable
from plugpass.net.clock import ManualClock
from plugpass.ocpp import enums as e
from plugpass.ocpp import messages as m
from plugpass.pki.ocsp import CertStatus
from plugpass.roles.station.staples import RETRY, WEEK, Staple, fetch_staple


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@pytest.fixture(scope="module")
def leaf(pki: Pki) -> Minted:
    return pki.leaf(ROLE.SECC_LEAF)


@dataclass
class Csms:
    """Answers GetCertificateStatus with `answer`, or is away."""

    answer: m.GetCertificateStatusResponse | None
    asked: list[m.GetCertificateStatusRequest] = field(default_factory=list)
    online: bool = True

    async def call(self, request: Any, *, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # the port's
        self.asked.append(request)
        if self.answer is None:
            raise Unavailable("no connection to the CSMS")
        return self.answer


def accepted(response: bytes) -> m.GetCertificateStatusResponse:
    return m.GetCertificateStatusResponse(
        status=e.Iso15118EVCertificateStatus.ACCEPTED, ocsp_result=base64.b64encode(response).decode()
    )


async def fetch(pki: Pki, leaf: Minted, answer: m.GetCertificateStatusResponse | None) -> Staple | None:
    return await fetch_staple(leaf.chain, pki.anchors, Csms(answer), ManualClock(NOW))


async def test_good_response_is_stapled_until_half_of_its_life(pki: Pki, leaf: Minted) -> None:
    response = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, lifetime=timedelta(days=4))
    csms = Csms(accepted(response))
    staple = await fetch_staple(leaf.chain, pki.anchors, csms, ManualClock(NOW))
    assert staple == Staple(response=response, refresh_at=NOW + timedelta(days=2))
    assert csms.asked[0].ocsp_request_data.responder_url == "http://ocsp.test/"


@pytest.mark.parametrize(
    ("lifetime", "wait"), [(timedelta(days=60), WEEK), (timedelta(minutes=1), RETRY)], ids=["long", "short"]
)
async def test_refresh_is_neither_too_late_nor_too_often(
    pki: Pki, leaf: Minted, lifetime: timedelta, wait: timedelta
) -> None:
    staple = await fetch(pki, leaf, accepted(pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, lifetime=lifetime)))
    assert staple is not None
    assert staple.refresh_at == NOW + wait


async def test_revoked_leaf_is_stapled_as_what_it_is(pki: Pki, leaf: Minted) -> None:
    response = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, CertStatus.REVOKED)
    staple = await fetch(pki, leaf, accepted(response))
    assert staple is not None
    assert staple.response == response


async def test_what_is_no_response_for_the_leaf_is_not_stapled(pki: Pki, leaf: Minted) -> None:
    forged = mint_pki().ocsp_response(leaf.der, ROLE.CPO_SUB2)
    other = pki.ocsp_response(pki.leaf(ROLE.SECC_LEAF).der, ROLE.CPO_SUB2)
    failed = m.GetCertificateStatusResponse(status=e.Iso15118EVCertificateStatus.FAILED)
    no_base64 = m.GetCertificateStatusResponse(status=e.Iso15118EVCertificateStatus.ACCEPTED, ocsp_result="?")
    for answer in (None, failed, no_base64, accepted(b"garbage"), accepted(forged), accepted(other)):
        assert await fetch(pki, leaf, answer) is None


async def test_leaf_without_a_responder_has_no_staple(pki: Pki) -> None:
    silent = pki.leaf(ROLE.SECC_LEAF, ocsp_url=None)
    csms = Csms(None)
    assert await fetch_staple(silent.chain, pki.anchors, csms, ManualClock(NOW)) is None
    assert csms.asked == []
