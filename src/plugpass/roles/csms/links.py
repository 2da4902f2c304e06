"""The stations that are connected now, and the tasks that work for them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Protocol, TypeVar

import structlog

from plugpass.errors import PlugpassError, Unavailable
from plugpass.ocpp.messages import Request, Response

log = structlog.get_logger(__name__)

ResponseT = TypeVar("ResponseT", bound=Response)


class StationLink(Protocol):
    """An open connection to a station (`plugpass.net.ocpp_channel.OcppChannel`)."""

    @property
    def identity(self) -> str:
        """The station's OCPP identity."""
        ...

    async def call(self, request: Request[ResponseT]) -> ResponseT:
        """Send a CALL and wait for its answer. Raises Unavailable, CallRefused, SchemaViolation."""
        ...


class Links:
    """Open connections by station identity; the newest of a station counts."""

    def __init__(self) -> None:
        self._links: dict[str, StationLink] = {}

    def add(self, link: StationLink) -> None:
        """The connection is open."""
        self._links[link.identity] = link

    def remove(self, link: StationLink) -> None:
        """The connection is gone; a newer one of the same station stays."""
        if self._links.get(link.identity) is link:
            del self._links[link.identity]

    def get(self, identity: str) -> StationLink:
        """The station's connection. Raises Unavailable where it has none."""
        link = self._links.get(identity)
        if link is None:
            raise Unavailable(f"station {identity} is not connected; it will be tried again")
        return link

    @property
    def identities(self) -> tuple[str, ...]:
        """Who is connected."""
        return tuple(sorted(self._links))


class Jobs:
    """Background work by key: a newer job of the same key replaces the older one; none outlives `close`."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    def start(self, key: Hashable, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`; a failure is logged, one we did not foresee with its traceback."""
        if (previous := self._tasks.get(key)) is not None:
            previous.cancel()
        task = asyncio.create_task(_guarded(key, work))
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    async def close(self) -> None:
        """Cancel what is running and wait for it to end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: Hashable, done: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is done:
            del self._tasks[key]
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("csms.job_failed", job=str(key), cause=type(error).__name__, exc_info=error)


async def _guarded(key: Hashable, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except PlugpassError as error:
        log.warning("csms.job_failed", job=str(key), cause=str(error))
