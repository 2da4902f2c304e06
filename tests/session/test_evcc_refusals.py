"""What the vehicle does not accept, and how it leaves a session it cannot go on with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from charging_pair import (
    Pair,
    contract,
    cps,
    drain,
    emaid,
    ended,
    evcc_config,
    installation_response,
    mint_contract,
    oem,
    of_type,
    only,
    secc_config,
    with_body,
)

from pki_factory import NOW, ROLE, Pki, mint_pki, shared_pki
from plugpass.errors import ConfigurationError
from plugpass.exi import decode, encode
from plugpass.ids import EMAID
from plugpass.iso15118.contract import build_installation_response, seal_iso2
from plugpass.iso15118.iso2 import Evcc, events
from plugpass.iso15118.iso2.config import ContractCredential, EnergyRequest, Installation
from plugpass.iso15118.messages import iso2, sap
from plugpass.iso15118.messages.iso2 import EnergyTransferMode, ResponseCode
from plugpass.iso15118.sap import ISO2, offer
from plugpass.iso15118.v2gtp import EXI_ISO2, frame
from plugpass.pki.keys import generate
from plugpass.pki.trust import TrustAnchors

# --- refusals of the station ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        ResponseCode.FAILED_CERTIFICATE_REVOKED,
        ResponseCode.FAILED_CONTRACT_CANCELED,
        ResponseCode.FAILED_CERT_CHAIN_ERROR,
        ResponseCode.FAILED,
    ],
)
def test_a_refused_contract_is_reported_and_the_session_stopped(code: ResponseCode) -> None:
    pair = Pair(verdict=code).run()
    refusal = only(pair.vehicle, events.ContractRefused)
    assert (refusal.request, refusal.response_code) == ("PaymentDetailsReq", code)
    assert pair.requests()[-2:] == ["PaymentDetailsReq", "SessionStopReq"]
    assert pair.codes()["SessionStopRes"] == "OK"
    end = ended(pair.vehicle)
    assert not end.ok
    assert code in end.reason
    assert not of_type(pair.vehicle, events.Authorized)


def test_a_refusal_at_authorization_is_reported_too() -> None:
    pair = Pair(verdict=None)
    pair.run(until=106.0)
    asked = only(pair.station, events.AuthorizationRequested)
    pair.secc.provide_authorization(ResponseCode.FAILED_CONTRACT_CANCELED, pair.now, request_id=asked.request_id)
    pair.run()
    refusal = only(pair.vehicle, events.ContractRefused)
    assert (refusal.request, refusal.response_code) == ("AuthorizationReq", ResponseCode.FAILED)
    assert pair.requests()[-1] == "SessionStopReq"


def answering(kind: type[iso2.BodyElement], **changes: Any) -> Callable[[iso2.V2GMessage], iso2.V2GMessage]:
    """Rewrites the responses of one kind."""

    def rewrite(message: iso2.V2GMessage) -> iso2.V2GMessage:
        return with_body(message, **changes) if isinstance(message.body.element, kind) else message

    return rewrite


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (iso2.ServiceDiscoveryRes, "SessionStopReq"),
        (iso2.PaymentServiceSelectionRes, "SessionStopReq"),
        (iso2.ChargeParameterDiscoveryRes, "SessionStopReq"),
        (iso2.ChargingStatusRes, "SessionStopReq"),
        (iso2.SessionSetupRes, "SessionSetupReq"),
    ],
)
def test_any_other_failure_ends_in_an_orderly_way(kind: type[iso2.BodyElement], last: str) -> None:
    pair = Pair(rewrite_response=answering(kind, response_code=ResponseCode.FAILED)).run()
    assert pair.requests()[-1] == last
    assert not ended(pair.vehicle).ok
    if kind is iso2.ChargingStatusRes:
        assert pair.requests()[-2] == "PowerDeliveryReq", "power first, then the session"
        only(pair.vehicle, events.ChargingStopped)
        only(pair.station, events.ChargingStopped)


@pytest.mark.parametrize("code", [ResponseCode.FAILED_SEQUENCE_ERROR, ResponseCode.FAILED_UNKNOWN_SESSION])
def test_a_session_the_station_has_ended_is_not_stopped_again(code: ResponseCode) -> None:
    pair = Pair(rewrite_response=answering(iso2.ChargingStatusRes, response_code=code)).run()
    assert pair.requests()[-1] == "ChargingStatusReq"
    assert code in ended(pair.vehicle).reason
    only(pair.vehicle, events.ChargingStopped)


def test_a_station_that_refuses_to_stop_power_is_left() -> None:
    stop = iter([ResponseCode.OK, ResponseCode.FAILED, ResponseCode.FAILED])

    def rewrite(message: iso2.V2GMessage) -> iso2.V2GMessage:
        if isinstance(message.body.element, iso2.PowerDeliveryRes):
            return with_body(message, response_code=next(stop))
        return message

    pair = Pair(rewrite_response=rewrite).run()
    assert not ended(pair.vehicle).ok
    only(pair.vehicle, events.ChargingStopped)


# --- responses that cannot be used ----------------------------------------------------------------------------------


def test_a_zero_session_id_is_refused() -> None:
    def rewrite(message: iso2.V2GMessage) -> iso2.V2GMessage:
        return replace(message, header=replace(message.header, session_id=bytes(8)))

    pair = Pair(rewrite_response=rewrite).run()
    assert pair.requests()[-1] == "SessionSetupReq"
    assert not ended(pair.vehicle).ok


def test_a_response_of_another_session_is_refused() -> None:
    def rewrite(message: iso2.V2GMessage) -> iso2.V2GMessage:
        if isinstance(message.body.element, iso2.ServiceDiscoveryRes):
            return replace(message, header=replace(message.header, session_id=b"\x01" * 8))
        return message

    assert "another session" in ended(Pair(rewrite_response=rewrite).run().vehicle).reason


def test_a_response_of_another_kind_is_refused() -> None:
    def rewrite(message: iso2.V2GMessage) -> iso2.V2GMessage:
        if isinstance(message.body.element, iso2.ServiceDiscoveryRes):
            return replace(message, body=iso2.Body(iso2.PaymentServiceSelectionRes(response_code=ResponseCode.OK)))
        return message

    end = ended(Pair(rewrite_response=rewrite).run().vehicle)
    assert "PaymentServiceSelectionRes" in end.reason
    assert "ServiceDiscoveryRes was expected" in end.reason


def test_finished_without_a_schedule_is_refused() -> None:
    pair = Pair(rewrite_response=answering(iso2.ChargeParameterDiscoveryRes, sa_schedules=None)).run()
    assert pair.requests()[-1] == "SessionStopReq"
    assert "schedule" in ended(pair.vehicle).reason


def test_a_receipt_without_a_reading_cannot_be_signed() -> None:
    rewrite = answering(iso2.ChargingStatusRes, receipt_required=True, meter_info=None)
    pair = Pair(rewrite_response=rewrite).run()
    assert "MeteringReceiptReq" not in pair.requests()
    assert "without a meter reading" in ended(pair.vehicle).reason


@pytest.mark.parametrize(
    "answer",
    [
        sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.FAILED_NO_NEGOTIATION),
        sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION, schema_id=7),
    ],
)
def test_no_common_protocol(answer: sap.SupportedAppProtocolRes) -> None:
    evcc = Evcc(evcc_config(), random=os.urandom, now=0.0)
    evcc.data_to_send()
    evcc.receive(frame(EXI_ISO2, encode("sap", answer)), 0.0)
    assert not ended(drain(evcc)).ok
    assert evcc.data_to_send() == b""


@pytest.mark.parametrize("started", [False, True])
def test_a_request_sent_to_the_vehicle_ends_the_session(started: bool) -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=None, loop_interval=5.0))
    if started:
        pair.run(until=103.0)
        header = iso2.MessageHeader(session_id=b"\x01" * 8)
        exi = encode("iso2", iso2.V2GMessage(header=header, body=iso2.Body(iso2.ChargingStatusReq())))
    else:
        exi = encode("sap", offer((ISO2,)))
    pair.evcc.receive(frame(EXI_ISO2, exi), pair.now)
    pair.evcc.receive(frame(EXI_ISO2, exi), pair.now)
    assert not ended(drain(pair.evcc)).ok


def test_an_unasked_response_ends_the_session() -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=None, loop_interval=5.0))
    pair.run(until=103.0)
    header = iso2.MessageHeader(session_id=only(pair.vehicle, events.SessionEstablished).session_id)
    body = iso2.Body(iso2.SessionStopRes(response_code=ResponseCode.OK))
    exi = encode("iso2", iso2.V2GMessage(header=header, body=body))
    pair.evcc.receive(frame(EXI_ISO2, exi), pair.now)
    assert "nothing was expected" in ended(drain(pair.evcc)).reason


# --- how to pay -----------------------------------------------------------------------------------------------------


def test_without_contract_and_provisioning_certificate_there_is_no_way_to_pay() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None, oem=None)).run()
    assert pair.requests()[-2:] == ["ServiceDiscoveryReq", "SessionStopReq"]
    assert "no way to pay" in ended(pair.vehicle).reason


def test_a_vehicle_shows_no_contract_without_tls() -> None:
    pair = Pair(evcc_config=evcc_config(tls=False)).run()
    assert pair.requests()[-1] == "SessionStopReq"
    assert "PaymentDetailsReq" not in pair.requests()


def test_an_installation_that_is_not_offered_falls_back_on_the_stored_contract() -> None:
    pair = Pair(
        secc_config=secc_config(certificate_service=False), evcc_config=evcc_config(installation=Installation.ALWAYS)
    ).run()
    assert ended(pair.vehicle).ok
    assert only(pair.vehicle, events.InstallationFailed).response_code == "FAILED_NoCertificateAvailable"


def test_a_certificate_service_that_only_updates_is_of_no_use() -> None:
    update = iso2.ParameterSet(parameter_set_id=2, parameter=(iso2.Parameter(name="Service", string_value="Update"),))
    rewrite = answering(
        iso2.ServiceDetailRes, service_parameter_list=iso2.ServiceParameterList(parameter_set=(update,))
    )
    pair = Pair(evcc_config=evcc_config(contract=None), rewrite_response=rewrite).run()
    assert not ended(pair.vehicle).ok
    assert pair.requests()[-1] == "SessionStopReq"
    pair = Pair(evcc_config=evcc_config(installation=Installation.ALWAYS), rewrite_response=rewrite).run()
    assert ended(pair.vehicle).ok


def test_without_a_v2g_root_no_certificate_is_asked_for() -> None:
    anchors = TrustAnchors.of(mo=[shared_pki()[ROLE.MO_ROOT].der])
    pair = Pair(evcc_config=evcc_config(contract=None, anchors=anchors)).run()
    assert "CertificateInstallationReq" not in pair.requests()
    assert "no way to pay" in ended(pair.vehicle).reason


def test_never_installing_is_respected() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None, installation=Installation.NEVER)).run()
    assert "CertificateInstallationReq" not in pair.requests()


def test_a_mode_the_station_does_not_have() -> None:
    pair = Pair(secc_config=secc_config(energy_modes=(EnergyTransferMode.AC_SINGLE_PHASE_CORE,))).run()
    assert pair.requests()[-1] == "SessionStopReq"
    assert "AC_three_phase_core" in ended(pair.vehicle).reason


# --- the delivered contract -----------------------------------------------------------------------------------------


def delivered(
    *,
    pki: Pki | None = None,
    cps_pki: Pki | None = None,
    cps_role: Any = ROLE.CPS_LEAF,
    name: EMAID | None = None,
    validity: timedelta | None = None,
    receiver: Any = None,
    key: Any = None,
) -> bytes:
    """An installation response with one thing wrong."""
    minted = (pki or shared_pki()).leaf(ROLE.CONTRACT, str(emaid()), validity=validity)
    signing = (cps_pki or shared_pki()).leaf(cps_role) if cps_pki or cps_role is not ROLE.CPS_LEAF else cps()
    message = build_installation_response(
        emaid=name or emaid(),
        contract_chain=minted.chain,
        sealed=seal_iso2(key or minted.signer, (receiver or oem().signer).public_key, random=os.urandom),
        cps_chain=signing.chain,
        cps_signer=signing.signer,
    )
    return encode("iso2", message)


def tampered(**changes: Any) -> bytes:
    """A good installation response whose body was changed on the way."""
    return encode("iso2", with_body(decode("iso2", installation_response()), **changes))


def unsigned() -> bytes:
    """A good installation response without its signature."""
    message = decode("iso2", installation_response())
    return encode("iso2", replace(message, header=replace(message.header, signature=None)))


def other_sealed_key() -> iso2.ContractSignatureEncryptedPrivateKey:
    """A key block of the right size that nobody signed."""
    return iso2.ContractSignatureEncryptedPrivateKey(id="id2", value=bytes(48))


BAD_DELIVERIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "unsigned": (unsigned, "FAILED_SignatureError"),
    "another emaid": (lambda: tampered(emaid=iso2.EMAID(id="id4", value="DEPLUC99999999")), "FAILED_SignatureError"),
    "another key block": (
        lambda: tampered(contract_signature_encrypted_private_key=other_sealed_key()),
        "FAILED_SignatureError",
    ),
    "provisioning service of another root": (lambda: delivered(cps_pki=mint_pki()), "FAILED_CertChainError"),
    "signed by a charge point": (lambda: delivered(cps_role=ROLE.SECC_LEAF), "FAILED_CertChainError"),
    "contract of another root": (lambda: delivered(pki=mint_pki()), "FAILED_CertChainError"),
    "emaid is not the contract's": (
        lambda: delivered(name=EMAID.parse("DEPLUC99999999").with_check_digit()),
        "FAILED_CertChainError",
    ),
    "expired": (lambda: delivered(validity=timedelta(days=1)), "FAILED_CertificateExpired"),
    "sealed for another vehicle": (lambda: delivered(receiver=generate()), "FAILED"),
    "key of another contract": (lambda: delivered(key=generate()), "FAILED"),
}


@pytest.mark.parametrize("name", BAD_DELIVERIES)
def test_a_delivery_that_fails_a_check_is_not_installed(name: str) -> None:
    make, code = BAD_DELIVERIES[name]
    when = NOW + timedelta(days=2) if name == "expired" else NOW
    config = evcc_config(contract=None, wall_clock=lambda: when)
    pair = Pair(evcc_config=config, installation=make).run()
    assert not of_type(pair.vehicle, events.ContractInstalled)
    failure = only(pair.vehicle, events.InstallationFailed)
    assert failure.response_code == code, failure.reason
    assert pair.requests()[-2:] == ["CertificateInstallationReq", "SessionStopReq"]
    assert not ended(pair.vehicle).ok


def test_a_bad_delivery_does_not_displace_the_stored_contract() -> None:
    pair = Pair(evcc_config=evcc_config(installation=Installation.ALWAYS), installation=unsigned).run()
    assert only(pair.station, events.AuthorizationRequested).chain == contract().chain
    assert ended(pair.vehicle).ok


def test_a_delivery_without_a_known_v2g_root_is_refused() -> None:
    anchors = shared_pki().anchors
    root = anchors.anchors[0].certificate.fingerprint
    other = mint_pki()
    kept = anchors.without(root)
    foreign = kept.adding(other.anchors.anchors[0].root_type, other[ROLE.V2G_ROOT].der)
    pair = Pair(evcc_config=evcc_config(contract=None, anchors=foreign)).run()
    assert only(pair.vehicle, events.InstallationFailed).response_code == "FAILED_CertChainError"


# --- configuration, secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"evcc_id": b"\x01"},
        {"energy": EnergyRequest(mode=EnergyTransferMode.DC_CORE)},
        {"loop_interval": 41.0},
        {"installation": Installation.ALWAYS, "oem": None},
        {"installation": Installation.ALWAYS, "anchors": TrustAnchors()},
        {"ongoing_interval": 41.0},
    ],
    ids=str,
)
def test_configurations_that_cannot_work_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        evcc_config(**changes)


def test_credentials_do_not_show_in_representations() -> None:
    minted = mint_contract()
    shown = repr(ContractCredential(emaid=emaid(), chain=minted.chain, signer=minted.signer))
    assert "signer" not in shown
    assert "chain" not in shown
