"""Transaction reports and security events on their way to the CSMS: kept first, delivered in order, never twice."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import structlog

from plugpass.clock import Clock
from plugpass.errors import LocalError, PeerError, PlugpassError, Unavailable
from plugpass.ids import without_identity
from plugpass.ocpp.enums import (
    AuthorizationStatus,
    ChargingState,
    IdTokenType,
    ReadingContext,
    StopReason,
    TransactionEventType,
    TriggerReason,
)
from plugpass.ocpp.messages import (
    EVSE,
    IdToken,
    MeterValue,
    SampledValue,
    SecurityEventNotificationRequest,
    SignedMeterValue,
    Transaction,
    TransactionEventRequest,
)
from plugpass.ports.charging import TransactionReport
from plugpass.roles.station.uplink import Uplink
from plugpass.store.station import PendingReport, SecurityEvent, StationMemory

log = structlog.get_logger(__name__)

RETRY = timedelta(seconds=10)
MAX_REFUSALS: Final = 3  #: a report the CSMS refuses so often is given up, lest it holds up all others

_CONTEXT: Final[Mapping[TransactionEventType, ReadingContext]] = MappingProxyType(
    {
        TransactionEventType.STARTED: ReadingContext.TRANSACTION_BEGIN,
        TransactionEventType.UPDATED: ReadingContext.SAMPLE_PERIODIC,
        TransactionEventType.ENDED: ReadingContext.TRANSACTION_END,
    }
)
_TRIGGER_OF_END: Final[Mapping[str, TriggerReason]] = MappingProxyType(
    {
        StopReason.STOPPED_BY_EV: TriggerReason.CHARGING_STATE_CHANGED,
        StopReason.EV_DISCONNECTED: TriggerReason.EV_COMMUNICATION_LOST,
        StopReason.DE_AUTHORIZED: TriggerReason.DEAUTHORIZED,
        StopReason.REMOTE: TriggerReason.REMOTE_STOP,
        StopReason.LOCAL: TriggerReason.STOP_AUTHORIZED,
        StopReason.POWER_LOSS: TriggerReason.ABNORMAL_CONDITION,
        StopReason.REBOOT: TriggerReason.RESET_COMMAND,
    }
)


def transaction_event(pending: PendingReport) -> TransactionEventRequest:
    """The OCPP message of a report."""
    report = pending.report
    ended = report.phase is TransactionEventType.ENDED
    return TransactionEventRequest(
        event_type=report.phase,
        timestamp=report.at,
        trigger_reason=_trigger(report),
        seq_no=report.sequence,
        offline=pending.offline,
        transaction_info=Transaction(
            transaction_id=report.transaction_id,
            charging_state=ChargingState.EV_CONNECTED if ended else ChargingState.CHARGING,
            stopped_reason=_stop_reason(report.reason) if ended and report.reason else None,
        ),
        evse=EVSE(id=report.evse, connector_id=1),
        id_token=IdToken(id_token=str(report.emaid), type=IdTokenType.EMAID) if report.emaid else None,
        meter_value=_meter_value(report),
    )


def _stop_reason(text: str) -> StopReason:
    try:
        return StopReason(text)
    except ValueError:  # the end of the transaction, with its energy, matters more than the word for it
        log.warning("stop_reason_unknown", reason=text[:40], sent_as=StopReason.OTHER)
        return StopReason.OTHER


def _trigger(report: TransactionReport) -> TriggerReason:
    if report.phase is TransactionEventType.ENDED:
        return _TRIGGER_OF_END.get(report.reason, TriggerReason.ABNORMAL_CONDITION)
    if report.phase is TransactionEventType.STARTED:
        return TriggerReason.CHARGING_STATE_CHANGED
    return TriggerReason.SIGNED_DATA_RECEIVED if report.signed_receipt else TriggerReason.METER_VALUE_PERIODIC


def _meter_value(report: TransactionReport) -> tuple[MeterValue, ...] | None:
    if report.energy_wh is None:
        return None
    signed = None
    if report.signed_receipt:
        signed = SignedMeterValue(
            signed_meter_data=base64.b64encode(report.signed_receipt).decode("ascii"),
            signing_method="ECDSA-SHA256",
            encoding_method="EXI",
            public_key="",
        )
    value = SampledValue(value=report.energy_wh, context=_CONTEXT[report.phase], signed_meter_value=signed)
    return (MeterValue(timestamp=report.at, sampled_value=(value,)),)


class Reporter:
    """Delivers what the station's memory has kept. `run` goes on until it is cancelled."""

    def __init__(
        self,
        *,
        memory: StationMemory,
        uplink: Uplink,
        clock: Clock,
        ready: Callable[[], bool],
        on_deauthorized: Callable[[str], Awaitable[None]],
    ) -> None:
        self._memory = memory
        self._uplink = uplink
        self._clock = clock
        self._ready = ready
        self._on_deauthorized = on_deauthorized
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._refusals: dict[tuple[str, int], int] = {}

    async def keep(self, report: TransactionReport) -> None:
        """Write the report down; it is delivered as soon as the CSMS can be reached."""
        await self._memory.keep_report(report, offline=not self._uplink.online)
        self.wake()

    async def keep_security_event(self, kind: str, detail: str) -> None:
        """Write a security event down (A04)."""
        await self._memory.keep_security_event(kind, self._clock.now(), detail)
        self.wake()

    def wake(self) -> None:
        """There is something to deliver, or a way to deliver it."""
        self._idle.clear()
        self._news.set()

    async def wait_delivered(self) -> None:
        """Return once the CSMS has taken everything."""
        await self._idle.wait()

    async def run(self) -> None:
        """Deliver, and wait for more."""
        while True:
            self._news.clear()
            if self._ready() and await self._deliver_all():
                if not self._news.is_set():
                    self._idle.set()
                await self._news.wait()
            else:
                await self._pause()

    async def _pause(self) -> None:
        """Until something new comes up, or for a while."""
        later = asyncio.ensure_future(self._clock.sleep_until(self._clock.now() + RETRY))
        news = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({later, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (later, news):
                task.cancel()
            await asyncio.gather(later, news, return_exceptions=True)

    async def _deliver_all(self) -> bool:
        """Whether everything was delivered."""
        try:
            for event in await self._memory.pending_security_events():
                await self._deliver_security_event(event)
            while pending := await self._memory.pending_reports():
                for item in pending:
                    if not await self._deliver(item):
                        return False
        except (Unavailable, PeerError) as error:
            log.info("delivery_interrupted", reason=str(error))
            return False
        return True

    async def _deliver_security_event(self, event: SecurityEvent) -> None:
        request = SecurityEventNotificationRequest(type=event.kind, timestamp=event.at, tech_info=event.detail)
        try:
            await self._uplink.call(request)
        except LocalError as error:  # it will never be possible to send
            log.error("security_event_given_up", kind=event.kind, reason=str(error))
        await self._memory.security_event_delivered(event)

    async def _deliver(self, pending: PendingReport) -> bool:
        """Whether the report is done with: taken by the CSMS, or given up."""
        report = pending.report
        key = (report.transaction_id, report.sequence)
        try:
            answer = await self._uplink.call(transaction_event(pending))
        except LocalError as error:  # no message can be made of it, now or later: the others are not to wait for it
            log.error("report_given_up", transaction=key[0], sequence=key[1], reason=_reason(error, report))
        except PeerError as error:
            times = self._refusals[key] = self._refusals.get(key, 0) + 1
            reason = _reason(error, report)
            log.warning("report_refused", transaction=key[0], sequence=key[1], times=times, reason=reason)
            if times < MAX_REFUSALS:
                return False
            log.error("report_given_up", transaction=key[0], sequence=key[1], reason=reason)
        else:
            info = answer.id_token_info
            if info is not None and info.status is not AuthorizationStatus.ACCEPTED:
                await self._on_deauthorized(report.transaction_id)
        self._refusals.pop(key, None)
        await self._memory.report_delivered(report)
        return True


def _reason(error: PlugpassError, report: TransactionReport) -> str:
    """The error's text for a log: a schema error repeats the value it is about, which may be the EMAID."""
    return without_identity(str(error), report.emaid)
