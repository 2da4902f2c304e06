"""What the station refuses, with which code, and whether the session survives it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from charging_pair import (
    AC_PARAMETER,
    CHARGE_PARAMETERS,
    EVCC_ID,
    Station,
    contract,
    emaid,
    ended,
    installation_response,
    mint_contract,
    oem,
    of_type,
    only,
    payment_details,
    physical,
    power_delivery,
    secc_config,
    selection,
)

from pki_factory import NOW, ROLE, forge, mint_pki, shared_pki
from plugpass.errors import ConfigurationError, LocalError
from plugpass.exi import decode, encode
from plugpass.iso15118.contract import failed_installation_response
from plugpass.iso15118.iso2 import Secc, events
from plugpass.iso15118.iso2.flow import FLOW, RESPONSE_OF, Phase
from plugpass.iso15118.iso2.secc import HANDLERS, MAX_REFUSALS
from plugpass.iso15118.machine import SessionEnded
from plugpass.iso15118.messages import iso2, sap
from plugpass.iso15118.messages.iso2 import ChargeProgress, EnergyTransferMode, PaymentOption, ResponseCode, UnitSymbol
from plugpass.iso15118.signature import verify_installation
from plugpass.iso15118.v2gtp import EXI_ISO2, FrameDecoder, frame
from plugpass.pki.certificate import parse, public_key
from plugpass.pki.profiles import PROFILES_ISO2
from plugpass.pki.trust import TrustAnchors

_DC_STATUS = iso2.DC_EVStatus(ev_ready=True, ev_error_code=iso2.DC_EVErrorCode.NO_ERROR, ev_ress_soc=50)
_VOLT, _AMPERE = physical(400, UnitSymbol.V), physical(10, UnitSymbol.A)
_ROOTS = iso2.ListOfRootCertificateIDs(
    root_certificate_id=(iso2.X509IssuerSerial(x509_issuer_name="CN=Root", x509_serial_number=1),)
)

REQUESTS: dict[type[iso2.BodyElement], Callable[[], iso2.BodyElement]] = {
    iso2.SessionSetupReq: lambda: iso2.SessionSetupReq(evcc_id=EVCC_ID),
    iso2.ServiceDiscoveryReq: lambda: iso2.ServiceDiscoveryReq(),
    iso2.ServiceDetailReq: lambda: iso2.ServiceDetailReq(service_id=2),
    iso2.PaymentServiceSelectionReq: lambda: selection(),
    iso2.CertificateInstallationReq: lambda: iso2.CertificateInstallationReq(
        id="id1", oem_provisioning_cert=oem().chain[0], list_of_root_certificate_ids=_ROOTS
    ),
    iso2.CertificateUpdateReq: lambda: iso2.CertificateUpdateReq(
        id="id1",
        contract_signature_cert_chain=payment_details().contract_signature_cert_chain,
        emaid=str(emaid()),
        list_of_root_certificate_ids=_ROOTS,
    ),
    iso2.PaymentDetailsReq: payment_details,
    iso2.AuthorizationReq: lambda: iso2.AuthorizationReq(id="id1", gen_challenge=bytes(16)),
    iso2.ChargeParameterDiscoveryReq: lambda: CHARGE_PARAMETERS,
    iso2.PowerDeliveryReq: lambda: power_delivery(ChargeProgress.START),
    iso2.ChargingStatusReq: lambda: iso2.ChargingStatusReq(),
    iso2.MeteringReceiptReq: lambda: iso2.MeteringReceiptReq(
        id="id1", session_id=bytes(8), meter_info=iso2.MeterInfo(meter_id="M")
    ),
    iso2.SessionStopReq: lambda: iso2.SessionStopReq(charging_session=iso2.ChargingSession.TERMINATE),
    iso2.CableCheckReq: lambda: iso2.CableCheckReq(dc_ev_status=_DC_STATUS),
    iso2.PreChargeReq: lambda: iso2.PreChargeReq(
        dc_ev_status=_DC_STATUS, ev_target_voltage=_VOLT, ev_target_current=_AMPERE
    ),
    iso2.CurrentDemandReq: lambda: iso2.CurrentDemandReq(
        dc_ev_status=_DC_STATUS, ev_target_current=_AMPERE, charging_complete=False, ev_target_voltage=_VOLT
    ),
    iso2.WeldingDetectionReq: lambda: iso2.WeldingDetectionReq(dc_ev_status=_DC_STATUS),
}

REACHABLE = (
    Phase.SESSION_SETUP,
    Phase.SERVICE_DISCOVERY,
    Phase.SERVICE_SELECTION,
    Phase.CERTIFICATE,
    Phase.PAYMENT_DETAILS,
    Phase.AUTHORIZATION,
    Phase.CHARGE_PARAMETERS,
    Phase.AC_START,
    Phase.AC_CHARGING,
    Phase.AC_RECEIPT,
    Phase.STOPPED,
)


def station_in(phase: Phase, **changes: Any) -> Station:
    """A station that has come to `phase`."""
    if phase is Phase.AC_RECEIPT:
        station = Station(receipt_every=2, **changes).reach(Phase.AC_CHARGING)
        station.step(iso2.ChargingStatusReq())
        station.step(iso2.ChargingStatusReq())
        assert station.secc.phase is phase
        return station
    return Station(**changes).reach(phase)


def refused(station: Station) -> events.RequestRefused:
    """The one refusal so far."""
    return only(station.events, events.RequestRefused)


# --- sequence -------------------------------------------------------------------------------------------------------


def test_there_is_a_request_for_every_row_of_the_flow() -> None:
    assert REQUESTS.keys() == RESPONSE_OF.keys()


@pytest.mark.parametrize("phase", REACHABLE, ids=str)
@pytest.mark.parametrize("request_type", REQUESTS, ids=lambda cls: cls.__name__)
def test_no_phase_takes_a_request_the_table_does_not_list(phase: Phase, request_type: type[iso2.BodyElement]) -> None:
    if request_type in FLOW[phase] and request_type in HANDLERS:
        return
    station = station_in(phase)
    answer = station.ask(REQUESTS[request_type]())
    assert type(answer) is RESPONSE_OF[request_type]
    if request_type not in HANDLERS and phase is not Phase.SESSION_SETUP:
        assert answer.response_code is ResponseCode.FAILED, "[V2G2-558]: not served, but no fault of the vehicle"
        assert not station.secc.ended
        assert station.secc.phase is phase
    elif phase is Phase.SESSION_SETUP:
        assert answer.response_code is ResponseCode.FAILED_UNKNOWN_SESSION
        assert station.secc.ended
    else:
        assert answer.response_code is ResponseCode.FAILED_SEQUENCE_ERROR
        assert not ended(station.events).ok
        assert station.secc.ended


@pytest.mark.parametrize("phase", [Phase.AC_CHARGING, Phase.AC_RECEIPT])
def test_a_session_that_breaks_off_while_charging_opens_the_contactors_first(phase: Phase) -> None:
    station = station_in(phase)
    station.ask(iso2.ServiceDiscoveryReq())
    assert isinstance(station.events[-2], events.ChargingStopped)
    assert isinstance(station.events[-1], SessionEnded)


def test_a_vehicle_that_does_not_wait_for_the_response_is_out_of_sequence() -> None:
    station = Station(verdict=None).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details()) is None
    assert station.ask(payment_details()).response_code is ResponseCode.FAILED_SEQUENCE_ERROR
    assert station.secc.ended
    assert station.secc.deadline() is None


def test_a_response_sent_to_the_station_ends_the_session() -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    assert station.ask(iso2.SessionStopRes(response_code=ResponseCode.OK)) is None
    assert "SessionStopRes" in ended(station.events).reason


# --- session identity -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("session_id", [b"\x00", bytes(8), b"", b"\x01" * 8], ids=lambda value: value.hex() or "empty")
@pytest.mark.parametrize("phase", [Phase.SERVICE_DISCOVERY, Phase.AUTHORIZATION, Phase.AC_CHARGING], ids=str)
def test_a_foreign_session_id_is_refused(phase: Phase, session_id: bytes) -> None:
    station = station_in(phase)
    (request_type, *_) = FLOW[phase]
    answer = station.ask(REQUESTS[request_type](), session_id=session_id)
    assert type(answer) is RESPONSE_OF[request_type]
    assert answer.response_code is ResponseCode.FAILED_UNKNOWN_SESSION
    assert station.secc.ended


@pytest.mark.parametrize("session_id", [b"\x00", bytes(8), b"\x07" * 8])
def test_session_setup_always_gets_a_new_session(session_id: bytes) -> None:
    station = Station().reach(Phase.SESSION_SETUP)
    answer = station.ask(iso2.SessionSetupReq(evcc_id=EVCC_ID), session_id=session_id)
    assert answer.response_code is ResponseCode.OK_NEW_SESSION_ESTABLISHED
    assert answer.evse_time_stamp == int(NOW.timestamp())
    assert station.session_id != session_id
    assert len(station.session_id) == 8


# --- services -------------------------------------------------------------------------------------------------------


def test_services_are_described() -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    answer = station.ask(iso2.ServiceDiscoveryReq())
    assert answer.payment_option_list.payment_option == (PaymentOption.CONTRACT,)
    assert [service.service_id for service in answer.service_list.service] == [2]
    detail = station.ask(iso2.ServiceDetailReq(service_id=2))
    assert [
        (parameter_set.parameter_set_id, parameter_set.parameter[0].string_value)
        for parameter_set in detail.service_parameter_list.parameter_set
    ] == [(1, "Installation"), (2, "Update")]


@pytest.mark.parametrize(
    ("category", "offered"),
    [
        (iso2.ServiceCategory.CONTRACT_CERTIFICATE, True),
        (iso2.ServiceCategory.INTERNET, False),
        (iso2.ServiceCategory.EV_CHARGING, False),
    ],
)
def test_services_are_filtered_by_category(category: iso2.ServiceCategory, offered: bool) -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    answer = station.ask(iso2.ServiceDiscoveryReq(service_category=category))
    assert (answer.service_list is not None) is offered


def test_without_tls_neither_contract_nor_certificates_are_offered() -> None:
    options = (PaymentOption.CONTRACT, PaymentOption.EXTERNAL_PAYMENT)
    station = Station(tls=False, payment_options=options).reach(Phase.SERVICE_DISCOVERY)
    answer = station.ask(iso2.ServiceDiscoveryReq())
    assert answer.payment_option_list.payment_option == (PaymentOption.EXTERNAL_PAYMENT,)
    assert answer.service_list is None
    assert station.ask(selection()).response_code is ResponseCode.FAILED_PAYMENT_SELECTION_INVALID
    assert station.ask(iso2.ServiceDetailReq(service_id=2)).response_code is ResponseCode.FAILED_SERVICE_ID_INVALID


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (iso2.ServiceDetailReq(service_id=3), ResponseCode.FAILED_SERVICE_ID_INVALID),
        (selection(PaymentOption.EXTERNAL_PAYMENT), ResponseCode.FAILED_PAYMENT_SELECTION_INVALID),
        (selection(PaymentOption.CONTRACT, 2), ResponseCode.FAILED_NO_CHARGE_SERVICE_SELECTED),
        (selection(PaymentOption.CONTRACT, 1, 3), ResponseCode.FAILED_SERVICE_SELECTION_INVALID),
        (selection(PaymentOption.CONTRACT, 1, 2, parameter_set=9), ResponseCode.FAILED_SERVICE_SELECTION_INVALID),
    ],
)
def test_a_wrong_choice_of_services_may_be_corrected(request_: iso2.BodyElement, code: ResponseCode) -> None:
    station = Station().reach(Phase.SERVICE_SELECTION)
    assert station.ask(request_).response_code is code
    assert station.ask(selection()).response_code is ResponseCode.OK


# --- contract certificates ------------------------------------------------------------------------------------------


def asked_installation(**changes: Any) -> tuple[Station, events.ContractInstallationRequested]:
    """A station that waits for the backend's answer."""
    station = Station(**changes).reach(Phase.CERTIFICATE)
    assert station.ask(REQUESTS[iso2.CertificateInstallationReq](), oem().signer) is None
    return station, only(station.events, events.ContractInstallationRequested)


