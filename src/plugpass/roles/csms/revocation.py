"""OCSP for the CSMS: many statuses at once within one time budget, every response verified before it counts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plugpass.clock import Clock
from plugpass.errors import PlugpassError
from plugpass.pki import ocsp
from plugpass.pki.certificate import Certificate
from plugpass.pki.reasons import Reason
from plugpass.ports.charging import RevocationSource

_MAX_CACHED: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One certificate whose status is asked for."""

    cert_id: ocsp.CertId
    issuer: Certificate
    url: str
    cacheable: bool  #: True for CAs; a contract may be revoked at any time and is asked for each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What could be found out: a verified response, or the reason why there is none."""

    response: bytes | None  #: DER, verified, whatever status it states
    status: ocsp.CertStatus | None
    reason: Reason | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: Answer
    until: datetime


class StatusChecker:
    """Asks responders in parallel. `budget` seconds bound the whole of one `ask`: who is late has not answered."""

    def __init__(self, source: RevocationSource, *, clock: Clock, budget: float = 1.5) -> None:
        self._source = source
        self._clock = clock
        self._budget = budget
        self._kept: OrderedDict[tuple[ocsp.CertId, str], _Kept] = OrderedDict()

    async def ask(self, queries: Iterable[Query]) -> dict[Query, Answer]:
        """An answer for each query; never raises for what a responder did or did not do."""
        wanted = list(dict.fromkeys(queries))
        tasks = {query: asyncio.create_task(self._one(query)) for query in wanted}
        if not tasks:
            return {}
        try:
            await asyncio.wait(tasks.values(), timeout=self._budget)
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        late = Answer(
            response=None,
            status=None,
            reason=Reason.OCSP_MISSING,
            text=f"the OCSP responder did not answer within {self._budget:g} s",
        )
        return {query: late if task.cancelled() else task.result() for query, task in tasks.items()}

    async def _one(self, query: Query) -> Answer:
        key, now = (query.cert_id, query.url), self._clock.now()
        kept = self._kept.get(key)
        if query.cacheable and kept is not None and now < kept.until:
            return kept.answer
        try:
            response = await self._source.ocsp_response(ocsp.build_request((query.cert_id,)), query.url)
            single = ocsp.verify_response(response, query.cert_id, query.issuer, at=now)
        except ocsp.OcspRejected as error:
            return Answer(response=None, status=None, reason=error.reason, text=str(error))
        except PlugpassError as error:
            return Answer(response=None, status=None, reason=Reason.OCSP_MISSING, text=str(error))
        answer = Answer(response=response, status=single.status)
        if query.cacheable and single.status is ocsp.CertStatus.GOOD and single.next_update is not None:
            # Half of the life that is left: a newer word is fetched long before the old one ends.
            self._keep(key, _Kept(answer, now + (single.next_update - now) / 2))
        return answer

    def _keep(self, key: tuple[ocsp.CertId, str], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _MAX_CACHED:
            self._kept.popitem(last=False)
