"""What every OPCP server has in common: tokens, the error shape, bounded bodies.

The pools and the signing service mount their routes in an app made by `opcp_app`; both use one `OpcpGate`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from plugpass.clock import Clock
from plugpass.errors import PeerError, PlugpassError, Unavailable
from plugpass.net.http_server import client_network
from plugpass.opcp import bodies, tokens
from plugpass.opcp.errors import OpcpError, bad_request, unauthorized
from plugpass.opcp.rights import Account, Right, require
from plugpass.ports.contracts import AccountStore

log = structlog.get_logger(__name__)

MAX_BODY: Final = 64 * 1024  #: octets; the largest body is an installation message of some 6 KiB in base64
MAX_FAILURES: Final = 10  #: refused token requests of one client from one address in `FAILURE_WINDOW`
MAX_ADDRESS_FAILURES: Final = 50  #: of all clients of one address together, whatever they call themselves
FAILURE_WINDOW: Final = timedelta(minutes=1)
_MAX_TRACKED: Final = 4096

B = TypeVar("B", bound=bodies.Body)
Random = Callable[[int], bytes]


class OpcpGate:
    """Gives out bearer tokens and turns them back into accounts."""

    def __init__(self, *, accounts: AccountStore, clock: Clock, random: Random) -> None:
        self._accounts = accounts
        self._clock = clock
        self.random = random  #: the source of tokens, salts and trace ids
        self._of_client = _Failures(MAX_FAILURES)
        self._of_address = _Failures(MAX_ADDRESS_FAILURES)
        self._hashing = asyncio.Semaphore(2)  # each scrypt takes 16 MiB

    async def add_account(self, account: Account, secret: str) -> None:
        """Create the account, or give it a new secret, properties and no tokens."""
        await self._accounts.save_account(account, tokens.hash_secret(secret, random=self.random))

    def now(self) -> datetime:
        """The time tokens are judged by."""
        return self._clock.now()

    async def account(self, request: Request, right: Right) -> Account:
        """The account whose token the request carries. Raises OpcpError 401, or 403 where it lacks the right."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise unauthorized("A bearer token is required; get one from POST /oauth/token.")
        account = await self._accounts.token(tokens.token_digest(token.strip()), self._clock.now())
        if account is None:
            raise unauthorized("The bearer token is unknown or has expired; get a new one from POST /oauth/token.")
        require(account, right)
        return account

    async def grant(self, wanted: bodies.TokenRequest, address: str) -> bodies.TokenResponse:
        """A token for client credentials. Raises OpcpError: 400, 401, or 429 after too many failures."""
        if wanted.grant_type != "client_credentials":
            raise bad_request("grant_type must be client_credentials.")
        now = self._clock.now()
        network = client_network(address)
        counts = ((self._of_address, network), (self._of_client, (network, wanted.client_id[:64])))
        if any(failures.exhausted(origin, now) for failures, origin in counts):
            raise OpcpError(429, "Too many refused token requests; wait a minute.")
        for failures, origin in counts:  # a failure until it turns out well: a flood is counted before it is hashed
            failures.add(origin, now)
        found = await self._accounts.account(wanted.client_id)
        async with self._hashing:
            stored = None if found is None else found[1]
            matches = await asyncio.to_thread(tokens.secret_matches, wanted.client_secret, stored)
        if not matches:
            raise unauthorized("client_id or client_secret is wrong.")
        for failures, origin in counts:
            failures.forgive(origin, now)
        token = tokens.new_token(random=self.random)
        await self._accounts.save_token(tokens.token_digest(token), wanted.client_id, now, now + tokens.TOKEN_LIFETIME)
        return bodies.TokenResponse(
            access_token=token, expires_in=int(tokens.TOKEN_LIFETIME.total_seconds()), scope=wanted.audience
        )

    def router(self) -> APIRouter:
        """`POST /oauth/token`, JSON (OPCP) or form (RFC 6749, as some CSMS send it)."""
        router = APIRouter()

        @router.post("/oauth/token")
        async def token(request: Request) -> Response:
            """Client credentials for a bearer token."""
            wanted = await _token_request(request)
            return json_response(await self.grant(wanted, request.client.host if request.client else ""))

        return router


class _Failures:
    """Refused token requests by origin, within the window, for a bounded number of origins."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: OrderedDict[Hashable, deque[datetime]] = OrderedDict()

    def exhausted(self, origin: Hashable, now: datetime) -> bool:
        times = self._times.get(origin)
        while times and times[0] <= now - FAILURE_WINDOW:
            times.popleft()
        return len(times or ()) >= self._most

    def forgive(self, origin: Hashable, at: datetime) -> None:
        times = self._times.get(origin)
        if times and at in times:
            times.remove(at)

    def add(self, origin: Hashable, now: datetime) -> None:
        self._times.setdefault(origin, deque(maxlen=self._most)).append(now)
        self._times.move_to_end(origin)
        if len(self._times) > _MAX_TRACKED:
            self._times.popitem(last=False)


async def _token_request(request: Request) -> bodies.TokenRequest:
    raw = await read_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded":
        return bodies.from_mapping(bodies.TokenRequest, dict(parse_qsl(raw.decode("utf-8", "replace"))))
    return bodies.parse(bodies.TokenRequest, raw)


async def read_body(request: Request) -> bytes:
    """The body, at most `MAX_BODY` octets. Raises OpcpError 413."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MAX_BODY:
            raise OpcpError(413, f"The body is larger than {MAX_BODY} octets.")
    return bytes(received)


async def read_json(request: Request, cls: type[B]) -> B:
    """The JSON body of type `cls`. Raises OpcpError 400 or 413."""
    return bodies.parse(cls, await read_body(request))


def json_response(body: bodies.Body, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(bodies.dump(body), status, media_type="application/json")


def opcp_app(title: str, *routers: APIRouter, random: Random) -> FastAPI:
    """An app of these routers in which every refusal has the OPCP error shape and one log line names its cause."""
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.random = random
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(HTTPException, _refuse_http)
    app.add_exception_handler(PlugpassError, _refuse)
    app.add_exception_handler(ClientDisconnect, _nobody_there)
    app.add_exception_handler(Exception, _fail)
    return app


async def _refuse(request: Request, error: Exception) -> Response:
    return error_response(request, *_status_and_messages(error), cause=str(error))


def _status_and_messages(error: Exception) -> tuple[int, tuple[str, ...]]:
    match error:
        case OpcpError():
            return error.status, error.messages
        case Unavailable():
            return 503, (str(error),)
        case PeerError():
            return 400, (str(error),)
        case _:
            return 500, ("The service cannot answer this request; its log says why.",)


async def _refuse_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(request, status, (f"{request.method} {request.url.path[:200]} is not served.",))


async def _nobody_there(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody gets it: the HTTP server drops it and has the log line


async def _fail(request: Request, error: Exception) -> Response:
    return error_response(request, *_status_and_messages(error), cause=type(error).__name__)


def error_response(request: Request, status: int, messages: tuple[str, ...], *, cause: str = "") -> Response:
    """The error body, with a trace id that the log line carries too; `cause` is for the log where it says more."""
    trace_id = str(uuid.UUID(bytes=request.app.state.random(16), version=4))
    log.warning(
        "opcp.request_refused",
        method=request.method,
        path=request.url.path[:200],
        status=status,
        cause=cause or "; ".join(messages),
        trace_id=trace_id,
    )
    response = json_response(bodies.ErrorBody(error_messages=messages, trace_id=trace_id), status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
