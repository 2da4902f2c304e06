"""Asking for revocation information over HTTP, within a hard budget of time and size.

OCSP responses (RFC 6960 appendix A) and revocation lists (RFC 5280 §4.2.1.13). Nothing is believed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
import structlog

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.net.http_client import fetch
from plugpass.pki.crl import MAX_CRL_BYTES
from plugpass.ports.trace import NullTrace, Trace, WireEvent

log = structlog.get_logger(__name__)

BUDGET = 1.5  #: seconds: an authorization has 4.5 s for everything, with several certificates asked about at once
MAX_RESPONSE = 16 * 1024  #: octets; a response with its delegated signer's certificate has about 1 KiB

_OCSP_HEADERS = {"content-type": "application/ocsp-request", "accept": "application/ocsp-response"}
_CRL_HEADERS = {"accept": "application/pkix-crl"}


def any_http(url: SplitResult) -> bool:
    """The default rule: any http or https address of a named host, without user information."""
    return url.scheme in {"http", "https"} and bool(url.hostname) and url.username is None and url.password is None


class HttpRevocationSource:
    """`plugpass.ports.charging.RevocationSource` over HTTP, and revocation lists besides.

    The address comes out of certificates and station messages, so a peer chooses it: redirects are not followed, and
    `allow` can narrow it further (a list of responders known to the operator). Answers are not trusted here:
    `plugpass.pki.ocsp` and `plugpass.pki.crl` verify them.
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
        return await self._traced("OCSP", "POST OCSPRequest", url, self._ask(request, url), len(request))

    async def crl(self, url: str) -> bytes:
        """The revocation list at `url`, as it is. Raises Unavailable after at most `budget` seconds."""
        self._check(url)
        return await self._traced("CRL", "GET CRL", url, self._download(url))

    def _check(self, url: str) -> None:
        try:
            allowed = self._allow(urlsplit(url))
        except ValueError:
            allowed = False
        if not allowed:
            log.warning("revocation.address_refused", url=url[:200])
            raise Unavailable(f"the address {url[:200]!a} is not allowed: no status can be had")

    async def _traced(
        self, protocol: str, message: str, url: str, exchange: Coroutine[Any, Any, bytes], sent: int = 0
    ) -> bytes:
        started, body, cause = self._clock.monotonic(), b"", ""
        try:
            async with asyncio.timeout(self._budget):
                body = await exchange
        except TimeoutError:
            cause = f"{url} did not answer within {self._budget:g} s"
        except Unavailable as error:
            cause = str(error)
        event = WireEvent(
            actor=self._actor,
            peer=self._peer,
            protocol=protocol,
            message=message,
            size=sent + len(body),
            ms=(self._clock.monotonic() - started) * 1000,
            ok=not cause,
            detail=cause,
        )
        self._trace.record(event)
        if cause:
            log.warning(f"{protocol.lower()}.unavailable", url=url, cause=cause)
            raise Unavailable(cause)
        return body

    async def _ask(self, request: bytes, url: str) -> bytes:
        response = await fetch(self._http, "POST", url, limit=MAX_RESPONSE, content=request, headers=_OCSP_HEADERS)
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200 or content_type != "application/ocsp-response":
            raise Unavailable(
                f"the OCSP responder {url} answered {response.status_code} with {content_type or 'nothing'}"
            )
        return response.content

    async def _download(self, url: str) -> bytes:
        response = await fetch(self._http, "GET", url, limit=MAX_CRL_BYTES, headers=_CRL_HEADERS)
        if response.status_code != 200:  # the content type is not looked at: many servers know none for CRLs
            raise Unavailable(f"the distribution point {url} answered {response.status_code}")
        return response.content
