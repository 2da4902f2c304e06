"""Message bodies of ISO 15118-2 (namespace MsgBody)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID, Bool, Long, Short, UnsignedShort
from plugpass.exi.schema import Attribute, Element, Namespace, Ref, complex_type, global_element
from plugpass.iso15118.messages.iso2.data_types import (
    EMAID,
    AC_EVSEStatus,
    CertificateChain,
    ChargeService,
    ChargingProfile,
    ContractSignatureEncryptedPrivateKey,
    DC_EVSEStatus,
    DC_EVStatus,
    DHPublicKey,
    EVChargeParameter,
    EVPowerDeliveryParameter,
    EVSEChargeParameter,
    EVSEStatus,
    ListOfRootCertificateIDs,
    MeterInfo,
    PaymentOptionList,
    PhysicalValue,
    SASchedules,
    SelectedServiceList,
    ServiceList,
    ServiceParameterList,
)
from plugpass.iso15118.messages.iso2.simple_types import (
    CertificateType,
    ChargeProgress,
    ChargingSession,
    EMAIDText,
    EnergyTransferMode,
    EVCCIDType,
    EVSEIDType,
    EVSEProcessing,
    GenChallengeType,
    PaymentOption,
    ResponseCode,
    SAIDType,
    ServiceCategory,
    ServiceIDType,
    ServiceScopeType,
    SessionIDType,
)

BODY = Namespace(uri="urn:iso:15118:2:2013:MsgBody", attributes_qualified=True)


@global_element(BODY, abstract=True)
class BodyElement:
    """Head: any of the 34 messages."""


@complex_type(BODY, kw_only=False)
class Body:
    """The one message in the envelope. The schema lets it be absent; no message of the standard is that one."""

    element: Annotated[BodyElement, Ref(min_occurs=0)]


# --- session --------------------------------------------------------------------------------------------------------


@global_element(BODY)
class SessionSetupReq(BodyElement):
    """`evcc_id` is the EVCC's MAC address, 6 octets."""

    evcc_id: Annotated[EVCCIDType, Element("EVCCID")]


@global_element(BODY)
class SessionSetupRes(BodyElement):
    """`evse_id` such as `DE*ABC*E123`; `evse_time_stamp` in seconds since 1970-01-01 UTC."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_id: Annotated[EVSEIDType, Element("EVSEID")]
    evse_time_stamp: Annotated[Long | None, Element("EVSETimeStamp")] = None


@global_element(BODY)
class SessionStopReq(BodyElement):
    """The EV ends or pauses the session."""

    charging_session: Annotated[ChargingSession, Element("ChargingSession")]


@global_element(BODY)
class SessionStopRes(BodyElement):
    """The session is over or paused."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]


# --- services -------------------------------------------------------------------------------------------------------


@global_element(BODY)
class ServiceDiscoveryReq(BodyElement):
    """Which services are there, optionally of one scope or category."""

    service_scope: Annotated[ServiceScopeType | None, Element("ServiceScope")] = None
    service_category: Annotated[ServiceCategory | None, Element("ServiceCategory")] = None


@global_element(BODY)
class ServiceDiscoveryRes(BodyElement):
    """The payment options, the charging service, and the value-added services."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    payment_option_list: Annotated[PaymentOptionList, Element("PaymentOptionList")]
    charge_service: Annotated[ChargeService, Element("ChargeService")]
    service_list: Annotated[ServiceList | None, Element("ServiceList")] = None


@global_element(BODY)
class ServiceDetailReq(BodyElement):
    """Asks for the parameters of a value-added service."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]


@global_element(BODY)
class ServiceDetailRes(BodyElement):
    """The parameters of a value-added service."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    service_parameter_list: Annotated[ServiceParameterList | None, Element("ServiceParameterList")] = None


@global_element(BODY)
class PaymentServiceSelectionReq(BodyElement):
    """The payment option and the services the EV takes."""

    selected_payment_option: Annotated[PaymentOption, Element("SelectedPaymentOption")]
    selected_service_list: Annotated[SelectedServiceList, Element("SelectedServiceList")]


@global_element(BODY)
class PaymentServiceSelectionRes(BodyElement):
    """Whether the selection is accepted."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]


# --- identification and contract certificates -----------------------------------------------------------------------


@global_element(BODY)
class PaymentDetailsReq(BodyElement):
    """The contract: its EMAID as plain text and its certificate chain."""

    emaid: Annotated[EMAIDText, Element("eMAID")]
    contract_signature_cert_chain: Annotated[CertificateChain, Element("ContractSignatureCertChain")]


