"""Fragments as signatures digest them, above all the two forms of -2's eMAID."""

from __future__ import annotations

import pytest

from plugpass.exi import (
    ExiEncodeError,
    NamedElement,
    decode,
    encode,
    encode_typed_fragment,
    from_json,
    from_xml,
    to_json,
    to_xml,
)
from plugpass.iso15118.messages import acdp20, cm20, common20, din, iso2, xmldsig

EMAID = iso2.EMAID(id="id4", value="UKSWI123456791A")
CHAIN = iso2.CertificateChain(id="id1", certificate=b"\x30\x01")


def test_emaid_in_the_form_of_the_standard() -> None:
    stream = encode("iso2", EMAID, fragment=True)
    assert stream.hex() == "80ec0202b4b21a40045552d4d5d24c4c8ccd0d4d8dce4c507d3d00"
    assert decode("iso2", stream, fragment=True) == EMAID


def test_emaid_in_the_form_of_libcbv2g() -> None:
    assert encode_typed_fragment("iso2", EMAID).hex() == "80ec02b4b21a045552d4d5d24c4c8ccd0d4d8dce4c505e80"


def test_other_elements_have_one_form() -> None:
    key = iso2.DHPublicKey(id="id3", value=b"\x04" * 65)
    assert encode_typed_fragment("iso2", key) == encode("iso2", key, fragment=True)


