"""Complex types of ISO 15118-2 (namespace MsgDataTypes)."""

from __future__ import annotations

from typing import Annotated

from plugpass.exi.datatypes import (
    ID,
    Bool,
    Byte,
    Int,
    Long,
    PlainString,
    Short,
    UnsignedByte,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
)
from plugpass.exi.schema import Attribute, Choice, Element, Namespace, Ref, Text, complex_type, global_element
from plugpass.iso15118.messages.iso2.simple_types import (
    CertificateType,
    CostKind,
    DC_EVErrorCode,
    DC_EVSEStatusCode,
    DHPublicKeyType,
    EMAIDText,
    EnergyTransferMode,
    EVSENotification,
    FaultCode,
    FaultMsgType,
    IntervalDuration,
    IntervalStart,
    IsolationLevel,
    MaxNumPhases,
    MeterIDType,
    PaymentOption,
    PercentValue,
    PrivateKeyType,
    SAIDType,
    ServiceCategory,
    ServiceIDType,
    ServiceNameType,
    ServiceScopeType,
    SigMeterReadingType,
    TariffDescriptionType,
    UnitMultiplier,
    UnitSymbol,
)
from plugpass.iso15118.messages.xmldsig import X509IssuerSerial

DATA_TYPES = Namespace(uri="urn:iso:15118:2:2013:MsgDataTypes", attributes_qualified=True)


@complex_type(DATA_TYPES)
class PhysicalValue:
    """A quantity: `value` * 10 ** `multiplier` in `unit`."""

    multiplier: Annotated[UnitMultiplier, Element("Multiplier")]
    unit: Annotated[UnitSymbol, Element("Unit")]
    value: Annotated[Short, Element("Value")]


@complex_type(DATA_TYPES)
class Notification:
    """A fault notice in the message header."""

    fault_code: Annotated[FaultCode, Element("FaultCode")]
    fault_msg: Annotated[FaultMsgType | None, Element("FaultMsg")] = None


# --- services -------------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class Service:
    """An offered value-added service."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    service_name: Annotated[ServiceNameType | None, Element("ServiceName")] = None
    service_category: Annotated[ServiceCategory, Element("ServiceCategory")]
    service_scope: Annotated[ServiceScopeType | None, Element("ServiceScope")] = None
    free_service: Annotated[Bool, Element("FreeService")]


@complex_type(DATA_TYPES)
class ServiceList:
    """1 to 8 offered services."""

    service: Annotated[tuple[Service, ...], Element("Service", max_occurs=8)]


@complex_type(DATA_TYPES)
class SupportedEnergyTransferMode:
    """1 to 6 energy transfer modes."""

    energy_transfer_mode: Annotated[tuple[EnergyTransferMode, ...], Element("EnergyTransferMode", max_occurs=6)]


@complex_type(DATA_TYPES)
class ChargeService(Service):
    """The charging service, with the energy transfer modes of the EVSE."""

    supported_energy_transfer_mode: Annotated[SupportedEnergyTransferMode, Element("SupportedEnergyTransferMode")]


@complex_type(DATA_TYPES)
class SelectedService:
    """A service the EV takes."""

    service_id: Annotated[ServiceIDType, Element("ServiceID")]
    parameter_set_id: Annotated[Short | None, Element("ParameterSetID")] = None


@complex_type(DATA_TYPES)
class SelectedServiceList:
    """1 to 16 services the EV takes."""

    selected_service: Annotated[tuple[SelectedService, ...], Element("SelectedService", max_occurs=16)]


@complex_type(
    DATA_TYPES,
    content=Choice("bool_value", "byte_value", "short_value", "int_value", "physical_value", "string_value"),
)
class Parameter:
    """A named service parameter with exactly one value."""

    name: Annotated[PlainString, Attribute("Name")]
    bool_value: Annotated[Bool | None, Element("boolValue")] = None
    byte_value: Annotated[Byte | None, Element("byteValue")] = None
    short_value: Annotated[Short | None, Element("shortValue")] = None
    int_value: Annotated[Int | None, Element("intValue")] = None
    physical_value: Annotated[PhysicalValue | None, Element("physicalValue")] = None
    string_value: Annotated[PlainString | None, Element("stringValue")] = None


@complex_type(DATA_TYPES)
class ParameterSet:
    """1 to 16 parameters that are chosen together."""

    parameter_set_id: Annotated[Short, Element("ParameterSetID")]
    parameter: Annotated[tuple[Parameter, ...], Element("Parameter", max_occurs=16)]


@complex_type(DATA_TYPES)
class ServiceParameterList:
    """1 to 255 parameter sets."""

    parameter_set: Annotated[tuple[ParameterSet, ...], Element("ParameterSet", max_occurs=255)]


@complex_type(DATA_TYPES)
class PaymentOptionList:
    """1 or 2 payment options."""

    payment_option: Annotated[tuple[PaymentOption, ...], Element("PaymentOption", max_occurs=2)]


# --- certificates ---------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class SubCertificates:
    """1 to 4 sub-CA certificates (DER), the issuer of the leaf first."""

    certificate: Annotated[tuple[CertificateType, ...], Element("Certificate", max_occurs=4)]


@complex_type(DATA_TYPES, fragment_name="ContractSignatureCertChain")
class CertificateChain:
    """A leaf certificate (DER) and its sub-CAs, without the root. `id` where a signature refers to it.

    As a fragment it is the element ContractSignatureCertChain, the only chain that is ever signed.
    """

    id: Annotated[ID | None, Attribute("Id")] = None
    certificate: Annotated[CertificateType, Element("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, Element("SubCertificates")] = None


@complex_type(DATA_TYPES)
class ContractSignatureEncryptedPrivateKey:
    """The contract's private key, sealed: initialisation vector (16 octets) and ciphertext (32)."""

    id: Annotated[ID, Attribute("Id")]
    value: Annotated[PrivateKeyType, Text()]