@global_element(BODY)
class PaymentDetailsRes(BodyElement):
    """The challenge to sign, 16 octets; `evse_time_stamp` in seconds since 1970-01-01 UTC."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    gen_challenge: Annotated[GenChallengeType, Element("GenChallenge")]
    evse_time_stamp: Annotated[Long, Element("EVSETimeStamp")]


@global_element(BODY)
class AuthorizationReq(BodyElement):
    """With a contract: the challenge, and `id` for the signature."""

    id: Annotated[ID | None, Attribute("Id")] = None
    gen_challenge: Annotated[GenChallengeType | None, Element("GenChallenge")] = None


@global_element(BODY)
class AuthorizationRes(BodyElement):
    """Whether the EV may charge."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_processing: Annotated[EVSEProcessing, Element("EVSEProcessing")]


@global_element(BODY)
class CertificateInstallationReq(BodyElement):
    """Asks for the contract certificate of the vehicle that holds this provisioning certificate (DER)."""

    id: Annotated[ID, Attribute("Id")]
    oem_provisioning_cert: Annotated[CertificateType, Element("OEMProvisioningCert")]
    list_of_root_certificate_ids: Annotated[ListOfRootCertificateIDs, Element("ListOfRootCertificateIDs")]


@global_element(BODY)
class CertificateInstallationRes(BodyElement):
    """The contract data: four signed parts, and the chain of the provisioning service that signed them."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    sa_provisioning_certificate_chain: Annotated[CertificateChain, Element("SAProvisioningCertificateChain")]
    contract_signature_cert_chain: Annotated[CertificateChain, Element("ContractSignatureCertChain")]
    contract_signature_encrypted_private_key: Annotated[
        ContractSignatureEncryptedPrivateKey, Element("ContractSignatureEncryptedPrivateKey")
    ]
    dh_public_key: Annotated[DHPublicKey, Element("DHpublickey")]
    emaid: Annotated[EMAID, Element("eMAID")]


@global_element(BODY)
class CertificateUpdateReq(BodyElement):
    """Asks for the successor of a contract certificate that is still valid."""

    id: Annotated[ID, Attribute("Id")]
    contract_signature_cert_chain: Annotated[CertificateChain, Element("ContractSignatureCertChain")]
    emaid: Annotated[EMAIDText, Element("eMAID")]
    list_of_root_certificate_ids: Annotated[ListOfRootCertificateIDs, Element("ListOfRootCertificateIDs")]


@global_element(BODY)
class CertificateUpdateRes(BodyElement):
    """As CertificateInstallationRes; `retry_counter` says when to ask again: days, 0 this session, -1 never."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    sa_provisioning_certificate_chain: Annotated[CertificateChain, Element("SAProvisioningCertificateChain")]
    contract_signature_cert_chain: Annotated[CertificateChain, Element("ContractSignatureCertChain")]
    contract_signature_encrypted_private_key: Annotated[
        ContractSignatureEncryptedPrivateKey, Element("ContractSignatureEncryptedPrivateKey")
    ]
    dh_public_key: Annotated[DHPublicKey, Element("DHpublickey")]
    emaid: Annotated[EMAID, Element("eMAID")]
    retry_counter: Annotated[Short | None, Element("RetryCounter")] = None


# --- charging -------------------------------------------------------------------------------------------------------


@global_element(BODY)
class ChargeParameterDiscoveryReq(BodyElement):
    """The EV's needs and limits."""

    max_entries_sa_schedule_tuple: Annotated[UnsignedShort | None, Element("MaxEntriesSAScheduleTuple")] = None
    requested_energy_transfer_mode: Annotated[EnergyTransferMode, Element("RequestedEnergyTransferMode")]
    ev_charge_parameter: Annotated[EVChargeParameter, Ref()]


@global_element(BODY)
class ChargeParameterDiscoveryRes(BodyElement):
    """The EVSE's limits, and the schedules to choose from once processing has finished."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_processing: Annotated[EVSEProcessing, Element("EVSEProcessing")]
    sa_schedules: Annotated[SASchedules | None, Ref()] = None
    evse_charge_parameter: Annotated[EVSEChargeParameter, Ref()]


@global_element(BODY)
class PowerDeliveryReq(BodyElement):
    """Start, stop or renegotiate, under the chosen schedule."""

    charge_progress: Annotated[ChargeProgress, Element("ChargeProgress")]
    sa_schedule_tuple_id: Annotated[SAIDType, Element("SAScheduleTupleID")]
    charging_profile: Annotated[ChargingProfile | None, Element("ChargingProfile")] = None
    ev_power_delivery_parameter: Annotated[EVPowerDeliveryParameter | None, Ref()] = None


@global_element(BODY)
class PowerDeliveryRes(BodyElement):
    """Whether the EVSE follows."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_status: Annotated[EVSEStatus, Ref()]


