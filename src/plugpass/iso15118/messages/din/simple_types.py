"""Simple types and enumerations of DIN SPEC 70121 (namespace MsgDataTypes), members in schema order."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Base64Binary, HexBinary, Integer, PlainString, Short, String, UnsignedShort

SessionIDType = Annotated[bytes, HexBinary(max_length=8)]
EVCCIDType = Annotated[bytes, HexBinary(max_length=8)]
EVSEIDType = Annotated[bytes, HexBinary(max_length=32)]
ContractIDType = Annotated[str, String(max_length=24)]
MeterIDType = Annotated[str, String(max_length=32)]
FaultMsgType = Annotated[str, String(max_length=64)]
ServiceNameType = Annotated[str, String(max_length=32)]
ServiceScopeType = Annotated[str, String(max_length=32)]
TariffDescriptionType = Annotated[str, String(max_length=32)]
RootCertificateIDType = Annotated[str, String(max_length=40)]
GenChallengeType = PlainString
ServiceIDType = UnsignedShort
SAIDType = Short
PMaxType = Short
MeterStatusType = Short
PercentValue = Annotated[int, Integer(0, 100)]
UnitMultiplier = Annotated[int, Integer(-3, 3)]
CertificateType = Annotated[bytes, Base64Binary(max_length=1200)]
DHParamsType = Annotated[bytes, Base64Binary(max_length=256)]
PrivateKeyType = Annotated[bytes, Base64Binary(max_length=128)]
SigMeterReadingType = Annotated[bytes, Base64Binary(max_length=32)]


class ResponseCode(StrEnum):
    """Outcome of a request."""

    OK = "OK"
    OK_NEW_SESSION_ESTABLISHED = "OK_NewSessionEstablished"
    OK_OLD_SESSION_JOINED = "OK_OldSessionJoined"
    OK_CERTIFICATE_EXPIRES_SOON = "OK_CertificateExpiresSoon"
    FAILED = "FAILED"
    FAILED_SEQUENCE_ERROR = "FAILED_SequenceError"
    FAILED_SERVICE_ID_INVALID = "FAILED_ServiceIDInvalid"
    FAILED_UNKNOWN_SESSION = "FAILED_UnknownSession"
    FAILED_SERVICE_SELECTION_INVALID = "FAILED_ServiceSelectionInvalid"
    FAILED_PAYMENT_SELECTION_INVALID = "FAILED_PaymentSelectionInvalid"
    FAILED_CERTIFICATE_EXPIRED = "FAILED_CertificateExpired"
    FAILED_SIGNATURE_ERROR = "FAILED_SignatureError"
    FAILED_NO_CERTIFICATE_AVAILABLE = "FAILED_NoCertificateAvailable"
    FAILED_CERT_CHAIN_ERROR = "FAILED_CertChainError"
    FAILED_CHALLENGE_INVALID = "FAILED_ChallengeInvalid"
    FAILED_CONTRACT_CANCELED = "FAILED_ContractCanceled"
    FAILED_WRONG_CHARGE_PARAMETER = "FAILED_WrongChargeParameter"
    FAILED_POWER_DELIVERY_NOT_APPLIED = "FAILED_PowerDeliveryNotApplied"
    FAILED_TARIFF_SELECTION_INVALID = "FAILED_TariffSelectionInvalid"
    FAILED_CHARGING_PROFILE_INVALID = "FAILED_ChargingProfileInvalid"
    FAILED_EVSE_PRESENT_VOLTAGE_TO_LOW = "FAILED_EVSEPresentVoltageToLow"
    FAILED_METERING_SIGNATURE_NOT_VALID = "FAILED_MeteringSignatureNotValid"
    FAILED_WRONG_ENERGY_TRANSFER_TYPE = "FAILED_WrongEnergyTransferType"


class FaultCode(StrEnum):
    """Reason of a header notification; the misspelling is the schema's."""

    PARSING_ERROR = "ParsingError"
    NO_TLS_ROOT_CERTIFICAT_AVAILABLE = "NoTLSRootCertificatAvailable"
    UNKNOWN_ERROR = "UnknownError"


class EVSEProcessing(StrEnum):
    """Whether the EVSE is done, or the EV shall ask again."""

    FINISHED = "Finished"
    ONGOING = "Ongoing"


class EVSENotification(StrEnum):
    """What the EVSE asks the EV to do next."""

    NONE = "None"
    STOP_CHARGING = "StopCharging"
    RE_NEGOTIATION = "ReNegotiation"


class ServiceCategory(StrEnum):
    """Kind of a service."""

    EV_CHARGING = "EVCharging"
    INTERNET = "Internet"
    CONTRACT_CERTIFICATE = "ContractCertificate"
    OTHER_CUSTOM = "OtherCustom"


