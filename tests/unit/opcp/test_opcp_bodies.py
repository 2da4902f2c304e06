"""JSON bodies: the specification's spelling out, everybody's spelling in, and no way to crash the reader."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugpass.opcp import bodies
from plugpass.opcp.errors import OpcpError


def test_names_are_read_in_any_case_and_written_in_the_specification_s() -> None:
    raw = b'{"vehicleCertificate": "a", "subCa1Certificate": "b", "subca2certificate": null, "unknown": [1]}'
    body = bodies.parse(bodies.ProvisioningCertificate, raw)
    assert (body.vehicle_certificate, body.sub_ca1_certificate, body.sub_ca2_certificate) == ("a", "b", "")
    written = json.loads(bodies.dump(body))
    assert written == {"vehicleCertificate": "a", "subCA1Certificate": "b"}


def test_no_two_fields_differ_in_case_only() -> None:
    names = {name for cls in bodies.Body.__subclasses__() for name in cls.__struct_encode_fields__}
    assert len({name.lower() for name in names}) == len(names)


def test_the_answer_about_contracts_has_the_published_shape() -> None:
    message = bodies.MessageDef(certificate_installation_res="AA==", emaid="DEPLUC12345678Q")
    content = bodies.CcpContent(emaid_content=(bodies.EmaidContent(message_def=message),))
    assert json.loads(bodies.dump(bodies.CcpResponse(response=content))) == {
        "CCPResponse": {
            "emaidContent": [
                {"messageDef": {"certificateInstallationRes": "AA==", "emaid": "DEPLUC12345678Q"}},
            ]
        }
    }


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "does not fit"),
        (b"{}", "vehicleCertificate"),
        (b'{"vehicleCertificate": 1, "subCA1Certificate": "b"}', "vehicleCertificate"),
        (b'{"vehicleCertificate": "a", "subCA1Certificate": ' + b"[" * 12 + b"]" * 12 + b"}", "nested too deeply"),
    ],
)
def test_what_is_no_body_is_a_bad_request(raw: bytes, words: str) -> None:
    with pytest.raises(OpcpError, match=words) as refusal:
        bodies.parse(bodies.ProvisioningCertificate, raw)
    assert (refusal.value.status, refusal.value.wire) == (400, "400")


@given(st.binary(max_size=200))
def test_any_octets_are_a_body_or_a_bad_request(raw: bytes) -> None:
    with contextlib.suppress(OpcpError):
        bodies.parse(bodies.SignRequest, raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["contractData", "xsdMsgDefNamespace", "PCID", "x"]), inner, max_size=4)
    ),
)


@given(_JSON)
def test_any_json_is_a_body_or_a_bad_request(value: object) -> None:
    with contextlib.suppress(OpcpError):
        bodies.parse(bodies.SignRequest, json.dumps(value).encode())
