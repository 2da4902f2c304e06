"""OCSP over HTTP, the responder's side (RFC 6960 appendix A, RFC 5019 §5 and §6).

One plain ASGI application, because a cached response costs less than a framework's way to it. `OcspApp` is served by
itself, `ocsp_router` puts it among the routes of a larger application.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256

import structlog
from cryptography.x509.ocsp import OCSPResponse, OCSPResponseStatus, load_der_ocsp_response
from fastapi import APIRouter
from starlette.routing import Route

from plugpass.clock import Clock
from plugpass.errors import LocalError
from plugpass.net.http_server import Receive, Scope, Send
from plugpass.pki import oids
from plugpass.pki.ocsp import ResponseError, error_response
from plugpass.ports.trace import Trace, WireEvent

log = structlog.get_logger(__name__)

REQUEST_TYPE = "application/ocsp-request"
RESPONSE_TYPE = "application/ocsp-response"
MAX_REQUEST = 4096  #: octets; a request about one certificate has about 120

Responder = Callable[[bytes], Awaitable[bytes]]
Headers = list[tuple[bytes, bytes]]

_PREFIX = "/ocsp/"
_MAX_REMEMBERED = 4096  #: requests, or responses, about which something is remembered


class _Refused(Exception):
    """The HTTP request is not one that the application answers with OCSP."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class OcspApp:
    """ASGI application: POST `/ocsp/<ca>` and GET `/ocsp/<ca>/<request>` for `respond` (request DER -> response DER).

    The CA is found by what the request names; the path segment only makes the URLs in certificates readable.
    `actor` is the authority's name in the trace. Answers 413 for more than 4 KiB, 415 for another content type,
    405 for another method, 404 for another path, and 400 for a path that is no base64.
    """

    def __init__(
        self, respond: Responder, *, clock: Clock, actor: str, peer: str = "relying party", trace: Trace | None = None
    ) -> None:
        self._respond = respond
        self._clock = clock
        self._actor = actor
        self._peer = peer
        self._trace = trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises LocalError for anything but HTTP."""
        if scope["type"] != "http":
            raise LocalError(f"OCSP is served over HTTP, not {scope['type']}")
        method, path = scope["method"], scope["path"]
        try:
            request = _from_path(path) if method == "GET" else await _from_body(method, path, scope, receive)
        except _Refused as error:
            log.warning("ocsp.request_refused", path=path[:64], status=error.status, cause=str(error))
            await _send(send, error.status, _refusal_headers(error.status), f"{error}\n".encode())
            return
        started = self._clock.monotonic()
        body = await self._respond(request)
        facts = _facts(body)
        if self._trace is not None:
            self._record(f"{method} OCSPRequest", started, len(request) + len(body), facts.status)
        if method == "POST":
            await _send(send, 200, facts.headers, body)
        elif facts.etag and _matches(scope, facts.etag):
            await _send(send, 304, facts.caching(self._clock.now()), b"")
        else:
            await _send(send, 200, [*facts.headers, *facts.caching(self._clock.now())], body)

    def _record(self, message: str, started: float, size: int, status: OCSPResponseStatus) -> None:
        event = WireEvent(
            actor=self._actor,
            peer=self._peer,
            protocol="OCSP",
            message=message,
            size=size,
            ms=(self._clock.monotonic() - started) * 1000,
            ok=status is OCSPResponseStatus.SUCCESSFUL,
            detail=status.name.lower(),
        )
        if self._trace is not None:
            self._trace.record(event)


def ocsp_router(
    respond: Responder, *, clock: Clock, actor: str, peer: str = "relying party", trace: Trace | None = None
) -> APIRouter:
    """`OcspApp` as routes of a FastAPI application, for services that have other routes as well."""
    app = OcspApp(respond, clock=clock, actor=actor, peer=peer, trace=trace)
    return APIRouter(routes=[Route(_PREFIX + "{path:path}", app)])


def first_responsible(*responders: Responder) -> Responder:
    """A responder for several authorities: the first that is responsible for the request answers it."""
    if len(responders) == 1:
        return responders[0]
    foreign = error_response(ResponseError.UNAUTHORIZED)
    known: dict[bytes, Responder] = {}  # who answered before is asked first: the others need not read the request

    async def respond(request: bytes) -> bytes:
        before = known.get(request)
        for responder in responders if before is None else (before, *responders):
            answer = await responder(request)
            if answer != foreign:
                if len(known) >= _MAX_REMEMBERED:
                    known.clear()
                known[request] = responder
                return answer
        return foreign

    return respond


# --- requests --------------------------------------------------------------------------------------------------------


def _from_path(path: str) -> bytes:
    """RFC 6960 A.1: the request is base64 in the path, percent-encoded by the client and decoded by the server."""
    _, separator, encoded = _below_prefix(path).partition("/")
    if not separator:
        raise _Refused(404, "an OCSP request by GET is /ocsp/<ca>/<base64>")
    if len(encoded) > MAX_REQUEST * 4 // 3 + 4:
        raise _Refused(413, f"an OCSP request of more than {MAX_REQUEST} octets is not read")
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        raise _Refused(400, "the path does not end in a base64 OCSPRequest") from None


async def _from_body(method: str, path: str, scope: Scope, receive: Receive) -> bytes:
    """RFC 6960 A.1: the request is the body of a POST."""
    if method != "POST":
        raise _Refused(405, f"OCSP is asked by GET or POST, not {method[:16]}")
    if "/" in _below_prefix(path):
        raise _Refused(404, "an OCSP request by POST goes to /ocsp/<ca>")
    content_type = _header(scope, b"content-type").partition(b";")[0].strip().lower().decode("latin-1")
    if content_type != REQUEST_TYPE:
        raise _Refused(415, f"send {REQUEST_TYPE}, not {content_type[:64] or 'nothing'}")
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST:
            raise _Refused(413, f"an OCSP request of more than {MAX_REQUEST} octets is not read")
        more = message.get("more_body", False)
    return body


def _below_prefix(path: str) -> str:
    if not path.startswith(_PREFIX) or len(path) == len(_PREFIX):
        raise _Refused(404, "OCSP is served at /ocsp/<ca>")
    return path[len(_PREFIX) :]


def _header(scope: Scope, name: bytes) -> bytes:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), b"")


# --- responses -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the HTTP side needs to know of a response, read once."""

    status: OCSPResponseStatus
    headers: Headers
    etag: bytes = b""  #: empty for what no cache should keep
    validators: tuple[tuple[bytes, bytes], ...] = ()
    fresh_until: datetime | None = None

    def caching(self, now: datetime) -> Headers:
        """The headers for caches between us and the client (RFC 5019 §6.2, RFC 9111)."""
        if self.fresh_until is None:
            return [(b"cache-control", b"no-store")]
        seconds = max(0, int((self.fresh_until - now).total_seconds()))
        control = b"max-age=%d, public, no-transform, must-revalidate" % seconds
        return [(b"cache-control", control), *self.validators]