def test_signed_info_begins_as_the_reference_says() -> None:
    exi = "http://www.w3.org/TR/canonical-exi/"
    digest = xmldsig.DigestMethod(algorithm="http://www.w3.org/2001/04/xmlenc#sha256")
    signed_info = xmldsig.SignedInfo(
        canonicalization_method=xmldsig.CanonicalizationMethod(algorithm=exi),
        signature_method=xmldsig.SignatureMethod(algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        reference=(xmldsig.Reference(uri="#id1", digest_method=digest, digest_value=bytes(32)),),
    )
    alone = encode("xmldsig", signed_info, fragment=True)
    assert alone.hex().startswith("808112b43a")
    in_message_grammar = encode("iso2", signed_info, fragment=True)
    assert in_message_grammar != alone
    assert decode("iso2", in_message_grammar, fragment=True) == decode("xmldsig", alone, fragment=True) == signed_info


def test_a_bare_chain_is_the_signed_one() -> None:
    stream = encode("iso2", CHAIN, fragment=True)
    assert stream == encode("iso2", CHAIN, fragment=True, element="ContractSignatureCertChain")
    assert decode("iso2", stream, fragment=True) == CHAIN


def test_a_name_of_the_same_type_comes_back_named() -> None:
    stream = encode("iso2", CHAIN, fragment=True, element="SAProvisioningCertificateChain")
    named = decode("iso2", stream, fragment=True)
    assert named == NamedElement(name="SAProvisioningCertificateChain", uri="urn:iso:15118:2:2013:MsgBody", value=CHAIN)
    assert encode("iso2", named, fragment=True) == stream
    assert from_json("iso2", to_json("iso2", named)) == named
    assert from_xml("iso2", to_xml("iso2", named)) == named


def test_an_element_of_simple_type() -> None:
    stream = encode("iso2", b"\x01\x02", fragment=True, element="OEMProvisioningCert")
    named = decode("iso2", stream, fragment=True)
    assert named.value == b"\x01\x02"
    assert encode("iso2", named, fragment=True) == stream


def test_an_element_that_is_local_and_global() -> None:
    status = iso2.DC_EVStatus(ev_ready=True, ev_error_code=iso2.DC_EVErrorCode.NO_ERROR, ev_ress_soc=50)
    stream = encode("iso2", status, fragment=True)
    assert decode("iso2", stream, fragment=True) == status
    in_body = NamedElement(name="DC_EVStatus", uri="urn:iso:15118:2:2013:MsgBody", value=status)
    assert decode("iso2", encode("iso2", in_body, fragment=True), fragment=True) == in_body


CONTRACT_CHAIN = cm20.ContractCertificateChain(
    certificate=b"\x30\x01", sub_certificates=cm20.SubCertificates(certificate=(b"\x30\x02",))
)
NUMBER = common20.RationalNumber(exponent=0, value=1)
SIGNED_IN_20 = {
    "OEMProvisioningCertificateChain": cm20.SignedCertificateChain(id="id1", certificate=b"\x30\x01"),
    "PnC_AReqAuthorizationMode": cm20.PnC_AReqAuthorizationMode(
        id="id1", gen_challenge=bytes(16), contract_certificate_chain=CONTRACT_CHAIN
    ),
    "SignedInstallationData": cm20.SignedInstallationData(
        id="id1",
        contract_certificate_chain=CONTRACT_CHAIN,
        ecdh_curve=cm20.ECDHCurve.SECP521,
        dh_public_key=bytes(133),
        secp521_encrypted_private_key=bytes(94),
    ),
    "SignedMeteringData": cm20.SignedMeteringData(
        id="id1",
        session_id=bytes(8),
        meter_info=common20.MeterInfo(meter_id="m", charged_energy_reading_wh=1),
        scheduled_control_mode=cm20.Scheduled_SMDTControlMode(selected_schedule_tuple_id=1),
    ),
    "AbsolutePriceSchedule": cm20.AbsolutePriceSchedule(
        id="id1",
        time_anchor=0,
        price_schedule_id=1,
        currency="EUR",
        language="eng",
        price_algorithm="urn:iso:std:iso:15118:-20:PriceAlgorithm:1-Power",
        price_rule_stacks=cm20.PriceRuleStackList(
            price_rule_stack=(
                cm20.PriceRuleStack(
                    duration=60, price_rule=(cm20.PriceRule(energy_fee=NUMBER, power_range_start=NUMBER),)
                ),
            )
        ),
    ),
    "PriceLevelSchedule": cm20.PriceLevelSchedule(
        id="id1",
        time_anchor=0,
        price_schedule_id=1,
        number_of_price_levels=1,
        price_level_schedule_entries=cm20.PriceLevelScheduleEntryList(
            price_level_schedule_entry=(cm20.PriceLevelScheduleEntry(duration=60, price_level=1),)
        ),
    ),
}


@pytest.mark.parametrize("name", SIGNED_IN_20)
def test_what_20_signs_needs_no_name(name: str) -> None:
    element = SIGNED_IN_20[name]
    stream = encode("cm20", element, fragment=True)
    assert stream == encode("cm20", element, fragment=True, element=name)
    assert decode("cm20", stream, fragment=True) == element
    assert from_json("cm20", to_json("cm20", element)) == element
    assert from_xml("cm20", to_xml("cm20", element)) == element
    assert list(to_json("cm20", element)) == [name]


def test_two_messages_of_one_type() -> None:
    header = common20.MessageHeader(session_id=bytes(8), time_stamp=1)
    state = acdp20.ElectricalChargingDeviceStatus.STATE_A
    connect = acdp20.ACDP_ConnectReq(header=header, ev_electrical_charging_device_status=state)
    disconnect = acdp20.ACDP_DisconnectReq(header=header, ev_electrical_charging_device_status=state)
    assert decode("acdp20", encode("acdp20", connect)) == connect
    assert decode("acdp20", encode("acdp20", disconnect)) == disconnect
    # Codes 0 and 2 in the six bits after the header octet; libcbv2g, which sorts by type name, has 0 and 1.
    assert [encode("acdp20", message)[1] >> 2 for message in (connect, disconnect)] == [0, 2]


def test_a_global_element_that_no_message_uses() -> None:
    tag = din.ServiceTag(service_id=1, service_category=din.ServiceCategory.EV_CHARGING)
    charge = din.ServiceCharge(
        service_tag=tag, free_service=True, energy_transfer_type=din.EVSESupportedEnergyTransfer.DC_DUAL
    )
    assert to_json("din", charge).keys() == {"ServiceCharge"}
    assert decode("din", encode("din", charge)) == charge
    in_message = NamedElement(name="ChargeService", uri="urn:din:70121:2012:MsgBody", value=charge)
    assert decode("din", encode("din", in_message, fragment=True), fragment=True) == in_message


@pytest.mark.parametrize(
    ("message", "element", "cause"),
    [
        (iso2.PhysicalValue(multiplier=0, unit=iso2.UnitSymbol.A, value=1), "", "tells no element"),
        (CHAIN, "Chain", "no root element"),
        (iso2.BodyElement(), "BodyElement", "abstract"),
        (CHAIN, "DHpublickey", "DHPublicKey is needed"),
        ("text", "", "tells no element"),
    ],
)
def test_what_is_no_fragment(message: object, element: str, cause: str) -> None:
    with pytest.raises(ExiEncodeError, match=cause):
        encode("iso2", message, fragment=True, element=element)
