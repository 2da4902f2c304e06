"""The messages of ISO 15118-20 that every energy transfer uses (namespace CommonMessages)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID, Bool, Short, UnsignedByte, UnsignedLong, UnsignedShort
from plugpass.exi.schema import Attribute, Choice, Element, Maybe, Occurs, Sequence, complex_type, global_element
from plugpass.iso15118.messages.cm20.certificates import (
    CertificateChain,
    EMAIDList,
    SignedCertificateChain,
    SignedInstallationData,
)
from plugpass.iso15118.messages.cm20.schedules import (
    Dynamic_SEReqControlMode,
    Dynamic_SEResControlMode,
    EVPowerProfile,
    Scheduled_SEReqControlMode,
    Scheduled_SEResControlMode,
)
from plugpass.iso15118.messages.cm20.services import (
    EIM_AReqAuthorizationMode,
    EIM_ASResAuthorizationMode,
    PnC_AReqAuthorizationMode,
    PnC_ASResAuthorizationMode,
    SelectedService,
    SelectedServiceList,
    ServiceIDList,
    ServiceList,
    ServiceParameterList,
)
from plugpass.iso15118.messages.cm20.simple_types import (
    COMMON_MESSAGES,
    AuthorizationService,
    ChannelSelection,
    ChargeProgress,
    ChargingSession,
    EVCheckInStatus,
    EVCheckOutStatus,
    EVSECheckOutStatus,
    MaxSupportingPoints,
    ParkingMethod,
    ServiceIDType,
)
from plugpass.iso15118.messages.common20 import (
    DescriptionType,
    EVSEStatus,
    IdentifierType,
    ListOfRootCertificateIDs,
    MeterInfo,
    NameType,
    NumericIDType,
    Processing,
    Receipt,
    SessionIDType,
    V2GRequest,
    V2GResponse,
)

# --- session --------------------------------------------------------------------------------------------------------


@global_element(COMMON_MESSAGES)
class SessionSetupReq(V2GRequest):
    """`evcc_id` is the EVCC's identifier."""

    evcc_id: Annotated[IdentifierType, Element("EVCCID")]


@global_element(COMMON_MESSAGES)
class SessionSetupRes(V2GResponse):
    """`evse_id` such as `DE*ABC*E123`."""

    evse_id: Annotated[IdentifierType, Element("EVSEID")]


@global_element(COMMON_MESSAGES)
class SessionStopReq(V2GRequest):
    """The EV ends, pauses or renegotiates the session, and may say why."""

    charging_session: Annotated[ChargingSession, Element("ChargingSession")]
    ev_termination_code: Annotated[NameType | None, Element("EVTerminationCode")] = None
    ev_termination_explanation: Annotated[DescriptionType | None, Element("EVTerminationExplanation")] = None


@global_element(COMMON_MESSAGES)
class SessionStopRes(V2GResponse):
    """The EVSE follows."""


# --- authorization --------------------------------------------------------------------------------------------------


@global_element(COMMON_MESSAGES)
class AuthorizationSetupReq(V2GRequest):
    """Asks how to authorize."""


@global_element(
    COMMON_MESSAGES,
    content=Sequence(
        Occurs("authorization_services"),
        "certificate_installation_service",
        Choice("eim_authorization_mode", "pnc_authorization_mode"),
    ),
)
class AuthorizationSetupRes(V2GResponse):
    """The 1 or 2 ways to authorize, with what is needed for the one that comes first."""

    authorization_services: Annotated[tuple[AuthorizationService, ...], Element("AuthorizationServices", max_occurs=2)]
    certificate_installation_service: Annotated[Bool, Element("CertificateInstallationService")]
    eim_authorization_mode: Annotated[EIM_ASResAuthorizationMode | None, Element("EIM_ASResAuthorizationMode")] = None
    pnc_authorization_mode: Annotated[PnC_ASResAuthorizationMode | None, Element("PnC_ASResAuthorizationMode")] = None


@global_element(
    COMMON_MESSAGES,
    content=Sequence("selected_authorization_service", Choice("eim_authorization_mode", "pnc_authorization_mode")),
)
class AuthorizationReq(V2GRequest):
    """The way chosen, with its proof."""

    selected_authorization_service: Annotated[AuthorizationService, Element("SelectedAuthorizationService")]
    eim_authorization_mode: Annotated[EIM_AReqAuthorizationMode | None, Element("EIM_AReqAuthorizationMode")] = None
    pnc_authorization_mode: Annotated[PnC_AReqAuthorizationMode | None, Element("PnC_AReqAuthorizationMode")] = None


