"""Asking OCSP responders over HTTP (RFC 6960 appendix A), within a hard budget of time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

import httpx
import structlog

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.net.http_client import fetch
from plugpass.ports.trace import NullTrace, Trace, WireEvent

log = structlog.get_logger(__name__)

BUDGET = 1.5  #: seconds: an authorization has 4.5 s for everything, with several certificates asked about at once
MAX_RESPONSE = 16 * 1024  #: octets; a response with its delegated signer's certificate has about 1 KiB


def any_http(url: SplitResult) -> bool:
    """The default rule: any http or https address of a named host, without user information."""
    return url.scheme in {"http", "https"} and bool(url.hostname) and url.username is None and url.password is None


class HttpRevocationSource:
    """`plugpass.ports.charging.RevocationSource` over HTTP POST.

    The address comes out of certificates and station messages, so a peer chooses it: redirects are not followed, and
    `allow` can narrow it further (a list of responders known to the operator). Answers are not trusted here:
    `plugpass.pki.ocsp` verifies them.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        clock: Clock,
        actor: str,
        peer: str = "v2g-ca",
        trace: Trace | None = None,
        budget: float = BUDGET,
        allow: Callable[[SplitResult], bool] = any_http,
    ) -> None:
        """`http` without a base URL (`plugpass.net.http_client`); `actor` and `peer` are names for the trace."""
        self._http = http
        self._clock = clock
        self._actor = actor
        self._peer = peer
        self._trace = trace or NullTrace()
        self._budget = budget
        self._allow = allow

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        """The DER OCSPResponse for the DER OCSPRequest. Raises Unavailable after at most `budget` seconds."""
        self._check(url)
        started = self._clock.monotonic()
        try:
            body = await self._ask(request, url)
        except Unavailable as error:
            log.warning("ocsp.unavailable", url=url, cause=str(error))
            self._record(started, len(request), ok=False, detail=str(error))
            raise
        self._record(started, len(request) + len(body), ok=True)
        return body

    def _check(self, url: str) -> None:
        try:
            allowed = self._allow(urlsplit(url))
        except ValueError:
            allowed = False
        if not allowed:
            log.warning("ocsp.address_refused", url=url[:200])
            raise Unavailable(f"the OCSP responder address {url[:200]!a} is not allowed: no status can be had")

    async def _ask(self, request: bytes, url: str) -> bytes:
        headers = {"content-type": "application/ocsp-request", "accept": "application/ocsp-response"}
        try:
            async with asyncio.timeout(self._budget):
                response = await fetch(self._http, "POST", url, limit=MAX_RESPONSE, content=request, headers=headers)
        except TimeoutError:
            raise Unavailable(f"the OCSP responder {url} did not answer within {self._budget:g} s") from None
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200 or content_type != "application/ocsp-response":
            raise Unavailable(
                f"the OCSP responder {url} answered {response.status_code} with {content_type or 'nothing'}"
            )
        return response.content

    def _record(self, started: float, size: int, *, ok: bool, detail: str = "") -> None:
        self._trace.record(
            WireEvent(
                actor=self._actor,
                peer=self._peer,
                protocol="OCSP",
                message="POST OCSPRequest",
                size=size,
                ms=(self._clock.monotonic() - started) * 1000,
                ok=ok,
                detail=detail,
            )
        )
