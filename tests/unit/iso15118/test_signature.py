"""Signatures of ISO 15118-2: what verifies, and everything that must not."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import pytest

from plugpass.errors import LocalError
from plugpass.exi import decode, encode, encode_typed_fragment
from plugpass.iso15118 import signature as signatures
from plugpass.iso15118.messages import iso2, xmldsig
from plugpass.iso15118.signature import (
    CANONICAL_EXI,
    EmaidForm,
    SignatureInvalid,
    SignedInfoGrammar,
    sign_body,
    sign_installation,
    sign_iso2,
    verify_body,
    verify_installation,
    verify_iso2,
)
from plugpass.pki.keys import Curve, generate, raw_from_der

KEY = generate()
AUTHORIZATION = iso2.AuthorizationReq(id="id1", gen_challenge=bytes(range(16)))
RESPONSE = iso2.CertificateInstallationRes(
    response_code=iso2.ResponseCode.OK,
    sa_provisioning_certificate_chain=iso2.CertificateChain(certificate=b"cps leaf"),
    contract_signature_cert_chain=iso2.CertificateChain(
        id="id1",
        certificate=b"contract leaf",
        sub_certificates=iso2.SubCertificates(certificate=(b"sub 2", b"sub 1")),
    ),
    contract_signature_encrypted_private_key=iso2.ContractSignatureEncryptedPrivateKey(id="id2", value=bytes(48)),
    dh_public_key=iso2.DHPublicKey(id="id3", value=bytes(65)),
    emaid=iso2.EMAID(id="id4", value="UKSWI123456791A"),
)


def resigned(signed_info: xmldsig.SignedInfo, grammar: str = "xmldsig") -> xmldsig.Signature:
    """A signature whose value is right for this SignedInfo, however wrong that is."""
    value = raw_from_der(KEY.sign(encode(grammar, signed_info, fragment=True)))
    return xmldsig.Signature(signed_info=signed_info, signature_value=xmldsig.SignatureValue(value=value))


def altered(**changes: object) -> xmldsig.Signature:
    """A signature over AUTHORIZATION whose one Reference was changed before signing."""
    signed_info = sign_body(AUTHORIZATION, KEY).signed_info
    reference = dataclasses.replace(signed_info.reference[0], **changes)
    return resigned(dataclasses.replace(signed_info, reference=(reference,)))


@pytest.mark.parametrize(
    "element",
    [
        AUTHORIZATION,
        iso2.MeteringReceiptReq(id="r", session_id=bytes(8), meter_info=iso2.MeterInfo(meter_id="m", meter_reading=7)),
        iso2.CertificateInstallationReq(
            id="ID1",
            oem_provisioning_cert=b"certificate",
            list_of_root_certificate_ids=iso2.ListOfRootCertificateIDs(
                root_certificate_id=(xmldsig.X509IssuerSerial(x509_issuer_name="CN=root", x509_serial_number=2**127),)
            ),
        ),
    ],
    ids=lambda element: type(element).__name__,
)
def test_a_signed_body_survives_the_wire(element: signatures.SignedBody) -> None:
    header = iso2.MessageHeader(session_id=bytes(8), signature=sign_body(element, KEY))
    received = decode("iso2", encode("iso2", iso2.V2GMessage(header=header, body=iso2.Body(element))))
    verified = verify_body(received.body.element, received.header.signature, KEY.public_key)
    assert verified.grammar is SignedInfoGrammar.XMLDSIG


def test_the_signed_octets_begin_as_the_standard_s_grammar_says() -> None:
    signature = sign_body(AUTHORIZATION, KEY)
    assert encode("xmldsig", signature.signed_info, fragment=True).startswith(bytes.fromhex("808112b43a"))
    assert len(signature.signature_value.value) == 64


def test_the_digest_covers_the_whole_fragment() -> None:
    fragment = encode("iso2", AUTHORIZATION, fragment=True)
    assert sign_body(AUTHORIZATION, KEY).signed_info.reference[0].digest_value == hashlib.sha256(fragment).digest()


def test_an_installation_survives_the_wire_and_reports_its_forms() -> None:
    header = iso2.MessageHeader(session_id=bytes(8), signature=sign_installation(RESPONSE, KEY))
    received = decode("iso2", encode("iso2", iso2.V2GMessage(header=header, body=iso2.Body(RESPONSE))))
    verified = verify_installation(received.body.element, received.header.signature, KEY.public_key)
    assert verified.emaid_form is EmaidForm.ELEMENT_FRAGMENT
    assert [r.uri for r in received.header.signature.signed_info.reference] == ["#id1", "#id2", "#id3", "#id4"]


def test_references_are_matched_by_uri_not_by_position() -> None:
    signed_info = sign_installation(RESPONSE, KEY).signed_info
    shuffled = resigned(dataclasses.replace(signed_info, reference=signed_info.reference[::-1]))
    verify_installation(RESPONSE, shuffled, KEY.public_key)


def test_the_typed_form_is_accepted_for_the_emaid_and_reported() -> None:
    signed_info = sign_installation(RESPONSE, KEY).signed_info
    typed = hashlib.sha256(encode_typed_fragment("iso2", RESPONSE.emaid)).digest()
    references = (*signed_info.reference[:3], dataclasses.replace(signed_info.reference[3], digest_value=typed))
    signature = resigned(dataclasses.replace(signed_info, reference=references))
    assert verify_installation(RESPONSE, signature, KEY.public_key).emaid_form is EmaidForm.TYPED


def test_the_message_grammar_needs_its_switch_and_is_reported() -> None:
    signature = resigned(sign_body(AUTHORIZATION, KEY).signed_info, grammar="iso2")
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify_body(AUTHORIZATION, signature, KEY.public_key)
    verified = verify_body(AUTHORIZATION, signature, KEY.public_key, accept_message_grammar=True)
    assert verified.grammar is SignedInfoGrammar.MESSAGE


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        (altered(digest_value=bytes(32)), "does not match its digest"),
        (altered(uri="#id2"), "0 References instead of one"),
        (altered(uri=None), "0 References instead of one"),
        (altered(transforms=None), "Transforms"),
        (altered(transforms=xmldsig.Transforms(transform=(xmldsig.Transform(algorithm=CANONICAL_EXI),) * 2)), "Transf"),
        (altered(digest_method=xmldsig.DigestMethod(algorithm="http://www.w3.org/2000/09/xmldsig#sha1")), "DigestMeth"),
    ],
)
def test_a_reference_that_breaks_a_rule_is_refused(signature: xmldsig.Signature, problem: str) -> None:
    with pytest.raises(SignatureInvalid, match=problem) as refusal:
        verify_body(AUTHORIZATION, signature, KEY.public_key)
    assert refusal.value.wire == "FAILED_SignatureError"


def canonicalization(info: xmldsig.SignedInfo) -> xmldsig.SignedInfo:
    other = xmldsig.CanonicalizationMethod(algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315")
    return dataclasses.replace(info, canonicalization_method=other)


def method(info: xmldsig.SignedInfo) -> xmldsig.SignedInfo:
    other = xmldsig.SignatureMethod(algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1")
    return dataclasses.replace(info, signature_method=other)


def hmac(info: xmldsig.SignedInfo) -> xmldsig.SignedInfo:
    return dataclasses.replace(
        info, signature_method=dataclasses.replace(info.signature_method, hmac_output_length=160)
    )


def stranger(info: xmldsig.SignedInfo) -> xmldsig.SignedInfo:
    return dataclasses.replace(
        info, reference=(*info.reference, dataclasses.replace(info.reference[0], uri="#elsewhere"))
    )


def twice(info: xmldsig.SignedInfo) -> xmldsig.SignedInfo:
    return dataclasses.replace(info, reference=info.reference * 2)


@pytest.mark.parametrize("change", [canonicalization, method, hmac, stranger, twice])
def test_a_signed_info_that_breaks_a_rule_is_refused(
    change: Callable[[xmldsig.SignedInfo], xmldsig.SignedInfo],
) -> None:
    signature = resigned(change(sign_body(AUTHORIZATION, KEY).signed_info))
    with pytest.raises(SignatureInvalid):
        verify_body(AUTHORIZATION, signature, KEY.public_key)


@pytest.mark.parametrize(
    "value",
    [b"", bytes(64), b"\xff" * 64, bytes(63), KEY.sign(b"der")],
    ids=["empty", "zeros", "ones", "one octet short", "DER"],
)
def test_a_signature_value_that_is_none_is_refused(value: bytes) -> None:
    signature = dataclasses.replace(sign_body(AUTHORIZATION, KEY), signature_value=xmldsig.SignatureValue(value=value))
    with pytest.raises(SignatureInvalid):
        verify_body(AUTHORIZATION, signature, KEY.public_key)


def test_another_key_or_curve_is_refused() -> None:
    signature = sign_body(AUTHORIZATION, KEY)
    with pytest.raises(SignatureInvalid, match="does not verify"):
        verify_body(AUTHORIZATION, signature, generate().public_key)
    with pytest.raises(SignatureInvalid, match="no P-256 key"):
        verify_body(AUTHORIZATION, signature, generate(Curve.P521).public_key)
    with pytest.raises(LocalError, match="P-256"):
        sign_body(AUTHORIZATION, generate(Curve.P521))


def test_an_unsigned_or_unnamed_element_is_refused() -> None:
    unnamed = iso2.AuthorizationReq(gen_challenge=bytes(16))
    with pytest.raises(SignatureInvalid, match="not signed"):
        verify_body(AUTHORIZATION, None, KEY.public_key)
    with pytest.raises(SignatureInvalid, match="no Id"):
        verify_body(unnamed, sign_body(AUTHORIZATION, KEY), KEY.public_key)
    with pytest.raises(LocalError, match="Id"):
        sign_body(unnamed, KEY)
    with pytest.raises(SignatureInvalid, match="not signed"):
        verify_installation(RESPONSE, None, KEY.public_key)


def test_ids_used_twice_are_refused() -> None:
    ambiguous = dataclasses.replace(RESPONSE, dh_public_key=iso2.DHPublicKey(id="id2", value=bytes(65)))
    with pytest.raises(SignatureInvalid, match="twice"):
        verify_installation(ambiguous, sign_installation(RESPONSE, KEY), KEY.public_key)


@pytest.mark.parametrize(
    "change",
    [
        {"contract_signature_cert_chain": iso2.CertificateChain(id="id1", certificate=b"another leaf")},
        {"contract_signature_encrypted_private_key": iso2.ContractSignatureEncryptedPrivateKey(id="id2", value=b"\1")},
        {"dh_public_key": iso2.DHPublicKey(id="id3", value=b"\4" * 65)},
        {"emaid": iso2.EMAID(id="id4", value="UKSWI123456791B")},
    ],
)
def test_every_signed_element_of_an_installation_is_protected(change: dict[str, object]) -> None:
    signature = sign_installation(RESPONSE, KEY)
    with pytest.raises(SignatureInvalid, match="does not match its digest"):
        verify_installation(dataclasses.replace(RESPONSE, **change), signature, KEY.public_key)


def test_several_fragments_need_a_reference_each() -> None:
    signature = sign_iso2([("a", b"one"), ("b", b"two")], KEY)
    verified = verify_iso2(signature, {"b": [b"other", b"two"], "a": [b"one"]}, KEY.public_key)
    assert dict(verified.forms) == {"a": 0, "b": 1}
    with pytest.raises(SignatureInvalid, match="0 References"):
        verify_iso2(signature, {"a": [b"one"], "b": [b"two"], "c": [b"three"]}, KEY.public_key)
    with pytest.raises(SignatureInvalid, match="no signed element"):
        verify_iso2(signature, {"a": [b"one"]}, KEY.public_key)
