"""The V2G and MO roots the CSMS works with: read from the root pool, and kept on where the pool is away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import structlog

from plugpass.clock import Clock
from plugpass.errors import PlugpassError
from plugpass.ocpp.enums import InstallCertificateUse
from plugpass.pki.profiles import RootType as AnchorType
from plugpass.pki.trust import TrustAnchors, UnusableTrustAnchor
from plugpass.ports.contracts import RootEntry, RootType

log = structlog.get_logger(__name__)

#: The roots a station gets, and under which name OCPP installs them. It needs no OEM root for ISO 15118-2.
ROOT_USES: dict[RootType, InstallCertificateUse] = {
    "V2G": InstallCertificateUse.V2G_ROOT,
    "MO": InstallCertificateUse.MO_ROOT,
}


class RootSource(Protocol):
    """Where roots come from; every `plugpass.ports.contracts.RootPool` is one."""

    async def roots(self, root_type: RootType | None = None) -> tuple[RootEntry, ...]:
        """All roots, or those of one type. Raises Unavailable."""
        ...


class Roots:
    """The V2G and MO roots, asked again after `max_age`.

    A pool that is away withdraws no trust: the roots read last stay in use. Without any root nothing is trusted.
    """

    def __init__(self, source: RootSource, *, clock: Clock, max_age: timedelta = timedelta(hours=1)) -> None:
        self._source = source
        self._clock = clock
        self._max_age = max_age
        self._entries: tuple[RootEntry, ...] = ()
        self._anchors = TrustAnchors()
        self._read_at: datetime | None = None

    async def entries(self, *, fresh: bool = False) -> tuple[RootEntry, ...]:
        """The roots; `fresh` asks the pool even if they were read a moment ago."""
        await self._refresh(fresh=fresh)
        return self._entries

    async def anchors(self) -> TrustAnchors:
        """The roots as trust anchors."""
        await self._refresh(fresh=False)
        return self._anchors

    async def _refresh(self, *, fresh: bool) -> None:
        now = self._clock.now()
        if not fresh and self._read_at is not None and self._read_at <= now < self._read_at + self._max_age:
            return
        try:
            found = await self._source.roots()
        except PlugpassError as error:
            log.warning("csms.roots_unavailable", cause=str(error), in_use=len(self._entries))
            return
        anchors, usable = TrustAnchors(), []
        for entry in found:
            if entry.root_type not in ROOT_USES:
                continue
            try:
                anchors = anchors.adding(AnchorType(entry.root_type), entry.certificate)
            except UnusableTrustAnchor as error:
                log.warning("csms.root_unusable", root=entry.root_id, cause=str(error))
                continue
            usable.append(entry)
        self._anchors, self._entries, self._read_at = anchors, tuple(usable), now
