"""A real operator's CertificateInstallationRes, and the vehicle's request it may have answered (public examples)."""

from __future__ import annotations

import base64
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plugpass.exi import decode, encode, from_xml, to_xml
from plugpass.iso15118 import contract
from plugpass.iso15118.inspection import Inspection, inspect_installation
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.signature import EmaidForm, SignedInfoGrammar, verify_body
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.profiles import RootType
from plugpass.pki.reasons import Reason
from plugpass.pki.trust import TrustAnchor, TrustAnchors

SPECIFICATION = Path(__file__).parents[3] / "shared" / "specs" / "opcp" / "ccp.v1.json"
pytestmark = pytest.mark.skipif(
    not SPECIFICATION.exists(), reason="the OPCP specification with the operator's example is not beside this clone"
)


def operation() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SPECIFICATION.read_text())
    result: dict[str, Any] = document["paths"]["/v1/ccp/signedContractData"]["post"]
    return result


def response_exi() -> bytes:
    content = operation()["responses"]["200"]["content"]["application/json"]
    message = content["examples"]["Positive Response"]["value"]["CCPResponse"]["emaidContent"][0]["messageDef"]
    return base64.b64decode(message["certificateInstallationRes"])


def request_exi() -> bytes:
    content = operation()["requestBody"]["content"]["application/json"]
    return base64.b64decode(content["examples"]["example-1"]["value"]["certificateInstallationReq"])


def inspected(**changes: Any) -> Inspection:
    """The report on the message with elements of its body replaced."""
    message, response = contract.read_installation_response(response_exi())
    body = iso2.Body(dataclasses.replace(response, **changes))
    return inspect_installation(encode("iso2", dataclasses.replace(message, body=body)))


def test_it_re_encodes_to_the_same_octets_from_exi_and_from_xml() -> None:
    exi = response_exi()
    assert len(exi) == 4416
    message = decode("iso2", exi)
    assert encode("iso2", message) == exi
    assert encode("iso2", from_xml("iso2", to_xml("iso2", message))) == exi


def test_its_four_digests_and_its_signature_verify() -> None:
    report = inspect_installation(response_exi())
    assert report.ok, report.findings
    assert [verdict.problem for verdict in report.signature.references] == [""] * 4
    assert report.signature.ok
    assert report.signature.grammar is SignedInfoGrammar.XMLDSIG
    assert report.signature.emaid_form is EmaidForm.ELEMENT_FRAGMENT


def test_its_chains_emaid_and_validity_are_reported() -> None:
    report = inspect_installation(response_exi())
    assert report.emaid == "EMP99CQAPAB004"
    assert report.response_code == "OK"
    assert [one.common_name for one in report.cps.certificates] == [
        "CPS 2021.8 QA",
        "Prov Sub2 CA QA G1.1.1",
        "Prov Sub1 CA QA G1.1",
    ]
    assert report.contract.certificates[0].common_name == "EMP99CQAPAB004"
    assert len(report.contract.certificates) == 3
    assert report.valid_from is not None
    assert report.valid_to is not None
    assert report.valid_from < report.valid_to
    assert report.at == report.valid_from
    assert any("order" in remark for remark in report.remarks)
    assert any("check digit" in remark for remark in report.remarks)
    assert any("no trust anchors" in remark for remark in report.remarks)


def test_at_another_time_it_is_refused() -> None:
    report = inspect_installation(response_exi(), at=datetime(2026, 6, 1, tzinfo=UTC))
    assert not report.ok
    assert report.signature.ok
    assert any("not on 2026-06-01" in finding for finding in report.findings)


def test_against_an_anchor_the_policy_decides_and_says_what_it_tolerated() -> None:
    """The operator's root is not in the message, so its Sub-CA 1 stands in as a private anchor."""
    plain = inspect_installation(response_exi())
    top = plain.cps.certificates[-1]
    anchors = TrustAnchors((TrustAnchor(root_type=RootType.V2G, certificate=top),))
    report = inspect_installation(response_exi(), anchors=anchors)
    assert report.cps.verdict is not None
    assert report.cps.verdict.path[-1] == top
    assert {finding.reason for finding in report.cps.verdict.tolerated} >= {
        Reason.BC_EXPLICIT_DEFAULT,
        Reason.KU_MISSING,
    }
    assert any("tolerated" in remark for remark in report.remarks)
    unknown = inspect_installation(response_exi(), anchors=TrustAnchors())
    assert any("incomplete-path" in finding for finding in unknown.findings)


def test_every_manipulation_is_found() -> None:
    _, response = contract.read_installation_response(response_exi())
    chain = response.contract_signature_cert_chain
    cases: list[tuple[dict[str, Any], str]] = [
        ({"emaid": dataclasses.replace(response.emaid, value="EMP99CQAPAB005")}, "eMAID"),
        ({"dh_public_key": dataclasses.replace(response.dh_public_key, value=bytes(64))}, "64 octets"),
        ({"contract_signature_cert_chain": dataclasses.replace(chain, certificate=b"\x30\x00")}, "unreadable"),
        ({"contract_signature_cert_chain": dataclasses.replace(chain, sub_certificates=None)}, "digest"),
        ({"response_code": iso2.ResponseCode.FAILED}, "response code"),
        ({"sa_provisioning_certificate_chain": chain}, "does not verify"),
    ]
    for changes, words in cases:
        report = inspected(**changes)
        assert any(words in finding for finding in report.findings), (words, report.findings)


def test_the_example_request_is_signed_by_its_provisioning_certificate() -> None:
    exi = request_exi()
    message, request = contract.read_installation_request(exi)
    assert encode("iso2", message) == exi
    certificate = parse(request.oem_provisioning_cert)
    verify_body(request, message.header.signature, public_key(certificate.key.encoded))
    assert certificate.common_name == "hubjectopenpnc0001"
    assert certificate.not_after - certificate.not_before > timedelta(days=365)
