"""Negative responses: for each request its own response type, with mandatory fields filled schema-valid (`[V2G2-736]`).

The values mean nothing; the EVCC ignores them (`[V2G2-735]`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from plugpass.errors import LocalError
from plugpass.iso15118.iso2.flow import Request
from plugpass.iso15118.iso2.quantities import ac_status, physical
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import ResponseCode, UnitSymbol

_ZERO_V = physical(0, UnitSymbol.V)
_ZERO_A = physical(0, UnitSymbol.A)
_NO_CHAIN = iso2.CertificateChain(id="id1", certificate=b"\x00")
_NO_KEY = iso2.ContractSignatureEncryptedPrivateKey(id="id2", value=bytes(48))
_NO_DH = iso2.DHPublicKey(id="id3", value=bytes(65))
_NO_EMAID = iso2.EMAID(id="id4", value="0" * 14)
_DC_STATUS = iso2.DC_EVSEStatus(
    notification_max_delay=0,
    evse_notification=iso2.EVSENotification.NONE,
    evse_status_code=iso2.DC_EVSEStatusCode.EVSE_NOT_READY,
)
_FINISHED = iso2.EVSEProcessing.FINISHED

Failure = Callable[[ResponseCode, str], iso2.BodyElement]
"""Makes a response from a response code and the EVSE ID."""

_FAILURES: Mapping[Request, Failure] = MappingProxyType(
    {
        iso2.SessionSetupReq: lambda code, evse: iso2.SessionSetupRes(response_code=code, evse_id=evse),
        iso2.ServiceDiscoveryReq: lambda code, evse: iso2.ServiceDiscoveryRes(
            response_code=code,
            payment_option_list=iso2.PaymentOptionList(payment_option=(iso2.PaymentOption.EXTERNAL_PAYMENT,)),
            charge_service=iso2.ChargeService(
                service_id=1,
                service_category=iso2.ServiceCategory.EV_CHARGING,
                free_service=False,
                supported_energy_transfer_mode=iso2.SupportedEnergyTransferMode(
                    energy_transfer_mode=(iso2.EnergyTransferMode.AC_SINGLE_PHASE_CORE,)
                ),
            ),
        ),
        iso2.ServiceDetailReq: lambda code, evse: iso2.ServiceDetailRes(response_code=code, service_id=0),
        iso2.PaymentServiceSelectionReq: lambda code, evse: iso2.PaymentServiceSelectionRes(response_code=code),
        iso2.CertificateInstallationReq: lambda code, evse: iso2.CertificateInstallationRes(
            response_code=code,
            sa_provisioning_certificate_chain=_NO_CHAIN,
            contract_signature_cert_chain=_NO_CHAIN,
            contract_signature_encrypted_private_key=_NO_KEY,
            dh_public_key=_NO_DH,
            emaid=_NO_EMAID,
        ),
        iso2.CertificateUpdateReq: lambda code, evse: iso2.CertificateUpdateRes(
            response_code=code,
            sa_provisioning_certificate_chain=_NO_CHAIN,
            contract_signature_cert_chain=_NO_CHAIN,
            contract_signature_encrypted_private_key=_NO_KEY,
            dh_public_key=_NO_DH,
            emaid=_NO_EMAID,
            retry_counter=-1,
        ),
        iso2.PaymentDetailsReq: lambda code, evse: iso2.PaymentDetailsRes(
            response_code=code, gen_challenge=bytes(16), evse_time_stamp=0
        ),
        iso2.AuthorizationReq: lambda code, evse: iso2.AuthorizationRes(response_code=code, evse_processing=_FINISHED),
        iso2.ChargeParameterDiscoveryReq: lambda code, evse: iso2.ChargeParameterDiscoveryRes(
            response_code=code,
            evse_processing=_FINISHED,
            evse_charge_parameter=iso2.AC_EVSEChargeParameter(
                ac_evse_status=ac_status(), evse_nominal_voltage=_ZERO_V, evse_max_current=_ZERO_A
            ),
        ),
        iso2.PowerDeliveryReq: lambda code, evse: iso2.PowerDeliveryRes(response_code=code, evse_status=ac_status()),
        iso2.ChargingStatusReq: lambda code, evse: iso2.ChargingStatusRes(
            response_code=code, evse_id=evse, sa_schedule_tuple_id=1, ac_evse_status=ac_status()
        ),
        iso2.MeteringReceiptReq: lambda code, evse: iso2.MeteringReceiptRes(
            response_code=code, evse_status=ac_status()
        ),
        iso2.SessionStopReq: lambda code, evse: iso2.SessionStopRes(response_code=code),
        iso2.CableCheckReq: lambda code, evse: iso2.CableCheckRes(
            response_code=code, dc_evse_status=_DC_STATUS, evse_processing=_FINISHED
        ),
        iso2.PreChargeReq: lambda code, evse: iso2.PreChargeRes(
            response_code=code, dc_evse_status=_DC_STATUS, evse_present_voltage=_ZERO_V
        ),
        iso2.CurrentDemandReq: lambda code, evse: iso2.CurrentDemandRes(
            response_code=code,
            dc_evse_status=_DC_STATUS,
            evse_present_voltage=_ZERO_V,
            evse_present_current=_ZERO_A,
            evse_current_limit_achieved=False,
            evse_voltage_limit_achieved=False,
            evse_power_limit_achieved=False,
            evse_id=evse,
            sa_schedule_tuple_id=1,
        ),
        iso2.WeldingDetectionReq: lambda code, evse: iso2.WeldingDetectionRes(
            response_code=code, dc_evse_status=_DC_STATUS, evse_present_voltage=_ZERO_V
        ),
    }
)


def failed(request: Request, code: ResponseCode, evse_id: str) -> iso2.BodyElement:
    """The response to `request` that says `code` and nothing else."""
    return _FAILURES[request](code, evse_id)


def response_code(response: iso2.BodyElement) -> ResponseCode:
    """The code of a response. Raises LocalError for a message that has none."""
    code = getattr(response, "response_code", None)
    if not isinstance(code, ResponseCode):
        raise LocalError(f"{type(response).__name__} is no response")
    return code
