"""What the messages of ISO 15118-20 share (namespace CommonTypes): header, response codes, metering, the charge loop.

Powers are in W, energies in Wh, currents in A, voltages in V. A point in time counts seconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import (
    Base64Binary,
    Bool,
    Byte,
    HexBinary,
    Integer,
    Short,
    String,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
)
from plugpass.exi.schema import Element, Namespace, Ref, complex_type, global_element
from plugpass.iso15118.messages.xmldsig import Signature, X509IssuerSerial

COMMON_TYPES = Namespace(uri="urn:iso:std:iso:15118:-20:CommonTypes", attributes_qualified=True)

# --- simple types ---------------------------------------------------------------------------------------------------


NumericIDType = Annotated[int, Integer(1, 2**32 - 1)]
SessionIDType = Annotated[bytes, HexBinary(min_length=8, max_length=8)]
PercentValue = Annotated[int, Integer(0, 100)]
IdentifierType = Annotated[str, String(max_length=255)]
NameType = Annotated[str, String(max_length=80)]
DescriptionType = Annotated[str, String(max_length=160)]
MeterIDType = Annotated[str, String(max_length=32)]
MeterSignatureType = Annotated[bytes, Base64Binary(max_length=64)]


class ResponseCode(StrEnum):
    """Outcome of a request: OK and WARNING let the session go on, FAILED ends it."""

    OK = "OK"
    OK_CERTIFICATE_EXPIRES_SOON = "OK_CertificateExpiresSoon"
    OK_NEW_SESSION_ESTABLISHED = "OK_NewSessionEstablished"
    OK_OLD_SESSION_JOINED = "OK_OldSessionJoined"
    OK_POWER_TOLERANCE_CONFIRMED = "OK_PowerToleranceConfirmed"
    WARNING_AUTHORIZATION_SELECTION_INVALID = "WARNING_AuthorizationSelectionInvalid"
    WARNING_CERTIFICATE_EXPIRED = "WARNING_CertificateExpired"
    WARNING_CERTIFICATE_NOT_YET_VALID = "WARNING_CertificateNotYetValid"
    WARNING_CERTIFICATE_REVOKED = "WARNING_CertificateRevoked"
    WARNING_CERTIFICATE_VALIDATION_ERROR = "WARNING_CertificateValidationError"
    WARNING_CHALLENGE_INVALID = "WARNING_ChallengeInvalid"
    WARNING_EIM_AUTHORIZATION_FAILURE = "WARNING_EIMAuthorizationFailure"
    WARNING_EMSP_UNKNOWN = "WARNING_eMSPUnknown"
    WARNING_EV_POWER_PROFILE_VIOLATION = "WARNING_EVPowerProfileViolation"
    WARNING_GENERAL_PNC_AUTHORIZATION_ERROR = "WARNING_GeneralPnCAuthorizationError"
    WARNING_NO_CERTIFICATE_AVAILABLE = "WARNING_NoCertificateAvailable"
    WARNING_NO_CONTRACT_MATCHING_PCID_FOUND = "WARNING_NoContractMatchingPCIDFound"
    WARNING_POWER_TOLERANCE_NOT_CONFIRMED = "WARNING_PowerToleranceNotConfirmed"
    WARNING_SCHEDULE_RENEGOTIATION_FAILED = "WARNING_ScheduleRenegotiationFailed"
    WARNING_STANDBY_NOT_ALLOWED = "WARNING_StandbyNotAllowed"
    WARNING_WPT = "WARNING_WPT"
    FAILED = "FAILED"
    FAILED_ASSOCIATION_ERROR = "FAILED_AssociationError"
    FAILED_CONTACTOR_ERROR = "FAILED_ContactorError"
    FAILED_EV_POWER_PROFILE_INVALID = "FAILED_EVPowerProfileInvalid"
    FAILED_EV_POWER_PROFILE_VIOLATION = "FAILED_EVPowerProfileViolation"
    FAILED_METERING_SIGNATURE_NOT_VALID = "FAILED_MeteringSignatureNotValid"
    FAILED_NO_ENERGY_TRANSFER_SERVICE_SELECTED = "FAILED_NoEnergyTransferServiceSelected"
    FAILED_NO_SERVICE_RENEGOTIATION_SUPPORTED = "FAILED_NoServiceRenegotiationSupported"
    FAILED_PAUSE_NOT_ALLOWED = "FAILED_PauseNotAllowed"
    FAILED_POWER_DELIVERY_NOT_APPLIED = "FAILED_PowerDeliveryNotApplied"
    FAILED_POWER_TOLERANCE_NOT_CONFIRMED = "FAILED_PowerToleranceNotConfirmed"
    FAILED_SCHEDULE_RENEGOTIATION = "FAILED_ScheduleRenegotiation"
    FAILED_SCHEDULE_SELECTION_INVALID = "FAILED_ScheduleSelectionInvalid"
    FAILED_SEQUENCE_ERROR = "FAILED_SequenceError"
    FAILED_SERVICE_ID_INVALID = "FAILED_ServiceIDInvalid"
    FAILED_SERVICE_SELECTION_INVALID = "FAILED_ServiceSelectionInvalid"
    FAILED_SIGNATURE_ERROR = "FAILED_SignatureError"
    FAILED_UNKNOWN_SESSION = "FAILED_UnknownSession"
    FAILED_WRONG_CHARGE_PARAMETER = "FAILED_WrongChargeParameter"


class Processing(StrEnum):
    """Whether the sender is done, or the EV shall ask again."""

    FINISHED = "Finished"
    ONGOING = "Ongoing"
    ONGOING_WAITING_FOR_CUSTOMER_INTERACTION = "Ongoing_WaitingForCustomerInteraction"


class EVSENotification(StrEnum):
    """What the EVSE asks the EV to do next."""

    PAUSE = "Pause"
    EXIT_STANDBY = "ExitStandby"
    TERMINATE = "Terminate"
    SCHEDULE_RENEGOTIATION = "ScheduleRenegotiation"
    SERVICE_RENEGOTIATION = "ServiceRenegotiation"
    METERING_CONFIRMATION = "MeteringConfirmation"


# --- numbers and certificates ---------------------------------------------------------------------------------------


@complex_type(COMMON_TYPES)
class RationalNumber:
    """A quantity: `value` * 10 ** `exponent`; its element tells the unit."""

    exponent: Annotated[Byte, Element("Exponent")]
    value: Annotated[Short, Element("Value")]


@complex_type(COMMON_TYPES)
class ListOfRootCertificateIDs:
    """1 to 20 root certificates that the EVCC holds, by issuer and serial number."""

    root_certificate_id: Annotated[tuple[X509IssuerSerial, ...], Element("RootCertificateID", max_occurs=20)]


# --- messages -------------------------------------------------------------------------------------------------------


@complex_type(COMMON_TYPES)
class MessageHeader:
    """`session_id` (8 octets; all zero in the first request), when it was sent, and a signature."""

    session_id: Annotated[SessionIDType, Element("SessionID")]
    time_stamp: Annotated[UnsignedLong, Element("TimeStamp")]
    signature: Annotated[Signature | None, Ref()] = None


@complex_type(COMMON_TYPES, abstract=True)
class V2GMessage:
    """Base of every message."""

    header: Annotated[MessageHeader, Element("Header")]


@complex_type(COMMON_TYPES, abstract=True)
class V2GRequest(V2GMessage):
    """Base of every request."""


@complex_type(COMMON_TYPES, abstract=True)
class V2GResponse(V2GMessage):
    """Base of every response."""

    response_code: Annotated[ResponseCode, Element("ResponseCode")]


@complex_type(COMMON_TYPES, abstract=True)
class ChargeParameterDiscoveryReq(V2GRequest):
    """Base of the requests that tell the EV's limits."""


