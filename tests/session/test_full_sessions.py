"""Whole sessions of both machines in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from charging_pair import (
    CONTRACT_ID,
    EVCC_ID,
    EVSE_ID,
    Pair,
    contract,
    emaid,
    ended,
    evcc_config,
    installation_response,
    mint_contract,
    of_type,
    only,
    secc_config,
)

from plugpass.exi import decode
from plugpass.iso15118.iso2 import events
from plugpass.iso15118.iso2.config import ContractCredential, EnergyRequest, Installation
from plugpass.iso15118.machine import MessageReceived, MessageSent, SessionEnded
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import EnergyTransferMode, EVSENotification, PaymentOption, ResponseCode
from plugpass.iso15118.signature import verify_body
from plugpass.pki.certificate import parse, public_key

STRAIGHT = [
    "supportedAppProtocolReq",
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "PaymentServiceSelectionReq",
    "PaymentDetailsReq",
    "AuthorizationReq",
    "ChargeParameterDiscoveryReq",
    "PowerDeliveryReq",
    *["ChargingStatusReq"] * 10,
    "PowerDeliveryReq",
    "SessionStopReq",
]


def test_ac_session_with_a_stored_contract() -> None:
    pair = Pair().run()
    assert pair.requests() == STRAIGHT
    assert ended(pair.vehicle) == SessionEnded(ok=True, reason="the session is complete")
    assert ended(pair.station).ok
    established = only(pair.station, events.SessionEstablished)
    assert (established.evcc_id, established.evse_id) == (EVCC_ID, EVSE_ID)
    assert len(established.session_id) == 8
    assert any(established.session_id)
    asked = only(pair.station, events.AuthorizationRequested)
    assert (asked.emaid, asked.chain, asked.validated) == (emaid(), contract().chain, True)
    assert only(pair.station, events.ChargingStarted).max_power_w == 3 * 230 * 32
    assert only(pair.vehicle, events.ChargingStarted).max_power_w == 3 * 230 * 32
    sent = [event.reading for event in of_type(pair.station, events.MeterRecorded)]
    received = [event.reading for event in of_type(pair.vehicle, events.MeterRecorded)]
    assert sent == received
    assert [reading.energy_wh for reading in sent] == list(range(1100, 2100, 100))
    only(pair.station, events.ChargingStopped)
    only(pair.vehicle, events.Authorized)
    assert pair.now == 100.0, "nothing in this session waits"


def test_sizes_and_codes_are_reported_alike_on_both_sides() -> None:
    pair = Pair().run()
    sent = [(e.name, e.size, e.response_code) for e in of_type(pair.station, MessageSent)]
    received = [(e.name, e.size, e.response_code) for e in of_type(pair.vehicle, MessageReceived)]
    assert sent == received
    assert pair.codes()["SessionSetupRes"] == "OK_NewSessionEstablished"


def test_installation_then_charging_with_the_new_contract() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None)).run()
    assert ended(pair.vehicle).ok
    wanted = ["ServiceDetailReq", "PaymentServiceSelectionReq", "CertificateInstallationReq", "PaymentDetailsReq"]
    assert pair.requests()[3:7] == wanted
    asked = only(pair.station, events.ContractInstallationRequested)
    assert asked.action == "Install"
    assert asked.namespace == "urn:iso:15118:2:2013:MsgDef"
    assert asked.deadline == 100.0 + 4.5
    request = decode("iso2", asked.exi).body.element
    assert isinstance(request, iso2.CertificateInstallationReq)
    installed = only(pair.vehicle, events.ContractInstalled).contract
    assert installed.emaid == emaid()
    assert installed.chain != contract().chain
    assert only(pair.station, events.AuthorizationRequested).chain == installed.chain
    assert pair.vehicle.index(only(pair.vehicle, events.ContractInstalled)) < pair.vehicle.index(
        only(pair.vehicle, events.Authorized)
    )


def test_the_installation_request_names_the_roots_and_is_signed_by_the_provisioning_key() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None)).run()
    message = decode("iso2", only(pair.station, events.ContractInstallationRequested).exi)
    request = message.body.element
    certificate = parse(request.oem_provisioning_cert)
    verify_body(request, message.header.signature, public_key(certificate.key.encoded))
    (root,) = request.list_of_root_certificate_ids.root_certificate_id
    assert "v2g-root" in root.x509_issuer_name.lower()


def test_a_forced_installation_replaces_the_contract_in_use() -> None:
    pair = Pair(evcc_config=evcc_config(installation=Installation.ALWAYS)).run()
    assert (
        only(pair.station, events.AuthorizationRequested).chain
        == only(pair.vehicle, events.ContractInstalled).contract.chain
    )


@pytest.mark.parametrize("answer", [None, b"", b"\x80\x98\x00"])
def test_a_failed_renewal_falls_back_on_the_stored_contract(answer: bytes | None) -> None:
    pair = Pair(evcc_config=evcc_config(installation=Installation.ALWAYS), installation=lambda: answer).run()
    assert ended(pair.vehicle).ok
    assert only(pair.vehicle, events.InstallationFailed).response_code.startswith("FAILED")
    assert only(pair.station, events.AuthorizationRequested).chain == contract().chain


def test_receipts_are_asked_at_the_interval_and_signed() -> None:
    pair = Pair(secc_config=secc_config(receipt_every=4)).run()
    assert ended(pair.vehicle).ok
    assert pair.requests().count("MeteringReceiptReq") == 2
    accepted = of_type(pair.station, events.ReceiptAccepted)
    assert [receipt.reading.energy_wh for receipt in accepted] == [1400, 1800]
    assert [receipt.reading for receipt in accepted] == [e.reading for e in of_type(pair.vehicle, events.ReceiptSent)]
    message = decode("iso2", accepted[0].exi)
    key = public_key(parse(contract().chain[0]).key.encoded)
    verify_body(message.body.element, message.header.signature, key)


def test_the_vehicle_is_told_that_its_contract_expires_soon() -> None:
    minted = mint_contract(validity=timedelta(days=20))
    short = ContractCredential(emaid=emaid(), chain=minted.chain, signer=minted.signer)
    pair = Pair(evcc_config=evcc_config(contract=short)).run()
    assert ended(pair.vehicle).ok
    only(pair.vehicle, events.ContractExpiresSoon)
    assert pair.codes()["PaymentDetailsRes"] == ResponseCode.OK_CERTIFICATE_EXPIRES_SOON


def test_a_contract_with_more_than_three_weeks_left_gets_no_advice() -> None:
    minted = mint_contract(validity=timedelta(days=22))
    fresh = ContractCredential(emaid=emaid(), chain=minted.chain, signer=minted.signer)
    pair = Pair(evcc_config=evcc_config(contract=fresh)).run()
    assert not of_type(pair.vehicle, events.ContractExpiresSoon)


def test_single_phase_gets_a_third_of_the_power() -> None:
    energy = EnergyRequest(mode=EnergyTransferMode.AC_SINGLE_PHASE_CORE)
    pair = Pair(evcc_config=evcc_config(energy=energy)).run()
    assert only(pair.vehicle, events.ChargingStarted).max_power_w == 230 * 32


def test_the_vehicle_stops_when_it_has_its_energy() -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=None, energy=EnergyRequest(amount_wh=300))).run()
    assert ended(pair.vehicle).ok
    assert pair.requests().count("ChargingStatusReq") == 4


def test_the_station_can_ask_the_vehicle_to_stop() -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=None, loop_interval=1.0))
    pair.run(until=105.0)
    pair.secc.stop_charging(pair.now)
    pair.run()
    assert ended(pair.vehicle).ok
    assert ended(pair.station).ok
    assert pair.now < 108.0


def test_the_driver_can_stop() -> None:
    pair = Pair(evcc_config=evcc_config(max_loops=None, loop_interval=1.0))
    pair.run(until=105.0)
    pair.evcc.stop(pair.now)
    pair.run()
    assert ended(pair.vehicle).ok


def test_a_stop_before_charging_ends_the_session_without_power() -> None:
    pair = Pair()
    pair.evcc.stop(pair.now)
    pair.run()
    assert pair.requests()[-1] == "SessionStopReq"
    assert ended(pair.vehicle) == SessionEnded(ok=False, reason="the driver stopped the session")
    assert not of_type(pair.station, events.ChargingStarted)


def test_the_vehicle_follows_a_renegotiation_without_losing_power() -> None:
    asked = []

    def renegotiate(message: iso2.V2GMessage) -> iso2.V2GMessage:
        body = message.body.element
        if not isinstance(body, iso2.ChargingStatusRes) or asked:
            return message
        asked.append(body)
        status = replace(body.ac_evse_status, evse_notification=EVSENotification.RE_NEGOTIATION)
        return replace(message, body=iso2.Body(replace(body, ac_evse_status=status)))

    pair = Pair(rewrite_response=renegotiate).run()
    assert ended(pair.vehicle).ok
    assert pair.requests().count("ChargeParameterDiscoveryReq") == 2
    assert pair.requests().count("PowerDeliveryReq") == 4
    only(pair.station, events.ChargingStarted)
    only(pair.vehicle, events.ChargingStarted)


def test_external_payment_waits_for_the_customer() -> None:
    pair = Pair(
        secc_config=secc_config(tls=False, payment_options=(PaymentOption.CONTRACT, PaymentOption.EXTERNAL_PAYMENT)),
        evcc_config=evcc_config(tls=False, external_payment=True),
    )
    pair.run(until=110.0)
    question = only(pair.station, events.ExternalAuthorizationRequested)
    pair.secc.provide_authorization(ResponseCode.FAILED, pair.now, request_id=question.request_id)
    pair.run(until=115.0)
    assert pair.requests()[-1] == "AuthorizationReq", "a refused card is not the end"
    pair.secc.provide_authorization(ResponseCode.OK, pair.now, request_id=question.request_id)
    pair.run()
    assert ended(pair.vehicle).ok
    assert "PaymentDetailsReq" not in pair.requests()


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 64, 1000])
def test_any_split_of_the_octets_gives_the_same_session(size: int) -> None:
    config = evcc_config(contract=None, max_loops=2)
    pair = Pair(secc_config=secc_config(receipt_every=2), evcc_config=config, split=size).run()
    assert ended(pair.vehicle).ok
    assert pair.requests()[-3:] == ["MeteringReceiptReq", "PowerDeliveryReq", "SessionStopReq"]


def test_every_frame_is_written_whole_and_stays_small() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None)).run()
    # A known peer reads at most 7000 octets at once.
    assert max(event.size for event in of_type(pair.station, MessageSent)) < 6992


def test_the_relayed_contract_is_the_one_the_backend_signed() -> None:
    pair = Pair(evcc_config=evcc_config(contract=None)).run()
    chain = decode("iso2", installation_response()).body.element.contract_signature_cert_chain
    assert only(pair.vehicle, events.ContractInstalled).contract.chain[0] == chain.certificate
    assert CONTRACT_ID[:14] == only(pair.vehicle, events.ContractInstalled).contract.emaid.key
