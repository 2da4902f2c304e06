"""An HTTP client with the project's habits: explicit roots, no environment, bounded answers, one error for "not there".

Retries are the caller's: only it knows which requests may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from plugpass.clock import Clock
from plugpass.errors import Unavailable
from plugpass.net.tls_service import client_context, trusting_nobody
from plugpass.ports.keys import Credential

TIMEOUT = 10.0  #: seconds for each of connecting, sending and waiting
MAX_ANSWER = 1024 * 1024  #: octets


def http_client(
    base_url: str = "",
    *,
    roots: Sequence[bytes] | None = None,
    credential: Credential | None = None,
    timeout: float = TIMEOUT,
    auth: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
    clock: Clock | None = None,
    check_hostname: bool = True,
) -> httpx.AsyncClient:
    """A client for `base_url`, to be closed by the caller (`async with`).

    Servers must lead to one of `roots` (DER); None trusts nobody over TLS, which leaves plain HTTP. `credential` is
    the client certificate. Proxy settings of the environment are ignored and redirects are not followed.
    """
    if roots is None:
        verify = trusting_nobody()
    else:
        verify = client_context(roots, credential, clock=clock, check_hostname=check_hostname)
    return httpx.AsyncClient(
        base_url=base_url,
        verify=verify,
        timeout=timeout,
        auth=auth,
        headers=headers,
        trust_env=False,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=4.0),
    )


async def fetch(
    client: httpx.AsyncClient, method: str, url: str, *, limit: int = MAX_ANSWER, **options: Any
) -> httpx.Response:
    """The complete answer, whatever its status. `options` are those of `httpx.AsyncClient.build_request`.

    Raises Unavailable where the server cannot be reached, does not answer in time, or answers with more than `limit`
    octets.
    """
    request = client.build_request(method, url, **options)
    with unavailable(f"{request.method} {request.url}"):
        response = await client.send(request, stream=True)
        try:
            body = await _bounded_body(response, limit)
        finally:
            await response.aclose()
    headers = [(name, value) for name, value in response.headers.multi_items() if name not in _HOP_HEADERS]
    return httpx.Response(response.status_code, headers=headers, content=body, request=request)


_HOP_HEADERS = frozenset({"content-encoding", "transfer-encoding", "content-length"})  # of the octets we have undone


async def _bounded_body(response: httpx.Response, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Unavailable(f"{response.request.url} answered with more than {limit} octets: answer dropped")
    return bytes(body)


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Turn httpx's transport errors into Unavailable, naming `what` was tried."""
    try:
        yield
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{what} failed: {reason}") from error
