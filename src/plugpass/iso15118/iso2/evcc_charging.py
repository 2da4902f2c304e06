"""EVCC: charge parameters, AC charging loop, receipts, end of session."""

from __future__ import annotations

from dataclasses import replace

from plugpass.iso15118.iso2.config import EvccConfig
from plugpass.iso15118.iso2.evcc_session import Context, Giveup, Session, Step
from plugpass.iso15118.iso2.events import ChargingStarted, ChargingStopped, MeterRecorded, ReceiptSent
from plugpass.iso15118.iso2.flow import Phase
from plugpass.iso15118.iso2.quantities import meter_reading, number, physical
from plugpass.iso15118.messages import iso2
from plugpass.iso15118.messages.iso2 import (
    ChargeProgress,
    ChargingSession,
    EVSENotification,
    EVSEProcessing,
    PaymentOption,
    UnitSymbol,
)

RECEIPT_ID = "id1"
MAX_PROFILE_ENTRIES = 24


def charge_parameter_request(session: Session, config: EvccConfig) -> Step:
    """Say what the vehicle wants."""
    energy = config.energy
    return Step(
        session=session,
        request=iso2.ChargeParameterDiscoveryReq(
            requested_energy_transfer_mode=energy.mode,
            ev_charge_parameter=iso2.AC_EVChargeParameter(
                departure_time=energy.departure_s,
                e_amount=physical(energy.amount_wh, UnitSymbol.WH),
                ev_max_voltage=physical(energy.max_voltage_v, UnitSymbol.V),
                ev_max_current=physical(energy.max_current_a, UnitSymbol.A),
                ev_min_current=physical(energy.min_current_a, UnitSymbol.A),
            ),
        ),
    )


def charge_parameter_discovery(session: Session, response: iso2.ChargeParameterDiscoveryRes, context: Context) -> Step:
    """Take the first schedule, at its full power."""
    if response.evse_processing is not EVSEProcessing.FINISHED:
        again = charge_parameter_request(session, context.config)
        return replace(again, delay=context.config.ongoing_interval, ongoing=True)
    schedules = response.sa_schedules
    if not isinstance(schedules, iso2.SAScheduleList):  # [V2G2-905]
        raise Giveup("the station finished without offering a schedule")
    session = replace(session, phase=Phase.AC_START, schedule=schedules.sa_schedule_tuple[0])
    return _power_delivery_request(session, ChargeProgress.START)


def power_delivery(session: Session, response: iso2.PowerDeliveryRes, context: Context) -> Step:
    """Begin the loop, stop the session, or agree on new parameters."""
    if session.progress is ChargeProgress.RENEGOTIATE:  # [V2G2-841]
        session = replace(session, phase=Phase.CHARGE_PARAMETERS, notification=EVSENotification.NONE)
        return charge_parameter_request(session, context.config)
    if session.progress is ChargeProgress.STOP:
        stopped = (ChargingStopped(reason=session.failure or "charging is complete"),) if session.charging else ()
        session = replace(session, phase=Phase.STOPPED, charging=False)
        return replace(session_stop_request(session), events=stopped)
    started = () if session.charging else (ChargingStarted(max_power_w=int(_max_power(session))),)
    session = replace(session, phase=Phase.AC_CHARGING, charging=True, charged=True)
    return Step(session=session, request=iso2.ChargingStatusReq(), events=started)


def charging_status(session: Session, response: iso2.ChargingStatusRes, context: Context) -> Step:
    """Note the meter reading, sign for it where asked, and decide whether to go on."""
    info = response.meter_info
    reading = meter_reading(info) if info is not None else None
    events = (MeterRecorded(reading=reading),) if reading is not None else ()
    session = replace(
        session,
        phase=Phase.AC_RECEIPT if response.receipt_required else Phase.AC_CHARGING,
        loops=session.loops + 1,
        reading=reading or session.reading,
        first_wh=session.first_wh if session.first_wh is not None or reading is None else reading.energy_wh,
        notification=response.ac_evse_status.evse_notification,
    )
    if response.receipt_required and info is None:
        raise Giveup("the station asks for a receipt without a meter reading", *events)
    if response.receipt_required and info is not None:
        return replace(_receipt_request(session, info), events=events)
    return replace(_next_loop(session, context.config), events=events)


def metering_receipt(session: Session, response: iso2.MeteringReceiptRes, context: Context) -> Step:
    """The station has the receipt; go on."""
    events = (ReceiptSent(reading=session.reading),) if session.reading is not None else ()
    return replace(_next_loop(replace(session, phase=Phase.AC_CHARGING), context.config), events=events)


def stop_request(session: Session) -> Step:
    """End power delivery."""
    return _power_delivery_request(session, ChargeProgress.STOP)


def session_stop_request(session: Session) -> Step:
    """End the session."""
    return Step(session=session, request=iso2.SessionStopReq(charging_session=ChargingSession.TERMINATE))


def _next_loop(session: Session, config: EvccConfig) -> Step:
    if session.stop_wanted or session.notification is EVSENotification.STOP_CHARGING or _satisfied(session, config):
        return stop_request(session)
    if session.notification is EVSENotification.RE_NEGOTIATION:
        return _power_delivery_request(session, ChargeProgress.RENEGOTIATE)
    return Step(session=session, request=iso2.ChargingStatusReq(), delay=config.loop_interval)


def _satisfied(session: Session, config: EvccConfig) -> bool:
    if config.max_loops is not None and session.loops >= config.max_loops:
        return True
    if session.reading is None or session.first_wh is None:
        return False
    return session.reading.energy_wh - session.first_wh >= config.energy.amount_wh


def _receipt_request(session: Session, info: iso2.MeterInfo) -> Step:
    contract = session.contract if session.payment_option is PaymentOption.CONTRACT else None
    return Step(
        session=session,
        request=iso2.MeteringReceiptReq(
            id=RECEIPT_ID,
            session_id=session.session_id,
            sa_schedule_tuple_id=session.schedule.sa_schedule_tuple_id if session.schedule is not None else None,
            meter_info=info,
        ),
        signer=contract.signer if contract is not None else None,  # [V2G2-903]
    )


def _power_delivery_request(session: Session, progress: ChargeProgress) -> Step:
    schedule = session.schedule
    return Step(
        session=replace(session, progress=progress),
        request=iso2.PowerDeliveryReq(
            charge_progress=progress,
            sa_schedule_tuple_id=schedule.sa_schedule_tuple_id if schedule is not None else 1,
            charging_profile=_profile(schedule) if progress is ChargeProgress.START and schedule is not None else None,
        ),
    )


def _profile(schedule: iso2.SAScheduleTuple) -> iso2.ChargingProfile:
    """The schedule's own limits, interval by interval."""
    entries = schedule.p_max_schedule.p_max_schedule_entry[:MAX_PROFILE_ENTRIES]
    return iso2.ChargingProfile(
        profile_entry=tuple(
            iso2.ProfileEntry(
                charging_profile_entry_start=_start(entry.time_interval),
                charging_profile_entry_max_power=entry.p_max,
            )
            for entry in entries
        )
    )


def _start(interval: iso2.TimeInterval) -> int:
    return interval.start if isinstance(interval, iso2.RelativeTimeInterval) else 0


def _max_power(session: Session) -> float:
    if session.schedule is None:
        return 0.0
    return number(session.schedule.p_max_schedule.p_max_schedule_entry[0].p_max)
