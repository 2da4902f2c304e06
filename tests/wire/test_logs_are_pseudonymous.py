"""What the roles write to their logs names no customer: contracts and vehicles appear by their pseudonyms only."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from charging_bench import CONTRACT, bench
from pki_factory import Pki, mint_pki
from plugpass.errors import Unavailable
from plugpass.ids import EMAID, PCID, pseudonym
from plugpass.ports.charging import AuthorizationVerdict
from plugpass.providers.opcp import OpcpContractPool
from plugpass.roles.station import LocalRules, RevocationRule
from provisioning_support import ISO2_NAMESPACE, PCID_1, ecosystem

NOT_LISTED = LocalRules(revocation=RevocationRule.UNCHECKED, emaids=frozenset({EMAID.create("DE", "XYZ", "000000001")}))


@pytest.fixture(scope="module")
def pki() -> Pki:
    return mint_pki()


def assert_pseudonymous(logs: Sequence[Any], *identifiers: EMAID | PCID) -> None:
    """No spelling of the identifiers in any line, and each of them by its pseudonym in one at least."""
    text = "\n".join(map(repr, logs)).upper()
    for identifier in identifiers:
        spellings = {str(identifier)}
        if isinstance(identifier, EMAID):
            spellings |= {identifier.key, identifier.display, identifier.without_check_digit().display}
        assert not [spelling for spelling in spellings if spelling.upper() in text]
        assert pseudonym(identifier).upper() in text


async def test_provisioning_run(pki: Pki) -> None:
    async with ecosystem() as eco:
        with capture_logs() as logs:
            vehicle = await eco.oem.build_vehicle(PCID_1)
            emaid = (await eco.emsp.conclude(PCID_1)).emaid
            await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)
            await eco.session("oem").call("POST", f"/v1/ccp/signedContractData/{PCID_1}/{emaid}/default")
            await eco.authorizer().authorize(emaid)
            unknown = EMAID.create("DE", "PLU", "C00000001")
            await eco.authorizer().authorize(unknown)
            await eco.emsp.renew(emaid)
            await eco.emsp.revoke(emaid, f"{emaid} moved")
            await eco.oem.withdraw(PCID_1)
        assert_pseudonymous(logs, emaid, unknown, PCID_1)
        events = {entry["event"] for entry in logs}
        assert {event.split(".")[0] for event in events} >= {"oem", "emsp", "cps", "pools", "ocpi"}


async def test_refused_authorization_requests(pki: Pki) -> None:
    async with ecosystem() as eco:
        http = eco.http(eco.emsp_url)
        credentials = {"Authorization": f"Token {base64.b64encode(b'ocpi-token').decode()}"}
        misspelt = f"{CONTRACT.key}0"  # a wrong check digit
        with capture_logs() as logs:
            await http.post(f"/ocpi/emsp/2.2.1/tokens/{CONTRACT}/authorize")
            await http.post(f"/ocpi/emsp/2.2.1/tokens/{misspelt}/authorize", headers=credentials)
        assert [entry["event"] for entry in logs] == ["ocpi.request_refused"] * 2
        assert CONTRACT.key not in repr(logs)


@pytest.mark.parametrize("rules", [None, NOT_LISTED, LocalRules(revocation=RevocationRule.OCSP)])
async def test_charging_run(pki: Pki, rules: LocalRules | None) -> None:
    async with bench(pki, rules=rules) as b:
        with capture_logs() as logs:
            result = await b.vehicle.plug_in(b.outlet)
            await b.station.wait_idle()
        assert result.ok == (rules is None)
        assert_pseudonymous(logs, CONTRACT)


async def test_charging_run_whose_backend_is_away(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(pki) as b:

        async def away(*_: object) -> AuthorizationVerdict:
            raise Unavailable(f"nobody can be asked about {CONTRACT.display}")

        monkeypatch.setattr(b.backend, "authorize", away)
        with capture_logs() as logs:
            await b.vehicle.plug_in(b.outlet)
            await b.station.wait_idle()
        assert_pseudonymous(logs, CONTRACT)
