"""CRL distribution points over HTTP (RFC 5280 §4.2.1.13, RFC 2585 §4.2)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from fastapi import APIRouter, Response

from plugpass.errors import LocalError

log = structlog.get_logger(__name__)

CRL_TYPE: Final = "application/pkix-crl"
_NAME: Final = re.compile(r"[0-9a-f]{16}\.crl", re.ASCII)

FetchCrl = Callable[[str], Awaitable[bytes | None]]  #: file name to DER; None where there is none


def crl_router(fetch: FetchCrl, *, max_age: int = 3600) -> APIRouter:
    """GET `/crl/<16 hex digits>.crl`; may be kept by caches for `max_age` seconds. 404 for a name nobody knows."""
    router = APIRouter()

    @router.get("/crl/{name}")
    async def get(name: str) -> Response:
        """The list, DER."""
        try:
            found = await fetch(name) if _NAME.fullmatch(name) else None
        except LocalError as error:
            log.error("crl.cannot_sign", name=name, cause=str(error))
            return Response("the list cannot be signed now\n", status_code=503, media_type="text/plain")
        if found is None:
            log.warning("crl.unknown", name=name[:64])
            return Response("no such list\n", status_code=404, media_type="text/plain")
        return Response(found, media_type=CRL_TYPE, headers={"cache-control": f"max-age={max_age}"})

    return router
