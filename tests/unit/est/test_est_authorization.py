"""Rights by owner: a requester gets certificates for its own identifiers and nobody else's (DESIGN decision 8)."""

from __future__ import annotations

import pytest

from plugpass.errors import PeerError
from plugpass.est.authorization import Identity, authorise, station_prefix
from plugpass.est.messages import EstRefusal, Label
from plugpass.ids import EVSEID
from plugpass.pki.csr import Csr, create_csr, parse_csr
from plugpass.pki.keys import generate
from plugpass.pki.profiles import CertificateRole, SanPolicy

OPERATOR = Identity(name="csms", labels=frozenset({Label.CPO}), prefixes=frozenset({"DEICE", "ATICE"}))
SECCID = "DE-ICE-S-00003C4D557878675645330967543476-2"
KEY = generate()


def csr(name: str, evse_id: str | None = None) -> Csr:
    evse = EVSEID.parse(evse_id) if evse_id else None
    return parse_csr(create_csr(KEY, common_name=name, organization="Test", country="DE", evse_id=evse))


def authorised(name: str, evse_id: str | None = None, san: SanPolicy = SanPolicy.COPY) -> EVSEID | None:
    return authorise(csr(name, evse_id), CertificateRole.SECC_LEAF, Label.CPO, OPERATOR, san)


@pytest.mark.parametrize(
    ("name", "evse_id", "certified"),
    [
        ("DEICEE45B78C", None, None),
        ("DE*ICE*E45B*78C", None, None),
        ("DEICEE45B78C", "DE*ICE*E45B*78C", "DE*ICE*E45B*78C"),
        ("ATICEE1", "AT*ICE*E1", "AT*ICE*E1"),
        (SECCID, None, None),
        (SECCID, "DE*ICE*E45B*78C", "DE*ICE*E45B*78C"),
    ],
)
def test_own_names_are_granted(name: str, evse_id: str | None, certified: str | None) -> None:
    assert authorised(name, evse_id) == (EVSEID.parse(certified) if certified else None)


@pytest.mark.parametrize(
    ("name", "evse_id", "wire", "cause"),
    [
        ("FRXYZE45B78C", None, "403", "no right to names of FRXYZ"),
        ("DEICEE45B78C", "FR*XYZ*E45B*78C", "403", "does not belong to operator DEICE"),
        (SECCID, "FR*XYZ*E45B*78C", "403", "does not belong to operator DEICE"),
        ("DEICEE45B78C", "DE*ICE*E99", "400", "different EVSEs"),
        ("some station", None, "400", "neither an EVSEID nor a SECCID"),
    ],
)
def test_other_names_are_refused(name: str, evse_id: str | None, wire: str, cause: str) -> None:
    with pytest.raises(PeerError, match=cause) as refusal:
        authorised(name, evse_id)
    assert refusal.value.wire == wire


def test_drop_ignores_the_alternative_name() -> None:
    assert authorised("DEICEE45B78C", "DE*ICE*E45B*78C", SanPolicy.DROP) is None


def test_strict_refuses_any_alternative_name() -> None:
    assert authorised("DEICEE45B78C", None, SanPolicy.STRICT) is None
    with pytest.raises(PeerError, match="SubjectAltName"):
        authorised("DEICEE45B78C", "DE*ICE*E45B*78C", SanPolicy.STRICT)


def test_without_the_right_to_a_ca_its_names_do_not_help() -> None:
    with pytest.raises(EstRefusal, match="no right to the CA cps") as refusal:
        authorise(csr("DEICEE1"), CertificateRole.CPS_LEAF, Label.CPS, OPERATOR, SanPolicy.COPY)
    assert refusal.value.status == 403


def test_a_service_is_certified_by_its_exact_name() -> None:
    cps = Identity(name="cps", labels=frozenset({Label.CPS}), names=frozenset({"plugpass CPS"}))
    authorise(csr("plugpass CPS"), CertificateRole.CPS_LEAF, Label.CPS, cps, SanPolicy.COPY)
    with pytest.raises(EstRefusal, match="no right to the name 'plugpass CPS 2'"):
        authorise(csr("plugpass CPS 2"), CertificateRole.CPS_LEAF, Label.CPS, cps, SanPolicy.COPY)


@pytest.mark.parametrize(
    ("role", "label", "prefix", "own", "foreign", "broken"),
    [
        (CertificateRole.CONTRACT, Label.MO, "DE8AA", "DE8AA001234567", "DEXYZ001234567", "DE8AA"),
        (CertificateRole.OEM_PROVISIONING, Label.OEM, "WPL", "WPLUG000000000017", "XPLUG000000000017", "WPL"),
    ],
)
def test_contracts_and_vehicles_belong_to_their_makers(
    role: CertificateRole, label: Label, prefix: str, own: str, foreign: str, broken: str
) -> None:
    owner = Identity(name="owner", labels=frozenset({label}), prefixes=frozenset({prefix}))
    authorise(csr(own), role, label, owner, SanPolicy.COPY)
    for name, status in ((foreign, 403), (broken, 400)):
        with pytest.raises(EstRefusal) as refusal:
            authorise(csr(name), role, label, owner, SanPolicy.COPY)
        assert refusal.value.status == status


def test_prefix_of_a_station() -> None:
    assert station_prefix("DE*ICE*E1") == station_prefix(SECCID) == "DEICE"
