"""AC charging of ISO 15118-20 (namespace AC). BPT is bidirectional power transfer.

Powers are in W. A value without a suffix is of all phases, or of L1 where L2 and L3 are given.
"""

from __future__ import annotations

from typing import Annotated

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
    RationalNumber,
    Scheduled_CLReqControlMode,
    Scheduled_CLResControlMode,
)
from plugpass.iso15118.messages.xmldsig import XMLDSIG

AC = Namespace(uri="urn:iso:std:iso:15118:-20:AC", attributes_qualified=True)

# --- charge parameter discovery -------------------------------------------------------------------------------------


@global_element(AC)
class AC_CPDReqEnergyTransferMode:
    """Limits of the EV."""

    ev_maximum_charge_power: Annotated[RationalNumber, Element("EVMaximumChargePower")]
    ev_maximum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L2")] = None
    ev_maximum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L3")] = None
    ev_minimum_charge_power: Annotated[RationalNumber, Element("EVMinimumChargePower")]
    ev_minimum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L2")] = None
    ev_minimum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L3")] = None


@global_element(AC)
class BPT_AC_CPDReqEnergyTransferMode(AC_CPDReqEnergyTransferMode):
    """Limits of the EV, also for feeding back."""

    ev_maximum_discharge_power: Annotated[RationalNumber, Element("EVMaximumDischargePower")]
    ev_maximum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L2")] = None
    ev_maximum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L3")] = None
    ev_minimum_discharge_power: Annotated[RationalNumber, Element("EVMinimumDischargePower")]
    ev_minimum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L2")] = None
    ev_minimum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L3")] = None


@global_element(AC)
class AC_CPDResEnergyTransferMode:
    """Limits of the EVSE; `evse_nominal_frequency` in Hz."""

    evse_maximum_charge_power: Annotated[RationalNumber, Element("EVSEMaximumChargePower")]
    evse_maximum_charge_power_l2: Annotated[RationalNumber | None, Element("EVSEMaximumChargePower_L2")] = None
    evse_maximum_charge_power_l3: Annotated[RationalNumber | None, Element("EVSEMaximumChargePower_L3")] = None
    evse_minimum_charge_power: Annotated[RationalNumber, Element("EVSEMinimumChargePower")]
    evse_minimum_charge_power_l2: Annotated[RationalNumber | None, Element("EVSEMinimumChargePower_L2")] = None
    evse_minimum_charge_power_l3: Annotated[RationalNumber | None, Element("EVSEMinimumChargePower_L3")] = None
    evse_nominal_frequency: Annotated[RationalNumber, Element("EVSENominalFrequency")]
    maximum_power_asymmetry: Annotated[RationalNumber | None, Element("MaximumPowerAsymmetry")] = None
    evse_power_ramp_limitation: Annotated[RationalNumber | None, Element("EVSEPowerRampLimitation")] = None
    evse_present_active_power: Annotated[RationalNumber | None, Element("EVSEPresentActivePower")] = None
    evse_present_active_power_l2: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L2")] = None
    evse_present_active_power_l3: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L3")] = None


@global_element(AC)
class BPT_AC_CPDResEnergyTransferMode(AC_CPDResEnergyTransferMode):
    """Limits of the EVSE, also for feeding back."""

    evse_maximum_discharge_power: Annotated[RationalNumber, Element("EVSEMaximumDischargePower")]
    evse_maximum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVSEMaximumDischargePower_L2")] = None
    evse_maximum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVSEMaximumDischargePower_L3")] = None
    evse_minimum_discharge_power: Annotated[RationalNumber, Element("EVSEMinimumDischargePower")]
    evse_minimum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVSEMinimumDischargePower_L2")] = None
    evse_minimum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVSEMinimumDischargePower_L3")] = None


@global_element(AC)
class AC_ChargeParameterDiscoveryReq(ChargeParameterDiscoveryReq):
    """The EV's limits."""

    energy_transfer_mode: Annotated[AC_CPDReqEnergyTransferMode, Ref()]


@global_element(AC)
class AC_ChargeParameterDiscoveryRes(ChargeParameterDiscoveryRes):
    """The EVSE's limits."""

    energy_transfer_mode: Annotated[AC_CPDResEnergyTransferMode, Ref()]


# --- charge loop: scheduled control mode ----------------------------------------------------------------------------


@global_element(AC)
class Scheduled_AC_CLReqControlMode(Scheduled_CLReqControlMode):
    """What the EV draws, and its limits where they have changed."""

    ev_maximum_charge_power: Annotated[RationalNumber | None, Element("EVMaximumChargePower")] = None
    ev_maximum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L2")] = None
    ev_maximum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L3")] = None
    ev_minimum_charge_power: Annotated[RationalNumber | None, Element("EVMinimumChargePower")] = None
    ev_minimum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L2")] = None
    ev_minimum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L3")] = None
    ev_present_active_power: Annotated[RationalNumber, Element("EVPresentActivePower")]
    ev_present_active_power_l2: Annotated[RationalNumber | None, Element("EVPresentActivePower_L2")] = None
    ev_present_active_power_l3: Annotated[RationalNumber | None, Element("EVPresentActivePower_L3")] = None
    ev_present_reactive_power: Annotated[RationalNumber | None, Element("EVPresentReactivePower")] = None
    ev_present_reactive_power_l2: Annotated[RationalNumber | None, Element("EVPresentReactivePower_L2")] = None
    ev_present_reactive_power_l3: Annotated[RationalNumber | None, Element("EVPresentReactivePower_L3")] = None


