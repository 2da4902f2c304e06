"""A station that decides by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from pki_factory import NOW, ROLE, Minted, Pki, mint_pki
from plugpass.errors import Unavailable
from plugpass.ids import EMAID
from plugpass.net.clock import ManualClock
from plugpass.pki import ocsp
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import AuthorizationVerdict, ContractAuthorization
from plugpass.roles.station import LocalBackend, LocalRules, RevocationRule

CONTRACT = EMAID.parse("DEPLUC12345678Q")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


@dataclass
class Responder:
    """Answers for every CA of the MO hierarchy."""

    pki: Pki
    revoked: set[int] = field(default_factory=set)
    away: bool = False

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        if self.away:
            raise Unavailable("the responder does not answer")
        (wanted,) = ocsp.parse_request(request).cert_ids
        issuer = next(
            minted for minted in self.pki.authorities.values() if ocsp.same_certificate(wanted, wanted, minted.der)
        )
        single = ocsp.SingleStatus(
            cert_id=wanted,
            status=ocsp.CertStatus.REVOKED if wanted.serial in self.revoked else ocsp.CertStatus.GOOD,
            this_update=NOW,
            next_update=NOW + timedelta(days=7),
            revoked_at=NOW,
        )
        return ocsp.build_response([single], issuer.signer, issuer.certificate, produced_at=NOW)


async def ask(
    pki: Pki,
    minted: Minted,
    *,
    rule: RevocationRule = RevocationRule.UNCHECKED,
    responder: Responder | None = None,
    emaids: frozenset[EMAID] = frozenset(),
    anchors: TrustAnchors | None = None,
    later: timedelta = timedelta(0),
) -> AuthorizationVerdict:
    backend = LocalBackend(
        rules=LocalRules(revocation=rule, emaids=emaids),
        anchors=lambda: pki.anchors if anchors is None else anchors,
        clock=ManualClock(NOW + later),
        revocation=responder,
    )
    return await backend.authorize(ContractAuthorization(emaid=CONTRACT, chain=minted.chain))


async def test_valid_contract_charges(pki: Pki) -> None:
    assert (await ask(pki, pki.leaf(ROLE.CONTRACT))).accepted


@pytest.mark.parametrize(
    ("later", "anchors", "name", "status"),
    [
        (timedelta(days=2000), None, str(CONTRACT), "CertificateExpired"),
        (timedelta(0), TrustAnchors(), str(CONTRACT), "CertChainError"),
        (timedelta(0), None, str(EMAID.create("DE", "PLU", "C00000001")), "CertChainError"),
    ],
    ids=["expired", "no root", "another EMAID"],
)
async def test_bad_chains_are_refused(
    pki: Pki, later: timedelta, anchors: TrustAnchors | None, name: str, status: str
) -> None:
    verdict = await ask(pki, pki.leaf(ROLE.CONTRACT, name), later=later, anchors=anchors)
    assert not verdict.accepted
    assert verdict.certificate_status == status
    assert verdict.reason


async def test_list_of_emaids(pki: Pki) -> None:
    minted = pki.leaf(ROLE.CONTRACT)
    assert (await ask(pki, minted, emaids=frozenset({CONTRACT}))).accepted
    other = await ask(pki, minted, emaids=frozenset({EMAID.create("DE", "PLU", "C00000001")}))
    assert (other.certificate_status, other.token_status) == ("Accepted", "NotAtThisLocation")


async def test_ocsp_decides_where_it_is_asked(pki: Pki) -> None:
    minted, responder = pki.leaf(ROLE.CONTRACT), Responder(pki)
    assert (await ask(pki, minted, rule=RevocationRule.OCSP, responder=responder)).accepted
    responder.revoked.add(minted.certificate.serial_number)
    revoked = await ask(pki, minted, rule=RevocationRule.OCSP, responder=responder)
    assert revoked.certificate_status == "CertificateRevoked"
    assert (await ask(pki, minted)).accepted, "unchecked says what it does"


@pytest.mark.parametrize("responder", [None, "away"])
async def test_unreachable_responder_is_no_yes(pki: Pki, responder: str | None) -> None:
    source = Responder(pki, away=True) if responder else None
    with capture_logs() as logs:
        verdict = await ask(pki, pki.leaf(ROLE.CONTRACT), rule=RevocationRule.OCSP, responder=source)
    assert verdict.certificate_status == "CertChainError"
    assert CONTRACT.key not in repr(logs)
