"""OCSP over HTTP, the responder's side (RFC 6960 appendix A): routes that any authority mounts in its own app."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable

import structlog
from cryptography.x509.ocsp import OCSPResponseStatus, load_der_ocsp_response
from fastapi import APIRouter, Request, Response

from plugpass.clock import Clock
from plugpass.pki.ocsp import ResponseError, error_response
from plugpass.ports.trace import NullTrace, Trace, WireEvent

log = structlog.get_logger(__name__)

REQUEST_TYPE = "application/ocsp-request"
RESPONSE_TYPE = "application/ocsp-response"
MAX_REQUEST = 4096  #: octets; a request about one certificate has about 120

Responder = Callable[[bytes], Awaitable[bytes]]


def ocsp_router(
    respond: Responder, *, clock: Clock, actor: str, peer: str = "relying party", trace: Trace | None = None
) -> APIRouter:
    """POST `/ocsp/<ca>` and GET `/ocsp/<ca>/<request>` for `respond`, which maps request DER to response DER.

    The CA is found by what the request names; the path segment only makes the URLs in certificates readable.
    `actor` is the authority's name in the trace. Answers 413 for more than 4 KiB, 415 for another content type,
    400 for a path that is no base64.
    """
    recorder = trace or NullTrace()
    router = APIRouter()

    async def answer(request: bytes, message: str) -> Response:
        started = clock.monotonic()
        body = await respond(request)
        status = load_der_ocsp_response(body).response_status
        recorder.record(
            WireEvent(
                actor=actor,
                peer=peer,
                protocol="OCSP",
                message=message,
                size=len(request) + len(body),
                ms=(clock.monotonic() - started) * 1000,
                ok=status is OCSPResponseStatus.SUCCESSFUL,
                detail=status.name.lower(),
            )
        )
        return Response(body, media_type=RESPONSE_TYPE)

    @router.post("/ocsp/{ca}")
    async def post(ca: str, request: Request) -> Response:
        """RFC 6960 A.1: the request is the body."""
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != REQUEST_TYPE:
            return _refuse(415, f"send {REQUEST_TYPE}, not {content_type[:64] or 'nothing'}", ca)
        body = await _bounded_body(request)
        if body is None:
            return _refuse(413, f"an OCSP request of more than {MAX_REQUEST} octets is not read", ca)
        return await answer(body, "POST OCSPRequest")

    @router.get("/ocsp/{ca}/{encoded:path}")
    async def get(ca: str, encoded: str) -> Response:
        """RFC 6960 A.1: the request is base64 in the path, percent-encoded by the client and decoded by the server."""
        if len(encoded) > MAX_REQUEST * 4 // 3 + 4:
            return _refuse(413, f"an OCSP request of more than {MAX_REQUEST} octets is not read", ca)
        try:
            return await answer(base64.b64decode(encoded, validate=True), "GET OCSPRequest")
        except binascii.Error:
            return _refuse(400, "the path does not end in a base64 OCSPRequest", ca)

    return router


def first_responsible(*responders: Responder) -> Responder:
    """A responder for several authorities: the first that is responsible for the request answers it."""
    foreign = error_response(ResponseError.UNAUTHORIZED)

    async def respond(request: bytes) -> bytes:
        for responder in responders:
            answer = await responder(request)
            if answer != foreign:
                return answer
        return foreign

    return respond


async def _bounded_body(request: Request) -> bytes | None:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_REQUEST:
            return None
    return body


def _refuse(status: int, reason: str, ca: str) -> Response:
    log.warning("ocsp.request_refused", ca=ca[:64], status=status, cause=reason)
    return Response(reason + "\n", status_code=status, media_type="text/plain")
