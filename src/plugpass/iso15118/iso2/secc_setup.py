"""SECC: session setup, services, payment option."""

from __future__ import annotations

from dataclasses import replace

from plugpass.errors import LocalError
from plugpass.iso15118.iso2.config import SeccConfig
from plugpass.iso15118.iso2.events import SessionEstablished
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.iso2.secc_session import Context, Refused, Reply, Session
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import PaymentOption, ResponseCode, ServiceCategory

CHARGE_SERVICE = 1
CERTIFICATE_SERVICE = 2
"""ServiceIDs reserved by the standard (Table 105)."""

INSTALLATION_PARAMETER = 1
UPDATE_PARAMETER = 2
"""ParameterSetIDs of the certificate service (Table 106)."""

_CERTIFICATE_PARAMETERS = iso2.ServiceParameterList(
    parameter_set=tuple(
        iso2.ParameterSet(parameter_set_id=number, parameter=(iso2.Parameter(name="Service", string_value=what),))
        for number, what in ((INSTALLATION_PARAMETER, "Installation"), (UPDATE_PARAMETER, "Update"))
    )
)

SESSION_ID_SIZE = 8


def session_setup(session: Session, request: iso2.SessionSetupReq, context: Context) -> Reply:
    """Open a session under a fresh identifier.

    A SessionID of a session to be resumed is unknown here, so it gets a new session, too (`[V2G2-753]`).
    """
    session_id = context.random(SESSION_ID_SIZE)
    if len(session_id) != SESSION_ID_SIZE or not any(session_id):  # [V2G2-750]
        raise LocalError("the random source gave no usable SessionID; pass a cryptographically secure one")
    config = context.config
    return Reply(
        response=iso2.SessionSetupRes(
            response_code=ResponseCode.OK_NEW_SESSION_ESTABLISHED,
            evse_id=config.evse_id,
            evse_time_stamp=int(config.wall_clock().timestamp()),
        ),
        session=replace(session, phase=Phase.SERVICE_DISCOVERY, session_id=session_id),
        events=(SessionEstablished(session_id=session_id, evcc_id=request.evcc_id, evse_id=config.evse_id),),
    )


def service_discovery(session: Session, request: iso2.ServiceDiscoveryReq, context: Context) -> Reply:
    """Offer payment options, the charging service and, where asked for, the certificate service."""
    config = context.config
    wants_certificates = request.service_category in (None, ServiceCategory.CONTRACT_CERTIFICATE)
    offers = config.offers_certificates and wants_certificates
    return Reply(
        response=iso2.ServiceDiscoveryRes(
            response_code=ResponseCode.OK,
            payment_option_list=iso2.PaymentOptionList(payment_option=config.offered_payment_options),
            charge_service=_charge_service(config),
            service_list=iso2.ServiceList(service=(_certificate_service(),)) if offers else None,
        ),
        session=replace(session, phase=Phase.SERVICE_SELECTION),
    )


def service_detail(session: Session, request: iso2.ServiceDetailReq, context: Context) -> Reply:
    """Describe an offered service; only the certificate service has parameters."""
    if request.service_id not in _offered_services(context.config):  # [V2G2-425]
        raise Refused(ResponseCode.FAILED_SERVICE_ID_INVALID, f"service {request.service_id} is not offered")
    parameters = _CERTIFICATE_PARAMETERS if request.service_id == CERTIFICATE_SERVICE else None
    return Reply(
        response=iso2.ServiceDetailRes(
            response_code=ResponseCode.OK, service_id=request.service_id, service_parameter_list=parameters
        ),
        session=session,
    )


def payment_service_selection(session: Session, request: iso2.PaymentServiceSelectionReq, context: Context) -> Reply:
    """Take the vehicle's choice where all of it had been offered."""
    option = request.selected_payment_option
    selected = {service.service_id: service for service in request.selected_service_list.selected_service}
    if option not in context.config.offered_payment_options:
        raise Refused(ResponseCode.FAILED_PAYMENT_SELECTION_INVALID, f"payment option {option} is not offered")
    if CHARGE_SERVICE not in selected:
        raise Refused(ResponseCode.FAILED_NO_CHARGE_SERVICE_SELECTED, "the charging service is not selected")
    if strangers := selected.keys() - _offered_services(context.config):
        raise Refused(ResponseCode.FAILED_SERVICE_SELECTION_INVALID, f"services {sorted(strangers)} are not offered")
    certificate = selected.get(CERTIFICATE_SERVICE)
    if certificate is not None and certificate.parameter_set_id not in (None, INSTALLATION_PARAMETER, UPDATE_PARAMETER):
        raise Refused(
            ResponseCode.FAILED_SERVICE_SELECTION_INVALID,
            f"the certificate service has no parameter set {certificate.parameter_set_id}",
        )
    return Reply(
        response=iso2.PaymentServiceSelectionRes(response_code=ResponseCode.OK),
        session=replace(session, phase=_after_selection(option, certificate is not None), payment_option=option),
    )


def _after_selection(option: PaymentOption, with_certificate: bool) -> Phase:
    if option is PaymentOption.EXTERNAL_PAYMENT:
        return Phase.AUTHORIZATION
    return Phase.CERTIFICATE if with_certificate else Phase.PAYMENT_DETAILS


def _offered_services(config: SeccConfig) -> frozenset[int]:
    return frozenset({CHARGE_SERVICE, CERTIFICATE_SERVICE} if config.offers_certificates else {CHARGE_SERVICE})


def _charge_service(config: SeccConfig) -> iso2.ChargeService:
    return iso2.ChargeService(
        service_id=CHARGE_SERVICE,
        service_name="AC_DC_Charging",
        service_category=ServiceCategory.EV_CHARGING,
        free_service=config.free_charging,
        supported_energy_transfer_mode=iso2.SupportedEnergyTransferMode(energy_transfer_mode=config.energy_modes),
    )


def _certificate_service() -> iso2.Service:
    return iso2.Service(
        service_id=CERTIFICATE_SERVICE,
        service_name="Certificate",
        service_category=ServiceCategory.CONTRACT_CERTIFICATE,
        free_service=True,
    )
