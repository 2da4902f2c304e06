"""A certificate installation response of a real operator, from the published OPCP API description."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from plugpass.exi import decode, encode, from_xml, to_xml
from plugpass.iso15118.messages import iso2

CCP = Path(__file__).resolve().parents[4] / "shared" / "specs" / "opcp" / "ccp.v1.json"
PATH = "/v1/ccp/provideSignedContractData/{emaid}/{pcid}"


def test_the_operators_message() -> None:
    if not CCP.exists():
        pytest.skip("the OPCP API description is not beside the repository: shared/specs/opcp/ccp.v1.json")
    answer = json.loads(CCP.read_text())["paths"][PATH]["get"]["responses"]["200"]
    example = answer["content"]["application/json"]["examples"]["Positive Response"]["value"]
    stream = base64.b64decode(example["certificateInstallationRes"])
    message = decode("iso2", stream)
    assert encode("iso2", message) == stream
    assert from_xml("iso2", to_xml("iso2", message)) == message
    response = message.body.element
    assert isinstance(response, iso2.CertificateInstallationRes)
    assert len(response.dh_public_key.value) == 65
    assert len(response.contract_signature_encrypted_private_key.value) == 48
    assert len(message.header.signature.signed_info.reference) == 4