def test_the_request_is_relayed_as_received() -> None:
    station = Station().reach(Phase.CERTIFICATE)
    message = station.message(REQUESTS[iso2.CertificateInstallationReq](), oem().signer)
    station.ask_message(message)
    assert only(station.events, events.ContractInstallationRequested).exi == encode("iso2", message)


def test_the_relayed_response_has_this_session_and_a_valid_signature() -> None:
    station, asked = asked_installation()
    station.secc.provide_installation(installation_response(), station.now, request_id=asked.request_id)
    message = station.response()
    assert message is not None
    backend = decode("iso2", installation_response())
    assert message.header.session_id == station.session_id
    assert backend.header.session_id != station.session_id
    assert message.body == backend.body
    assert message.header.signature == backend.header.signature
    body = message.body.element
    assert isinstance(body, iso2.CertificateInstallationRes)
    cps_key = public_key(parse(body.sa_provisioning_certificate_chain.certificate).key.encoded)
    verify_installation(body, message.header.signature, cps_key)
    assert station.secc.phase is Phase.PAYMENT_DETAILS


@pytest.mark.parametrize(
    ("exi", "code"),
    [
        (None, ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE),
        (b"", ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE),
        (b"garbage", ResponseCode.FAILED),
        (
            encode(
                "iso2",
                iso2.V2GMessage(
                    header=iso2.MessageHeader(session_id=bytes(8)),
                    body=iso2.Body(iso2.SessionStopRes(response_code=ResponseCode.OK)),
                ),
            ),
            ResponseCode.FAILED,
        ),
        (
            encode("iso2", failed_installation_response(ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE)),
            ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE,
        ),
    ],
    ids=["none", "empty", "unreadable", "other message", "refusal of the pool"],
)
def test_a_backend_without_a_contract_leaves_the_session_open(exi: bytes | None, code: ResponseCode) -> None:
    station, asked = asked_installation()
    station.secc.provide_installation(exi, station.now, request_id=asked.request_id)
    message = station.response()
    assert message is not None
    assert isinstance(message.body.element, iso2.CertificateInstallationRes)
    assert message.body.element.response_code is code
    assert message.header.session_id == station.session_id
    assert refused(station).response_code == code
    assert station.secc.phase is Phase.CERTIFICATE
    assert station.ask(payment_details()).response_code is ResponseCode.OK