@global_element(COMMON_MESSAGES)
class AuthorizationRes(V2GResponse):
    """Whether the EV may charge."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]


@global_element(COMMON_MESSAGES)
class CertificateInstallationReq(V2GRequest):
    """Asks for the contract certificates of the vehicle that holds this provisioning certificate."""

    oem_provisioning_certificate_chain: Annotated[SignedCertificateChain, Element("OEMProvisioningCertificateChain")]
    list_of_root_certificate_ids: Annotated[ListOfRootCertificateIDs, Element("ListOfRootCertificateIDs")]
    maximum_contract_certificate_chains: Annotated[UnsignedByte, Element("MaximumContractCertificateChains")]
    prioritized_emaids: Annotated[EMAIDList | None, Element("PrioritizedEMAIDs")] = None


@global_element(COMMON_MESSAGES)
class CertificateInstallationRes(V2GResponse):
    """One contract's data, the chain of the service that signed it, and how many contracts are left."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    cps_certificate_chain: Annotated[CertificateChain, Element("CPSCertificateChain")]
    signed_installation_data: Annotated[SignedInstallationData, Element("SignedInstallationData")]
    remaining_contract_certificate_chains: Annotated[UnsignedByte, Element("RemainingContractCertificateChains")]


# --- services -------------------------------------------------------------------------------------------------------


@global_element(COMMON_MESSAGES)
class ServiceDiscoveryReq(V2GRequest):
    """Which services are there, optionally of these ids only."""

    supported_service_ids: Annotated[ServiceIDList | None, Element("SupportedServiceIDs")] = None


@global_element(COMMON_MESSAGES)
class ServiceDiscoveryRes(V2GResponse):
    """The energy transfer services and the value-added services."""

    service_renegotiation_supported: Annotated[Bool, Element("ServiceRenegotiationSupported")]
    energy_transfer_service_list: Annotated[ServiceList, Element("EnergyTransferServiceList")]
    vas_list: Annotated[ServiceList | None, Element("VASList")] = None


@global_element(COMMON_MESSAGES)
class ServiceDetailReq(V2GRequest):
    """Asks for the parameters of a service."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]


@global_element(COMMON_MESSAGES)
class ServiceDetailRes(V2GResponse):
    """The parameters of a service."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    service_parameter_list: Annotated[ServiceParameterList, Element("ServiceParameterList")]


@global_element(COMMON_MESSAGES)
class ServiceSelectionReq(V2GRequest):
    """The services the EV takes."""

    selected_energy_transfer_service: Annotated[SelectedService, Element("SelectedEnergyTransferService")]
    selected_vas_list: Annotated[SelectedServiceList | None, Element("SelectedVASList")] = None


@global_element(COMMON_MESSAGES)
class ServiceSelectionRes(V2GResponse):
    """Whether the selection is accepted."""


# --- schedules ------------------------------------------------------------------------------------------------------


@global_element(
    COMMON_MESSAGES,
    content=Sequence("maximum_supporting_points", Choice("dynamic_control_mode", "scheduled_control_mode")),
)
class ScheduleExchangeReq(V2GRequest):
    """The EV's needs, and how many entries of a schedule it can hold."""

    maximum_supporting_points: Annotated[MaxSupportingPoints, Element("MaximumSupportingPoints")]
    dynamic_control_mode: Annotated[Dynamic_SEReqControlMode | None, Element("Dynamic_SEReqControlMode")] = None
    scheduled_control_mode: Annotated[Scheduled_SEReqControlMode | None, Element("Scheduled_SEReqControlMode")] = None


