"""Identifiers: published check digits, spellings of the field, and text that is none."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.errors import PeerError
from plugpass.ids import (
    EMAID,
    EVCCID,
    EVSEID,
    PCID,
    SECCID,
    InvalidIdentifier,
    din_check_digit,
    emaid_check_digit,
    pseudonym,
    without_identity,
)

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = ALPHABET[10:]

# Public vectors of the mobilityid project.
ANNEX_H = {
    "NN123ABCDEFGHI": "T",
    "FRXYZ123456789": "2",
    "ITA1B2C3E4F5G6": "4",
    "ESZU8WOX834H1D": "R",
    "PT73902837ABCZ": "Z",
    "DE83DUIEN83QGZ": "D",
    "DE83DUIEN83ZGQ": "M",
    "DE8AA001234567": "0",
    "NLTNM000122045": "U",
}
DIN = {
    "INTNM000071": "9",
    "INTNM000110": "X",
    "INTNM000124": "0",
    "INTNM000114": "6",
    "INTNM000191": "5",
    "NLTNM012204": "5",
}

emaid_parts = st.tuples(
    st.text(LETTERS, min_size=2, max_size=2),
    st.text(ALPHABET, min_size=3, max_size=3),
    st.text(ALPHABET, min_size=9, max_size=9),
)


@pytest.mark.parametrize(("compact", "check"), ANNEX_H.items())
def test_annex_h_check_digit(compact: str, check: str) -> None:
    assert emaid_check_digit(compact) == check
    assert EMAID.parse(compact + check).check_digit == check


@pytest.mark.parametrize(("compact", "check"), DIN.items())
def test_din_check_digit(compact: str, check: str) -> None:
    assert din_check_digit(compact) == check


@pytest.mark.parametrize(
    "text", ["", "NN123ABCDEFGH", "NN123ABCDEFGHIJ", "nn123abcdefghi", "NN123ABCDEFGHÄ", "NN123ABCDEFG٣I"]
)
def test_check_digit_needs_14_ascii_characters(text: str) -> None:
    with pytest.raises(InvalidIdentifier, match="14 upper-case"):
        emaid_check_digit(text)


def test_din_check_digit_needs_11_characters() -> None:
    with pytest.raises(InvalidIdentifier, match="11 upper-case"):
        din_check_digit("NLTNM01220")


@pytest.mark.parametrize("text", ["DE8AA001234567", "de-8aa-001234567", "DE-8AA-001234567-0", "De8Aa-0012345670"])
def test_emaid_spellings_are_equal(text: str) -> None:
    emaid = EMAID.parse(text)
    assert emaid == EMAID.create("DE", "8AA", "001234567")
    assert hash(emaid) == hash(EMAID.parse("DE8AA001234567"))
    assert emaid.key == "DE8AA001234567"
    assert emaid.provider_prefix == "DE8AA"


def test_emaid_forms() -> None:
    emaid = EMAID.create("de", "8aa", "001234567")
    assert str(emaid) == "DE8AA0012345670"
    assert emaid.display == "DE-8AA-001234567-0"
    assert str(emaid.without_check_digit()) == "DE8AA001234567"
    assert emaid.without_check_digit().with_check_digit().check_digit == "0"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("DE8AA0012345671", "check digit is 1, should be 0"),
        ("DE8AA00123456700", "expected country"),
        ("DE8AA00123456", "expected country"),
        ("D18AA001234567", "expected country"),
        ("DE--8AA001234567", "expected country"),
        ("DE8AA001234567-", "expected country"),
        ("DE8AA00123456\u0660", "expected country"),
        ("DE8AA001234567\n", "expected country"),
        ("", "expected country"),
    ],
)
def test_emaid_refusals(text: str, problem: str) -> None:
    with pytest.raises(InvalidIdentifier, match=problem) as caught:
        EMAID.parse(text)
    assert isinstance(caught.value, PeerError)
    assert "\n" not in str(caught.value)


def test_emaid_fields_are_checked_too() -> None:
    with pytest.raises(InvalidIdentifier, match="upper case"):
        EMAID(country="de", provider="8AA", instance="001234567")
    with pytest.raises(InvalidIdentifier):
        EMAID.create("DE", "8AA", "1234")


@given(emaid_parts)
def test_emaid_round_trip(parts: tuple[str, str, str]) -> None:
    emaid = EMAID.create(*parts)
    assert EMAID.parse(str(emaid)) == EMAID.parse(emaid.display) == EMAID.parse(emaid.key.lower()) == emaid


@given(emaid_parts, st.integers(0, 13), st.sampled_from(ALPHABET))
def test_annex_h_detects_every_single_substitution(parts: tuple[str, str, str], position: int, other: str) -> None:
    compact = "".join(parts)
    changed = compact[:position] + other + compact[position + 1 :]
    if changed != compact:
        assert emaid_check_digit(changed) != emaid_check_digit(compact)


@given(emaid_parts, st.integers(0, 12))
def test_annex_h_detects_every_swap_of_neighbours(parts: tuple[str, str, str], position: int) -> None:
    compact = "".join(parts)
    swapped = compact[:position] + compact[position + 1] + compact[position] + compact[position + 2 :]
    if swapped != compact:
        assert emaid_check_digit(swapped) != emaid_check_digit(compact)


@given(st.text(max_size=40))
def test_parsers_only_ever_say_invalid(text: str) -> None:
    for kind in (EMAID, PCID, EVSEID, SECCID, EVCCID):
        with contextlib.suppress(InvalidIdentifier):
            assert kind.parse(str(kind.parse(text))) == kind.parse(text)


def test_din_contract_ids_map_to_emaids() -> None:
    assert EMAID.from_din("NL-TNM-012204-5", prefix="00").display == "NL-TNM-000122045-U"
    assert EMAID.from_din("NLTNM0122045").instance == "C00122045"
    with pytest.raises(InvalidIdentifier, match="check digit should be 5"):
        EMAID.from_din("NL-TNM-012204-6")


def test_pcid() -> None:
    pcid = PCID.parse("huboemprovcqa0615")
    assert str(pcid) == "HUBOEMPROVCQA0615"
    assert pcid.wmi == "HUB"
    assert pcid == PCID(value="HUBOEMPROVCQA0615")
    for text in ("HUBOEMPROVCQA061", "HUBOEMPROVCQA061500", "HUB-EMPROVCQA0615", "HUBOEMPROVCQA06\u0661"):
        with pytest.raises(InvalidIdentifier, match="17 or 18"):
            PCID.parse(text)


def test_evseid_compares_without_separators_and_keeps_its_spelling() -> None:
    evse = EVSEID.parse("DE*ICE*E45B*78C")
    assert evse == EVSEID.parse("deicee45b78c")
    assert str(evse) == "DE*ICE*E45B*78C"
    assert evse.normalised == "DEICEE45B78C"
    assert evse.operator_prefix == "DEICE"
    assert evse.uri == "urn:evseid:DE*ICE*E45B*78C"
    assert EVSEID.from_uri("URN:EVSEID:DE*ICE*E45B*78C") == evse
    assert EVSEID(normalised="DEICEE45B78C") == evse


@pytest.mark.parametrize(
    "text",
    ["DE*ICE*45B", "DE*ICE*E", "DE*ICE*E*", "DE**ICE*E1", "D*ICE*E1", "DEICEE1_", "DE*ICE*E" + "1" * 31, "DE-ICE-E1"],
)
def test_evseid_refusals(text: str) -> None:
    with pytest.raises(InvalidIdentifier):
        EVSEID.parse(text)


def test_evseid_uri_needs_its_scheme() -> None:
    with pytest.raises(InvalidIdentifier, match="urn:evseid:"):
        EVSEID.from_uri("https://example.org/DE*ICE*E1")


def test_seccid() -> None:
    secc = SECCID.parse("DE-ICE-S-00003C4D557878675645330967543476-2")
    assert secc.operator_prefix == "DEICE"
    assert secc == SECCID.parse("deices00003c4d5578786756453309675434762")
    assert str(secc) == "DE-ICE-S-00003C4D557878675645330967543476-2"
    for text in ("DE-ICE-S-1234", "DE-ICE-X-00003C4D557878675645330967543476-2", "DE-ICE-S-" + "0" * 60):
        with pytest.raises(InvalidIdentifier):
            SECCID.parse(text)


def test_evccid() -> None:
    evcc = EVCCID.create("WPL", "0000000000000001")
    assert evcc.wmi == "WPL"
    assert evcc.check_digit_matches
    assert EVCCID.parse(str(evcc).lower()) == evcc
    assert not EVCCID(value=evcc.value[:-1] + ("0" if evcc.value[-1] != "0" else "1")).check_digit_matches
    for text in ("WPLX0000000000000001", "WPLV000000000000000I0", "WPLV0"):
        with pytest.raises(InvalidIdentifier):
            EVCCID.parse(text)
    with pytest.raises(InvalidIdentifier, match="letters and digits"):
        EVCCID.create("W-L", "0000000000000001")


# --- in logs --------------------------------------------------------------------------------------------------------


def test_pseudonym_is_the_same_for_every_spelling_and_tells_contracts_apart() -> None:
    spellings = ("DE-8AA-001234567-0", "de8aa001234567", "DE8AA0012345670")
    (name,) = {pseudonym(EMAID.parse(text)) for text in spellings}
    assert re.fullmatch(r"DE8AA~[0-9a-f]{10}", name)
    assert name != pseudonym(EMAID.create("DE", "8AA", "001234568"))
    assert re.fullmatch(r"WPL~[0-9a-f]{10}", pseudonym(PCID.parse("wplug000000000017a")))


@pytest.mark.parametrize("digit", ["", "0"])
@pytest.mark.parametrize("spelling", ["DE-8AA-001234567-0", "DE8AA0012345670", "DE8AA001234567", "de8aa001234567"])
def test_identity_is_taken_out_of_a_text(spelling: str, digit: str) -> None:
    emaid = EMAID.parse(f"DE8AA001234567{digit}")
    assert without_identity(f"CN={spelling}: expired", emaid) == f"CN={pseudonym(emaid)}: expired"


def test_text_without_identity_stays_as_it_is() -> None:
    assert without_identity("CN=DE8AA001234567", None) == "CN=DE8AA001234567"
    pcid = PCID.parse("WPLUG000000000017A")
    assert without_identity(f"{pcid} and others", pcid) == f"{pseudonym(pcid)} and others"
