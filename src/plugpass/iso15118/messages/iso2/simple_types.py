"""Simple types and enumerations of ISO 15118-2 (namespace MsgDataTypes), members in schema order."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Base64Binary, HexBinary, Integer, String

SessionIDType = Annotated[bytes, HexBinary(max_length=8)]
EVCCIDType = Annotated[bytes, HexBinary(max_length=6)]
EVSEIDType = Annotated[str, String(min_length=7, max_length=37)]
EMAIDText = Annotated[str, String(min_length=14, max_length=15)]
MeterIDType = Annotated[str, String(max_length=32)]
FaultMsgType = Annotated[str, String(max_length=64)]
ServiceNameType = Annotated[str, String(max_length=32)]
ServiceScopeType = Annotated[str, String(max_length=64)]
TariffDescriptionType = Annotated[str, String(max_length=32)]

ServiceIDType = Annotated[int, Integer(0, 65535)]
SAIDType = Annotated[int, Integer(1, 255)]
PercentValue = Annotated[int, Integer(0, 100)]
MaxNumPhases = Annotated[int, Integer(1, 3)]
UnitMultiplier = Annotated[int, Integer(-3, 3)]
IntervalStart = Annotated[int, Integer(0, 16777214)]
IntervalDuration = Annotated[int, Integer(0, 86400)]

GenChallengeType = Annotated[bytes, Base64Binary(min_length=16, max_length=16)]
CertificateType = Annotated[bytes, Base64Binary(max_length=800)]
DHPublicKeyType = Annotated[bytes, Base64Binary(max_length=65)]
PrivateKeyType = Annotated[bytes, Base64Binary(max_length=48)]
SigMeterReadingType = Annotated[bytes, Base64Binary(max_length=64)]


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
    FAILED_METERING_SIGNATURE_NOT_VALID = "FAILED_MeteringSignatureNotValid"
    FAILED_NO_CHARGE_SERVICE_SELECTED = "FAILED_NoChargeServiceSelected"
    FAILED_WRONG_ENERGY_TRANSFER_MODE = "FAILED_WrongEnergyTransferMode"
    FAILED_CONTACTOR_ERROR = "FAILED_ContactorError"
    FAILED_CERTIFICATE_NOT_ALLOWED_AT_THIS_EVSE = "FAILED_CertificateNotAllowedAtThisEVSE"
    FAILED_CERTIFICATE_REVOKED = "FAILED_CertificateRevoked"


class FaultCode(StrEnum):
    """Reason of a header notification; the misspelling is the schema's."""

    PARSING_ERROR = "ParsingError"
    NO_TLS_ROOT_CERTIFICAT_AVAILABLE = "NoTLSRootCertificatAvailable"
    UNKNOWN_ERROR = "UnknownError"


class EVSEProcessing(StrEnum):
    """Whether the EVSE is done, or the EV shall ask again."""

    FINISHED = "Finished"
    ONGOING = "Ongoing"
    ONGOING_WAITING_FOR_CUSTOMER_INTERACTION = "Ongoing_WaitingForCustomerInteraction"


class EVSENotification(StrEnum):
    """What the EVSE asks the EV to do next."""

    NONE = "None"
    STOP_CHARGING = "StopCharging"
    RE_NEGOTIATION = "ReNegotiation"


class ChargeProgress(StrEnum):
    """What a PowerDeliveryReq asks for."""

    START = "Start"
    STOP = "Stop"
    RENEGOTIATE = "Renegotiate"


class ChargingSession(StrEnum):
    """Whether a session ends or pauses."""

    TERMINATE = "Terminate"
    PAUSE = "Pause"


class ServiceCategory(StrEnum):
    """Kind of a service."""

    EV_CHARGING = "EVCharging"
    INTERNET = "Internet"
    CONTRACT_CERTIFICATE = "ContractCertificate"
    OTHER_CUSTOM = "OtherCustom"


class EnergyTransferMode(StrEnum):
    """AC or DC, and over which connector pins."""

    AC_SINGLE_PHASE_CORE = "AC_single_phase_core"
    AC_THREE_PHASE_CORE = "AC_three_phase_core"
    DC_CORE = "DC_core"
    DC_EXTENDED = "DC_extended"
    DC_COMBO_CORE = "DC_combo_core"
    DC_UNIQUE = "DC_unique"


class PaymentOption(StrEnum):
    """Who identifies the customer: the contract certificate, or a means outside ISO 15118."""

    CONTRACT = "Contract"
    EXTERNAL_PAYMENT = "ExternalPayment"


class CostKind(StrEnum):
    """What a tariff cost counts."""

    RELATIVE_PRICE_PERCENTAGE = "relativePricePercentage"
    RENEWABLE_GENERATION_PERCENTAGE = "RenewableGenerationPercentage"
    CARBON_DIOXIDE_EMISSION = "CarbonDioxideEmission"


class UnitSymbol(StrEnum):
    """Unit of a physical value: hours, minutes, seconds, ampere, volt, watt, watt hours."""

    H = "h"
    M = "m"
    S = "s"
    A = "A"
    V = "V"
    W = "W"
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
    NO_IMD = "No_IMD"


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
