"""SECC: charge parameters, AC power delivery, metering, end of session."""

from __future__ import annotations

from dataclasses import replace

from plugpass.iso15118.iso2.config import AcSupply
from plugpass.iso15118.iso2.events import ChargingStarted, ChargingStopped, MeterRecorded, ReceiptAccepted
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.iso2.quantities import ac_status, meter_info, number, physical
from plugpass.iso15118.iso2.secc_session import Context, Refused, Reply, Session
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import (
    ChargeProgress,
    EVSENotification,
    EVSEProcessing,
    PaymentOption,
    ResponseCode,
    UnitSymbol,
)
from plugpass.iso15118.signature import SignatureInvalid, verify_body

SCHEDULE = 1
"""SAScheduleTupleID of the one schedule offered."""

SCHEDULE_DURATION = 86_400
"""Seconds: the schedule covers a day `[V2G2-305]`."""


def charge_parameter_discovery(session: Session, request: iso2.ChargeParameterDiscoveryReq, context: Context) -> Reply:
    """Offer a schedule at the full power of the mode asked for."""
    mode = request.requested_energy_transfer_mode
    if mode not in context.config.energy_modes:
        raise Refused(ResponseCode.FAILED_WRONG_ENERGY_TRANSFER_MODE, f"energy transfer mode {mode} is not offered")
    if not isinstance(request.ev_charge_parameter, iso2.AC_EVChargeParameter):
        raise Refused(ResponseCode.FAILED_WRONG_CHARGE_PARAMETER, f"{mode} needs an AC_EVChargeParameter")
    supply = context.config.supply
    power = supply.max_power_w(mode)
    return Reply(
        response=iso2.ChargeParameterDiscoveryRes(
            response_code=ResponseCode.OK,
            evse_processing=EVSEProcessing.FINISHED,
            sa_schedules=_schedules(power),  # [V2G2-905]
            evse_charge_parameter=_charge_parameter(supply),
        ),
        session=replace(session, phase=Phase.AC_START, max_power_w=power),
    )


def power_delivery(session: Session, request: iso2.PowerDeliveryReq, context: Context) -> Reply:
    """Start, stop or renegotiate."""
    if request.charge_progress is ChargeProgress.START:
        return _start(session, request)
    if request.charge_progress is ChargeProgress.RENEGOTIATE:
        return _renegotiate(session)
    stopped = (ChargingStopped(reason="the vehicle stopped charging"),) if session.charging else ()
    return Reply(
        response=_power_delivery_res(),
        session=replace(session, phase=Phase.STOPPED, charging=False),
        events=stopped,
    )


def charging_status(session: Session, request: iso2.ChargingStatusReq, context: Context) -> Reply:
    """Report the meter, and ask for a signed receipt at the configured interval."""
    config = context.config
    reading = config.meter()
    loops = session.loops + 1
    receipt = (
        session.payment_option is PaymentOption.CONTRACT
        and config.receipt_every is not None
        and loops % config.receipt_every == 0
    )
    notification = EVSENotification.STOP_CHARGING if session.stop_wanted else EVSENotification.NONE
    return Reply(
        response=iso2.ChargingStatusRes(
            response_code=ResponseCode.OK,
            evse_id=config.evse_id,
            sa_schedule_tuple_id=SCHEDULE,
            evse_max_current=physical(config.supply.max_current_a, UnitSymbol.A),
            meter_info=meter_info(reading),
            receipt_required=receipt,
            ac_evse_status=ac_status(notification),
        ),
        session=replace(
            session,
            loops=loops,
            phase=Phase.AC_RECEIPT if receipt else Phase.AC_CHARGING,
            receipt_due=reading if receipt else None,
        ),
        events=(MeterRecorded(reading=reading),),
    )