def test_a_silent_backend_is_given_up_in_time_and_its_late_answer_is_dropped() -> None:
    station, asked = asked_installation()
    station.tick(4.4)
    assert station.response() is None
    station.tick(0.2)
    message = station.response()
    assert message is not None
    assert message.body.element.response_code is ResponseCode.FAILED  # type: ignore[attr-defined]  # judged above
    assert station.ask(REQUESTS[iso2.CertificateInstallationReq](), oem().signer) is None
    station.secc.provide_installation(installation_response(), station.now, request_id=asked.request_id)
    assert station.response() is None, "the late answer belongs to the first request"


def test_an_update_is_relayed_as_such() -> None:
    station = Station().reach(Phase.CERTIFICATE)
    assert station.ask(REQUESTS[iso2.CertificateUpdateReq](), contract().signer) is None
    asked = only(station.events, events.ContractInstallationRequested)
    assert asked.action == "Update"
    station.secc.provide_installation(None, station.now, request_id=asked.request_id)
    message = station.response()
    assert message is not None
    assert isinstance(message.body.element, iso2.CertificateUpdateRes)


def test_without_the_certificate_service_there_is_no_installation() -> None:
    station = Station().reach(Phase.PAYMENT_DETAILS)
    answer = station.ask(REQUESTS[iso2.CertificateInstallationReq](), oem().signer)
    assert answer.response_code is ResponseCode.FAILED_SEQUENCE_ERROR