@complex_type(COMMON_TYPES, abstract=True)
class ChargeParameterDiscoveryRes(V2GResponse):
    """Base of the responses that tell the EVSE's limits."""


# --- metering and cost ----------------------------------------------------------------------------------------------


@complex_type(COMMON_TYPES)
class MeterInfo:
    """A meter reading: energies in Wh, reactive ones in VARh."""

    meter_id: Annotated[MeterIDType, Element("MeterID")]
    charged_energy_reading_wh: Annotated[UnsignedLong, Element("ChargedEnergyReadingWh")]
    bpt_discharged_energy_reading_wh: Annotated[UnsignedLong | None, Element("BPT_DischargedEnergyReadingWh")] = None
    capacitive_energy_reading_varh: Annotated[UnsignedLong | None, Element("CapacitiveEnergyReadingVARh")] = None
    bpt_inductive_energy_reading_varh: Annotated[UnsignedLong | None, Element("BPT_InductiveEnergyReadingVARh")] = None
    meter_signature: Annotated[MeterSignatureType | None, Element("MeterSignature")] = None
    meter_status: Annotated[Short | None, Element("MeterStatus")] = None
    meter_timestamp: Annotated[UnsignedLong | None, Element("MeterTimestamp")] = None


@complex_type(COMMON_TYPES)
class DetailedCost:
    """What one kind of service has cost so far."""

    amount: Annotated[RationalNumber, Element("Amount")]
    cost_per_unit: Annotated[RationalNumber, Element("CostPerUnit")]


@complex_type(COMMON_TYPES)
class DetailedTax:
    """The tax under one rule of the price schedule."""

    tax_rule_id: Annotated[NumericIDType, Element("TaxRuleID")]
    amount: Annotated[RationalNumber, Element("Amount")]


