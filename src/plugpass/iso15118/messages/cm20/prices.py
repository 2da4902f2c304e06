"""Price schedules of ISO 15118-20: price levels, and absolute prices with taxes and overstay fees.

Durations and periods are in seconds. Fees count in the currency of their schedule.
"""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import ID, Bool, UnsignedByte, UnsignedInt, UnsignedLong, UnsignedShort
from plugpass.exi.schema import Attribute, Element, complex_type
from plugpass.iso15118.messages.cm20.simple_types import COMMON_MESSAGES, CurrencyType, LanguageType
from plugpass.iso15118.messages.common20 import DescriptionType, IdentifierType, NameType, NumericIDType, RationalNumber


@complex_type(COMMON_MESSAGES, abstract=True)
class PriceSchedule:
    """Base of the price schedules; it applies from `time_anchor` on."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    price_schedule_id: Annotated[NumericIDType, Element("PriceScheduleID")]
    price_schedule_description: Annotated[DescriptionType | None, Element("PriceScheduleDescription")] = None


# --- price levels ---------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class PriceLevelScheduleEntry:
    """The price level for `duration` seconds."""

    duration: Annotated[UnsignedInt, Element("Duration")]
    price_level: Annotated[UnsignedByte, Element("PriceLevel")]


@complex_type(COMMON_MESSAGES)
class PriceLevelScheduleEntryList:
    """1 to 1024 price levels."""

    price_level_schedule_entry: Annotated[
        tuple[PriceLevelScheduleEntry, ...], Element("PriceLevelScheduleEntry", max_occurs=1024)
    ]


@complex_type(COMMON_MESSAGES)
class PriceLevelSchedule(PriceSchedule):
    """Relative prices; `id` where a signature refers to it."""

    id: Annotated[ID | None, Attribute("Id")] = None
    number_of_price_levels: Annotated[UnsignedByte, Element("NumberOfPriceLevels")]
    price_level_schedule_entries: Annotated[PriceLevelScheduleEntryList, Element("PriceLevelScheduleEntries")]


# --- absolute prices ------------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class TaxRule:
    """A tax rate, and what it applies to."""

    tax_rule_id: Annotated[NumericIDType, Element("TaxRuleID")]
    tax_rule_name: Annotated[NameType | None, Element("TaxRuleName")] = None
    tax_rate: Annotated[RationalNumber, Element("TaxRate")]
    tax_included_in_price: Annotated[Bool | None, Element("TaxIncludedInPrice")] = None
    applies_to_energy_fee: Annotated[Bool, Element("AppliesToEnergyFee")]
    applies_to_parking_fee: Annotated[Bool, Element("AppliesToParkingFee")]
    applies_to_overstay_fee: Annotated[Bool, Element("AppliesToOverstayFee")]
    applies_minimum_maximum_cost: Annotated[Bool, Element("AppliesMinimumMaximumCost")]


@complex_type(COMMON_MESSAGES)
class TaxRuleList:
    """1 to 10 taxes."""

    tax_rule: Annotated[tuple[TaxRule, ...], Element("TaxRule", max_occurs=10)]


@complex_type(COMMON_MESSAGES)
class PriceRule:
    """The price from a power of `power_range_start` on."""

    energy_fee: Annotated[RationalNumber, Element("EnergyFee")]
    parking_fee: Annotated[RationalNumber | None, Element("ParkingFee")] = None
    parking_fee_period: Annotated[UnsignedInt | None, Element("ParkingFeePeriod")] = None
    carbon_dioxide_emission: Annotated[UnsignedShort | None, Element("CarbonDioxideEmission")] = None
    renewable_generation_percentage: Annotated[UnsignedByte | None, Element("RenewableGenerationPercentage")] = None
    power_range_start: Annotated[RationalNumber, Element("PowerRangeStart")]


@complex_type(COMMON_MESSAGES)
class PriceRuleStack:
    """1 to 8 price rules by power, for `duration` seconds."""

    duration: Annotated[UnsignedInt, Element("Duration")]
    price_rule: Annotated[tuple[PriceRule, ...], Element("PriceRule", max_occurs=8)]


@complex_type(COMMON_MESSAGES)
class PriceRuleStackList:
    """1 to 1024 stacks of price rules."""

    price_rule_stack: Annotated[tuple[PriceRuleStack, ...], Element("PriceRuleStack", max_occurs=1024)]


@complex_type(COMMON_MESSAGES)
class OverstayRule:
    """A fee for staying, from `start_time` on."""

    overstay_rule_description: Annotated[DescriptionType | None, Element("OverstayRuleDescription")] = None
    start_time: Annotated[UnsignedInt, Element("StartTime")]
    overstay_fee: Annotated[RationalNumber, Element("OverstayFee")]
    overstay_fee_period: Annotated[UnsignedInt, Element("OverstayFeePeriod")]


@complex_type(COMMON_MESSAGES)
class OverstayRuleList:
    """1 to 5 overstay fees, and the time or power from which on the EV overstays."""

    overstay_time_threshold: Annotated[UnsignedInt | None, Element("OverstayTimeThreshold")] = None
    overstay_power_threshold: Annotated[RationalNumber | None, Element("OverstayPowerThreshold")] = None
    overstay_rule: Annotated[tuple[OverstayRule, ...], Element("OverstayRule", max_occurs=5)]


@complex_type(COMMON_MESSAGES)
class AdditionalService:
    """A service that is paid for beside the energy."""

    service_name: Annotated[NameType, Element("ServiceName")]
    service_fee: Annotated[RationalNumber, Element("ServiceFee")]


@complex_type(COMMON_MESSAGES)
class AdditionalServiceList:
    """1 to 5 services that are paid for beside the energy."""

    additional_service: Annotated[tuple[AdditionalService, ...], Element("AdditionalService", max_occurs=5)]


@complex_type(COMMON_MESSAGES)
class AbsolutePriceSchedule(PriceSchedule):
    """Absolute prices; `id` where a signature refers to it. `price_algorithm` is a URN."""

    id: Annotated[ID | None, Attribute("Id")] = None
    currency: Annotated[CurrencyType, Element("Currency")]
    language: Annotated[LanguageType, Element("Language")]
    price_algorithm: Annotated[IdentifierType, Element("PriceAlgorithm")]
    minimum_cost: Annotated[RationalNumber | None, Element("MinimumCost")] = None
    maximum_cost: Annotated[RationalNumber | None, Element("MaximumCost")] = None
    tax_rules: Annotated[TaxRuleList | None, Element("TaxRules")] = None
    price_rule_stacks: Annotated[PriceRuleStackList, Element("PriceRuleStacks")]
    overstay_rules: Annotated[OverstayRuleList | None, Element("OverstayRules")] = None
    additional_selected_services: Annotated[AdditionalServiceList | None, Element("AdditionalSelectedServices")] = None


# --- prices of the EV -----------------------------------------------------------------------------------------------


@complex_type(COMMON_MESSAGES)
class EVPriceRule:
    """The EV's price from a power of `power_range_start` on."""

    energy_fee: Annotated[RationalNumber, Element("EnergyFee")]
    power_range_start: Annotated[RationalNumber, Element("PowerRangeStart")]


@complex_type(COMMON_MESSAGES)
class EVPriceRuleStack:
    """1 to 8 price rules by power, for `duration` seconds."""

    duration: Annotated[UnsignedInt, Element("Duration")]
    ev_price_rule: Annotated[tuple[EVPriceRule, ...], Element("EVPriceRule", max_occurs=8)]


@complex_type(COMMON_MESSAGES)
class EVPriceRuleStackList:
    """1 to 1024 stacks of price rules."""

    ev_price_rule_stack: Annotated[tuple[EVPriceRuleStack, ...], Element("EVPriceRuleStack", max_occurs=1024)]


@complex_type(COMMON_MESSAGES)
class EVAbsolutePriceSchedule:
    """What the EV asks for the energy it feeds back."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    currency: Annotated[CurrencyType, Element("Currency")]
    price_algorithm: Annotated[IdentifierType, Element("PriceAlgorithm")]
    ev_price_rule_stacks: Annotated[EVPriceRuleStackList, Element("EVPriceRuleStacks")]
