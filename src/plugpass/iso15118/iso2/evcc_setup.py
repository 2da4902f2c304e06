"""EVCC: session setup, services, payment option."""

from __future__ import annotations

from dataclasses import replace

from plugpass.iso15118.iso2.config import EvccConfig, Installation
from plugpass.iso15118.iso2.evcc_contract import installation_request, payment_details_request
from plugpass.iso15118.iso2.evcc_session import Context, Giveup, Session, Step
from plugpass.iso15118.iso2.events import InstallationFailed, SessionEstablished
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import PaymentOption, ResponseCode, ServiceCategory

INSTALLATION_PARAMETER = 1
"""ParameterSetID of "Installation" in the certificate service (Table 106)."""


def session_setup(session: Session, response: iso2.SessionSetupRes, context: Context) -> Step:
    """Take the station's session identifier."""
    session_id = context.header.session_id
    if len(session_id) != 8 or not any(session_id):  # [V2G2-750]
        raise Giveup(f"the station gave {session_id.hex() or 'nothing'} as SessionID, which names no session")
    return Step(
        session=replace(session, phase=Phase.SERVICE_DISCOVERY, session_id=session_id, evse_id=response.evse_id),
        request=iso2.ServiceDiscoveryReq(),
        events=(SessionEstablished(session_id=session_id, evcc_id=context.config.evcc_id, evse_id=response.evse_id),),
    )


def service_discovery(session: Session, response: iso2.ServiceDiscoveryRes, context: Context) -> Step:
    """Choose how to pay, and whether to install a contract certificate first."""
    config = context.config
    service = response.charge_service
    if config.energy.mode not in service.supported_energy_transfer_mode.energy_transfer_mode:
        raise Giveup(f"the station does not offer the energy transfer mode {config.energy.mode}")
    session = replace(session, phase=Phase.SERVICE_SELECTION, charge_service=service.service_id)
    options = response.payment_option_list.payment_option
    certificates = _certificate_service(response)
    # [V2G2-003]: contracts and their certificates are dealt with over TLS only.
    contract_possible = config.tls and PaymentOption.CONTRACT in options
    if contract_possible and _wants_installation(config) and certificates is not None:
        return Step(
            session=replace(session, installing=True, payment_option=PaymentOption.CONTRACT),
            request=iso2.ServiceDetailReq(service_id=certificates),
        )
    events = (_not_offered(),) if _wants_installation(config) else ()
    if contract_possible and session.contract is not None:
        return replace(_selection(session, PaymentOption.CONTRACT), events=events)
    if config.external_payment and PaymentOption.EXTERNAL_PAYMENT in options:
        return replace(_selection(session, PaymentOption.EXTERNAL_PAYMENT), events=events)
    raise Giveup("there is no way to pay: no usable contract, and no other payment option in common", *events)


def service_detail(session: Session, response: iso2.ServiceDetailRes, context: Context) -> Step:
    """Find the parameter set that means installation."""
    parameter_set = _installation_parameter(response.service_parameter_list)
    if parameter_set is None:
        if session.contract is None:
            raise Giveup("the certificate service does not install certificates", _not_offered())
        return replace(_selection(replace(session, installing=False), PaymentOption.CONTRACT), events=(_not_offered(),))
    session = replace(session, parameter_set=parameter_set)
    return _selection(session, PaymentOption.CONTRACT, certificate_service=response.service_id)


def payment_service_selection(session: Session, response: iso2.PaymentServiceSelectionRes, context: Context) -> Step:
    """Ask for a certificate, show the contract, or wait for the customer."""
    if session.payment_option is PaymentOption.EXTERNAL_PAYMENT:
        return Step(session=replace(session, phase=Phase.AUTHORIZATION), request=iso2.AuthorizationReq())
    if session.installing:
        return installation_request(replace(session, phase=Phase.CERTIFICATE), context.config)
    return payment_details_request(replace(session, phase=Phase.PAYMENT_DETAILS))


def _wants_installation(config: EvccConfig) -> bool:
    missing = config.installation is Installation.IF_MISSING and config.contract is None
    return config.can_install and (missing or config.installation is Installation.ALWAYS)


def _certificate_service(response: iso2.ServiceDiscoveryRes) -> int | None:
    services = response.service_list.service if response.service_list is not None else ()
    return next(
        (
            service.service_id
            for service in services
            if service.service_category is ServiceCategory.CONTRACT_CERTIFICATE
        ),
        None,
    )


def _installation_parameter(parameters: iso2.ServiceParameterList | None) -> int | None:
    if parameters is None:
        return INSTALLATION_PARAMETER
    return next(
        (
            parameter_set.parameter_set_id
            for parameter_set in parameters.parameter_set
            if parameter_set.parameter_set_id == INSTALLATION_PARAMETER
            or any(parameter.string_value == "Installation" for parameter in parameter_set.parameter)
        ),
        None,
    )


def _selection(session: Session, option: PaymentOption, certificate_service: int | None = None) -> Step:
    selected = [iso2.SelectedService(service_id=session.charge_service)]
    if certificate_service is not None:
        selected.append(iso2.SelectedService(service_id=certificate_service, parameter_set_id=session.parameter_set))
    return Step(
        session=replace(session, payment_option=option),
        request=iso2.PaymentServiceSelectionReq(
            selected_payment_option=option,
            selected_service_list=iso2.SelectedServiceList(selected_service=tuple(selected)),
        ),
    )


def _not_offered() -> InstallationFailed:
    return InstallationFailed(
        response_code=ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE, reason="the station does not offer installation"
    )