# --- payment details ------------------------------------------------------------------------------------------------


def foreign_chain() -> tuple[bytes, ...]:
    """A contract below somebody else's root."""
    return mint_pki().leaf(ROLE.CONTRACT, str(emaid())).chain


def weak_chain() -> tuple[bytes, ...]:
    """A contract whose leaf is a CA."""
    issuer = shared_pki()[ROLE.MO_SUB2]
    leaf, _ = forge(PROFILES_ISO2[ROLE.MO_SUB2], str(emaid()), issuer)
    return (leaf, *contract().chain[1:])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (lambda: payment_details(text="DEPLUC99999999"), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details(text="not an emaid!!"), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details(contract().chain[:1]), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details(foreign_chain()), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details(weak_chain()), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details((b"\x30\x03garbage", *contract().chain[1:])), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details((b"", *contract().chain[1:])), ResponseCode.FAILED_CERT_CHAIN_ERROR),
        (lambda: payment_details(oem().chain), ResponseCode.FAILED_CERT_CHAIN_ERROR),
    ],
    ids=["other emaid", "no emaid", "leaf only", "foreign root", "leaf is a CA", "garbage", "empty", "oem certificate"],
)
def test_a_contract_that_does_not_hold_is_refused(
    request_: Callable[[], iso2.PaymentDetailsReq], code: ResponseCode
) -> None:
    station = Station().reach(Phase.PAYMENT_DETAILS)
    answer = station.ask(request_())
    assert answer.response_code is code
    assert not of_type(station.events, events.AuthorizationRequested), "the backend is not even asked"
    assert refused(station).reason
    assert station.ask(payment_details()).response_code is ResponseCode.OK


def test_an_expired_contract_has_its_own_code() -> None:
    expired = mint_contract(validity=timedelta(days=1))
    station = Station(wall_clock=lambda: NOW + timedelta(days=2)).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details(expired.chain)).response_code is ResponseCode.FAILED_CERTIFICATE_EXPIRED


def test_any_spelling_of_the_emaid_is_the_same_emaid() -> None:
    station = Station().reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details(text=emaid().key.lower())).response_code is ResponseCode.OK


WRONG_CHECK_DIGIT = emaid().key + ("A" if emaid().check_digit != "A" else "B")


def misnamed_chain(name: str = WRONG_CHECK_DIGIT) -> tuple[bytes, ...]:
    """A contract whose common name has a wrong check digit."""
    leaf, _ = forge(PROFILES_ISO2[ROLE.CONTRACT], name, shared_pki()[ROLE.MO_SUB2])
    return (leaf, *contract().chain[1:])