@global_element(AC)
class BPT_Scheduled_AC_CLReqControlMode(Scheduled_AC_CLReqControlMode):
    """What the EV draws or feeds back, and its limits where they have changed."""

    ev_maximum_discharge_power: Annotated[RationalNumber | None, Element("EVMaximumDischargePower")] = None
    ev_maximum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L2")] = None
    ev_maximum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L3")] = None
    ev_minimum_discharge_power: Annotated[RationalNumber | None, Element("EVMinimumDischargePower")] = None
    ev_minimum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L2")] = None
    ev_minimum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L3")] = None


@global_element(AC)
class Scheduled_AC_CLResControlMode(Scheduled_CLResControlMode):
    """What the EVSE asks the EV to draw."""

    evse_target_active_power: Annotated[RationalNumber | None, Element("EVSETargetActivePower")] = None
    evse_target_active_power_l2: Annotated[RationalNumber | None, Element("EVSETargetActivePower_L2")] = None
    evse_target_active_power_l3: Annotated[RationalNumber | None, Element("EVSETargetActivePower_L3")] = None
    evse_target_reactive_power: Annotated[RationalNumber | None, Element("EVSETargetReactivePower")] = None
    evse_target_reactive_power_l2: Annotated[RationalNumber | None, Element("EVSETargetReactivePower_L2")] = None
    evse_target_reactive_power_l3: Annotated[RationalNumber | None, Element("EVSETargetReactivePower_L3")] = None
    evse_present_active_power: Annotated[RationalNumber | None, Element("EVSEPresentActivePower")] = None
    evse_present_active_power_l2: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L2")] = None
    evse_present_active_power_l3: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L3")] = None


@global_element(AC)
class BPT_Scheduled_AC_CLResControlMode(Scheduled_AC_CLResControlMode):
    """What the EVSE asks the EV to draw or feed back."""


# --- charge loop: dynamic control mode ------------------------------------------------------------------------------


@global_element(AC)
class Dynamic_AC_CLReqControlMode(Dynamic_CLReqControlMode):
    """What the EV draws, and its limits."""

    ev_maximum_charge_power: Annotated[RationalNumber, Element("EVMaximumChargePower")]
    ev_maximum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L2")] = None
    ev_maximum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumChargePower_L3")] = None
    ev_minimum_charge_power: Annotated[RationalNumber, Element("EVMinimumChargePower")]
    ev_minimum_charge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L2")] = None
    ev_minimum_charge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumChargePower_L3")] = None
    ev_present_active_power: Annotated[RationalNumber, Element("EVPresentActivePower")]
    ev_present_active_power_l2: Annotated[RationalNumber | None, Element("EVPresentActivePower_L2")] = None
    ev_present_active_power_l3: Annotated[RationalNumber | None, Element("EVPresentActivePower_L3")] = None
    ev_present_reactive_power: Annotated[RationalNumber, Element("EVPresentReactivePower")]
    ev_present_reactive_power_l2: Annotated[RationalNumber | None, Element("EVPresentReactivePower_L2")] = None
    ev_present_reactive_power_l3: Annotated[RationalNumber | None, Element("EVPresentReactivePower_L3")] = None


@global_element(AC)
class BPT_Dynamic_AC_CLReqControlMode(Dynamic_AC_CLReqControlMode):
    """What the EV draws or feeds back, its limits, and the energy it leaves for feeding back."""

    ev_maximum_discharge_power: Annotated[RationalNumber, Element("EVMaximumDischargePower")]
    ev_maximum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L2")] = None
    ev_maximum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMaximumDischargePower_L3")] = None
    ev_minimum_discharge_power: Annotated[RationalNumber, Element("EVMinimumDischargePower")]
    ev_minimum_discharge_power_l2: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L2")] = None
    ev_minimum_discharge_power_l3: Annotated[RationalNumber | None, Element("EVMinimumDischargePower_L3")] = None
    ev_maximum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMaximumV2XEnergyRequest")] = None
    ev_minimum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMinimumV2XEnergyRequest")] = None


@global_element(AC)
class Dynamic_AC_CLResControlMode(Dynamic_CLResControlMode):
    """What the EV shall draw."""

    evse_target_active_power: Annotated[RationalNumber, Element("EVSETargetActivePower")]
    evse_target_active_power_l2: Annotated[RationalNumber | None, Element("EVSETargetActivePower_L2")] = None
    evse_target_active_power_l3: Annotated[RationalNumber | None, Element("EVSETargetActivePower_L3")] = None
    evse_target_reactive_power: Annotated[RationalNumber | None, Element("EVSETargetReactivePower")] = None
    evse_target_reactive_power_l2: Annotated[RationalNumber | None, Element("EVSETargetReactivePower_L2")] = None
    evse_target_reactive_power_l3: Annotated[RationalNumber | None, Element("EVSETargetReactivePower_L3")] = None
    evse_present_active_power: Annotated[RationalNumber | None, Element("EVSEPresentActivePower")] = None
    evse_present_active_power_l2: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L2")] = None
    evse_present_active_power_l3: Annotated[RationalNumber | None, Element("EVSEPresentActivePower_L3")] = None


@global_element(AC)
class BPT_Dynamic_AC_CLResControlMode(Dynamic_AC_CLResControlMode):
    """What the EV shall draw or feed back."""


# --- charge loop: messages ------------------------------------------------------------------------------------------


@global_element(AC)
class AC_ChargeLoopReq(ChargeLoopReq):
    """The EV's values, by control mode."""

    control_mode: Annotated[CLReqControlMode, Ref()]


@global_element(AC)
class AC_ChargeLoopRes(ChargeLoopRes):
    """The EVSE's values, by control mode; `evse_target_frequency` in Hz."""

    evse_target_frequency: Annotated[RationalNumber | None, Element("EVSETargetFrequency")] = None
    control_mode: Annotated[CLResControlMode, Ref()]


SCHEMA = Schema(name="ac20", namespaces=(AC, COMMON_TYPES, XMLDSIG))
