"""Power schedules, power profiles and the control modes that use them in ISO 15118-20. Durations are in seconds."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import UnsignedInt, UnsignedLong
from plugpass.exi.schema import Choice, Element, Maybe, Sequence, complex_type
from plugpass.iso15118.messages.cm20.prices import AbsolutePriceSchedule, EVAbsolutePriceSchedule, PriceLevelSchedule
from plugpass.iso15118.messages.cm20.simple_types import COMMON_MESSAGES, PowerToleranceAcceptance
from plugpass.iso15118.messages.common20 import NumericIDType, PercentValue, RationalNumber

# --- power over time ------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class PowerScheduleEntry:
    """The power for `duration` seconds, of all phases or of each."""

    duration: Annotated[UnsignedInt, Element("Duration")]
    power: Annotated[RationalNumber, Element("Power")]
    power_l2: Annotated[RationalNumber | None, Element("Power_L2")] = None
    power_l3: Annotated[RationalNumber | None, Element("Power_L3")] = None


@complex_type(COMMON_MESSAGES)
class PowerScheduleEntryList:
    """1 to 1024 powers."""

    power_schedule_entry: Annotated[tuple[PowerScheduleEntry, ...], Element("PowerScheduleEntry", max_occurs=1024)]


@complex_type(COMMON_MESSAGES)
class PowerSchedule:
    """The power the EVSE offers, from `time_anchor` on."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    available_energy: Annotated[RationalNumber | None, Element("AvailableEnergy")] = None
    power_tolerance: Annotated[RationalNumber | None, Element("PowerTolerance")] = None
    power_schedule_entries: Annotated[PowerScheduleEntryList, Element("PowerScheduleEntries")]


@complex_type(
    COMMON_MESSAGES,
    content=Sequence("power_schedule", Maybe(Choice("absolute_price_schedule", "price_level_schedule"))),
)
class ChargingSchedule:
    """The power offered, with at most one kind of price."""

    power_schedule: Annotated[PowerSchedule, Element("PowerSchedule")]
    absolute_price_schedule: Annotated[AbsolutePriceSchedule | None, Element("AbsolutePriceSchedule")] = None
    price_level_schedule: Annotated[PriceLevelSchedule | None, Element("PriceLevelSchedule")] = None


@complex_type(COMMON_MESSAGES)
class ScheduleTuple:
    """A schedule the EV may choose: for charging, and for feeding back."""

    schedule_tuple_id: Annotated[NumericIDType, Element("ScheduleTupleID")]
    charging_schedule: Annotated[ChargingSchedule, Element("ChargingSchedule")]
    discharging_schedule: Annotated[ChargingSchedule | None, Element("DischargingSchedule")] = None


# --- the EV's power over time ---------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class EVPowerProfileEntryList:
    """1 to 2048 powers."""

    ev_power_profile_entry: Annotated[tuple[PowerScheduleEntry, ...], Element("EVPowerProfileEntry", max_occurs=2048)]


@complex_type(COMMON_MESSAGES)
class Scheduled_EVPPTControlMode:
    """The profile follows the schedule of this id."""

    selected_schedule_tuple_id: Annotated[NumericIDType, Element("SelectedScheduleTupleID")]
    power_tolerance_acceptance: Annotated[PowerToleranceAcceptance | None, Element("PowerToleranceAcceptance")] = None


@complex_type(COMMON_MESSAGES)
class Dynamic_EVPPTControlMode:
    """The profile follows no schedule: the EVSE sets the power."""