def test_a_wrong_check_digit_is_refused_unless_the_compatibility_switch_says_otherwise() -> None:
    request = payment_details(misnamed_chain(), WRONG_CHECK_DIGIT)
    station = Station().reach(Phase.PAYMENT_DETAILS)
    assert station.ask(request).response_code is ResponseCode.FAILED_CERT_CHAIN_ERROR
    station = Station(ignore_emaid_check_digit=True).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(request).response_code is ResponseCode.OK
    assert only(station.events, events.AuthorizationRequested).emaid == emaid()


@pytest.mark.parametrize(
    "request_",
    [
        payment_details(misnamed_chain("DEPLUC99999999A"), WRONG_CHECK_DIGIT),
        payment_details(misnamed_chain("no emaid at all"), WRONG_CHECK_DIGIT),
        payment_details(misnamed_chain(), "DEPLUC99999999A"),
        payment_details(misnamed_chain()[:1], WRONG_CHECK_DIGIT),
    ],
)
def test_the_compatibility_switch_ignores_nothing_but_the_check_digit(request_: iso2.PaymentDetailsReq) -> None:
    station = Station(ignore_emaid_check_digit=True).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(request_).response_code is ResponseCode.FAILED_CERT_CHAIN_ERROR


@pytest.mark.parametrize("anchors", [None, TrustAnchors(), TrustAnchors.of(v2g=[shared_pki()[ROLE.V2G_ROOT].der])])
def test_without_a_root_a_contract_is_refused_unless_the_backend_judges(anchors: TrustAnchors | None) -> None:
    station = Station(anchors=anchors).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details()).response_code is ResponseCode.FAILED_CERT_CHAIN_ERROR
    station = Station(anchors=anchors, central_validation=True).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details()).response_code is ResponseCode.OK
    assert not only(station.events, events.AuthorizationRequested).validated


def test_central_validation_does_not_excuse_what_the_station_sees_itself() -> None:
    expired = mint_contract(validity=timedelta(days=1))
    later = NOW + timedelta(days=2)
    station = Station(anchors=None, central_validation=True, wall_clock=lambda: later).reach(Phase.PAYMENT_DETAILS)
    answer = station.ask(payment_details(expired.chain))
    assert answer.response_code.startswith("FAILED")
    station = Station(anchors=None, central_validation=True).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details(text="DEPLUC99999999")).response_code is ResponseCode.FAILED_CERT_CHAIN_ERROR


@pytest.mark.parametrize(
    "code",
    [
        ResponseCode.FAILED_CERTIFICATE_REVOKED,
        ResponseCode.FAILED_CERTIFICATE_EXPIRED,
        ResponseCode.FAILED_CERT_CHAIN_ERROR,
        ResponseCode.FAILED_CONTRACT_CANCELED,
        ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE,
        ResponseCode.FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE,
        ResponseCode.FAILED,
    ],
)
def test_the_backends_refusal_is_told_with_its_code(code: ResponseCode) -> None:
    station = Station(verdict=code).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details()).response_code is code
    assert station.secc.phase is Phase.PAYMENT_DETAILS


def test_challenges_are_fresh_and_random() -> None:
    challenges = set()
    for _ in range(3):
        station = Station().reach(Phase.AUTHORIZATION)
        assert station.challenge is not None
        challenges.add(station.challenge)
    assert len(challenges) == 3
    assert all(len(challenge) == 16 and any(challenge) for challenge in challenges)


# --- authorization --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("challenge", [None, bytes(16), b"\xff" * 16])
def test_a_wrong_challenge_is_refused(challenge: bytes | None) -> None:
    station = Station().reach(Phase.AUTHORIZATION)
    answer = station.ask(iso2.AuthorizationReq(id="id1", gen_challenge=challenge), contract().signer)
    assert answer.response_code is ResponseCode.FAILED_CHALLENGE_INVALID
    assert station.secc.phase is Phase.AUTHORIZATION


@pytest.mark.parametrize("signer", ["none", "other contract", "oem"])
def test_a_wrong_signature_is_refused(signer: str) -> None:
    station = Station().reach(Phase.AUTHORIZATION)
    signers = {"none": None, "other contract": mint_contract().signer, "oem": oem().signer}
    answer = station.ask(station.authorization_req(), signers[signer])
    assert answer.response_code is ResponseCode.FAILED_SIGNATURE_ERROR
    assert station.secc.phase is Phase.AUTHORIZATION
    assert station.ask(station.authorization_req(), contract().signer).response_code is ResponseCode.OK