class EVSESupportedEnergyTransfer(StrEnum):
    """What the EVSE can deliver: AC or DC, and over which connector pins."""

    AC_SINGLE_PHASE_CORE = "AC_single_phase_core"
    AC_THREE_PHASE_CORE = "AC_three_phase_core"
    DC_CORE = "DC_core"
    DC_EXTENDED = "DC_extended"
    DC_COMBO_CORE = "DC_combo_core"
    DC_DUAL = "DC_dual"
    AC_CORE1P_DC_EXTENDED = "AC_core1p_DC_extended"
    AC_SINGLE_DC_CORE = "AC_single_DC_core"
    AC_SINGLE_PHASE_THREE_PHASE_CORE_DC_EXTENDED = "AC_single_phase_three_phase_core_DC_extended"
    AC_CORE3P_DC_EXTENDED = "AC_core3p_DC_extended"


class EVRequestedEnergyTransfer(StrEnum):
    """What the EV wants: AC or DC, and over which connector pins."""

    AC_SINGLE_PHASE_CORE = "AC_single_phase_core"
    AC_THREE_PHASE_CORE = "AC_three_phase_core"
    DC_CORE = "DC_core"
    DC_EXTENDED = "DC_extended"
    DC_COMBO_CORE = "DC_combo_core"
    DC_UNIQUE = "DC_unique"


class PaymentOption(StrEnum):
    """Who identifies the customer: the contract certificate, or a means outside DIN SPEC 70121."""

    CONTRACT = "Contract"
    EXTERNAL_PAYMENT = "ExternalPayment"


class ValueType(StrEnum):
    """Which value a service parameter has."""

    BOOL = "bool"
    BYTE = "byte"
    SHORT = "short"
    INT = "int"
    PHYSICAL_VALUE = "physicalValue"
    STRING = "string"


class CostKind(StrEnum):
    """What a tariff cost counts."""

    RELATIVE_PRICE_PERCENTAGE = "relativePricePercentage"
    RENEWABLE_GENERATION_PERCENTAGE = "RenewableGenerationPercentage"
    CARBON_DIOXIDE_EMISSION = "CarbonDioxideEmission"


class UnitSymbol(StrEnum):
    """Unit of a physical value: times, ampere, ampere hours, volt, volt-ampere, watt, watt per second, watt hours."""

    H = "h"
    M = "m"
    S = "s"
    A = "A"
    AH = "Ah"
    V = "V"
    VA = "VA"
    W = "W"
    W_PER_S = "W/s"
    WH = "Wh"


class DC_EVSEStatusCode(StrEnum):
    """State of a DC EVSE."""

    EVSE_NOT_READY = "EVSE_NotReady"
    EVSE_READY = "EVSE_Ready"
    EVSE_SHUTDOWN = "EVSE_Shutdown"
    EVSE_UTILITY_INTERRUPT_EVENT = "EVSE_UtilityInterruptEvent"
    EVSE_ISOLATION_MONITORING_ACTIVE = "EVSE_IsolationMonitoringActive"
    EVSE_EMERGENCY_SHUTDOWN = "EVSE_EmergencyShutdown"
    EVSE_MALFUNCTION = "EVSE_Malfunction"
    RESERVED_8 = "Reserved_8"
    RESERVED_9 = "Reserved_9"
    RESERVED_A = "Reserved_A"
    RESERVED_B = "Reserved_B"
    RESERVED_C = "Reserved_C"


class IsolationLevel(StrEnum):
    """Result of the isolation monitoring."""

    INVALID = "Invalid"
    VALID = "Valid"
    WARNING = "Warning"
    FAULT = "Fault"


class DC_EVErrorCode(StrEnum):
    """Error state of the EV in a DC session."""

    NO_ERROR = "NO_ERROR"
    FAILED_RESS_TEMPERATURE_INHIBIT = "FAILED_RESSTemperatureInhibit"
    FAILED_EV_SHIFT_POSITION = "FAILED_EVShiftPosition"
    FAILED_CHARGER_CONNECTOR_LOCK_FAULT = "FAILED_ChargerConnectorLockFault"
    FAILED_EV_RESS_MALFUNCTION = "FAILED_EVRESSMalfunction"
    FAILED_CHARGING_CURRENT_DIFFERENTIAL = "FAILED_ChargingCurrentdifferential"
    FAILED_CHARGING_VOLTAGE_OUT_OF_RANGE = "FAILED_ChargingVoltageOutOfRange"
    RESERVED_A = "Reserved_A"
    RESERVED_B = "Reserved_B"
    RESERVED_C = "Reserved_C"
    FAILED_CHARGING_SYSTEM_INCOMPATIBILITY = "FAILED_ChargingSystemIncompatibility"
    NO_DATA = "NoData"
