"""Pool rules as pure functions: rights, ownership, defaults, roots, tokens."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki_factory import NOW, ROLE, shared_pki
from plugpass.ids import EMAID, PCID
from plugpass.opcp import tokens
from plugpass.opcp.certificates import certificate_field, emaid_field, octets_field, pcid_field, timestamp
from plugpass.opcp.errors import OpcpError
from plugpass.opcp.namespaces import ISO2_NAMESPACE, require_served
from plugpass.opcp.rights import RIGHTS, Account, Party, Right, require, require_contract, require_vehicle
from plugpass.opcp.rules import (
    EMAID_TAKEN,
    acceptance_problem,
    default_when_stored,
    key_changed,
    lists_root,
    require_same_vehicle,
)
from plugpass.pki.bundle import pem
from plugpass.pki.certificate import parse
from plugpass.pki.path import FIELD, validate
from plugpass.pki.trust import TrustAnchors

A, B = EMAID.create("DE", "PLU", "C00000001"), EMAID.create("DE", "PLU", "C00000002")
CAR, OTHER_CAR = PCID.parse("WPLUG000000000017A"), PCID.parse("XYZUG000000000017A")


def account(*parties: Party, wmis: tuple[str, ...] = (), providers: tuple[str, ...] = ()) -> Account:
    return Account(client_id="x", parties=frozenset(parties), wmis=frozenset(wmis), providers=frozenset(providers))


# --- rights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("party", Party)
@pytest.mark.parametrize("right", Right)
def test_the_rights_matrix_is_enforced_cell_by_cell(party: Party, right: Right) -> None:
    if party in RIGHTS[right]:
        require(account(party), right)
    else:
        with pytest.raises(OpcpError) as refusal:
            require(account(party), right)
        assert refusal.value.status == 403


def test_every_right_is_somebody_s_and_nobody_without_a_party_has_one() -> None:
    assert set(RIGHTS) == set(Right)
    assert all(RIGHTS.values())
    with pytest.raises(OpcpError):
        require(account(), Right.ROOTS_READ)


def test_makers_own_by_wmi_and_operators_by_provider() -> None:
    require_vehicle(account(Party.OEM, wmis=("WPL",)), CAR)
    require_vehicle(account(Party.MO), CAR)  # an operator may ask for any vehicle whose PCID it knows
    require_contract(account(Party.MO, providers=("DEPLU",)), A)
    for check in (
        lambda: require_vehicle(account(Party.OEM, wmis=("WPL",)), OTHER_CAR),
        lambda: require_contract(account(Party.MO, providers=("NLTNM",)), A),
        lambda: require_contract(account(Party.MO_V2G), A),
    ):
        with pytest.raises(OpcpError) as refusal:
            check()
        assert refusal.value.status == 403


# --- contracts ------------------------------------------------------------------------------------------------------


def test_the_first_contract_is_the_default_and_stays_it() -> None:
    assert default_when_stored(A, {})
    assert default_when_stored(A, {A: True})
    assert not default_when_stored(B, {A: True})
    assert not default_when_stored(B, {A: True, B: False})
    assert not default_when_stored(B, {A: False}), "a deleted default has no automatic successor"


def test_an_emaid_belongs_to_one_vehicle() -> None:
    require_same_vehicle(CAR, None)
    require_same_vehicle(CAR, CAR)
    with pytest.raises(OpcpError, match=EMAID_TAKEN):
        require_same_vehicle(CAR, OTHER_CAR)


def test_a_new_certificate_for_the_same_key_is_no_new_key() -> None:
    pki = shared_pki()
    first, second = pki.leaf(ROLE.OEM_PROVISIONING), pki.leaf(ROLE.OEM_PROVISIONING)
    assert not key_changed(first.der, first.der)
    assert key_changed(first.der, second.der)


# --- acceptance -----------------------------------------------------------------------------------------------------


def test_the_first_failing_check_is_the_answer_in_the_specification_s_order() -> None:
    pki = shared_pki()
    chain = pki.leaf(ROLE.OEM_PROVISIONING).chain
    role, later = ROLE.OEM_PROVISIONING, NOW + timedelta(days=20 * 365)

    def problem(at: datetime, anchors: TrustAnchors, revocation: dict[bytes, bytes] | None = None) -> str:
        return acceptance_problem(
            validate(chain, role=role, anchors=anchors, at=at, policy=FIELD, revocation=revocation)
        )

    assert problem(NOW, pki.anchors) == ""
    assert "not valid now" in problem(later, TrustAnchors()), "dates come before the chain"
    assert "revocation status" in problem(NOW, pki.anchors, {})
    assert "does not reach a root" in problem(NOW, TrustAnchors())


# --- roots ----------------------------------------------------------------------------------------------------------


def test_a_listed_root_matches_by_serial_number_and_name_in_any_spelling() -> None:
    root = parse(shared_pki()[ROLE.V2G_ROOT].der)
    name = root.subject.common_name
    for text in (
        f"CN={name},O=Plugpass Test,C=DE,DC=V2G",
        f"DC=V2G, C=DE, O=Plugpass Test, CN={name}",
        f"cn={name.upper()} , o=plugpass  test,c=de,dc=v2g",
        f"0.9.2342.19200300.100.1.25=V2G,C=DE,O=Plugpass Test,CN={name}",
        f"0.9.2342.19200300.100.1.25=#1603563247,C=DE,O=Plugpass Test,CN={name}",
    ):
        assert lists_root([("CN=other", 1), (text, root.serial)], root), text
    for text, serial in (
        (f"CN={name},O=Plugpass Test,C=DE,DC=V2G", root.serial + 1),
        (f"CN={name},O=Somebody,C=DE,DC=V2G", root.serial),
        (f"CN={name}", root.serial),
        ("", root.serial),
        ("no name at all", root.serial),
    ):
        assert not lists_root([(text, serial)], root), text
    assert not lists_root([], root)


@given(st.text(max_size=60))
def test_no_text_breaks_the_matching_of_roots(text: str) -> None:
    root = parse(shared_pki()[ROLE.V2G_ROOT].der)
    assert not lists_root([(text, root.serial)], root)


# --- fields ---------------------------------------------------------------------------------------------------------


def test_a_certificate_is_read_as_base64_der_base64_pem_and_pem() -> None:
    der = shared_pki()[ROLE.MO_ROOT].der
    armoured = pem([der])
    for text in (base64.b64encode(der).decode(), base64.b64encode(armoured.encode()).decode(), armoured):
        assert certificate_field(text, "field").encoded == der


@pytest.mark.parametrize(
    "text",
    ["", "!", "AAAA", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"],
)
def test_what_is_no_certificate_names_its_field(text: str) -> None:
    with pytest.raises(OpcpError, match="vehicleCertificate"):
        certificate_field(text, "vehicleCertificate")


def test_identifiers_base64_namespaces_and_times() -> None:
    assert emaid_field("de-plu-c00000001") == A
    assert pcid_field("wplug000000000017a") == CAR
    assert octets_field("AA\nA=", "x") == b"\0\0"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 6, UTC)) == "2026-01-02T03:04:05Z"
    require_served(ISO2_NAMESPACE)
    for check in (
        lambda: emaid_field("DEPLU"),
        lambda: pcid_field("W" * 16),
        lambda: octets_field("A", "x"),
        lambda: octets_field("\xff", "x"),
        lambda: require_served("urn:iso:15118:2:2010:MsgDef"),
    ):
        with pytest.raises(OpcpError) as refusal:
            check()
        assert refusal.value.status == 400


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_secrets_and_tokens_are_not_what_is_stored() -> None:
    stored = tokens.hash_secret("secret", random=os.urandom)
    assert "secret" not in stored
    assert stored != tokens.hash_secret("secret", random=os.urandom)
    assert tokens.secret_matches("secret", stored)
    assert not tokens.secret_matches("Secret", stored)
    assert not tokens.secret_matches("", None)
    token = tokens.new_token(random=os.urandom)
    assert len(token) == 43
    assert token not in tokens.token_digest(token)