def test_a_signature_over_another_challenge_is_refused() -> None:
    station = Station().reach(Phase.AUTHORIZATION)
    other = station.message(iso2.AuthorizationReq(id="id1", gen_challenge=bytes(16)), contract().signer)
    message = replace(other, body=iso2.Body(station.authorization_req()))
    assert station.ask_message(message).response_code is ResponseCode.FAILED_SIGNATURE_ERROR


def test_the_backends_yes_does_not_replace_the_vehicles_proof() -> None:
    station = Station(verdict=ResponseCode.OK).reach(Phase.AUTHORIZATION)
    station.ask(station.authorization_req())
    assert station.secc.phase is Phase.AUTHORIZATION
    assert station.ask(CHARGE_PARAMETERS).response_code is ResponseCode.FAILED_SEQUENCE_ERROR


def slow_backend() -> Station:
    """A station in AUTHORIZATION whose backend has not answered yet."""
    station = Station(verdict=None).reach(Phase.PAYMENT_DETAILS)
    assert station.ask(payment_details()) is None
    station.tick(4.5)
    message = station.response()
    assert message is not None
    details = message.body.element
    assert isinstance(details, iso2.PaymentDetailsRes)
    assert details.response_code is ResponseCode.OK
    station.challenge = details.gen_challenge
    return station


def test_a_slow_backend_is_waited_for_with_ongoing() -> None:
    station = slow_backend()
    assert station.ask(station.authorization_req(), contract().signer) is None
    station.tick(1.0)
    message = station.response()
    assert message is not None
    assert message.body.element == iso2.AuthorizationRes(
        response_code=ResponseCode.OK, evse_processing=iso2.EVSEProcessing.ONGOING
    )
    # The vehicle need not sign again.
    assert station.ask(iso2.AuthorizationReq()) is None
    asked = only(station.events, events.AuthorizationRequested)
    station.secc.provide_authorization(ResponseCode.OK, station.now, request_id=asked.request_id)
    message = station.response()
    assert message is not None
    assert message.body.element == iso2.AuthorizationRes(
        response_code=ResponseCode.OK, evse_processing=iso2.EVSEProcessing.FINISHED
    )
    assert station.secc.phase is Phase.CHARGE_PARAMETERS


def test_an_unsigned_repetition_does_not_help_before_the_proof() -> None:
    station = slow_backend()
    asked = only(station.events, events.AuthorizationRequested)
    station.secc.provide_authorization(ResponseCode.OK, station.now, request_id=asked.request_id)
    assert station.ask(iso2.AuthorizationReq()).response_code is ResponseCode.FAILED_CHALLENGE_INVALID


def test_a_late_refusal_is_told_in_the_terms_of_authorization_res() -> None:
    station = slow_backend()
    asked = only(station.events, events.AuthorizationRequested)
    revoked = ResponseCode.FAILED_CERTIFICATE_REVOKED
    station.secc.provide_authorization(revoked, station.now, request_id=asked.request_id)
    assert station.ask(station.authorization_req(), contract().signer).response_code is ResponseCode.FAILED
    assert revoked in refused(station).reason
    station.secc.provide_authorization(ResponseCode.OK, station.now, request_id=asked.request_id)
    answer = station.ask(station.authorization_req(), contract().signer)
    assert answer.response_code is ResponseCode.FAILED, "the first answer counts"


def test_a_backend_that_never_answers_is_a_refusal_after_the_ongoing_timeout() -> None:
    station = slow_backend()
    started = station.now
    station.ask(station.authorization_req(), contract().signer)
    while True:
        station.tick(1.0)
        message = station.response()
        assert message is not None
        answer = message.body.element
        assert isinstance(answer, iso2.AuthorizationRes)
        if answer.response_code is not ResponseCode.OK:
            break
        assert answer.evse_processing is iso2.EVSEProcessing.ONGOING
        assert station.ask(iso2.AuthorizationReq()) is None
    assert answer.response_code is ResponseCode.FAILED
    assert 60.0 <= station.now - started <= 62.0


def test_an_answer_to_another_question_is_ignored() -> None:
    station = slow_backend()
    station.secc.provide_authorization(ResponseCode.OK, station.now, request_id=999)
    assert station.ask(station.authorization_req(), contract().signer) is None


# --- charging -------------------------------------------------------------------------------------------------------


def test_an_energy_transfer_mode_that_is_not_offered() -> None:
    station = Station().reach(Phase.CHARGE_PARAMETERS)
    request = replace(CHARGE_PARAMETERS, requested_energy_transfer_mode=EnergyTransferMode.DC_EXTENDED)
    assert station.ask(request).response_code is ResponseCode.FAILED_WRONG_ENERGY_TRANSFER_MODE
    assert station.ask(CHARGE_PARAMETERS).response_code is ResponseCode.OK


