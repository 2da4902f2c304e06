"""Physical values, meter information and status: from plain numbers to the schema's types and back."""

from __future__ import annotations

from plugpass.iso15118.iso2.config import MeterReading
from plugpass.iso15118.messages.iso2 import (
    AC_EVSEStatus,
    EVSENotification,
    MeterInfo,
    PhysicalValue,
    UnitSymbol,
)

_SHORT_MAX = 2**15 - 1
_MULTIPLIER_MAX = 3


def physical(number: int, unit: UnitSymbol) -> PhysicalValue:
    """`number` (not negative) of `unit`, rounded down where it does not fit: a limit never grows on the wire."""
    for multiplier in range(_MULTIPLIER_MAX + 1):
        value = number // 10**multiplier
        if value <= _SHORT_MAX:
            return PhysicalValue(multiplier=multiplier, unit=unit, value=value)
    return PhysicalValue(multiplier=_MULTIPLIER_MAX, unit=unit, value=_SHORT_MAX)


def number(value: PhysicalValue) -> float:
    """The plain number, in the value's own unit."""
    # Powers of ten below one are divided by: 0.1 has no exact binary form.
    if value.multiplier < 0:
        return float(value.value) / float(10**-value.multiplier)
    return float(value.value * 10**value.multiplier)


def meter_info(reading: MeterReading) -> MeterInfo:
    """A reading as messages carry it."""
    return MeterInfo(
        meter_id=reading.meter_id,
        meter_reading=reading.energy_wh,
        sig_meter_reading=reading.signature,
        meter_status=reading.status,
        t_meter=reading.at,
    )


def meter_reading(info: MeterInfo) -> MeterReading | None:
    """The reading in a message; None where the station names its meter without a register value."""
    if info.meter_reading is None:
        return None
    return MeterReading(
        meter_id=info.meter_id,
        energy_wh=info.meter_reading,
        signature=info.sig_meter_reading,
        status=info.meter_status,
        at=info.t_meter,
    )


def ac_status(notification: EVSENotification = EVSENotification.NONE) -> AC_EVSEStatus:
    """Status of an AC EVSE whose residual current device has not tripped; the EV follows at once."""
    return AC_EVSEStatus(notification_max_delay=0, evse_notification=notification, rcd=False)
