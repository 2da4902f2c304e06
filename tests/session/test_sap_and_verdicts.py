"""Protocol negotiation, quantities, and the tables from backend verdicts to response codes."""

from __future__ import annotations

import pytest

from plugpass.iso15118.iso2.quantities import number, physical
from plugpass.iso15118.iso2.verdicts import (
    AUTHORIZATION_CODES,
    CODE_OF_CERTIFICATE_STATUS,
    CODE_OF_TOKEN_STATUS,
    in_authorization,
    response_code,
)
from plugpass.iso15118.messages import sap
from plugpass.iso15118.messages.iso2 import PhysicalValue, ResponseCode, UnitSymbol
from plugpass.iso15118.sap import ISO2, NoProtocol, Protocol, accept, negotiate, offer
from plugpass.ports.charging import CertificateStatus, TokenStatus

ISO20_AC = Protocol(name="ISO 15118-20 AC", namespace="urn:iso:std:iso:15118:-20:AC", major=1, minor=0)
DIN = Protocol(name="DIN SPEC 70121", namespace="urn:din:70121:2012:MsgDef", major=2, minor=0)


def wish(protocol: Protocol, priority: int, schema_id: int, *, major: int | None = None, minor: int | None = None):  # type: ignore[no-untyped-def]  # a test's helper
    return sap.AppProtocol(
        protocol_namespace=protocol.namespace,
        version_number_major=protocol.major if major is None else major,
        version_number_minor=protocol.minor if minor is None else minor,
        schema_id=schema_id,
        priority=priority,
    )


def ask(*wishes: sap.AppProtocol) -> sap.SupportedAppProtocolReq:
    return sap.SupportedAppProtocolReq(app_protocol=wishes)


def test_the_offer_ranks_in_order() -> None:
    entries = offer((ISO20_AC, ISO2)).app_protocol
    assert [(entry.protocol_namespace, entry.priority, entry.schema_id) for entry in entries] == [
        (ISO20_AC.namespace, 1, 1),
        (ISO2.namespace, 2, 2),
    ]


def test_the_vehicles_ranking_decides_whatever_the_order_of_entries() -> None:
    request = ask(wish(ISO2, 5, 11), wish(ISO20_AC, 2, 22))
    response, protocol = negotiate(request, (ISO2, ISO20_AC))
    assert protocol is ISO20_AC
    assert response.schema_id == 22


def test_only_protocols_of_our_own_count() -> None:
    request = ask(wish(ISO20_AC, 1, 22), wish(DIN, 2, 33), wish(ISO2, 3, 11))
    response, protocol = negotiate(request, (ISO2,))
    assert protocol is ISO2
    assert response == sap.SupportedAppProtocolRes(
        response_code=sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION, schema_id=11
    )


def test_a_minor_deviation_is_said() -> None:
    response, protocol = negotiate(ask(wish(ISO2, 1, 9, minor=1)), (ISO2,))
    assert protocol is ISO2
    assert response.response_code is sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION_WITH_MINOR_DEVIATION
    assert response.schema_id == 9


@pytest.mark.parametrize("request_", [ask(wish(DIN, 1, 1)), ask(wish(ISO2, 1, 1, major=1))])
def test_no_common_protocol(request_: sap.SupportedAppProtocolReq) -> None:
    response, protocol = negotiate(request_, (ISO2,))
    assert protocol is None
    assert response == sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.FAILED_NO_NEGOTIATION)


def test_the_vehicle_takes_what_the_station_chose() -> None:
    chosen = sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION, schema_id=2)
    assert accept(chosen, (ISO20_AC, ISO2)) is ISO2
    silent = sap.SupportedAppProtocolRes(response_code=sap.ResponseCode.OK_SUCCESSFUL_NEGOTIATION)
    assert accept(silent, (ISO2,)) is ISO2
    for wrong, offered in ((silent, (ISO20_AC, ISO2)), (chosen, (ISO2,))):
        with pytest.raises(NoProtocol):
            accept(wrong, offered)


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_every_status_of_the_port_has_a_code() -> None:
    assert CODE_OF_CERTIFICATE_STATUS.keys() == set(CertificateStatus)
    assert CODE_OF_TOKEN_STATUS.keys() == set(TokenStatus)


@pytest.mark.parametrize("certificate", CertificateStatus)
@pytest.mark.parametrize("token", TokenStatus)
def test_only_two_acceptances_make_an_ok(certificate: CertificateStatus, token: TokenStatus) -> None:
    accepted = certificate is CertificateStatus.ACCEPTED and token is TokenStatus.ACCEPTED
    assert (response_code(certificate, token) is ResponseCode.OK) is accepted


@pytest.mark.parametrize(
    ("certificate", "token", "code"),
    [
        ("CertificateRevoked", "Invalid", ResponseCode.FAILED_CERTIFICATE_REVOKED),
        ("CertificateExpired", "Expired", ResponseCode.FAILED_CERTIFICATE_EXPIRED),
        ("CertChainError", "Invalid", ResponseCode.FAILED_CERT_CHAIN_ERROR),
        ("ContractCancelled", "Blocked", ResponseCode.FAILED_CONTRACT_CANCELED),
        ("Accepted", "Blocked", ResponseCode.FAILED_CONTRACT_CANCELED),
        ("Accepted", "NotAtThisLocation", ResponseCode.FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE),
        ("Accepted", "NoCredit", ResponseCode.FAILED),
        ("SomethingNew", "Accepted", ResponseCode.FAILED),
        ("Accepted", "SomethingNew", ResponseCode.FAILED),
        ("", "", ResponseCode.FAILED),
    ],
)
def test_verdict_codes(certificate: str, token: str, code: ResponseCode) -> None:
    assert response_code(certificate, token) is code


@pytest.mark.parametrize("code", ResponseCode)
def test_authorization_res_says_only_what_it_may(code: ResponseCode) -> None:
    said = in_authorization(code)
    assert said in AUTHORIZATION_CODES
    assert (said is ResponseCode.OK) is (code is ResponseCode.OK)


# --- quantities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "multiplier", "value"),
    [(0, 0, 0), (32_767, 0, 32_767), (32_768, 1, 3_276), (99_999, 1, 9_999), (10**9, 3, 32_767)],
)
def test_quantities_fit_and_never_grow(given: int, multiplier: int, value: int) -> None:
    quantity = physical(given, UnitSymbol.W)
    assert (quantity.multiplier, quantity.value) == (multiplier, value)
    assert number(quantity) <= given


def test_a_negative_multiplier_divides() -> None:
    assert number(PhysicalValue(multiplier=-1, unit=UnitSymbol.A, value=163)) == 16.3