@global_element(
    COMMON_MESSAGES,
    content=Sequence("evse_processing", Maybe("go_to_pause"), Choice("dynamic_control_mode", "scheduled_control_mode")),
)
class ScheduleExchangeRes(V2GResponse):
    """The EVSE's offer once processing has finished; `go_to_pause` lets the EV sleep meanwhile."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    go_to_pause: Annotated[Bool | None, Element("GoToPause")] = None
    dynamic_control_mode: Annotated[Dynamic_SEResControlMode | None, Element("Dynamic_SEResControlMode")] = None
    scheduled_control_mode: Annotated[Scheduled_SEResControlMode | None, Element("Scheduled_SEResControlMode")] = None


@global_element(COMMON_MESSAGES)
class PowerDeliveryReq(V2GRequest):
    """Start, stop, stand by or renegotiate."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    charge_progress: Annotated[ChargeProgress, Element("ChargeProgress")]
    ev_power_profile: Annotated[EVPowerProfile | None, Element("EVPowerProfile")] = None
    bpt_channel_selection: Annotated[ChannelSelection | None, Element("BPT_ChannelSelection")] = None


@global_element(COMMON_MESSAGES)
class PowerDeliveryRes(V2GResponse):
    """Whether the EVSE follows."""

    evse_status: Annotated[EVSEStatus | None, Element("EVSEStatus")] = None


# --- metering confirmation ------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class Scheduled_SMDTControlMode:
    """The schedule under which the energy was metered."""

    selected_schedule_tuple_id: Annotated[NumericIDType, Element("SelectedScheduleTupleID")]


@complex_type(COMMON_MESSAGES)
class Dynamic_SMDTControlMode:
    """The energy was metered under no schedule."""


@global_element(
    COMMON_MESSAGES,
    content=Sequence(
        "session_id", "meter_info", Maybe("receipt"), Choice("dynamic_control_mode", "scheduled_control_mode")
    ),
)
class SignedMeteringData:
    """The meter reading and receipt that the EV was shown, signed as the element with `id` (`[V2G20-1063]`)."""

    id: Annotated[ID, Attribute("Id")]
    session_id: Annotated[SessionIDType, Element("SessionID")]
    meter_info: Annotated[MeterInfo, Element("MeterInfo")]
    receipt: Annotated[Receipt | None, Element("Receipt")] = None
    dynamic_control_mode: Annotated[Dynamic_SMDTControlMode | None, Element("Dynamic_SMDTControlMode")] = None
    scheduled_control_mode: Annotated[Scheduled_SMDTControlMode | None, Element("Scheduled_SMDTControlMode")] = None


@global_element(COMMON_MESSAGES)
class MeteringConfirmationReq(V2GRequest):
    """The EV's signed confirmation of a meter reading."""

    signed_metering_data: Annotated[SignedMeteringData, Element("SignedMeteringData")]


@global_element(COMMON_MESSAGES)
class MeteringConfirmationRes(V2GResponse):
    """Whether the confirmation is accepted."""


# --- parking --------------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class TargetPosition:
    """A position; no message has it, but its names count among the elements of the schema."""

    target_offset_x: Annotated[UnsignedShort, Element("TargetOffsetX")]
    target_offset_y: Annotated[UnsignedShort, Element("TargetOffsetY")]


@global_element(COMMON_MESSAGES)
class VehicleCheckInReq(V2GRequest):
    """The EV arrives at a place for wireless or automatic charging."""

    ev_check_in_status: Annotated[EVCheckInStatus, Element("EVCheckInStatus")]
    parking_method: Annotated[ParkingMethod, Element("ParkingMethod")]
    vehicle_frame: Annotated[Short | None, Element("VehicleFrame")] = None
    device_offset: Annotated[Short | None, Element("DeviceOffset")] = None
    vehicle_travel: Annotated[Short | None, Element("VehicleTravel")] = None


@global_element(COMMON_MESSAGES)
class VehicleCheckInRes(V2GResponse):
    """Where the EV shall go."""

    parking_space: Annotated[Short | None, Element("ParkingSpace")] = None
    device_location: Annotated[Short | None, Element("DeviceLocation")] = None
    target_distance: Annotated[Short | None, Element("TargetDistance")] = None


@global_element(COMMON_MESSAGES)
class VehicleCheckOutReq(V2GRequest):
    """The EV leaves."""

    ev_check_out_status: Annotated[EVCheckOutStatus, Element("EVCheckOutStatus")]
    check_out_time: Annotated[UnsignedLong, Element("CheckOutTime")]


@global_element(COMMON_MESSAGES)
class VehicleCheckOutRes(V2GResponse):
    """Whether the EV may leave."""

    evse_check_out_status: Annotated[EVSECheckOutStatus, Element("EVSECheckOutStatus")]