@complex_type(COMMON_TYPES)
class Receipt:
    """The cost of the session so far, by kind, with up to 10 taxes."""

    time_anchor: Annotated[UnsignedLong, Element("TimeAnchor")]
    energy_costs: Annotated[DetailedCost | None, Element("EnergyCosts")] = None
    occupancy_costs: Annotated[DetailedCost | None, Element("OccupancyCosts")] = None
    additional_services_costs: Annotated[DetailedCost | None, Element("AdditionalServicesCosts")] = None
    overstay_costs: Annotated[DetailedCost | None, Element("OverstayCosts")] = None
    tax_costs: Annotated[tuple[DetailedTax, ...], Element("TaxCosts", max_occurs=10)] = ()


# --- charge loop ----------------------------------------------------------------------------------------------------


@complex_type(COMMON_TYPES)
class DisplayParameters:
    """What the EVSE may show: states of charge in percent, times to reach them in seconds."""

    present_soc: Annotated[PercentValue | None, Element("PresentSOC")] = None
    minimum_soc: Annotated[PercentValue | None, Element("MinimumSOC")] = None
    target_soc: Annotated[PercentValue | None, Element("TargetSOC")] = None
    maximum_soc: Annotated[PercentValue | None, Element("MaximumSOC")] = None
    remaining_time_to_minimum_soc: Annotated[UnsignedInt | None, Element("RemainingTimeToMinimumSOC")] = None
    remaining_time_to_target_soc: Annotated[UnsignedInt | None, Element("RemainingTimeToTargetSOC")] = None
    remaining_time_to_maximum_soc: Annotated[UnsignedInt | None, Element("RemainingTimeToMaximumSOC")] = None
    charging_complete: Annotated[Bool | None, Element("ChargingComplete")] = None
    battery_energy_capacity: Annotated[RationalNumber | None, Element("BatteryEnergyCapacity")] = None
    inlet_hot: Annotated[Bool | None, Element("InletHot")] = None


@complex_type(COMMON_TYPES)
class EVSEStatus:
    """What the EVSE asks for, within `notification_max_delay` seconds."""

    notification_max_delay: Annotated[UnsignedShort, Element("NotificationMaxDelay")]
    evse_notification: Annotated[EVSENotification, Element("EVSENotification")]


@complex_type(COMMON_TYPES, abstract=True)
class ChargeLoopReq(V2GRequest):
    """Base of the requests of the charge loop."""

    display_parameters: Annotated[DisplayParameters | None, Element("DisplayParameters")] = None
    meter_info_requested: Annotated[Bool, Element("MeterInfoRequested")]


@complex_type(COMMON_TYPES, abstract=True)
class ChargeLoopRes(V2GResponse):
    """Base of the responses of the charge loop."""

    evse_status: Annotated[EVSEStatus | None, Element("EVSEStatus")] = None
    meter_info: Annotated[MeterInfo | None, Element("MeterInfo")] = None
    receipt: Annotated[Receipt | None, Element("Receipt")] = None


@global_element(COMMON_TYPES, abstract=True)
class CLReqControlMode:
    """Head: the EV's values in the charge loop, by control mode."""


@global_element(COMMON_TYPES, abstract=True)
class CLResControlMode:
    """Head: the EVSE's values in the charge loop, by control mode."""


@complex_type(COMMON_TYPES, abstract=True)
class Scheduled_CLReqControlMode(CLReqControlMode):
    """The EV follows a schedule; energies it wants."""

    ev_target_energy_request: Annotated[RationalNumber | None, Element("EVTargetEnergyRequest")] = None
    ev_maximum_energy_request: Annotated[RationalNumber | None, Element("EVMaximumEnergyRequest")] = None
    ev_minimum_energy_request: Annotated[RationalNumber | None, Element("EVMinimumEnergyRequest")] = None


@complex_type(COMMON_TYPES, abstract=True)
class Scheduled_CLResControlMode(CLResControlMode):
    """The EV follows a schedule."""


@complex_type(COMMON_TYPES, abstract=True)
class Dynamic_CLReqControlMode(CLReqControlMode):
    """The EVSE sets the power; `departure_time` in seconds from the message's time stamp."""

    departure_time: Annotated[UnsignedInt | None, Element("DepartureTime")] = None
    ev_target_energy_request: Annotated[RationalNumber, Element("EVTargetEnergyRequest")]
    ev_maximum_energy_request: Annotated[RationalNumber, Element("EVMaximumEnergyRequest")]
    ev_minimum_energy_request: Annotated[RationalNumber, Element("EVMinimumEnergyRequest")]


@complex_type(COMMON_TYPES, abstract=True)
class Dynamic_CLResControlMode(CLResControlMode):
    """The EVSE sets the power; its own departure time and states of charge in percent.

    The EV acknowledges within `ack_max_delay` seconds.
    """

    departure_time: Annotated[UnsignedInt | None, Element("DepartureTime")] = None
    minimum_soc: Annotated[PercentValue | None, Element("MinimumSOC")] = None
    target_soc: Annotated[PercentValue | None, Element("TargetSOC")] = None
    ack_max_delay: Annotated[UnsignedShort | None, Element("AckMaxDelay")] = None
