"""Facets, occurrence and structure, enforced when writing and when reading."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plugpass.exi import ExiDecodeError, ExiEncodeError, NamedElement, decode, encode
from plugpass.exi.bits import BitReader, BitWriter
from plugpass.exi.datatypes import Base64Binary, Boolean, Datatype, Enumeration, HexBinary, Integer, String
from plugpass.exi.errors import Fault
from plugpass.exi.values import coder_for
from plugpass.iso15118.messages import ac20, cm20, common20, din, iso2, sap, wpt20

ENTRY = sap.AppProtocol(
    protocol_namespace="urn:x", version_number_major=2, version_number_minor=0, schema_id=1, priority=1
)
VALUE = iso2.PhysicalValue(multiplier=0, unit=iso2.UnitSymbol.A, value=1)
HEADER = iso2.MessageHeader(session_id=bytes(8))


def in_message(element: iso2.BodyElement) -> iso2.V2GMessage:
    return iso2.V2GMessage(header=HEADER, body=iso2.Body(element))


@pytest.mark.parametrize(
    ("datatype", "good", "bad"),
    [
        (Boolean(), [True, False], [1, 0, "true", None]),
        (Enumeration(iso2.PaymentOption), list(iso2.PaymentOption), ["Contract", 0, iso2.ResponseCode.OK, []]),
        (Integer(-3, 3), [-3, 0, 3], [-4, 4, True, "1", 1.0, 10**5000]),
        (Integer(0, 65535), [0, 127, 128, 16383, 16384, 65535], [-1, 65536, False, "1", -(10**5000)]),
        (Integer(0, 4095), [0, 4095], [-1, 4096]),
        (Integer(0, 4096), [0, 4096], [-1, 4097]),
        (Integer(-(2**63), 2**63 - 1), [-(2**63), -1, 0, 2**63 - 1], [-(2**63) - 1, 2**63]),
        (Integer(), [-(2**160), -1, 0, 2**160], [10**5000, -(10**5000), "1"]),
        (String(min_length=2, max_length=3), ["ab", "äöü", "a\U0001f50b"], ["a", "abcd", b"ab", "\ud800a"]),
        (String(), ["", "a" * 4000], ["a" * 70000]),
        (Base64Binary(min_length=16, max_length=16), [bytes(16)], [bytes(15), bytes(17), "", bytearray(16)]),
        (HexBinary(max_length=2), [b"", b"\xff\xff"], [bytes(3), "00"]),
    ],
    ids=range(12),
)
def test_values(datatype: Datatype, good: list[Any], bad: list[Any]) -> None:
    coder = coder_for(datatype)
    for value in good:
        target = BitWriter()
        target.bits(0, 3)  # nothing is aligned in a real stream
        coder.write(target, value)
        coder.write_element(target, value)
        source = BitReader(target.finish())
        source.bits(3)
        assert coder.read(source) == value
        assert coder.read_element(source) == value
        source.finish()
    for value in bad:
        with pytest.raises(Fault):
            coder.write(BitWriter(), value)


@pytest.mark.parametrize(
    ("written", "read", "value"),
    [
        (Integer(0, 2**32 - 1), Integer(0, 65535), 65536),
        (Integer(-(2**31), 2**31), Integer(-(2**15), 2**15 - 1), -40000),
        (Integer(0, 127), Integer(0, 100), 101),
        (Integer(0, 15), Enumeration(iso2.DC_EVErrorCode), 12),
        (String(), String(max_length=3), "abcd"),
        (String(), String(min_length=7), "abcd"),
        (Base64Binary(), Base64Binary(min_length=16, max_length=16), bytes(15)),
        (HexBinary(), HexBinary(max_length=8), bytes(9)),
        (Integer(0), Integer(0, 65535), 2**40),
    ],
    ids=str,
)
def test_a_value_outside_the_facets_is_not_read(written: Datatype, read: Datatype, value: Any) -> None:
    target = BitWriter()
    coder_for(written).write(target, value)
    target.octets(bytes(8))
    with pytest.raises(Fault):
        coder_for(read).read(BitReader(target.finish()))


@pytest.mark.parametrize("stream", ["00", "01", "0381808004", "038 0b003".replace(" ", "")])
def test_strings_that_are_none(stream: str) -> None:
    """String table hits, a code point beyond Unicode, a surrogate."""
    with pytest.raises(Fault):
        coder_for(String()).read(BitReader(bytes.fromhex(stream) + bytes(4)))


@pytest.mark.parametrize(
    ("element", "cause"),
    [
        (iso2.PaymentServiceSelectionReq(selected_payment_option=iso2.PaymentOption.CONTRACT,
            selected_service_list=iso2.SelectedServiceList(selected_service=())), "SelectedService is missing"),
        (iso2.PaymentServiceSelectionReq(selected_payment_option=iso2.PaymentOption.CONTRACT,
            selected_service_list=iso2.SelectedServiceList(
                selected_service=(iso2.SelectedService(service_id=1),) * 17)), "1 of SelectedService too many"),
        (iso2.PaymentServiceSelectionReq(selected_payment_option=iso2.PaymentOption.CONTRACT,
            selected_service_list=iso2.SelectedServiceList(
                selected_service=[iso2.SelectedService(service_id=1)])), "list where a tuple"),  # type: ignore[arg-type] # wrong on purpose
        (iso2.ServiceDetailReq(service_id=70000), "above the maximum"),
        (iso2.SessionSetupReq(evcc_id=bytes(7)), "7 octets"),
        (iso2.PreChargeReq(dc_ev_status=None, ev_target_voltage=VALUE, ev_target_current=VALUE),  # type: ignore[arg-type] # wrong on purpose
            "DC_EVStatus is missing"),
        (iso2.PowerDeliveryRes(response_code=iso2.ResponseCode.OK, evse_status=VALUE),  # type: ignore[arg-type] # wrong on purpose
            "PhysicalValue cannot stand where"),
        (iso2.BodyElement(), "BodyElement cannot stand"),
    ],
)  # fmt: skip
def test_a_message_outside_its_schema_is_not_written(element: iso2.BodyElement, cause: str) -> None:
    with pytest.raises(ExiEncodeError, match=cause):
        encode("iso2", in_message(element))


def with_parameter(parameter: iso2.Parameter) -> iso2.V2GMessage:
    parameter_set = iso2.ParameterSet(parameter_set_id=1, parameter=(parameter,))
    return in_message(
        iso2.ServiceDetailRes(
            response_code=iso2.ResponseCode.OK,
            service_id=1,
            service_parameter_list=iso2.ServiceParameterList(parameter_set=(parameter_set,)),
        )
    )


def test_a_choice_takes_exactly_one() -> None:
    assert encode("iso2", with_parameter(iso2.Parameter(name="n", int_value=0)))
    with pytest.raises(ExiEncodeError, match="or stringValue is missing"):
        encode("iso2", with_parameter(iso2.Parameter(name="n")))
    with pytest.raises(ExiEncodeError, match="intValue too many, or not beside"):
        encode("iso2", with_parameter(iso2.Parameter(name="n", bool_value=False, int_value=0)))


def test_the_error_names_the_place() -> None:
    with pytest.raises(ExiEncodeError) as caught:
        encode("iso2", with_parameter(iso2.Parameter(name="n", byte_value=1000)))
    assert caught.value.path[:3] == ("V2G_Message", "Body", "ServiceDetailRes")
    assert caught.value.path[-2:] == ("Parameter", "byteValue")
    assert "above" in caught.value.reason or "integer of -128 to 127" in caught.value.reason


def test_an_empty_body_is_refused() -> None:
    """The schema allows it, no message of the standard has it."""
    with pytest.raises(ExiEncodeError, match=r"the content is missing|BodyElement is missing"):
        encode("iso2", iso2.V2GMessage(header=HEADER, body=iso2.Body(None)))  # type: ignore[arg-type] # wrong on purpose
    # header octet, V2G_Message, Header with SessionID of no octets, its end, Body, end of Body, end
    bits = "10000000" + "1001100" + "0" + "0" + "0" + "00000000" + "0" + "10" + "0" + "100011" + "0"
    stream = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
    with pytest.raises(ExiDecodeError, match="missing") as caught:
        decode("iso2", stream)
    assert caught.value.path == ("V2G_Message", "Body")


@pytest.mark.parametrize("count", [1, 2, 19, 20])
def test_lists_up_to_their_limit(count: int) -> None:
    request = sap.SupportedAppProtocolReq(
        app_protocol=tuple(replace(ENTRY, priority=number + 1) for number in range(count))
    )
    assert decode("sap", encode("sap", request)) == request


def test_the_longest_schedule() -> None:
    entries = tuple(
        iso2.PMaxScheduleEntry(time_interval=iso2.RelativeTimeInterval(start=number), p_max=VALUE)
        for number in range(1024)
    )
    schedule = iso2.PMaxSchedule(p_max_schedule_entry=entries)
    stream = encode("iso2", schedule, fragment=True)
    assert decode("iso2", stream, fragment=True) == schedule
    with pytest.raises(ExiEncodeError, match="1 of PMaxScheduleEntry too many"):
        encode("iso2", iso2.PMaxSchedule(p_max_schedule_entry=(*entries, entries[0])), fragment=True)


# --- the other schemas ----------------------------------------------------------------------------------------------

HEADER_20 = common20.MessageHeader(session_id=bytes(8), time_stamp=2**64 - 1)
CHALLENGE = cm20.PnC_ASResAuthorizationMode(gen_challenge=bytes(16))
CHAIN_20 = cm20.ContractCertificateChain(certificate=b"", sub_certificates=cm20.SubCertificates(certificate=(b"",)))
KEY = cm20.SignedInstallationData(
    id="id1", contract_certificate_chain=CHAIN_20, ecdh_curve=cm20.ECDHCurve.X448, dh_public_key=bytes(133)
)
TUPLE_ID = cm20.Scheduled_SMDTControlMode(selected_schedule_tuple_id=1)
EXCHANGE = cm20.ScheduleExchangeReq(
    header=HEADER_20, maximum_supporting_points=12, scheduled_control_mode=cm20.Scheduled_SEReqControlMode()
)
SETUP = cm20.AuthorizationSetupRes(
    header=HEADER_20,
    response_code=common20.ResponseCode.OK,
    authorization_services=(cm20.AuthorizationService.PNC,),
    certificate_installation_service=True,
    pnc_authorization_mode=CHALLENGE,
)
ANTENNA = wpt20.WPT_TxRxSpecData(
    txrx_identifier=1,
    txrx_position=wpt20.WPT_CoordinateXYZ(coord_x=0, coord_y=0, coord_z=0),
    txrx_orientation=wpt20.WPT_CoordinateXYZ(coord_x=0, coord_y=0, coord_z=0),
)
LOOP = ac20.AC_ChargeLoopReq(
    header=HEADER_20,
    meter_info_requested=False,
    control_mode=ac20.Scheduled_AC_CLReqControlMode(
        ev_present_active_power=common20.RationalNumber(exponent=0, value=0)
    ),
)


@pytest.mark.parametrize(
    ("schema", "good", "bad", "cause"),
    [
        ("cm20", replace(KEY, secp521_encrypted_private_key=bytes(94)),
            replace(KEY, secp521_encrypted_private_key=bytes(93)), "93 octets where 94 are needed"),
        ("cm20", replace(KEY, x448_encrypted_private_key=bytes(84)),
            replace(KEY, x448_encrypted_private_key=bytes(85)), "85 octets where 84"),
        ("cm20", replace(KEY, tpm_encrypted_private_key=bytes(206)), KEY, "TPM_EncryptedPrivateKey is missing"),
        ("cm20", replace(KEY, tpm_encrypted_private_key=bytes(206)),
            replace(KEY, tpm_encrypted_private_key=bytes(206), dh_public_key=bytes(132)), "132 octets where 133"),
        ("cm20", SETUP, replace(SETUP, eim_authorization_mode=cm20.EIM_ASResAuthorizationMode()), "not beside"),
        ("cm20", SETUP, replace(SETUP, authorization_services=(cm20.AuthorizationService.EIM,) * 3), "too many"),
        ("cm20", SETUP, replace(SETUP, pnc_authorization_mode=replace(CHALLENGE, gen_challenge=bytes(15))),
            "15 octets where 16"),
        ("cm20", SETUP, replace(SETUP, header=replace(HEADER_20, session_id=bytes(7))), "7 octets where 8"),
        ("cm20", SETUP, replace(SETUP, header=replace(HEADER_20, time_stamp=2**64)), "above the maximum"),
        ("cm20", EXCHANGE, replace(EXCHANGE, maximum_supporting_points=11), "no integer of 12 to 1024"),
        ("cm20", replace(EXCHANGE, maximum_supporting_points=1024),
            replace(EXCHANGE, maximum_supporting_points=1025), "no integer of 12 to 1024"),
        ("ac20", LOOP, replace(LOOP, control_mode=common20.CLReqControlMode()), "cannot stand where"),
        ("ac20", replace(LOOP, display_parameters=common20.DisplayParameters(present_soc=100)),
            replace(LOOP, display_parameters=common20.DisplayParameters(present_soc=101)), "integer of 0 to 100"),
    ],
    ids=range(13),
)  # fmt: skip
def test_facets_of_20(schema: str, good: Any, bad: Any, cause: str) -> None:
    assert decode(schema, encode(schema, good)) == good
    with pytest.raises(ExiEncodeError, match=cause):
        encode(schema, bad)


@pytest.mark.parametrize(
    ("schema", "good", "bad", "cause"),
    [
        ("cm20", TUPLE_ID, replace(TUPLE_ID, selected_schedule_tuple_id=0), "below the minimum 1"),
        ("wpt20", wpt20.WPT_LF_ReceiverData(number_of_receivers=2, rx_spec_data=(ANTENNA,) * 255),
            wpt20.WPT_LF_ReceiverData(number_of_receivers=1, rx_spec_data=(ANTENNA,)), "RxSpecData is missing"),
        ("din", din.ListOfRootCertificateIDs(root_certificate_id=("r" * 40,) * 100),
            din.ListOfRootCertificateIDs(root_certificate_id=("r" * 41,)), "41 characters"),
    ],
    ids=range(3),
)  # fmt: skip
def test_facets_of_local_elements(schema: str, good: Any, bad: Any, cause: str) -> None:
    name = {"cm20": "Scheduled_SMDTControlMode", "wpt20": "LF_ReceiverSetupData", "din": "ListOfRootCertificateIDs"}
    stream = encode(schema, good, fragment=True, element=name[schema])
    found = decode(schema, stream, fragment=True)
    assert found in (good, NamedElement(name=name[schema], uri=getattr(found, "uri", ""), value=good))
    with pytest.raises(ExiEncodeError, match=cause):
        encode(schema, bad, fragment=True, element=name[schema])


def test_an_exact_length_is_exact_when_reading() -> None:
    """SessionID of -20 is 8 octets. Before its length: header octet, root in 6 bits, Header, SessionID, characters."""
    stream = encode("cm20", cm20.SessionStopRes(header=HEADER_20, response_code=common20.ResponseCode.OK))
    after_length = 8 * len(stream) - (8 + 6 + 1 + 1 + 1 + 8)
    for length in (7, 9):
        wrong = int.from_bytes(stream) ^ ((8 ^ length) << after_length)
        with pytest.raises(ExiDecodeError, match=f"{length} octets where 8 are needed"):
            decode("cm20", wrong.to_bytes(len(stream)))