@lru_cache(maxsize=_MAX_REMEMBERED)
def _facts(body: bytes) -> _Facts:
    """Read a response. An answer to a nonce, or one without content, is for its asker alone."""
    response = load_der_ocsp_response(body)
    status = response.response_status
    headers = [(b"content-type", RESPONSE_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    times = _times(response) if status is OCSPResponseStatus.SUCCESSFUL else None
    if times is None:
        return _Facts(status=status, headers=headers)
    this_update, next_update = times
    etag = b'"%b"' % sha256(body).hexdigest()[:32].encode()
    return _Facts(
        status=status,
        headers=headers,
        etag=etag,
        validators=(
            (b"etag", etag),
            (b"last-modified", format_datetime(this_update, usegmt=True).encode()),
            (b"expires", format_datetime(next_update, usegmt=True).encode()),
        ),
        # Half of the life: then a newer response can be had, and one that still has a use is passed on.
        fresh_until=this_update + (next_update - this_update) / 2,
    )


def _times(response: OCSPResponse) -> tuple[datetime, datetime] | None:
    """The latest thisUpdate and the earliest nextUpdate; None where a cache has nothing to go by."""
    if any(extension.oid.dotted_string == oids.OCSP_NONCE for extension in response.extensions):
        return None
    updates = [(single.this_update_utc, single.next_update_utc) for single in response.responses]
    ends = [end for _, end in updates if end is not None]
    return (max(start for start, _ in updates), min(ends)) if len(ends) == len(updates) else None


def _matches(scope: Scope, etag: bytes) -> bool:
    """RFC 9110 §13.1.2: the client has this very response already."""
    asked = _header(scope, b"if-none-match")
    return bool(asked) and etag in (item.strip().removeprefix(b"W/") for item in asked.split(b","))


def _refusal_headers(status: int) -> Headers:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    return [*headers, (b"allow", b"GET, POST")] if status == 405 else headers


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
