"""JSON and XML from outside: what is wrong with them is an ExiDecodeError that names the place."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from exi_vectors import Vector, supported
from hypothesis import given, settings
from hypothesis import strategies as st

from plugpass.exi import ExiDecodeError, ExiEncodeError, from_json, from_xml, to_json, to_xml
from plugpass.exi.xmlmodel import MAX_SIZE
from plugpass.iso15118.messages import iso2, sap, xmldsig

BODY = 'xmlns:b="urn:iso:15118:2:2013:MsgBody"'
TYPES = 'xmlns:t="urn:iso:15118:2:2013:MsgDataTypes"'


def authorization(inner: str = "", attributes: str = "") -> str:
    return f"<b:AuthorizationReq {BODY} {attributes}>{inner}</b:AuthorizationReq>"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "no well-formed XML"),
        ("<a", "no well-formed XML"),
        ("<a/>", "no element of this schema"),
        (f"<b:BodyElement {BODY}/>", "abstract"),
        (f"<!DOCTYPE x [<!ENTITY e 'e'>]>{authorization()}", "document type"),
        (f"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>{authorization()}", "document type"),
        (authorization("&e;"), "no well-formed XML"),
        (authorization(attributes='Id="unqualified"'), "expected .*found attribute Id of namespace none"),
        (authorization(attributes='xmlns:x="urn:x" x:Id="1"'), "namespace urn:x"),
        (authorization("<b:GenChallenge>AAAA</b:GenChallenge>" * 2), "expected the end"),
        (authorization("<b:GenChallenge>!</b:GenChallenge>"), "no value of Base64Binary"),
        (authorization("<b:GenChallenge x='1'>AAAA</b:GenChallenge>"), "neither attributes"),
        (authorization("<GenChallenge>AAAA</GenChallenge>"), "found element GenChallenge of namespace none"),
        (authorization("text"), "text between"),
        (f"<b:SessionStopReq {BODY}/>", "ChargingSession is missing"),
        (f"<b:SessionStopReq {BODY}><b:ChargingSession>stop</b:ChargingSession></b:SessionStopReq>", "of Charging"),
        (f"<b:ServiceDetailReq {BODY}><b:ServiceID>1e3</b:ServiceID></b:ServiceDetailReq>", "no value of Integer"),
        (f"<b:eMAID {BODY}>DE8AA1A2B3C4D5</b:eMAID>", "missing"),
        (f"<b:ServiceDetailReq {BODY}><b:ServiceID>65536</b:ServiceID></b:ServiceDetailReq>", "above the maximum"),
        ("<a>" * 200 + "</a>" * 200, "nested too deeply"),
        ("<a>" + "<b/>" * 60_000 + "</a>", "too many elements"),
        (" " * (MAX_SIZE + 1), "octets"),
        ("<a>\ud800</a>", "no well-formed XML"),
    ],
)  # fmt: skip
def test_bad_xml(text: str, cause: str) -> None:
    with pytest.raises(ExiDecodeError, match=cause):
        from_xml("iso2", text)


def test_xml_of_other_hands() -> None:
    """Other prefixes, a default namespace, a declaration, schema hints, comments, white space."""
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><!-- c --><?pi?>'
        '<AuthorizationReq xmlns="urn:iso:15118:2:2013:MsgBody" xmlns:q="urn:iso:15118:2:2013:MsgBody" q:Id=" id1 "'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">\n'
        "  <q:GenChallenge>\n AAAA AAAA AAAA AAAA AAAAAA==\n </q:GenChallenge><!-- d -->\n</AuthorizationReq>"
    )
    expected = iso2.AuthorizationReq(id="id1", gen_challenge=bytes(16))
    assert from_xml("iso2", text) == expected
    assert from_xml("iso2", text.encode("latin-1")) == expected


def test_xml_without_namespaced_children() -> None:
    answer = sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.FAILED_NO_NEGOTIATION)
    assert to_xml("sap", answer) == (
        '<ns0:supportedAppProtocolRes xmlns:ns0="urn:iso:15118:2:2010:AppProtocol">'
        "<ResponseCode>Failed_NoNegotiation</ResponseCode></ns0:supportedAppProtocolRes>"
    )


def test_characters_that_xml_cannot_carry() -> None:
    with pytest.raises(ExiEncodeError, match="cannot carry") as caught:
        to_xml("iso2", iso2.EMAID(id="id\x00", value="DE8AA1A2B3C4D5"))
    assert caught.value.path == ("eMAID", "@Id")


def test_white_space_that_a_reader_would_not_keep() -> None:
    with pytest.raises(ExiEncodeError, match="white space"):
        to_xml("iso2", iso2.EMAID(id="id 1 ", value="DE8AA1A2B3C4D5"))


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (None, "one member"),
        ([], "one member"),
        ({}, "one member"),
        ({"AuthorizationReq": {}, "x": 1}, "one member"),
        ({1: {}}, "no root element"),
        ({"BodyElement": {}}, "abstract"),
        ({"AuthorizationReq": []}, "list where an object"),
        ({"AuthorizationReq": {"x": 1}}, "no member 'x'"),
        ({"AuthorizationReq": {"GenChallenge": 5}}, "int where a string"),
        ({"AuthorizationReq": {"GenChallenge": "%"}}, "no value of Base64Binary"),
        ({"ServiceDetailReq": {"ServiceID": "1"}}, "str where Integer"),
        ({"ServiceDetailReq": {"ServiceID": True}}, "bool where Integer"),
        ({"ServiceDetailReq": {}}, "ServiceID is missing"),
        ({"ServiceDetailReq": {"ServiceID": 65536}}, "above the maximum"),
        ({"SubCertificates": {"Certificate": []}}, "Certificate is missing"),
        ({"SubCertificates": {"Certificate": "AA=="}}, "needs an array"),
        ({"SessionStopReq": {"ChargingSession": "stop"}}, "no value of ChargingSession"),
        ({"PowerDeliveryRes": {"ResponseCode": "OK", "AC_EVSEStatus": {"NotificationMaxDelay": 0,
            "EVSENotification": "None", "RCD": False}, "DC_EVSEStatus": {}}}, "cannot stand beside"),
    ],
)  # fmt: skip
def test_bad_json(data: object, cause: str) -> None:
    with pytest.raises(ExiDecodeError, match=cause):
        from_json("iso2", data)


def test_an_object_of_another_schema() -> None:
    with pytest.raises(ExiEncodeError, match="tells no element"):
        to_json("sap", iso2.ChargingStatusReq())
    with pytest.raises(ExiEncodeError, match="str is no value of Integer"):
        to_json("iso2", iso2.ServiceDetailReq(service_id="1"))  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(ExiEncodeError, match="list where a tuple"):
        to_json("iso2", iso2.SubCertificates(certificate=[b""]))  # type: ignore[arg-type] # wrong on purpose


def test_a_number_too_large_for_text() -> None:
    serial = xmldsig.X509IssuerSerial(x509_issuer_name="CN=a", x509_serial_number=10**5000)
    identifiers = iso2.ListOfRootCertificateIDs(root_certificate_id=(serial,))
    with pytest.raises(ExiEncodeError, match="4096 bits"):
        to_json("iso2", identifiers)
    with pytest.raises(ExiEncodeError, match="4096 bits"):
        to_xml("iso2", identifiers)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SMALL = [vector for vector in supported() if len(vector.stream) < 200]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys."""
    if not isinstance(value, dict | list):
        return []
    here = [(value, key) for key in (value if isinstance(value, dict) else range(len(value)))]
    return here + [place for container, key in here for place in places(container[key])]


@settings(deadline=None)
@given(vector=st.sampled_from(SMALL), choice=st.integers(0, 1000), value=ANY_JSON)
def test_json_with_a_member_replaced(vector: Vector, choice: int, value: Any) -> None:
    data = json.loads(json.dumps(vector.json))
    found = places(data)
    container, key = found[choice % len(found)]
    container[key] = value
    with contextlib.suppress(ExiDecodeError):
        message = from_json(vector.schema, data)
        assert from_json(vector.schema, to_json(vector.schema, message)) == message


@settings(deadline=None)
@given(text=st.text(alphabet="<>/ab:= \"'&;!-?[]", max_size=60) | st.binary(max_size=60))
def test_any_text(text: str | bytes) -> None:
    with pytest.raises(ExiDecodeError):
        from_xml("sap", text)
