"""Automatic connection device, pantograph, of ISO 15118-20 (namespace ACDP)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Bool, Short
from plugpass.exi.schema import Element, Namespace, Schema, complex_type, global_element
from plugpass.iso15118.messages.common20 import (
    COMMON_TYPES,
    PercentValue,
    Processing,
    RationalNumber,
    V2GRequest,
    V2GResponse,
)
from plugpass.iso15118.messages.xmldsig import XMLDSIG

ACDP = Namespace(uri="urn:iso:std:iso:15118:-20:ACDP", attributes_qualified=True)

# --- simple types ---------------------------------------------------------------------------------------------------


class CPStatus(StrEnum):
    """State of the control pilot (IEC 61851-1)."""

    STATE_A = "StateA"
    STATE_B = "StateB"
    STATE_C = "StateC"
    STATE_D = "StateD"
    STATE_E = "StateE"


class EVErrorCode(StrEnum):
    """Error state of the EV."""

    OK_NO_EV_ERROR = "OK_NoEVError"
    FAILED = "FAILED"
    FAILED_EMERGENCY_EVENT = "FAILED_EmergencyEvent"
    FAILED_BREAKER = "FAILED_Breaker"
    FAILED_RESS_TEMPERATURE_INHIBIT = "FAILED_RESSTemperatureInhibit"
    FAILED_RESS = "FAILED_RESS"
    FAILED_CHARGING_CURRENT_DIFFERENTIAL = "FAILED_ChargingCurrentDifferential"
    FAILED_CHARGING_VOLTAGE_OUT_OF_RANGE = "FAILED_ChargingVoltageOutOfRange"
    FAILED_RESERVED_1 = "FAILED_Reserved1"
    FAILED_RESERVED_2 = "FAILED_Reserved2"


class IsolationStatus(StrEnum):
    """Result of the isolation monitoring."""

    INVALID = "Invalid"
    SAFE = "Safe"
    WARNING = "Warning"
    FAULT = "Fault"


class ElectricalChargingDeviceStatus(StrEnum):
    """State of the electrical connection."""

    STATE_A = "State_A"
    STATE_B = "State_B"
    STATE_C = "State_C"
    STATE_D = "State_D"


class MechanicalChargingDeviceStatus(StrEnum):
    """Where the pantograph is."""

    HOME = "Home"
    MOVING = "Moving"
    END_POSITION = "EndPosition"


# --- positioning ----------------------------------------------------------------------------------------------------


@global_element(ACDP)
class ACDP_VehiclePositioningReq(V2GRequest):
    """Whether the EV moves, and whether it can be guided."""

    ev_mobility_status: Annotated[Bool, Element("EVMobilityStatus")]
    ev_positioning_support: Annotated[Bool, Element("EVPositioningSupport")]


@global_element(ACDP)
class ACDP_VehiclePositioningRes(V2GResponse):
    """How far the EV is from its place, and the contact window around that."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    evse_positioning_support: Annotated[Bool, Element("EVSEPositioningSupport")]
    ev_relative_x_deviation: Annotated[Short, Element("EVRelativeXDeviation")]
    ev_relative_y_deviation: Annotated[Short, Element("EVRelativeYDeviation")]
    contact_window_xc: Annotated[Short, Element("ContactWindowXc")]
    contact_window_yc: Annotated[Short, Element("ContactWindowYc")]
    ev_in_charge_position: Annotated[Bool, Element("EVInChargePosition")]


# --- connection -----------------------------------------------------------------------------------------------------


@complex_type(ACDP)
class DeviceStatusReq(V2GRequest):
    """The EV's side of the connection. The schema makes two messages of this one type."""

    ev_electrical_charging_device_status: Annotated[
        ElectricalChargingDeviceStatus, Element("EVElectricalChargingDeviceStatus")
    ]


@complex_type(ACDP)
class DeviceStatusRes(V2GResponse):
    """The EVSE's side of the connection, electrical and mechanical."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]
    evse_electrical_charging_device_status: Annotated[
        ElectricalChargingDeviceStatus, Element("EVSEElectricalChargingDeviceStatus")
    ]
    evse_mechanical_charging_device_status: Annotated[
        MechanicalChargingDeviceStatus, Element("EVSEMechanicalChargingDeviceStatus")
    ]


@global_element(ACDP)
class ACDP_ConnectReq(DeviceStatusReq):
    """Asks for the pantograph to connect."""


@global_element(ACDP)
class ACDP_ConnectRes(DeviceStatusRes):
    """State of connecting."""


@global_element(ACDP)
class ACDP_DisconnectReq(DeviceStatusReq):
    """Asks for the pantograph to disconnect."""


@global_element(ACDP)
class ACDP_DisconnectRes(DeviceStatusRes):
    """State of disconnecting."""


# --- status ---------------------------------------------------------------------------------------------------------


@complex_type(ACDP)
class EVTechnicalStatus:
    """State of the EV; `ev_soc` in percent."""

    ev_ready_to_charge: Annotated[Bool, Element("EVReadyToCharge")]
    ev_immobilization_request: Annotated[Bool, Element("EVImmobilizationRequest")]
    ev_immobilized: Annotated[Bool | None, Element("EVImmobilized")] = None
    ev_wlan_strength: Annotated[RationalNumber | None, Element("EVWLANStrength")] = None
    ev_cp_status: Annotated[CPStatus | None, Element("EVCPStatus")] = None
    ev_soc: Annotated[PercentValue | None, Element("EVSOC")] = None
    ev_error_code: Annotated[EVErrorCode | None, Element("EVErrorCode")] = None
    ev_timeout: Annotated[Bool | None, Element("EVTimeout")] = None


@global_element(ACDP)
class ACDP_SystemStatusReq(V2GRequest):
    """The EV's state during the charge loop."""

    ev_technical_status: Annotated[EVTechnicalStatus, Element("EVTechnicalStatus")]


@global_element(ACDP)
class ACDP_SystemStatusRes(V2GResponse):
    """The EVSE's state during the charge loop."""

    evse_mechanical_charging_device_status: Annotated[
        MechanicalChargingDeviceStatus, Element("EVSEMechanicalChargingDeviceStatus")
    ]
    evse_ready_to_charge: Annotated[Bool, Element("EVSEReadyToCharge")]
    evse_isolation_status: Annotated[IsolationStatus, Element("EVSEIsolationStatus")]
    evse_disabled: Annotated[Bool, Element("EVSEDisabled")]
    evse_utility_interrupt_event: Annotated[Bool, Element("EVSEUtilityInterruptEvent")]
    evse_emergency_shutdown: Annotated[Bool, Element("EVSEEmergencyShutdown")]
    evse_malfunction: Annotated[Bool, Element("EVSEMalfunction")]
    ev_in_charge_position: Annotated[Bool, Element("EVInChargePosition")]
    ev_association_status: Annotated[Bool, Element("EVAssociationStatus")]


SCHEMA = Schema(name="acdp20", namespaces=(ACDP, COMMON_TYPES, XMLDSIG))
