"""Namespace, simple types and enumerations of ISO 15118-20's CommonMessages, members in schema order."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from plugpass.exi.datatypes import Base64Binary, Integer, String, UnsignedShort
from plugpass.exi.schema import Namespace

COMMON_MESSAGES = Namespace(uri="urn:iso:std:iso:15118:-20:CommonMessages", attributes_qualified=True)

GenChallengeType = Annotated[bytes, Base64Binary(min_length=16, max_length=16)]
ServiceIDType = UnsignedShort
MaxSupportingPoints = Annotated[int, Integer(12, 1024)]
CurrencyType = Annotated[str, String(max_length=3)]
LanguageType = Annotated[str, String(max_length=3)]
CertificateType = Annotated[bytes, Base64Binary(max_length=1600)]
DHPublicKeyType = Annotated[bytes, Base64Binary(min_length=133, max_length=133)]
SECP521EncryptedPrivateKeyType = Annotated[bytes, Base64Binary(min_length=94, max_length=94)]
X448EncryptedPrivateKeyType = Annotated[bytes, Base64Binary(min_length=84, max_length=84)]
TPMEncryptedPrivateKeyType = Annotated[bytes, Base64Binary(min_length=206, max_length=206)]


class AuthorizationService(StrEnum):
    """Who identifies the customer: means outside ISO 15118, or the contract certificate."""

    EIM = "EIM"
    PNC = "PnC"


class ChargeProgress(StrEnum):
    """What a PowerDeliveryReq asks for."""

    START = "Start"
    STOP = "Stop"
    STANDBY = "Standby"
    SCHEDULE_RENEGOTIATION = "ScheduleRenegotiation"


class ChannelSelection(StrEnum):
    """Direction of the energy in bidirectional power transfer."""

    CHARGE = "Charge"
    DISCHARGE = "Discharge"


class ECDHCurve(StrEnum):
    """Curve on which the contract's private key is sealed for the vehicle."""

    SECP521 = "SECP521"
    X448 = "X448"


class ChargingSession(StrEnum):
    """What a SessionStopReq asks for."""

    PAUSE = "Pause"
    TERMINATE = "Terminate"
    SERVICE_RENEGOTIATION = "ServiceRenegotiation"


class PowerToleranceAcceptance(StrEnum):
    """Whether the EV keeps within the power tolerance of the schedule."""

    POWER_TOLERANCE_NOT_CONFIRMED = "PowerToleranceNotConfirmed"
    POWER_TOLERANCE_CONFIRMED = "PowerToleranceConfirmed"


class EVCheckInStatus(StrEnum):
    """How far the EV is with checking in."""

    CHECK_IN = "CheckIn"
    PROCESSING = "Processing"
    COMPLETED = "Completed"


class EVCheckOutStatus(StrEnum):
    """How far the EV is with checking out."""

    CHECK_OUT = "CheckOut"
    PROCESSING = "Processing"
    COMPLETED = "Completed"


class EVSECheckOutStatus(StrEnum):
    """How far the EVSE is with checking out."""

    SCHEDULED = "Scheduled"
    COMPLETED = "Completed"


class ParkingMethod(StrEnum):
    """Who steers the vehicle to its place."""

    AUTO_PARKING = "AutoParking"
    MV_GUIDE_MANUAL = "MVGuideManual"
    MANUAL = "Manual"