def metering_receipt(session: Session, request: iso2.MeteringReceiptReq, context: Context) -> Reply:
    """Accept a receipt for exactly the reading that was sent, signed with the contract's key `[V2G2-903]`."""
    code = ResponseCode.FAILED_METERING_SIGNATURE_NOT_VALID
    reading = session.receipt_due
    if reading is None or session.contract is None:
        raise Refused(code, "no receipt has been asked for")
    if request.meter_info != meter_info(reading) or request.session_id != session.session_id:  # [V2G2-481]
        raise Refused(code, "the receipt is for another reading or session than the one sent")
    try:
        verify_body(request, context.header.signature, session.contract.public_key)
    except SignatureInvalid as error:
        raise Refused(code, str(error)) from None
    return Reply(
        response=iso2.MeteringReceiptRes(response_code=ResponseCode.OK, evse_status=ac_status()),
        session=replace(session, phase=Phase.AC_CHARGING, receipt_due=None),
        events=(ReceiptAccepted(reading=reading, exi=context.exi),),
    )


def session_stop(session: Session, request: iso2.SessionStopReq, context: Context) -> Reply:
    """End the session. A paused one ends here, too: nothing is kept to resume, the vehicle starts afresh."""
    return Reply(
        response=iso2.SessionStopRes(response_code=ResponseCode.OK), session=replace(session, phase=Phase.ENDED)
    )


def _start(session: Session, request: iso2.PowerDeliveryReq) -> Reply:
    if session.phase is not Phase.AC_START:
        raise Refused(ResponseCode.FAILED_POWER_DELIVERY_NOT_APPLIED, "power delivery has already started")
    if request.sa_schedule_tuple_id != SCHEDULE:
        raise Refused(
            ResponseCode.FAILED_TARIFF_SELECTION_INVALID, f"schedule {request.sa_schedule_tuple_id} is not offered"
        )
    profile = request.charging_profile.profile_entry if request.charging_profile is not None else ()
    if any(number(entry.charging_profile_entry_max_power) > session.max_power_w for entry in profile):
        raise Refused(ResponseCode.FAILED_CHARGING_PROFILE_INVALID, "the charging profile exceeds the schedule")
    return Reply(
        response=_power_delivery_res(),
        session=replace(session, phase=Phase.AC_CHARGING, charging=True),
        # After a renegotiation power has been flowing all the time.
        events=() if session.charging else (ChargingStarted(max_power_w=session.max_power_w),),
    )


def _renegotiate(session: Session) -> Reply:
    if session.phase is Phase.AC_START:
        raise Refused(ResponseCode.FAILED_POWER_DELIVERY_NOT_APPLIED, "there is nothing to renegotiate before Start")
    return Reply(
        response=_power_delivery_res(),
        session=replace(session, phase=Phase.CHARGE_PARAMETERS, receipt_due=None),  # [V2G2-841]
    )


def _power_delivery_res() -> iso2.PowerDeliveryRes:
    return iso2.PowerDeliveryRes(response_code=ResponseCode.OK, evse_status=ac_status())


def _schedules(power_w: int) -> iso2.SAScheduleList:
    entry = iso2.PMaxScheduleEntry(
        time_interval=iso2.RelativeTimeInterval(start=0, duration=SCHEDULE_DURATION),
        p_max=physical(power_w, UnitSymbol.W),
    )
    schedule = iso2.PMaxSchedule(p_max_schedule_entry=(entry,))
    return iso2.SAScheduleList(
        sa_schedule_tuple=(iso2.SAScheduleTuple(sa_schedule_tuple_id=SCHEDULE, p_max_schedule=schedule),)
    )


def _charge_parameter(supply: AcSupply) -> iso2.AC_EVSEChargeParameter:
    return iso2.AC_EVSEChargeParameter(
        ac_evse_status=ac_status(),
        evse_nominal_voltage=physical(supply.nominal_voltage_v, UnitSymbol.V),
        evse_max_current=physical(supply.max_current_a, UnitSymbol.A),
    )
