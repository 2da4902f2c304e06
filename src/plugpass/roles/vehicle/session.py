"""One session as the vehicle lives it: reacts to the machine's events and remembers what the result needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from plugpass.clock import Clock
from plugpass.ids import EMAID, pseudonym
from plugpass.iso15118.iso2 import events
from plugpass.iso15118.machine import Event, MessageReceived, MessageSent
from plugpass.ports.keys import ContractStore, Credential
from plugpass.ports.trace import Trace, WireEvent
from plugpass.roles.vehicle.result import ExchangeRecord

log = structlog.get_logger(__name__)

#: Refusals after which the contract is of no use anywhere: it is forgotten, and the next plug-in asks for another.
FINAL_REFUSALS = frozenset({"FAILED_CertificateRevoked", "FAILED_ContractCanceled"})

SAP_REQUEST = "supportedAppProtocolReq"


class VehicleSession:
    """The event handler of one session."""

    def __init__(self, *, contracts: ContractStore, clock: Clock, trace: Trace, emaid: EMAID | None) -> None:
        self._contracts = contracts
        self._clock = clock
        self._trace = trace
        self._started = clock.monotonic()
        self._order = asyncio.Lock()  # handlers run concurrently; a contract is stored before it may be discarded
        self._request: tuple[MessageSent, float] | None = None
        self._first_wh: int | None = None
        self.emaid = emaid  #: the contract this session pays with
        self.installed: EMAID | None = None
        self.installation_refusal = ""
        self.refused = ""
        self.protocol = ""
        self.session_id = b""
        self.evse_id = ""
        self.exchanges: list[ExchangeRecord] = []
        self.receipts = 0
        self.energy_wh = 0
        self.expires_soon = False
        self.ms_to_charging: float | None = None
        self._notes: Mapping[type[Event], Callable[..., None]] = {
            MessageSent: self._sent,
            MessageReceived: self._received,
            events.ProtocolAgreed: self._agreed,
            events.SessionEstablished: self._established,
            events.InstallationFailed: self._not_installed,
            events.ContractExpiresSoon: self._expires_soon,
            events.ChargingStarted: self._charging,
            events.MeterRecorded: self._metered,
            events.ReceiptSent: self._receipt,
        }
        self._actions: Mapping[type[Event], Callable[..., Awaitable[None]]] = {
            events.ContractInstalled: self._install,
            events.ContractRefused: self._refuse,
        }

    async def handle(self, event: Event) -> None:
        """React to one event; the notes are taken before anything is awaited, so they keep the events' order."""
        if (note := self._notes.get(type(event))) is not None:
            note(event)
        if (action := self._actions.get(type(event))) is not None:
            async with self._order:
                await action(event)

    def _sent(self, event: MessageSent) -> None:
        self._request = (event, self._clock.monotonic())

    def _received(self, event: MessageReceived) -> None:
        if self._request is None:
            return
        (request, sent_at), self._request = self._request, None
        code = event.response_code or ""
        ms = (self._clock.monotonic() - sent_at) * 1000
        size = request.size + event.size
        self.exchanges.append(ExchangeRecord(request=request.name, response_code=code, ms=ms, size=size))
        self._trace.record(
            WireEvent(
                actor="vehicle",
                peer="station",
                protocol="SAP" if request.name.lower() == SAP_REQUEST.lower() else "ISO 15118-2",
                message=request.name,
                size=size,
                ms=ms,
                ok=not code.startswith("FAILED"),
                detail=code,
            )
        )

    def _agreed(self, event: events.ProtocolAgreed) -> None:
        self.protocol = event.protocol

    def _established(self, event: events.SessionEstablished) -> None:
        self.session_id, self.evse_id = event.session_id, event.evse_id

    def _not_installed(self, event: events.InstallationFailed) -> None:
        self.installation_refusal = event.response_code
        log.warning("contract_not_installed", code=event.response_code, reason=event.reason)

    def _expires_soon(self, _event: events.ContractExpiresSoon) -> None:
        self.expires_soon = True

    def _charging(self, _event: events.ChargingStarted) -> None:
        self.ms_to_charging = (self._clock.monotonic() - self._started) * 1000

    def _metered(self, event: events.MeterRecorded) -> None:
        # A -2 station shows its register in the charging loop only, so the first reading is the nearest there is to
        # the start; a renegotiation does not begin anew.
        if self._first_wh is None:
            self._first_wh = event.reading.energy_wh
        self.energy_wh = event.reading.energy_wh - self._first_wh

    def _receipt(self, _event: events.ReceiptSent) -> None:
        self.receipts += 1

    async def _install(self, event: events.ContractInstalled) -> None:
        """The machine has made every check of the installation; only now the stored contract is replaced."""
        contract = event.contract
        self.emaid = self.installed = contract.emaid
        await self._contracts.install(contract.emaid, Credential(chain=contract.chain, signer=contract.signer))
        log.info("contract_installed", emaid=pseudonym(contract.emaid))

    async def _refuse(self, event: events.ContractRefused) -> None:
        self.refused = event.response_code
        forget = event.response_code in FINAL_REFUSALS and self.emaid is not None
        log.warning("contract_refused", request=event.request, code=event.response_code, discarded=forget)
        if forget and self.emaid is not None:
            await self._contracts.discard(self.emaid)