def test_dc_parameters_for_an_ac_mode() -> None:
    station = Station().reach(Phase.CHARGE_PARAMETERS)
    parameter = iso2.DC_EVChargeParameter(
        dc_ev_status=_DC_STATUS, ev_maximum_current_limit=_AMPERE, ev_maximum_voltage_limit=_VOLT
    )
    answer = station.ask(replace(CHARGE_PARAMETERS, ev_charge_parameter=parameter))
    assert answer.response_code is ResponseCode.FAILED_WRONG_CHARGE_PARAMETER


def test_the_schedule_comes_with_the_finished_response() -> None:
    station = Station().reach(Phase.CHARGE_PARAMETERS)
    answer = station.ask(replace(CHARGE_PARAMETERS, ev_charge_parameter=AC_PARAMETER))
    assert answer.evse_processing is iso2.EVSEProcessing.FINISHED
    (schedule,) = answer.sa_schedules.sa_schedule_tuple
    (entry,) = schedule.p_max_schedule.p_max_schedule_entry
    assert entry.p_max == physical(22_080, UnitSymbol.W)


def _profile(power: int) -> iso2.ChargingProfile:
    entry = iso2.ProfileEntry(
        charging_profile_entry_start=0, charging_profile_entry_max_power=physical(power, UnitSymbol.W)
    )
    return iso2.ChargingProfile(profile_entry=(entry,))


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (
            replace(power_delivery(ChargeProgress.START), sa_schedule_tuple_id=2),
            ResponseCode.FAILED_TARIFF_SELECTION_INVALID,
        ),
        (
            replace(power_delivery(ChargeProgress.START), charging_profile=_profile(22_081)),
            ResponseCode.FAILED_CHARGING_PROFILE_INVALID,
        ),
        (power_delivery(ChargeProgress.RENEGOTIATE), ResponseCode.FAILED_POWER_DELIVERY_NOT_APPLIED),
    ],
)
def test_power_delivery_that_cannot_start(request_: iso2.BodyElement, code: ResponseCode) -> None:
    station = Station().reach(Phase.AC_START)
    assert station.ask(request_).response_code is code
    assert not of_type(station.events, events.ChargingStarted)
    start = replace(power_delivery(ChargeProgress.START), charging_profile=_profile(22_080))
    assert station.ask(start).response_code is ResponseCode.OK


def test_power_delivery_does_not_start_twice() -> None:
    station = Station().reach(Phase.AC_CHARGING)
    answer = station.ask(power_delivery(ChargeProgress.START))
    assert answer.response_code is ResponseCode.FAILED_POWER_DELIVERY_NOT_APPLIED
    only(station.events, events.ChargingStarted)


def receipt(station: Station, **changes: Any) -> iso2.MeteringReceiptReq:
    """The receipt for the reading sent last."""
    reading = of_type(station.events, events.MeterRecorded)[-1].reading
    request = iso2.MeteringReceiptReq(
        id="id1",
        session_id=station.session_id,
        sa_schedule_tuple_id=1,
        meter_info=iso2.MeterInfo(meter_id=reading.meter_id, meter_reading=reading.energy_wh),
    )
    return replace(request, **changes)


@pytest.mark.parametrize(
    "change",
    [
        {"meter_info": iso2.MeterInfo(meter_id="METER-1", meter_reading=1)},
        {"meter_info": iso2.MeterInfo(meter_id="METER-2", meter_reading=1200)},
        {"session_id": bytes(8)},
    ],
    ids=["reading", "meter", "session"],
)
def test_a_receipt_for_something_else_is_refused(change: dict[str, Any]) -> None:
    station = station_in(Phase.AC_RECEIPT)
    answer = station.ask(receipt(station, **change), contract().signer)
    assert answer.response_code is ResponseCode.FAILED_METERING_SIGNATURE_NOT_VALID
    assert not of_type(station.events, events.ReceiptAccepted)
    assert station.ask(receipt(station), contract().signer).response_code is ResponseCode.OK
    assert station.secc.phase is Phase.AC_CHARGING


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "by another key"])
def test_a_receipt_without_the_contracts_signature_is_refused(signed: bool) -> None:
    station = station_in(Phase.AC_RECEIPT)
    answer = station.ask(receipt(station), oem().signer if signed else None)
    assert answer.response_code is ResponseCode.FAILED_METERING_SIGNATURE_NOT_VALID
    assert not of_type(station.events, events.ReceiptAccepted)


def test_a_vehicle_may_stop_instead_of_sending_a_receipt() -> None:
    station = station_in(Phase.AC_RECEIPT)
    assert station.ask(power_delivery(ChargeProgress.STOP)).response_code is ResponseCode.OK
    only(station.events, events.ChargingStopped)


