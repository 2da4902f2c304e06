"""The table: complete, connected, and without contradictions."""

from __future__ import annotations

import pytest

from plugpass.iso15118.iso2.failures import failed, response_code
from plugpass.iso15118.iso2.flow import FLOW, RESPONSE_OF, Phase, follows, legal
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import ResponseCode

POWER = {Phase.AC_CHARGING, Phase.AC_RECEIPT, Phase.DC_CHARGING, Phase.DC_RECEIPT}


def all_requests() -> set[type[iso2.BodyElement]]:
    return {
        cls
        for name, cls in vars(iso2).items()
        if name.endswith("Req") and isinstance(cls, type) and issubclass(cls, iso2.BodyElement)
    }


def test_every_request_of_the_schema_has_a_place() -> None:
    assert RESPONSE_OF.keys() == all_requests()
    assert len(RESPONSE_OF) == 17


def test_every_phase_has_a_row_and_can_be_reached() -> None:
    assert FLOW.keys() == set(Phase)
    reached = {Phase.SESSION_SETUP}
    while True:
        more = reached | {edge.to for phase in reached for edges in FLOW[phase].values() for edge in edges}
        if more == reached:
            break
        reached = more
    assert reached == set(Phase)


@pytest.mark.parametrize("phase", Phase, ids=str)
def test_a_session_can_be_stopped_wherever_no_power_flows(phase: Phase) -> None:
    expected = phase not in POWER | {Phase.SESSION_SETUP, Phase.ENDED}
    assert legal(phase, iso2.SessionStopReq) is expected
    if phase in POWER:
        assert legal(phase, iso2.PowerDeliveryReq)


def test_several_successors_are_told_apart() -> None:
    for phase, edges_of in FLOW.items():
        for request, edges in edges_of.items():
            names = [edge.when for edge in edges]
            assert len(set(names)) == len(names), (phase, request)
            assert len({edge.to for edge in edges}) == len(edges), (phase, request)


def test_dc_renegotiation_goes_through_cable_check_again() -> None:
    # [V2G2-565] [V2G2-582]
    assert follows(Phase.DC_CHARGING, iso2.PowerDeliveryReq, Phase.CHARGE_PARAMETERS)
    assert follows(Phase.CHARGE_PARAMETERS, iso2.ChargeParameterDiscoveryReq, Phase.CABLE_CHECK)
    assert not follows(Phase.CHARGE_PARAMETERS, iso2.ChargeParameterDiscoveryReq, Phase.PRE_CHARGE)


@pytest.mark.parametrize("request_", sorted(all_requests(), key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("code", [ResponseCode.FAILED, ResponseCode.FAILED_SEQUENCE_ERROR])
def test_every_request_can_be_refused_with_a_valid_message(
    request_: type[iso2.BodyElement], code: ResponseCode
) -> None:
    from plugpass.exi import decode, encode

    response = failed(request_, code, "DE*PLU*E1")
    assert type(response) is RESPONSE_OF[request_]
    message = iso2.V2GMessage(header=iso2.MessageHeader(session_id=bytes(8)), body=iso2.Body(response))
    assert response_code(decode("iso2", encode("iso2", message)).body.element) is code
