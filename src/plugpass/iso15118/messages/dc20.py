"""DC charging of ISO 15118-20 (namespace DC). BPT is bidirectional power transfer.

Powers are in W, currents in A, voltages in V.
"""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import Bool
from plugpass.exi.schema import Element, Namespace, Ref, Schema, global_element
from plugpass.iso15118.messages.common20 import (
    COMMON_TYPES,
    ChargeLoopReq,
    ChargeLoopRes,
    ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes,
    CLReqControlMode,
    CLResControlMode,
    Dynamic_CLReqControlMode,
    Dynamic_CLResControlMode,
    PercentValue,
    Processing,
    RationalNumber,
    Scheduled_CLReqControlMode,
    Scheduled_CLResControlMode,
    V2GRequest,
    V2GResponse,
)
from plugpass.iso15118.messages.xmldsig import XMLDSIG

DC = Namespace(uri="urn:iso:std:iso:15118:-20:DC", attributes_qualified=True)

# --- charge parameter discovery -------------------------------------------------------------------------------------


@global_element(DC)
class DC_CPDReqEnergyTransferMode:
    """Limits of the EV; `target_soc` in percent."""

    ev_maximum_charge_power: Annotated[RationalNumber, Element("EVMaximumChargePower")]
    ev_minimum_charge_power: Annotated[RationalNumber, Element("EVMinimumChargePower")]
    ev_maximum_charge_current: Annotated[RationalNumber, Element("EVMaximumChargeCurrent")]
    ev_minimum_charge_current: Annotated[RationalNumber, Element("EVMinimumChargeCurrent")]
    ev_maximum_voltage: Annotated[RationalNumber, Element("EVMaximumVoltage")]
    ev_minimum_voltage: Annotated[RationalNumber, Element("EVMinimumVoltage")]
    target_soc: Annotated[PercentValue | None, Element("TargetSOC")] = None


@global_element(DC)
class BPT_DC_CPDReqEnergyTransferMode(DC_CPDReqEnergyTransferMode):
    """Limits of the EV, also for feeding back."""

    ev_maximum_discharge_power: Annotated[RationalNumber, Element("EVMaximumDischargePower")]
    ev_minimum_discharge_power: Annotated[RationalNumber, Element("EVMinimumDischargePower")]
    ev_maximum_discharge_current: Annotated[RationalNumber, Element("EVMaximumDischargeCurrent")]
    ev_minimum_discharge_current: Annotated[RationalNumber, Element("EVMinimumDischargeCurrent")]


@global_element(DC)
class DC_CPDResEnergyTransferMode:
    """Limits of the EVSE."""

    evse_maximum_charge_power: Annotated[RationalNumber, Element("EVSEMaximumChargePower")]
    evse_minimum_charge_power: Annotated[RationalNumber, Element("EVSEMinimumChargePower")]
    evse_maximum_charge_current: Annotated[RationalNumber, Element("EVSEMaximumChargeCurrent")]
    evse_minimum_charge_current: Annotated[RationalNumber, Element("EVSEMinimumChargeCurrent")]
    evse_maximum_voltage: Annotated[RationalNumber, Element("EVSEMaximumVoltage")]
    evse_minimum_voltage: Annotated[RationalNumber, Element("EVSEMinimumVoltage")]
    evse_power_ramp_limitation: Annotated[RationalNumber | None, Element("EVSEPowerRampLimitation")] = None


@global_element(DC)
class BPT_DC_CPDResEnergyTransferMode(DC_CPDResEnergyTransferMode):
    """Limits of the EVSE, also for feeding back."""

    evse_maximum_discharge_power: Annotated[RationalNumber, Element("EVSEMaximumDischargePower")]
    evse_minimum_discharge_power: Annotated[RationalNumber, Element("EVSEMinimumDischargePower")]
    evse_maximum_discharge_current: Annotated[RationalNumber, Element("EVSEMaximumDischargeCurrent")]
    evse_minimum_discharge_current: Annotated[RationalNumber, Element("EVSEMinimumDischargeCurrent")]


