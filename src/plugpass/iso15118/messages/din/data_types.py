"""Complex types of DIN SPEC 70121 (namespace MsgDataTypes)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import IDREF, Bool, Byte, Int, Long, PlainString, Short, UnsignedByte, UnsignedInt
from plugpass.exi.schema import Attribute, Choice, Element, Namespace, Ref, complex_type, global_element
from plugpass.iso15118.messages.din.simple_types import (
    CertificateType,
    CostKind,
    DC_EVErrorCode,
    DC_EVSEStatusCode,
    EVSENotification,
    EVSESupportedEnergyTransfer,
    FaultCode,
    FaultMsgType,
    IsolationLevel,
    MeterIDType,
    MeterStatusType,
    PaymentOption,
    PercentValue,
    PMaxType,
    RootCertificateIDType,
    SAIDType,
    ServiceCategory,
    ServiceIDType,
    ServiceNameType,
    ServiceScopeType,
    SigMeterReadingType,
    TariffDescriptionType,
    UnitMultiplier,
    UnitSymbol,
    ValueType,
)

DATA_TYPES = Namespace(uri="urn:din:70121:2012:MsgDataTypes")


@complex_type(DATA_TYPES)
class PhysicalValue:
    """A quantity: `value` * 10 ** `multiplier` in `unit`, or in the unit its element implies."""

    multiplier: Annotated[UnitMultiplier, Element("Multiplier")]
    unit: Annotated[UnitSymbol | None, Element("Unit")] = None
    value: Annotated[Short, Element("Value")]


@complex_type(DATA_TYPES)
class Notification:
    """A fault notice in the message header."""

    fault_code: Annotated[FaultCode, Element("FaultCode")]
    fault_msg: Annotated[FaultMsgType | None, Element("FaultMsg")] = None


# --- services -------------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class ServiceTag:
    """What a service is."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    service_name: Annotated[ServiceNameType | None, Element("ServiceName")] = None
    service_category: Annotated[ServiceCategory, Element("ServiceCategory")]
    service_scope: Annotated[ServiceScopeType | None, Element("ServiceScope")] = None


@complex_type(DATA_TYPES)
class Service:
    """An offered service."""

    service_tag: Annotated[ServiceTag, Element("ServiceTag")]
    free_service: Annotated[Bool, Element("FreeService")]


@complex_type(DATA_TYPES)
class ServiceTagList:
    """Offered services, at least one."""

    service: Annotated[tuple[Service, ...], Element("Service")]


@global_element(DATA_TYPES)
class ServiceCharge(Service):
    """The charging service, with the energy transfer type of the EVSE."""

    energy_transfer_type: Annotated[EVSESupportedEnergyTransfer, Element("EnergyTransferType")]