@complex_type(DATA_TYPES)
class DHPublicKey:
    """The sender's ephemeral ECDH public key, an uncompressed point of 65 octets."""

    id: Annotated[ID, Attribute("Id")]
    value: Annotated[DHPublicKeyType, Text()]


@complex_type(DATA_TYPES)
class EMAID:
    """The contract's identifier, 14 or 15 characters, as a signed element."""

    id: Annotated[ID, Attribute("Id")]
    value: Annotated[EMAIDText, Text()]


@complex_type(DATA_TYPES)
class ListOfRootCertificateIDs:
    """1 to 20 root certificates that the EVCC holds, by issuer and serial number."""

    root_certificate_id: Annotated[tuple[X509IssuerSerial, ...], Element("RootCertificateID", max_occurs=20)]


# --- metering -------------------------------------------------------------------------------------------------------


@complex_type(DATA_TYPES)
class MeterInfo:
    """A meter reading: `meter_reading` in Wh, `t_meter` in seconds since 1970-01-01 UTC."""

    meter_id: Annotated[MeterIDType, Element("MeterID")]
    meter_reading: Annotated[UnsignedLong | None, Element("MeterReading")] = None
    sig_meter_reading: Annotated[SigMeterReadingType | None, Element("SigMeterReading")] = None
    meter_status: Annotated[Short | None, Element("MeterStatus")] = None
    t_meter: Annotated[Long | None, Element("TMeter")] = None


# --- schedules and tariffs ------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class TimeInterval:
    """Head: when an entry applies."""


@global_element(DATA_TYPES)
class RelativeTimeInterval(TimeInterval):
    """`start` seconds from now, for `duration` seconds (until the next entry if None)."""

    start: Annotated[IntervalStart, Element("start")]
    duration: Annotated[IntervalDuration | None, Element("duration")] = None


@global_element(DATA_TYPES, abstract=True)
class Entry:
    """Head: an entry of a schedule or tariff."""

    time_interval: Annotated[TimeInterval, Ref()]


@global_element(DATA_TYPES)
class PMaxScheduleEntry(Entry):
    """The power limit in an interval."""

    p_max: Annotated[PhysicalValue, Element("PMax")]


@complex_type(DATA_TYPES)
class PMaxSchedule:
    """1 to 1024 power limits."""

    p_max_schedule_entry: Annotated[tuple[PMaxScheduleEntry, ...], Ref(max_occurs=1024)]


@complex_type(DATA_TYPES)
class Cost:
    """A cost of `amount` * 10 ** `amount_multiplier`."""

    cost_kind: Annotated[CostKind, Element("costKind")]
    amount: Annotated[UnsignedInt, Element("amount")]
    amount_multiplier: Annotated[UnitMultiplier | None, Element("amountMultiplier")] = None


@complex_type(DATA_TYPES)
class ConsumptionCost:
    """1 to 3 costs that apply from a power of `start_value` on."""

    start_value: Annotated[PhysicalValue, Element("startValue")]
    cost: Annotated[tuple[Cost, ...], Element("Cost", max_occurs=3)]