@global_element(DC)
class DC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq):
    """The EV's limits."""

    energy_transfer_mode: Annotated[DC_CPDReqEnergyTransferMode, Ref()]


@global_element(DC)
class DC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes):
    """The EVSE's limits."""

    energy_transfer_mode: Annotated[DC_CPDResEnergyTransferMode, Ref()]


# --- before and after the charge loop -------------------------------------------------------------------------------


@global_element(DC)
class DC_CableCheckReq(V2GRequest):
    """Asks for the isolation check."""


@global_element(DC)
class DC_CableCheckRes(V2GResponse):
    """State of the isolation check."""

    evse_processing: Annotated[Processing, Element("EVSEProcessing")]


@global_element(DC)
class DC_PreChargeReq(V2GRequest):
    """Asks for a voltage at the connector."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]
    ev_present_voltage: Annotated[RationalNumber, Element("EVPresentVoltage")]
    ev_target_voltage: Annotated[RationalNumber, Element("EVTargetVoltage")]


@global_element(DC)
class DC_PreChargeRes(V2GResponse):
    """The voltage reached."""

    evse_present_voltage: Annotated[RationalNumber, Element("EVSEPresentVoltage")]


@global_element(DC)
class DC_WeldingDetectionReq(V2GRequest):
    """Asks for the voltage at the connector after charging."""

    ev_processing: Annotated[Processing, Element("EVProcessing")]


@global_element(DC)
class DC_WeldingDetectionRes(V2GResponse):
    """The voltage at the connector."""

    evse_present_voltage: Annotated[RationalNumber, Element("EVSEPresentVoltage")]


# --- charge loop: scheduled control mode ----------------------------------------------------------------------------


@global_element(DC)
class Scheduled_DC_CLReqControlMode(Scheduled_CLReqControlMode):
    """The current and voltage the EV wants, and its limits where they have changed."""

    ev_target_current: Annotated[RationalNumber, Element("EVTargetCurrent")]
    ev_target_voltage: Annotated[RationalNumber, Element("EVTargetVoltage")]
    ev_maximum_charge_power: Annotated[RationalNumber | None, Element("EVMaximumChargePower")] = None
    ev_minimum_charge_power: Annotated[RationalNumber | None, Element("EVMinimumChargePower")] = None
    ev_maximum_charge_current: Annotated[RationalNumber | None, Element("EVMaximumChargeCurrent")] = None
    ev_maximum_voltage: Annotated[RationalNumber | None, Element("EVMaximumVoltage")] = None
    ev_minimum_voltage: Annotated[RationalNumber | None, Element("EVMinimumVoltage")] = None


@global_element(DC)
class BPT_Scheduled_DC_CLReqControlMode(Scheduled_DC_CLReqControlMode):
    """As its base, with the limits for feeding back."""

    ev_maximum_discharge_power: Annotated[RationalNumber | None, Element("EVMaximumDischargePower")] = None
    ev_minimum_discharge_power: Annotated[RationalNumber | None, Element("EVMinimumDischargePower")] = None
    ev_maximum_discharge_current: Annotated[RationalNumber | None, Element("EVMaximumDischargeCurrent")] = None


@global_element(DC)
class Scheduled_DC_CLResControlMode(Scheduled_CLResControlMode):
    """The EVSE's limits where they have changed."""

    evse_maximum_charge_power: Annotated[RationalNumber | None, Element("EVSEMaximumChargePower")] = None
    evse_minimum_charge_power: Annotated[RationalNumber | None, Element("EVSEMinimumChargePower")] = None
    evse_maximum_charge_current: Annotated[RationalNumber | None, Element("EVSEMaximumChargeCurrent")] = None
    evse_maximum_voltage: Annotated[RationalNumber | None, Element("EVSEMaximumVoltage")] = None


@global_element(DC)
class BPT_Scheduled_DC_CLResControlMode(Scheduled_DC_CLResControlMode):
    """As its base, with the limits for feeding back."""

    evse_maximum_discharge_power: Annotated[RationalNumber | None, Element("EVSEMaximumDischargePower")] = None
    evse_minimum_discharge_power: Annotated[RationalNumber | None, Element("EVSEMinimumDischargePower")] = None
    evse_maximum_discharge_current: Annotated[RationalNumber | None, Element("EVSEMaximumDischargeCurrent")] = None
    evse_minimum_voltage: Annotated[RationalNumber | None, Element("EVSEMinimumVoltage")] = None


