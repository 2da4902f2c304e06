"""The transaction of one session: reports numbered without gaps, from PowerDelivery(Start) to whatever ends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from plugpass.ids import EMAID
from plugpass.ports.charging import TransactionPhase, TransactionReport


@dataclass(slots=True, kw_only=True)
class ChargingTransaction:
    """Makes the reports; each call that returns one uses up a sequence number."""

    transaction_id: str  #: chosen by the station, at most 36 characters
    emaid: EMAID | None
    evse: int
    update_interval: timedelta  #: between reports of the meter while charging
    _sequence: int = field(default=0, init=False)
    _last: datetime | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)

    def start(self, at: datetime, energy_wh: int) -> TransactionReport:
        """The first report."""
        return self._report(TransactionPhase.STARTED, at, energy_wh)

    def meter(self, at: datetime, energy_wh: int) -> TransactionReport | None:
        """A report of the meter, where the last report is old enough."""
        if self._ended or (self._last is not None and at - self._last < self.update_interval):
            return None
        return self._report(TransactionPhase.UPDATED, at, energy_wh)

    def receipt(self, at: datetime, energy_wh: int, exi: bytes) -> TransactionReport | None:
        """A report of a reading the vehicle has signed for."""
        return None if self._ended else self._report(TransactionPhase.UPDATED, at, energy_wh, receipt=exi)

    def end(self, at: datetime, energy_wh: int, reason: str) -> TransactionReport | None:
        """The last report; `reason` is an OCPP ReasonEnumType. None where the transaction is over already."""
        if self._ended:
            return None
        self._ended = True
        return self._report(TransactionPhase.ENDED, at, energy_wh, reason=reason)

    def _report(
        self, phase: TransactionPhase, at: datetime, energy_wh: int, *, receipt: bytes | None = None, reason: str = ""
    ) -> TransactionReport:
        sequence, self._sequence, self._last = self._sequence, self._sequence + 1, at
        return TransactionReport(
            phase=phase,
            transaction_id=self.transaction_id,
            emaid=self.emaid,
            evse=self.evse,
            sequence=sequence,
            at=at,
            energy_wh=energy_wh,
            signed_receipt=receipt,
            reason=reason,
        )


def interrupted(last: TransactionReport, at: datetime) -> TransactionReport:
    """The end of a transaction that a dying process left behind, made at its restart."""
    return TransactionReport(
        phase=TransactionPhase.ENDED,
        transaction_id=last.transaction_id,
        emaid=last.emaid,
        evse=last.evse,
        sequence=last.sequence + 1,
        at=at,
        energy_wh=last.energy_wh,
        reason="PowerLoss",
    )