@complex_type(DATA_TYPES)
class SelectedService:
    """A service the EV takes."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    parameter_set_id: Annotated[Short | None, Element("ParameterSetID")] = None


@complex_type(DATA_TYPES)
class SelectedServiceList:
    """Services the EV takes, at least one."""

    selected_service: Annotated[tuple[SelectedService, ...], Element("SelectedService")]


@complex_type(
    DATA_TYPES, content=Choice("bool_value", "byte_value", "short_value", "int_value", "physical_value", "string_value")
)
class Parameter:
    """A named service parameter with exactly one value, of the kind that `value_type` says."""

    name: Annotated[PlainString, Attribute("Name")]
    value_type: Annotated[ValueType, Attribute("ValueType")]
    bool_value: Annotated[Bool | None, Element("boolValue")] = None
    byte_value: Annotated[Byte | None, Element("byteValue")] = None
    short_value: Annotated[Short | None, Element("shortValue")] = None
    int_value: Annotated[Int | None, Element("intValue")] = None
    physical_value: Annotated[PhysicalValue | None, Element("physicalValue")] = None
    string_value: Annotated[PlainString | None, Element("stringValue")] = None


@complex_type(DATA_TYPES)
class ParameterSet:
    """Parameters that are chosen together, at least one."""

    parameter_set_id: Annotated[Short, Element("ParameterSetID")]
    parameter: Annotated[tuple[Parameter, ...], Element("Parameter")]


@complex_type(DATA_TYPES)
class ServiceParameterList:
    """Parameter sets, at least one."""

    parameter_set: Annotated[tuple[ParameterSet, ...], Element("ParameterSet")]


@complex_type(DATA_TYPES)
class PaymentOptions:
    """Payment options, at least one."""

    payment_option: Annotated[tuple[PaymentOption, ...], Element("PaymentOption")]


# --- certificates ---------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class SubCertificates:
    """Sub-CA certificates (DER), at least one."""

    certificate: Annotated[tuple[CertificateType, ...], Element("Certificate")]


@complex_type(DATA_TYPES)
class CertificateChain:
    """A leaf certificate (DER) and its sub-CAs."""

    certificate: Annotated[CertificateType, Element("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, Element("SubCertificates")] = None


@complex_type(DATA_TYPES)
class ListOfRootCertificateIDs:
    """Root certificates that the EVCC holds, at least one."""

    root_certificate_id: Annotated[tuple[RootCertificateIDType, ...], Element("RootCertificateID")]


# --- metering -------------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class MeterInfo:
    """A meter reading; `t_meter` in seconds since 1970-01-01 UTC."""

    meter_id: Annotated[MeterIDType, Element("MeterID")]
    meter_reading: Annotated[PhysicalValue | None, Element("MeterReading")] = None
    sig_meter_reading: Annotated[SigMeterReadingType | None, Element("SigMeterReading")] = None
    meter_status: Annotated[MeterStatusType | None, Element("MeterStatus")] = None
    t_meter: Annotated[Long | None, Element("TMeter")] = None


# --- schedules and tariffs ------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class TimeInterval:
    """Head: when an entry applies."""


@global_element(DATA_TYPES)
class RelativeTimeInterval(TimeInterval):
    """`start` seconds from now, for `duration` seconds (until the next entry if None)."""

    start: Annotated[UnsignedInt, Element("start")]
    duration: Annotated[UnsignedInt | None, Element("duration")] = None


@global_element(DATA_TYPES, abstract=True)
class Entry:
    """Head: an entry of a schedule or tariff."""

    time_interval: Annotated[TimeInterval, Ref()]


@global_element(DATA_TYPES)
class PMaxScheduleEntry(Entry):
    """The power limit in an interval, in W."""

    p_max: Annotated[PMaxType, Element("PMax")]


@complex_type(DATA_TYPES)
class PMaxSchedule:
    """Power limits, at least one."""

    p_max_schedule_id: Annotated[SAIDType, Element("PMaxScheduleID")]
    p_max_schedule_entry: Annotated[tuple[PMaxScheduleEntry, ...], Ref()]


@complex_type(DATA_TYPES)
class Cost:
    """A cost of `amount` * 10 ** `amount_multiplier`."""

    cost_kind: Annotated[CostKind, Element("costKind")]
    amount: Annotated[UnsignedInt, Element("amount")]
    amount_multiplier: Annotated[UnitMultiplier | None, Element("amountMultiplier")] = None


@complex_type(DATA_TYPES)
class ConsumptionCost:
    """Costs that apply from a power of `start_value` on."""

    start_value: Annotated[UnsignedInt, Element("startValue")]
    cost: Annotated[tuple[Cost, ...], Element("Cost")] = ()


@global_element(DATA_TYPES)
class SalesTariffEntry(Entry):
    """The price level and costs in an interval."""

    e_price_level: Annotated[UnsignedByte, Element("EPriceLevel")]
    consumption_cost: Annotated[tuple[ConsumptionCost, ...], Element("ConsumptionCost")] = ()


@complex_type(DATA_TYPES)
class SalesTariff:
    """A tariff of at least one entry; `id` where a signature refers to it."""

    id: Annotated[IDREF, Attribute("Id")]
    sales_tariff_id: Annotated[SAIDType, Element("SalesTariffID")]
    sales_tariff_description: Annotated[TariffDescriptionType | None, Element("SalesTariffDescription")] = None
    num_e_price_levels: Annotated[UnsignedByte, Element("NumEPriceLevels")]
    sales_tariff_entry: Annotated[tuple[SalesTariffEntry, ...], Ref()]


@complex_type(DATA_TYPES)
class SAScheduleTuple:
    """A power schedule the EV may choose, with its tariff."""

    sa_schedule_tuple_id: Annotated[SAIDType, Element("SAScheduleTupleID")]
    p_max_schedule: Annotated[PMaxSchedule, Element("PMaxSchedule")]
    sales_tariff: Annotated[SalesTariff | None, Element("SalesTariff")] = None


@global_element(DATA_TYPES, abstract=True)
class SASchedules:
    """Head: the schedules offered."""


@global_element(DATA_TYPES)
class SAScheduleList(SASchedules):
    """Schedules offered, at least one."""

    sa_schedule_tuple: Annotated[tuple[SAScheduleTuple, ...], Element("SAScheduleTuple")]


@complex_type(DATA_TYPES)
class ProfileEntry:
    """The EV's power limit in W from `charging_profile_entry_start` (seconds from now) on."""

    charging_profile_entry_start: Annotated[UnsignedInt, Element("ChargingProfileEntryStart")]
    charging_profile_entry_max_power: Annotated[PMaxType, Element("ChargingProfileEntryMaxPower")]