# --- charge loop: dynamic control mode ------------------------------------------------------------------------------


@global_element(DC)
class Dynamic_DC_CLReqControlMode(Dynamic_CLReqControlMode):
    """The EV's limits; the EVSE sets the current."""

    ev_maximum_charge_power: Annotated[RationalNumber, Element("EVMaximumChargePower")]
    ev_minimum_charge_power: Annotated[RationalNumber, Element("EVMinimumChargePower")]
    ev_maximum_charge_current: Annotated[RationalNumber, Element("EVMaximumChargeCurrent")]
    ev_maximum_voltage: Annotated[RationalNumber, Element("EVMaximumVoltage")]
    ev_minimum_voltage: Annotated[RationalNumber, Element("EVMinimumVoltage")]


@global_element(DC)
class BPT_Dynamic_DC_CLReqControlMode(Dynamic_DC_CLReqControlMode):
    """As its base, with the limits for feeding back and the energy left for it."""

    ev_maximum_discharge_power: Annotated[RationalNumber, Element("EVMaximumDischargePower")]
    ev_minimum_discharge_power: Annotated[RationalNumber, Element("EVMinimumDischargePower")]
    ev_maximum_discharge_current: Annotated[RationalNumber, Element("EVMaximumDischargeCurrent")]
    ev_maximum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMaximumV2XEnergyRequest")] = None
    ev_minimum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMinimumV2XEnergyRequest")] = None


@global_element(DC)
class Dynamic_DC_CLResControlMode(Dynamic_CLResControlMode):
    """The EVSE's limits."""

    evse_maximum_charge_power: Annotated[RationalNumber, Element("EVSEMaximumChargePower")]
    evse_minimum_charge_power: Annotated[RationalNumber, Element("EVSEMinimumChargePower")]
    evse_maximum_charge_current: Annotated[RationalNumber, Element("EVSEMaximumChargeCurrent")]
    evse_maximum_voltage: Annotated[RationalNumber, Element("EVSEMaximumVoltage")]


@global_element(DC)
class BPT_Dynamic_DC_CLResControlMode(Dynamic_DC_CLResControlMode):
    """As its base, with the limits for feeding back."""

    evse_maximum_discharge_power: Annotated[RationalNumber, Element("EVSEMaximumDischargePower")]
    evse_minimum_discharge_power: Annotated[RationalNumber, Element("EVSEMinimumDischargePower")]
    evse_maximum_discharge_current: Annotated[RationalNumber, Element("EVSEMaximumDischargeCurrent")]
    evse_minimum_voltage: Annotated[RationalNumber, Element("EVSEMinimumVoltage")]


# --- charge loop: messages ------------------------------------------------------------------------------------------


@global_element(DC)
class DC_ChargeLoopReq(ChargeLoopReq):
    """The EV's values, by control mode."""

    ev_present_voltage: Annotated[RationalNumber, Element("EVPresentVoltage")]
    control_mode: Annotated[CLReqControlMode, Ref()]


@global_element(DC)
class DC_ChargeLoopRes(ChargeLoopRes):
    """What the EVSE delivers, which of its limits it has reached, and its values by control mode."""

    evse_present_current: Annotated[RationalNumber, Element("EVSEPresentCurrent")]
    evse_present_voltage: Annotated[RationalNumber, Element("EVSEPresentVoltage")]
    evse_power_limit_achieved: Annotated[Bool, Element("EVSEPowerLimitAchieved")]
    evse_current_limit_achieved: Annotated[Bool, Element("EVSECurrentLimitAchieved")]
    evse_voltage_limit_achieved: Annotated[Bool, Element("EVSEVoltageLimitAchieved")]
    control_mode: Annotated[CLResControlMode, Ref()]


SCHEMA = Schema(name="dc20", namespaces=(DC, COMMON_TYPES, XMLDSIG))
