"""One session as the station lives it: asks the backend, switches the contactor, keeps the transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from plugpass.clock import Clock
from plugpass.errors import PeerError, Unavailable
from plugpass.ids import EMAID, pseudonym, without_identity
from plugpass.iso15118.iso2 import Secc, events, verdicts
from plugpass.iso15118.machine import Event, SessionEnded
from plugpass.iso15118.messages.iso2 import ResponseCode
from plugpass.ports.charging import ContractAuthorization, StationBackend, TransactionReport
from plugpass.roles.station.meter import Meter
from plugpass.roles.station.transaction import ChargingTransaction

log = structlog.get_logger(__name__)

INSTALLATION_BUDGET = 4.4  #: seconds for the backend; the vehicle must have its answer within 4.5 s


class StationSession:
    """The event handler of one session.

    Handlers of one session run concurrently. Sequence numbers are given and reports queued in the order of the events;
    a lock, which is fair, keeps that order on the way to the backend.
    """

    def __init__(
        self,
        *,
        machine: Secc,
        backend: StationBackend,
        meter: Meter,
        clock: Clock,
        evse: int,
        evse_id: str,
        transaction_id: str,
        update_interval: timedelta,
    ) -> None:
        self._machine = machine
        self._backend = backend
        self._meter = meter
        self._clock = clock
        self._evse = evse
        self._evse_id = evse_id
        self._transaction_id = transaction_id
        self._update_interval = update_interval
        self._order = asyncio.Lock()
        self._emaid: EMAID | None = None
        self._transaction: ChargingTransaction | None = None
        self._stop_reason = ""
        self._actions: Mapping[type[Event], Callable[..., Awaitable[None]]] = {
            events.ContractInstallationRequested: self._install,
            events.AuthorizationRequested: self._authorize,
            events.ExternalAuthorizationRequested: self._no_external_payment,
            events.ChargingStarted: self._start,
            events.MeterRecorded: self._metered,
            events.ReceiptAccepted: self._receipt,
            events.ChargingStopped: self._stop,
            SessionEnded: self._ended,
        }

    @property
    def transaction_id(self) -> str:
        """The id of the transaction this session makes, once it charges."""
        return self._transaction_id

    async def handle(self, event: Event) -> None:
        """React to one event."""
        if (action := self._actions.get(type(event))) is not None:
            await action(event)

    def stop_charging(self, reason: str) -> None:
        """Ask the vehicle to stop; `reason` is the OCPP ReasonEnumType the transaction ends with."""
        self._stop_reason = reason
        self._machine.stop_charging(self._clock.monotonic())

    def abort(self, why: str, reason: str) -> None:
        """End the session at once; `reason` is the OCPP ReasonEnumType the transaction ends with."""
        self._stop_reason = reason
        self._machine.abort(why, self._clock.monotonic())

    async def _install(self, event: events.ContractInstallationRequested) -> None:
        exi: bytes | None = None
        try:
            async with asyncio.timeout(INSTALLATION_BUDGET):
                answer = await self._backend.install_contract(event.exi, event.namespace, event.action)
            exi = answer.exi or None
            log.info("contract_installation", accepted=answer.accepted, octets=len(answer.exi), reason=answer.reason)
        except TimeoutError:
            log.warning("contract_installation_late", after_s=INSTALLATION_BUDGET)
        except (Unavailable, PeerError) as error:
            log.warning("contract_installation_failed", reason=str(error))
        self._machine.provide_installation(exi, self._clock.monotonic(), request_id=event.request_id)

    async def _authorize(self, event: events.AuthorizationRequested) -> None:
        self._emaid = event.emaid
        code = ResponseCode.FAILED  # no decision is never a yes
        try:
            verdict = await self._backend.authorize(
                ContractAuthorization(emaid=event.emaid, chain=event.chain, evse_id=self._evse_id)
            )
            code = verdicts.response_code(verdict.certificate_status, verdict.token_status)
            log.info(
                "contract_authorization",
                emaid=pseudonym(event.emaid),
                certificate_status=verdict.certificate_status,
                token_status=verdict.token_status,
                code=code,
                reason=without_identity(verdict.reason, event.emaid),
            )
        except (Unavailable, PeerError) as error:
            reason = without_identity(str(error), event.emaid)
            log.warning("contract_authorization_failed", emaid=pseudonym(event.emaid), reason=reason)
        self._machine.provide_authorization(code, self._clock.monotonic(), request_id=event.request_id)

    async def _no_external_payment(self, event: events.ExternalAuthorizationRequested) -> None:
        """The station has no other means of payment; a vehicle that chose it anyway is refused."""
        self._machine.provide_authorization(ResponseCode.FAILED, self._clock.monotonic(), request_id=event.request_id)

    async def _start(self, event: events.ChargingStarted) -> None:
        begun = self._meter.read()
        self._meter.switch(closed=True)
        self._transaction = ChargingTransaction(
            transaction_id=self._transaction_id,
            emaid=self._emaid,
            evse=self._evse,
            update_interval=self._update_interval,
        )
        log.info("charging_started", transaction=self._transaction_id, max_power_w=event.max_power_w)
        await self._report(self._transaction.start(self._clock.now(), begun.energy_wh))

    async def _metered(self, event: events.MeterRecorded) -> None:
        if self._transaction is not None:
            await self._report(self._transaction.meter(self._clock.now(), event.reading.energy_wh))

    async def _receipt(self, event: events.ReceiptAccepted) -> None:
        if self._transaction is not None:
            report = self._transaction.receipt(self._clock.now(), event.reading.energy_wh, event.exi)
            await self._report(report)

    async def _stop(self, event: events.ChargingStopped) -> None:
        self._meter.switch(closed=False)
        log.info("charging_stopped", transaction=self._transaction_id, reason=event.reason)

    async def _ended(self, event: SessionEnded) -> None:
        if self._transaction is None:
            return  # the contactor is not this session's
        self._meter.switch(closed=False)
        reason = self._stop_reason or ("StoppedByEV" if event.ok else "EVDisconnected")
        await self._report(self._transaction.end(self._clock.now(), self._meter.read().energy_wh, reason))

    async def _report(self, report: TransactionReport | None) -> None:
        if report is None:
            return
        async with self._order:
            await self._backend.report(report)