@complex_type(DATA_TYPES)
class ChargingProfile:
    """The power limits the EV will keep, under the schedule it chose."""

    sa_schedule_tuple_id: Annotated[SAIDType, Element("SAScheduleTupleID")]
    profile_entry: Annotated[tuple[ProfileEntry, ...], Element("ProfileEntry")]


# --- status ---------------------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class EVSEStatus:
    """Head: the EVSE's status."""


@global_element(DATA_TYPES)
class AC_EVSEStatus(EVSEStatus):
    """Status of an AC EVSE; `rcd` is true when the residual current device has tripped. The delay is in seconds."""

    power_switch_closed: Annotated[Bool, Element("PowerSwitchClosed")]
    rcd: Annotated[Bool, Element("RCD")]
    notification_max_delay: Annotated[UnsignedInt, Element("NotificationMaxDelay")]
    evse_notification: Annotated[EVSENotification, Element("EVSENotification")]


@global_element(DATA_TYPES)
class DC_EVSEStatus(EVSEStatus):
    """Status of a DC EVSE. The delay is in seconds."""

    evse_isolation_status: Annotated[IsolationLevel | None, Element("EVSEIsolationStatus")] = None
    evse_status_code: Annotated[DC_EVSEStatusCode, Element("EVSEStatusCode")]
    notification_max_delay: Annotated[UnsignedInt, Element("NotificationMaxDelay")]
    evse_notification: Annotated[EVSENotification, Element("EVSENotification")]


@global_element(DATA_TYPES, abstract=True)
class EVStatus:
    """Head: the EV's status."""


@global_element(DATA_TYPES)
class DC_EVStatus(EVStatus):
    """Status of an EV in a DC session; `ev_ress_soc` is the state of charge in percent."""

    ev_ready: Annotated[Bool, Element("EVReady")]
    ev_cabin_conditioning: Annotated[Bool | None, Element("EVCabinConditioning")] = None
    ev_ress_conditioning: Annotated[Bool | None, Element("EVRESSConditioning")] = None
    ev_error_code: Annotated[DC_EVErrorCode, Element("EVErrorCode")]
    ev_ress_soc: Annotated[PercentValue, Element("EVRESSSOC")]


# --- charge parameters ----------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class EVChargeParameter:
    """Head: what the EV needs."""


