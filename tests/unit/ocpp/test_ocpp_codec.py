"""Payloads: every message we can emit passes the official schema, and each broken one gets the right error code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from plugpass.ocpp import enums
from plugpass.ocpp import messages as m
from plugpass.ocpp.codec import (
    UnsendableMessage,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from plugpass.ocpp.frames import CallRefused, ErrorCode
from plugpass.ocpp.schemas import Kind, SchemaViolation, standard_actions, validate

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
INFO = m.StatusInfo(reason_code="Because", additional_info="of that")
HASH = m.CertificateHashData(
    hash_algorithm=enums.HashAlgorithm.SHA256, issuer_name_hash="aa", issuer_key_hash="bb", serial_number="1f"
)
OCSP = m.OCSPRequestData(
    hash_algorithm=enums.HashAlgorithm.SHA256,
    issuer_name_hash="aa",
    issuer_key_hash="bb",
    serial_number="1f",
    responder_url="http://ocsp.test/",
)
EMAID = m.IdToken(
    id_token="DEPLUC12345678Q",
    type=enums.IdTokenType.EMAID,
    additional_info=(m.AdditionalInfo(additional_id_token="x", type="y"),),
)
TOKEN_INFO = m.IdTokenInfo(
    status=enums.AuthorizationStatus.ACCEPTED,
    cache_expiry_date_time=AT,
    charging_priority=1,
    language1="de",
    language2="en",
    evse_id=(1, 2),
    group_id_token=EMAID,
    personal_message=m.MessageContent(format="UTF8", content="hello", language="en"),
)
METER = m.MeterValue(
    timestamp=AT,
    sampled_value=(
        m.SampledValue(
            value=1234.5,
            context=enums.ReadingContext.TRANSACTION_END,
            measurand=enums.Measurand.POWER_ACTIVE_IMPORT,
            phase="L1",
            location="Inlet",
            unit_of_measure=m.UnitOfMeasure(unit="kWh", multiplier=-3),
            signed_meter_value=m.SignedMeterValue(
                signed_meter_data="AAA=", signing_method="ECDSA-SHA256", encoding_method="EXI", public_key=""
            ),
        ),
    ),
)
TRANSACTION = m.Transaction(
    transaction_id="t1",
    charging_state=enums.ChargingState.CHARGING,
    time_spent_charging=60,
    stopped_reason=enums.StopReason.EV_DISCONNECTED,
    remote_start_id=3,
)

#: Every message with every field in use.
FULL: dict[str, tuple[m.Request[Any], m.Response]] = {
    "Authorize": (
        m.AuthorizeRequest(id_token=EMAID, certificate="PEM", iso15118_certificate_hash_data=(OCSP,)),
        m.AuthorizeResponse(
            id_token_info=TOKEN_INFO, certificate_status=enums.AuthorizeCertificateStatus.CONTRACT_CANCELLED
        ),
    ),
    "BootNotification": (
        m.BootNotificationRequest(
            charging_station=m.ChargingStation(
                model="m",
                vendor_name="v",
                serial_number="s",
                firmware_version="1",
                modem=m.Modem(iccid="1", imsi="2"),
            ),
            reason=enums.BootReason.POWER_UP,
        ),
        m.BootNotificationResponse(
            current_time=AT, interval=300, status=enums.RegistrationStatus.ACCEPTED, status_info=INFO
        ),
    ),
    "CertificateSigned": (
        m.CertificateSignedRequest(certificate_chain="PEM", certificate_type=enums.CertificateSigningUse.V2G),
        m.CertificateSignedResponse(status=enums.GenericStatus.REJECTED, status_info=INFO),
    ),
    "DeleteCertificate": (
        m.DeleteCertificateRequest(certificate_hash_data=HASH),
        m.DeleteCertificateResponse(status=enums.DeleteCertificateStatus.NOT_FOUND, status_info=INFO),
    ),
    "Get15118EVCertificate": (
        m.Get15118EVCertificateRequest(
            iso15118_schema_version="urn:iso:15118:2:2013:MsgDef",
            action=enums.CertificateAction.UPDATE,
            exi_request="gJgC",
        ),
        m.Get15118EVCertificateResponse(
            status=enums.Iso15118EVCertificateStatus.FAILED, exi_response="", status_info=INFO
        ),
    ),
    "GetCertificateStatus": (
        m.GetCertificateStatusRequest(ocsp_request_data=OCSP),
        m.GetCertificateStatusResponse(
            status=enums.Iso15118EVCertificateStatus.ACCEPTED, status_info=INFO, ocsp_result="AAAA"
        ),
    ),
    "GetInstalledCertificateIds": (
        m.GetInstalledCertificateIdsRequest(certificate_type=tuple(enums.GetCertificateIdUse)),
        m.GetInstalledCertificateIdsResponse(
            status=enums.GetInstalledCertificateStatus.ACCEPTED,
            status_info=INFO,
            certificate_hash_data_chain=(
                m.CertificateHashDataChain(
                    certificate_type=enums.GetCertificateIdUse.V2G_CHAIN,
                    certificate_hash_data=HASH,
                    child_certificate_hash_data=(HASH, HASH),
                ),
            ),
        ),
    ),
    "Heartbeat": (m.HeartbeatRequest(), m.HeartbeatResponse(current_time=AT)),
    "InstallCertificate": (
        m.InstallCertificateRequest(certificate_type=enums.InstallCertificateUse.MO_ROOT, certificate="PEM"),
        m.InstallCertificateResponse(status=enums.InstallCertificateStatus.FAILED, status_info=INFO),
    ),
    "SecurityEventNotification": (
        m.SecurityEventNotificationRequest(
            type="InvalidChargingStationCertificate", timestamp=AT, tech_info="another key"
        ),
        m.SecurityEventNotificationResponse(),
    ),
    "SignCertificate": (
        m.SignCertificateRequest(csr="PEM", certificate_type=enums.CertificateSigningUse.V2G),
        m.SignCertificateResponse(status=enums.GenericStatus.ACCEPTED, status_info=INFO),
    ),
    "StatusNotification": (
        m.StatusNotificationRequest(
            timestamp=AT, connector_status=enums.ConnectorStatus.OCCUPIED, evse_id=1, connector_id=1
        ),
        m.StatusNotificationResponse(),
    ),
    "TransactionEvent": (
        m.TransactionEventRequest(
            event_type=enums.TransactionEventType.ENDED,
            timestamp=AT,
            trigger_reason=enums.TriggerReason.EV_DEPARTED,
            seq_no=3,
            transaction_info=TRANSACTION,
            offline=True,
            number_of_phases_used=3,
            cable_max_current=32,
            reservation_id=1,
            meter_value=(METER,),
            evse=m.EVSE(id=1, connector_id=1),
            id_token=EMAID,
        ),
        m.TransactionEventResponse(
            total_cost=1.5,
            charging_priority=0,
            id_token_info=TOKEN_INFO,
            updated_personal_message=m.MessageContent(format="ASCII", content="bye"),
        ),
    ),
    "TriggerMessage": (
        m.TriggerMessageRequest(
            requested_message=enums.MessageTrigger.SIGN_V2G_CERTIFICATE, evse=m.EVSE(id=1, connector_id=2)
        ),
        m.TriggerMessageResponse(status=enums.TriggerMessageStatus.NOT_IMPLEMENTED, status_info=INFO),
    ),
}


def test_the_table_covers_every_exchange() -> None:
    assert FULL.keys() == m.EXCHANGES.keys()
    assert m.EXCHANGES.keys() <= standard_actions()
    assert len(standard_actions()) == 64


@pytest.mark.parametrize("action", sorted(FULL))
def test_every_field_passes_the_official_schema_and_comes_back(action: str) -> None:
    request, response = FULL[action]
    assert m.action_of(request) == action
    assert decode_request(action, encode_request(request)) == request
    assert decode_response(action, encode_response(action, response)) == response


@pytest.mark.parametrize("action", sorted(FULL))
@pytest.mark.parametrize("kind", list(Kind))
def test_our_field_names_are_exactly_those_of_the_schema(action: str, kind: Kind) -> None:
    schema = json.loads((files("ocpp") / "v201" / "schemas" / f"{action}{kind}.json").read_text("utf-8-sig"))
    struct = m.EXCHANGES[action].request if kind is Kind.REQUEST else m.EXCHANGES[action].response
    _compare(struct, schema, schema["definitions"])


def _compare(struct: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    properties = {name: spec for name, spec in schema["properties"].items() if name != "customData"}
    assert fields.keys() == properties.keys(), struct.__name__
    required = {field.encode_name for field in fields.values() if field.required}
    assert required == set(schema.get("required", [])), struct.__name__
    for name, spec in properties.items():
        items = spec.get("items", spec)
        if "$ref" in items:
            target = definitions[items["$ref"].rpartition("/")[2]]
            nested = next((kind for kind in _types(fields[name].type) if hasattr(kind, "__mro__")), None)
            if "properties" in target:
                assert nested is not None
                _compare(nested, target, definitions)
            elif nested is not str:  # a few rare enumerations stay plain strings
                assert nested is not None
                assert {member.value for member in nested} == set(target["enum"])


def _types(annotation: Any) -> list[Any]:
    """The innermost types of an annotation such as `tuple[X, ...] | None`, without None."""
    arguments = [item for item in getattr(annotation, "__args__", ()) if item not in (type(None), Ellipsis)]
    return [inner for item in arguments for inner in _types(item)] if arguments else [annotation]


def changed(action: str, **changes: Any) -> bytes:
    payload = json.loads(encode_request(FULL[action][0]))
    for name, value in changes.items():
        if value is None:
            del payload[name]
        else:
            payload[name] = value
    return json.dumps(payload).encode()


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Heartbeat", b"[]", ErrorCode.FORMAT_VIOLATION),
        ("Heartbeat", b'"{}"', ErrorCode.FORMAT_VIOLATION),
        ("Heartbeat", b'{"x":1}', ErrorCode.FORMAT_VIOLATION),
        ("Heartbeat", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ErrorCode.FORMAT_VIOLATION),
        ("SignCertificate", changed("SignCertificate", csr=None), ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION),
        (
            "Authorize",
            changed("Authorize", iso15118CertificateHashData=[]),
            ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
        ),
        (
            "Authorize",
            changed("Authorize", iso15118CertificateHashData=[{}] * 5),
            ErrorCode.OCCURENCE_CONSTRAINT_VIOLATION,
        ),
        ("SignCertificate", changed("SignCertificate", csr=5), ErrorCode.TYPE_CONSTRAINT_VIOLATION),
        ("TransactionEvent", changed("TransactionEvent", seqNo="3"), ErrorCode.TYPE_CONSTRAINT_VIOLATION),
        ("TransactionEvent", changed("TransactionEvent", seqNo=3.5), ErrorCode.TYPE_CONSTRAINT_VIOLATION),
        ("SignCertificate", changed("SignCertificate", csr="x" * 5501), ErrorCode.PROPERTY_CONSTRAINT_VIOLATION),
        (
            "SignCertificate",
            changed("SignCertificate", certificateType="V2G20Certificate"),
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        ),
        (
            "TransactionEvent",
            changed("TransactionEvent", timestamp="yesterday"),
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        ),
        (
            "TransactionEvent",
            changed("TransactionEvent", timestamp="2026-06-01T12:00:00"),
            ErrorCode.PROPERTY_CONSTRAINT_VIOLATION,
        ),
    ],
)
def test_a_broken_payload_gets_the_code_for_what_is_broken(action: str, payload: bytes, code: ErrorCode) -> None:
    with pytest.raises(SchemaViolation) as caught:
        decode_request(action, payload)
    assert caught.value.wire == code


def test_the_refusal_names_the_field_and_keeps_the_value_to_itself() -> None:
    payload = changed("Authorize", idToken={"idToken": "DEPLUC12345678Q" * 3, "type": "eMAID"})
    with pytest.raises(SchemaViolation) as caught:
        decode_request("Authorize", payload)
    assert "idToken.idToken" in str(caught.value)
    assert "DEPLU" not in str(caught.value)


def test_unknown_and_unsupported_actions_are_told_apart() -> None:
    with pytest.raises(CallRefused) as unknown:
        decode_request("MakeCoffee", b"{}")
    assert unknown.value.wire == ErrorCode.NOT_IMPLEMENTED
    with pytest.raises(CallRefused) as unsupported:
        decode_request("ClearDisplayMessage", b'{"id":1}')
    assert unsupported.value.wire == ErrorCode.NOT_SUPPORTED


def test_custom_data_is_tolerated() -> None:
    assert decode_request("Heartbeat", b'{"customData":{"vendorId":"x","more":1}}') == m.HeartbeatRequest()


def test_decimals_and_whole_floats_are_taken_as_json_schema_has_it() -> None:
    meter = {"timestamp": "2026-06-01T12:00:00Z", "sampledValue": [{"value": 8.1}]}
    request = decode_request("TransactionEvent", changed("TransactionEvent", meterValue=[meter], seqNo=3.0))
    assert isinstance(request, m.TransactionEventRequest)
    assert request.seq_no == 3
    assert request.meter_value is not None
    assert request.meter_value[0].sampled_value[0].value == 8.1


def test_we_do_not_send_what_breaks_the_schema() -> None:
    with pytest.raises(UnsendableMessage):
        encode_request(m.SignCertificateRequest(csr="x" * 5501))
    with pytest.raises(UnsendableMessage):
        encode_response("Heartbeat", m.StatusNotificationResponse())


def test_the_validators_are_the_official_ones() -> None:
    folder = files("ocpp") / "v201" / "schemas"
    for action in sorted(standard_actions()):
        schema = json.loads((folder / f"{action}Request.json").read_text("utf-8-sig"))
        plain = jsonschema_rs.validator_for(schema)
        try:
            validate(action, Kind.REQUEST, {})
        except SchemaViolation:
            assert not plain.is_valid({})
        else:
            assert plain.is_valid({})
