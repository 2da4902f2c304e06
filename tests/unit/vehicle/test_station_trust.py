"""What a vehicle believes of a station before it sends a single message."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pki_factory import NOW, ROLE, Minted, Pki, mint_pki
from plugpass.net.clock import ManualClock
from plugpass.pki.ocsp import CertStatus
from plugpass.pki.policy import ANNEX_F, FIELD
from plugpass.pki.trust import TrustAnchors
from plugpass.roles.vehicle.trust import StapleRule, StationRefused, StationTrust


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@pytest.fixture(scope="module")
def leaf(pki: Pki) -> Minted:
    return pki.leaf(ROLE.SECC_LEAF)


def trust(
    anchors: TrustAnchors, *, later: timedelta = timedelta(0), staple: StapleRule = StapleRule.REQUIRED
) -> StationTrust:
    return StationTrust(anchors=anchors, policy=FIELD, staple=staple, clock=ManualClock(NOW + later))


def good_staple(pki: Pki, leaf: Minted) -> bytes:
    return pki.ocsp_response(leaf.der, ROLE.CPO_SUB2)


def alert_of(judge: StationTrust, chain: tuple[bytes, ...], staple: bytes | None) -> str:
    with pytest.raises(StationRefused) as refused:
        judge(chain, staple)
    return refused.value.wire


def test_good_station(pki: Pki, leaf: Minted) -> None:
    judge = trust(pki.anchors)
    judge(leaf.chain, good_staple(pki, leaf))
    assert judge.serial == leaf.certificate.serial_number
    assert judge.octets > sum(map(len, leaf.chain))


def test_strict_policy_takes_our_own_certificates(pki: Pki, leaf: Minted) -> None:
    judge = StationTrust(anchors=pki.anchors, policy=ANNEX_F, staple=StapleRule.REQUIRED, clock=ManualClock(NOW))
    judge(leaf.chain, good_staple(pki, leaf))


@pytest.mark.parametrize(
    ("later", "alert"), [(timedelta(days=61), "certificate_expired"), (timedelta(days=-2), "certificate_expired")]
)
def test_validity(pki: Pki, leaf: Minted, later: timedelta, alert: str) -> None:
    assert alert_of(trust(pki.anchors, later=later), leaf.chain, good_staple(pki, leaf)) == alert


def test_chains_that_lead_nowhere(pki: Pki, leaf: Minted) -> None:
    staple = good_staple(pki, leaf)
    assert alert_of(trust(TrustAnchors()), leaf.chain, staple) == "unknown_ca"
    assert alert_of(trust(mint_pki().anchors), leaf.chain, staple) == "unknown_ca"
    assert alert_of(trust(pki.anchors), leaf.chain[:1], staple) == "unknown_ca"
    assert alert_of(trust(pki.anchors), (), None) == "bad_certificate"


def test_root_of_another_type_vouches_for_no_station(pki: Pki, leaf: Minted) -> None:
    as_mo = TrustAnchors.of(mo=[pki[ROLE.V2G_ROOT].der])
    assert alert_of(trust(as_mo), leaf.chain, good_staple(pki, leaf)) == "unknown_ca"


@pytest.mark.parametrize("role", [ROLE.CONTRACT, ROLE.CPS_LEAF, ROLE.OEM_PROVISIONING])
def test_other_leaves_are_no_station(pki: Pki, role: object) -> None:
    minted = pki.leaf(role)  # type: ignore[arg-type]
    assert alert_of(trust(pki.anchors), minted.chain, None) in {"bad_certificate", "unknown_ca"}


def test_staples(pki: Pki, leaf: Minted) -> None:
    judge = trust(pki.anchors)
    status = "bad_certificate_status_response"
    assert alert_of(judge, leaf.chain, None) == status
    assert alert_of(judge, leaf.chain, b"no OCSP response") == status
    assert alert_of(judge, leaf.chain, good_staple(pki, pki.leaf(ROLE.SECC_LEAF))) == status
    forged = mint_pki().ocsp_response(leaf.der, ROLE.CPO_SUB2)
    assert alert_of(judge, leaf.chain, forged) == status
    revoked = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, CertStatus.REVOKED)
    assert alert_of(judge, leaf.chain, revoked) == "certificate_revoked"
    unknown = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, CertStatus.UNKNOWN)
    assert alert_of(judge, leaf.chain, unknown) == status
    stale = trust(pki.anchors, later=timedelta(days=8))
    assert alert_of(stale, leaf.chain, good_staple(pki, leaf)) == status


def test_tolerance_is_for_missing_staples_only(pki: Pki, leaf: Minted) -> None:
    judge = trust(pki.anchors, staple=StapleRule.TOLERATE_MISSING)
    judge(leaf.chain, None)
    revoked = pki.ocsp_response(leaf.der, ROLE.CPO_SUB2, CertStatus.REVOKED)
    assert alert_of(judge, leaf.chain, revoked) == "certificate_revoked"