@global_element(BODY)
class MeteringReceiptReq(BodyElement):
    """The EV's signed confirmation of a meter reading it was shown."""

    id: Annotated[ID | None, Attribute("Id")] = None
    session_id: Annotated[SessionIDType, Element("SessionID")]
    sa_schedule_tuple_id: Annotated[SAIDType | None, Element("SAScheduleTupleID")] = None
    meter_info: Annotated[MeterInfo, Element("MeterInfo")]


@global_element(BODY)
class MeteringReceiptRes(BodyElement):
    """Whether the receipt is accepted."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_status: Annotated[EVSEStatus, Ref()]


@global_element(BODY)
class ChargingStatusReq(BodyElement):
    """AC charging loop: the EV is still there."""


@global_element(BODY)
class ChargingStatusRes(BodyElement):
    """AC charging loop: the EVSE's status and meter reading."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    evse_id: Annotated[EVSEIDType, Element("EVSEID")]
    sa_schedule_tuple_id: Annotated[SAIDType, Element("SAScheduleTupleID")]
    evse_max_current: Annotated[PhysicalValue | None, Element("EVSEMaxCurrent")] = None
    meter_info: Annotated[MeterInfo | None, Element("MeterInfo")] = None
    receipt_required: Annotated[Bool | None, Element("ReceiptRequired")] = None
    ac_evse_status: Annotated[AC_EVSEStatus, Element("AC_EVSEStatus")]


# --- DC charging ----------------------------------------------------------------------------------------------------


@global_element(BODY)
class CableCheckReq(BodyElement):
    """Asks for the isolation check."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]


@global_element(BODY)
class CableCheckRes(BodyElement):
    """State of the isolation check."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_processing: Annotated[EVSEProcessing, Element("EVSEProcessing")]


@global_element(BODY)
class PreChargeReq(BodyElement):
    """Asks for a voltage, with limited current."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]
    ev_target_voltage: Annotated[PhysicalValue, Element("EVTargetVoltage")]
    ev_target_current: Annotated[PhysicalValue, Element("EVTargetCurrent")]


@global_element(BODY)
class PreChargeRes(BodyElement):
    """The voltage reached."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, Element("EVSEPresentVoltage")]


@global_element(BODY)
class CurrentDemandReq(BodyElement):
    """DC charging loop: the current and voltage the EV wants."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]
    ev_target_current: Annotated[PhysicalValue, Element("EVTargetCurrent")]
    ev_maximum_voltage_limit: Annotated[PhysicalValue | None, Element("EVMaximumVoltageLimit")] = None
    ev_maximum_current_limit: Annotated[PhysicalValue | None, Element("EVMaximumCurrentLimit")] = None
    ev_maximum_power_limit: Annotated[PhysicalValue | None, Element("EVMaximumPowerLimit")] = None
    bulk_charging_complete: Annotated[Bool | None, Element("BulkChargingComplete")] = None
    charging_complete: Annotated[Bool, Element("ChargingComplete")]
    remaining_time_to_full_soc: Annotated[PhysicalValue | None, Element("RemainingTimeToFullSoC")] = None
    remaining_time_to_bulk_soc: Annotated[PhysicalValue | None, Element("RemainingTimeToBulkSoC")] = None
    ev_target_voltage: Annotated[PhysicalValue, Element("EVTargetVoltage")]


@global_element(BODY)
class CurrentDemandRes(BodyElement):
    """DC charging loop: what the EVSE delivers, its limits and meter reading."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, Element("EVSEPresentVoltage")]
    evse_present_current: Annotated[PhysicalValue, Element("EVSEPresentCurrent")]
    evse_current_limit_achieved: Annotated[Bool, Element("EVSECurrentLimitAchieved")]
    evse_voltage_limit_achieved: Annotated[Bool, Element("EVSEVoltageLimitAchieved")]
    evse_power_limit_achieved: Annotated[Bool, Element("EVSEPowerLimitAchieved")]
    evse_maximum_voltage_limit: Annotated[PhysicalValue | None, Element("EVSEMaximumVoltageLimit")] = None
    evse_maximum_current_limit: Annotated[PhysicalValue | None, Element("EVSEMaximumCurrentLimit")] = None
    evse_maximum_power_limit: Annotated[PhysicalValue | None, Element("EVSEMaximumPowerLimit")] = None
    evse_id: Annotated[EVSEIDType, Element("EVSEID")]
    sa_schedule_tuple_id: Annotated[SAIDType, Element("SAScheduleTupleID")]
    meter_info: Annotated[MeterInfo | None, Element("MeterInfo")] = None
    receipt_required: Annotated[Bool | None, Element("ReceiptRequired")] = None


@global_element(BODY)
class WeldingDetectionReq(BodyElement):
    """Asks for the voltage at the connector after charging."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]


@global_element(BODY)
class WeldingDetectionRes(BodyElement):
    """The voltage at the connector."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]
    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, Element("EVSEPresentVoltage")]