def test_stopping_the_session_during_a_renegotiation_opens_the_contactors() -> None:
    station = Station().reach(Phase.AC_CHARGING)
    station.step(power_delivery(ChargeProgress.RENEGOTIATE))
    assert not of_type(station.events, events.ChargingStopped)
    station.step(REQUESTS[iso2.SessionStopReq]())
    only(station.events, events.ChargingStopped)
    assert ended(station.events).ok


# --- hostile octets and limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("01fe80010000ffff01"),
        bytes.fromhex("01fe8001ffffffff"),
        bytes.fromhex("01fe900000000002") + b"\x00\x00",
        bytes.fromhex("02fd800100000001") + b"\x80",
        frame(EXI_ISO2, b""),
        frame(EXI_ISO2, b"\x80" * 40),
    ],
    ids=["http", "incomplete", "huge", "sdp", "version", "empty", "garbage"],
)
@pytest.mark.parametrize("phase", [None, Phase.SERVICE_DISCOVERY, Phase.AC_CHARGING], ids=str)
def test_garbage_ends_the_session_without_an_answer(octets: bytes, phase: Phase | None) -> None:
    station = Station() if phase is None else Station().reach(phase)
    station.secc.receive(octets, station.now)
    station.secc.receive(b"", station.now)
    assert station.response() is None
    assert not ended(station.events).ok
    assert station.secc.deadline() is None
    if phase is Phase.AC_CHARGING:
        only(station.events, events.ChargingStopped)


def test_nothing_happens_after_the_end() -> None:
    station = Station().reach(Phase.SERVICE_DISCOVERY)
    station.secc.abort("the service stops", station.now)
    station.secc.abort("again", station.now)
    station.secc.handle_timeout(station.now + 1000)
    station.secc.provide_authorization(ResponseCode.OK, station.now, request_id=1)
    assert station.ask(iso2.ServiceDiscoveryReq()) is None
    assert ended(station.events).reason == "the service stops"


def test_a_vehicle_that_keeps_failing_is_cut_off() -> None:
    station = Station().reach(Phase.SERVICE_SELECTION)
    for _ in range(MAX_REFUSALS):
        assert not station.secc.ended
        station.ask(iso2.ServiceDetailReq(service_id=77))
    assert str(MAX_REFUSALS) in ended(station.events).reason


def test_a_response_instead_of_the_first_request_ends_the_session() -> None:
    station = Station()
    answer = sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION, schema_id=1)
    station.send(encode("sap", answer))
    assert "supportedAppProtocolReq" in ended(station.events).reason


def test_frames_behind_the_end_are_not_looked_at() -> None:
    station = Station().reach(Phase.STOPPED)
    stop = encode("iso2", station.message(REQUESTS[iso2.SessionStopReq]()))
    station.secc.receive(frame(EXI_ISO2, stop) * 2, station.now)
    message = station.response()
    assert message is not None
    assert message.body.element == iso2.SessionStopRes(response_code=ResponseCode.OK)
    assert ended(station.events).ok


@pytest.mark.parametrize("size", [0, 7])
def test_a_random_source_that_gives_too_little_is_our_own_fault(size: int) -> None:
    secc = Secc(secc_config(), random=lambda _: bytes(size), now=0.0)
    station = Station()
    station.secc = secc
    station.handshake()
    with pytest.raises(LocalError):
        station.ask(iso2.SessionSetupReq(evcc_id=EVCC_ID))


def test_no_common_protocol_is_said_and_ends_the_session() -> None:
    secc = Secc(secc_config(), random=os.urandom, now=0.0)
    entry = sap.AppProtocol(
        protocol_namespace="urn:din:70121:2012:MsgDef",
        version_number_major=2,
        version_number_minor=0,
        schema_id=1,
        priority=1,
    )
    request = sap.SupportedAppProtocolReq(app_protocol=(entry,))
    secc.receive(frame(EXI_ISO2, encode("sap", request)), 0.0)
    ((_, exi),) = FrameDecoder().receive(secc.data_to_send())
    assert decode("sap", exi).response_code is sap.ResponseCode.FAILED_NO_NEGOTIATION
    assert secc.ended


@pytest.mark.parametrize(
    "changes",
    [
        {"evse_id": "DE*1"},
        {"receipt_every": 1},
        {"receipt_every": 0},
        {"tls": False},
        {"payment_options": ()},
        {"energy_modes": ()},
        {"energy_modes": (EnergyTransferMode.DC_CORE,)},
    ],
    ids=str,
)
def test_configurations_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        secc_config(**changes)