@global_element(DATA_TYPES)
class AC_EVChargeParameter(EVChargeParameter):
    """Energy wanted and limits of an EV in an AC session; `departure_time` in seconds from now."""

    departure_time: Annotated[UnsignedInt, Element("DepartureTime")]
    e_amount: Annotated[PhysicalValue, Element("EAmount")]
    ev_max_voltage: Annotated[PhysicalValue, Element("EVMaxVoltage")]
    ev_max_current: Annotated[PhysicalValue, Element("EVMaxCurrent")]
    ev_min_current: Annotated[PhysicalValue, Element("EVMinCurrent")]


@global_element(DATA_TYPES)
class DC_EVChargeParameter(EVChargeParameter):
    """Energy wanted and limits of an EV in a DC session; SOC values in percent."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]
    ev_maximum_current_limit: Annotated[PhysicalValue, Element("EVMaximumCurrentLimit")]
    ev_maximum_power_limit: Annotated[PhysicalValue | None, Element("EVMaximumPowerLimit")] = None
    ev_maximum_voltage_limit: Annotated[PhysicalValue, Element("EVMaximumVoltageLimit")]
    ev_energy_capacity: Annotated[PhysicalValue | None, Element("EVEnergyCapacity")] = None
    ev_energy_request: Annotated[PhysicalValue | None, Element("EVEnergyRequest")] = None
    full_soc: Annotated[PercentValue | None, Element("FullSOC")] = None
    bulk_soc: Annotated[PercentValue | None, Element("BulkSOC")] = None


@global_element(DATA_TYPES, abstract=True)
class EVSEChargeParameter:
    """Head: what the EVSE can deliver."""


@global_element(DATA_TYPES)
class AC_EVSEChargeParameter(EVSEChargeParameter):
    """Status and limits of an AC EVSE."""

    ac_evse_status: Annotated[AC_EVSEStatus, Element("AC_EVSEStatus")]
    evse_max_voltage: Annotated[PhysicalValue, Element("EVSEMaxVoltage")]
    evse_max_current: Annotated[PhysicalValue, Element("EVSEMaxCurrent")]
    evse_min_current: Annotated[PhysicalValue, Element("EVSEMinCurrent")]


@global_element(DATA_TYPES)
class DC_EVSEChargeParameter(EVSEChargeParameter):
    """Status and limits of a DC EVSE."""

    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_maximum_current_limit: Annotated[PhysicalValue, Element("EVSEMaximumCurrentLimit")]
    evse_maximum_power_limit: Annotated[PhysicalValue | None, Element("EVSEMaximumPowerLimit")] = None
    evse_maximum_voltage_limit: Annotated[PhysicalValue, Element("EVSEMaximumVoltageLimit")]
    evse_minimum_current_limit: Annotated[PhysicalValue, Element("EVSEMinimumCurrentLimit")]
    evse_minimum_voltage_limit: Annotated[PhysicalValue, Element("EVSEMinimumVoltageLimit")]
    evse_current_regulation_tolerance: Annotated[PhysicalValue | None, Element("EVSECurrentRegulationTolerance")] = None
    evse_peak_current_ripple: Annotated[PhysicalValue, Element("EVSEPeakCurrentRipple")]
    evse_energy_to_be_delivered: Annotated[PhysicalValue | None, Element("EVSEEnergyToBeDelivered")] = None


@global_element(DATA_TYPES, abstract=True)
class EVPowerDeliveryParameter:
    """Head: what the EV adds to a power delivery request."""


@global_element(DATA_TYPES)
class DC_EVPowerDeliveryParameter(EVPowerDeliveryParameter):
    """What an EV in a DC session adds to a power delivery request."""

    dc_ev_status: Annotated[DC_EVStatus, Element("DC_EVStatus")]
    bulk_charging_complete: Annotated[Bool | None, Element("BulkChargingComplete")] = None
    charging_complete: Annotated[Bool, Element("ChargingComplete")]
