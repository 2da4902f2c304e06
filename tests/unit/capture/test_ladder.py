"""What people see: the ladder, its colours, and nothing that a terminal would obey."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from capture_support import conversation, dissect, plain_session, session, tls_packets, tls_session
from plugpass.cli.ladder import Ladder, clean, facts, leaves, response_style, tree
from plugpass.iso15118.capture.records import Message, Record, Remark, Where
from plugpass.iso15118.capture.texts import TextDecoder
from plugpass.iso15118.v2gtp import PayloadType, frame


class Utf8(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]  # what a Console asks for


class Ascii(io.StringIO):
    encoding = "ascii"  # type: ignore[assignment]  # likewise


def ladder(
    records: Iterable[Record], *, file: io.StringIO | None = None, terminal: bool = False, full: bool = False
) -> str:
    stream = file or Utf8()
    console = Console(file=stream, force_terminal=terminal, color_system="standard" if terminal else None, width=200)
    view = Ladder(console, full=full)
    for record in records:
        view.show(record)
    return stream.getvalue()


def test_a_session() -> None:
    text = ladder(dissect(plain_session()))
    lines = text.splitlines()
    assert lines[1] == "SECC discovery  2026-05-28"
    assert lines[2].split() == ["20:26:39.980000", "EVCC", "──▶", "SDPRequest", "no", "TLS", "wanted"]
    assert lines[5] == "connection 1  [fe80::1]:49152 ──▶ [fe80::2]:61341  2026-05-28"
    setup = next(line for line in lines if "SessionSetupRes" in line)
    assert setup.split() == [
        "20:26:40.040000",
        "SECC",
        "◀──",
        "SessionSetupRes",
        "OK_NewSessionEstablished",
        "EVSEID",
        "DE*PLU*E45B*78C",
    ]
    assert "SessionID 0001020304050607  EVCCID 02A0B0C0D0E0" in text
    assert text.count("SessionID") == 1
    assert "ContractSignatureCertChain: CN=DEPLUC12345678Q" in text
    assert "! agreed on urn:iso:15118:2:2013:MsgDef" in text


def test_colours_of_response_codes() -> None:
    text = ladder(dissect(plain_session()), terminal=True)
    assert "\x1b[32mOK_NewSessionEstablished" in text
    assert "\x1b[1;31mFAILED" in text
    styles = {"OK": "green", "OK_OldSessionJoined": "green", "WARNING_WPT": "yellow", "FAILED_X": "bold red"}
    assert {code: response_style(code) for code in styles} == styles
    assert response_style("Failed_NoNegotiation") == "bold red"
    assert response_style("") == ""


def test_a_terminal_without_unicode() -> None:
    text = ladder(dissect(plain_session()), file=Ascii())
    assert text.isascii()
    assert "EVCC --> SessionSetupReq" in text


def test_tls_and_its_chain() -> None:
    recorded = tls_session()
    text = ladder(dissect(tls_packets(recorded), keys=recorded.keys))
    assert "TLS 1.2, ECDHE-ECDSA-AES128-SHA256; the key log has its secrets" in text
    assert "presents 3 certificates" in text
    assert "TLS: CN=DE*PLU*E45B*78C" in text


def test_what_could_not_be_read() -> None:
    short = frame(PayloadType.SAP, session()[2].octets[8:-3])
    text = ladder(dissect(conversation([(True, short), (True, b"\x7f" * 50)])))
    assert "undecodable" in text
    assert "octets at octet 0: iso2: V2G_Message/" in text
    assert "50 octets are no readable frame" in text


def test_full_shows_every_field() -> None:
    text = ladder(dissect(plain_session()), full=True)
    for line in ("V2G_Message", "  Header", "    SessionID: 0001020304050607", "      EVSEID: DE*PLU*E45B*78C"):
        assert f"\n{'':25}{line}\n" in text
    assert "... (" in text  # a certificate is too long for a line


def test_several_connections_have_their_headings() -> None:
    first, second = (dissect(conversation((said.from_client, said.octets) for said in session())) for _ in range(2))
    second = [replace(record, where=replace(record.where, connection=2)) for record in second]
    text = ladder([first[0], second[0], second[1], first[1]])
    assert [line.split()[1] for line in text.splitlines() if line.startswith("connection")] == ["1", "2", "1"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"Multiplier": 0, "Unit": "V", "Value": 230}, "230 V"),
        ({"Multiplier": -1, "Unit": "A", "Value": 163}, "16.3 A"),
        ({"Multiplier": 3, "Unit": "W", "Value": 11}, "11000 W"),
        ({"Exponent": -2, "Value": -5}, "-0.05"),
        ({"Exponent": 2, "Value": 110}, "11000"),
        (True, "true"),
        ("x" * 50, "xxxxxxxxxxxxxxxxxxxx... (50 characters)"),
    ],
)
def test_values(value: Any, shown: str) -> None:
    assert list(leaves(value, "X")) == [("X", shown)]


def test_facts_of_a_message_without_any_are_its_first_fields() -> None:
    (message,) = TextDecoder().lines(["80980040600000000000000051e080"])
    assert isinstance(message, Message)
    odd = replace(message, value={"X": {"Header": {}, "A": 1, "B": [2, 3], "C": {"D": 4}, "E": 5}}, fault=None)
    assert list(facts(odd)) == [("A", "1"), ("B", "2"), ("B", "3"), ("D", "4")]


def test_text_from_the_wire_cannot_steer_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\u202egnp"
    remark = Remark(where=Where(), layer=evil, text=evil, ok=False)
    (message,) = TextDecoder().lines(["80980040600000000000000051e080"])
    assert isinstance(message, Message)
    spoken = replace(message, value={evil: {"EVSEID": evil, "eMAID": evil}}, fault=None, notes=(evil,))
    for full in (False, True):
        text = ladder([remark, spoken], full=full)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert r"\x1b]0;title" in text


@given(st.text())
def test_clean_text_is_printable(text: str) -> None:
    assert clean(text).isprintable()
    assert clean(text) == text or not text.isprintable()


@given(
    st.recursive(
        st.integers() | st.text(max_size=5), lambda c: st.dictionaries(st.text(max_size=5), c | st.lists(c, max_size=2))
    )
)
def test_any_value_has_a_tree(value: Any) -> None:
    assert all(line.isprintable() for line in tree(value, 0))
    list(leaves(value))