@complex_type(
    COMMON_MESSAGES,
    content=Sequence(
        "time_anchor", Choice("dynamic_control_mode", "scheduled_control_mode"), "ev_power_profile_entries"
    ),
)
class EVPowerProfile:
    """The power the EV will draw, from `time_anchor` on."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    dynamic_control_mode: Annotated[Dynamic_EVPPTControlMode | None, Element("Dynamic_EVPPTControlMode")] = None
    scheduled_control_mode: Annotated[Scheduled_EVPPTControlMode | None, Element("Scheduled_EVPPTControlMode")] = None
    ev_power_profile_entries: Annotated[EVPowerProfileEntryList, Element("EVPowerProfileEntries")]


@complex_type(COMMON_MESSAGES)
class EVPowerScheduleEntry:
    """The power the EV can feed back for `duration` seconds."""

    duration: Annotated[UnsignedInt, Element("Duration")]
    power: Annotated[RationalNumber, Element("Power")]


@complex_type(COMMON_MESSAGES)
class EVPowerScheduleEntryList:
    """1 to 1024 powers."""

    ev_power_schedule_entry: Annotated[
        tuple[EVPowerScheduleEntry, ...], Element("EVPowerScheduleEntry", max_occurs=1024)
    ]


@complex_type(COMMON_MESSAGES)
class EVPowerSchedule:
    """The power the EV can feed back, from `time_anchor` on."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    ev_power_schedule_entries: Annotated[EVPowerScheduleEntryList, Element("EVPowerScheduleEntries")]


@complex_type(COMMON_MESSAGES)
class EVEnergyOffer:
    """Energy the EV offers, and its price."""

    ev_power_schedule: Annotated[EVPowerSchedule, Element("EVPowerSchedule")]
    ev_absolute_price_schedule: Annotated[EVAbsolutePriceSchedule, Element("EVAbsolutePriceSchedule")]


# --- schedule exchange ----------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class Scheduled_SEReqControlMode:
    """The EV will choose a schedule; `departure_time` in seconds from the message's time stamp."""

    departure_time: Annotated[UnsignedInt | None, Element("DepartureTime")] = None
    ev_target_energy_request: Annotated[RationalNumber | None, Element("EVTargetEnergyRequest")] = None
    ev_maximum_energy_request: Annotated[RationalNumber | None, Element("EVMaximumEnergyRequest")] = None
    ev_minimum_energy_request: Annotated[RationalNumber | None, Element("EVMinimumEnergyRequest")] = None
    ev_energy_offer: Annotated[EVEnergyOffer | None, Element("EVEnergyOffer")] = None


@complex_type(COMMON_MESSAGES)
class Scheduled_SEResControlMode:
    """1 to 3 schedules to choose from."""

    schedule_tuple: Annotated[tuple[ScheduleTuple, ...], Element("ScheduleTuple", max_occurs=3)]


@complex_type(COMMON_MESSAGES)
class Dynamic_SEReqControlMode:
    """The EV leaves the power to the EVSE; `departure_time` in seconds, states of charge in percent."""

    departure_time: Annotated[UnsignedInt, Element("DepartureTime")]
    minimum_soc: Annotated[PercentValue | None, Element("MinimumSOC")] = None
    target_soc: Annotated[PercentValue | None, Element("TargetSOC")] = None
    ev_target_energy_request: Annotated[RationalNumber, Element("EVTargetEnergyRequest")]
    ev_maximum_energy_request: Annotated[RationalNumber, Element("EVMaximumEnergyRequest")]
    ev_minimum_energy_request: Annotated[RationalNumber, Element("EVMinimumEnergyRequest")]
    ev_maximum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMaximumV2XEnergyRequest")] = None
    ev_minimum_v2x_energy_request: Annotated[RationalNumber | None, Element("EVMinimumV2XEnergyRequest")] = None


@complex_type(
    COMMON_MESSAGES,
    content=Sequence(
        Maybe("departure_time"),
        Maybe("minimum_soc"),
        Maybe("target_soc"),
        Maybe(Choice("absolute_price_schedule", "price_level_schedule")),
    ),
)
class Dynamic_SEResControlMode:
    """The EVSE sets the power; its own departure time and targets, with at most one kind of price."""

    departure_time: Annotated[UnsignedInt | None, Element("DepartureTime")] = None
    minimum_soc: Annotated[PercentValue | None, Element("MinimumSOC")] = None
    target_soc: Annotated[PercentValue | None, Element("TargetSOC")] = None
    absolute_price_schedule: Annotated[AbsolutePriceSchedule | None, Element("AbsolutePriceSchedule")] = None
    price_level_schedule: Annotated[PriceLevelSchedule | None, Element("PriceLevelSchedule")] = None