@global_element(DATA_TYPES)
class SalesTariffEntry(Entry):
    """The price level and costs in an interval."""

    e_price_level: Annotated[UnsignedByte | None, Element("EPriceLevel")] = None
    consumption_cost: Annotated[tuple[ConsumptionCost, ...], Element("ConsumptionCost", max_occurs=3)] = ()


@complex_type(DATA_TYPES)
class SalesTariff:
    """A tariff of 1 to 1024 entries; `id` where a signature refers to it."""

    id: Annotated[ID | None, Attribute("Id")] = None
    sales_tariff_id: Annotated[SAIDType, Element("SalesTariffID")]
    sales_tariff_description: Annotated[TariffDescriptionType | None, Element("SalesTariffDescription")] = None
    num_e_price_levels: Annotated[UnsignedByte | None, Element("NumEPriceLevels")] = None
    sales_tariff_entry: Annotated[tuple[SalesTariffEntry, ...], Ref(max_occurs=1024)]


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
    """1 to 3 schedules offered."""

    sa_schedule_tuple: Annotated[tuple[SAScheduleTuple, ...], Element("SAScheduleTuple", max_occurs=3)]


@complex_type(DATA_TYPES)
class ProfileEntry:
    """The EV's power limit from `charging_profile_entry_start` (seconds from now) on."""

    charging_profile_entry_start: Annotated[UnsignedInt, Element("ChargingProfileEntryStart")]
    charging_profile_entry_max_power: Annotated[PhysicalValue, Element("ChargingProfileEntryMaxPower")]
    charging_profile_entry_max_number_of_phases_in_use: Annotated[
        MaxNumPhases | None, Element("ChargingProfileEntryMaxNumberOfPhasesInUse")
    ] = None


@complex_type(DATA_TYPES)
class ChargingProfile:
    """1 to 24 power limits the EV will keep."""

    profile_entry: Annotated[tuple[ProfileEntry, ...], Element("ProfileEntry", max_occurs=24)]


# --- status ---------------------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class EVSEStatus:
    """Head: what the EVSE asks for, within `notification_max_delay` seconds."""

    notification_max_delay: Annotated[UnsignedShort, Element("NotificationMaxDelay")]
    evse_notification: Annotated[EVSENotification, Element("EVSENotification")]


@global_element(DATA_TYPES)
class AC_EVSEStatus(EVSEStatus):
    """Status of an AC EVSE; `rcd` is true when the residual current device has tripped."""

    rcd: Annotated[Bool, Element("RCD")]


@global_element(DATA_TYPES)
class DC_EVSEStatus(EVSEStatus):
    """Status of a DC EVSE."""

    evse_isolation_status: Annotated[IsolationLevel | None, Element("EVSEIsolationStatus")] = None
    evse_status_code: Annotated[DC_EVSEStatusCode, Element("EVSEStatusCode")]


@global_element(DATA_TYPES, abstract=True)
class EVStatus:
    """Head: the EV's status."""


@global_element(DATA_TYPES)
class DC_EVStatus(EVStatus):
    """Status of an EV in a DC session; `ev_ress_soc` is the state of charge in percent."""

    ev_ready: Annotated[Bool, Element("EVReady")]
    ev_error_code: Annotated[DC_EVErrorCode, Element("EVErrorCode")]
    ev_ress_soc: Annotated[PercentValue, Element("EVRESSSOC")]


# --- charge parameters ----------------------------------------------------------------------------------------------


@global_element(DATA_TYPES, abstract=True)
class EVChargeParameter:
    """Head: what the EV needs; `departure_time` in seconds from now."""

    departure_time: Annotated[UnsignedInt | None, Element("DepartureTime")] = None


@global_element(DATA_TYPES)
class AC_EVChargeParameter(EVChargeParameter):
    """Energy wanted and limits of an EV in an AC session."""

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
    evse_nominal_voltage: Annotated[PhysicalValue, Element("EVSENominalVoltage")]
    evse_max_current: Annotated[PhysicalValue, Element("EVSEMaxCurrent")]


@global_element(DATA_TYPES)
class DC_EVSEChargeParameter(EVSEChargeParameter):
    """Status and limits of a DC EVSE."""

    dc_evse_status: Annotated[DC_EVSEStatus, Element("DC_EVSEStatus")]
    evse_maximum_current_limit: Annotated[PhysicalValue, Element("EVSEMaximumCurrentLimit")]
    evse_maximum_power_limit: Annotated[PhysicalValue, Element("EVSEMaximumPowerLimit")]
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
