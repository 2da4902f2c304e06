"""OCSP over HTTP: addresses, methods, and what caches on the way are told."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ca_support import ListTrace
from pki_factory import NOW, ROLE, shared_pki
from plugpass.errors import LocalError
from plugpass.net.clock import ManualClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.net.ocsp_http import OcspApp, first_responsible, ocsp_router
from plugpass.pki.ocsp import (
    CertStatus,
    ResponseError,
    SingleStatus,
    build_request,
    build_response,
    cert_id,
    error_response,
    parse_request,
)

PKI = shared_pki()
SUB2 = PKI[ROLE.CPO_SUB2]
WANTED = cert_id(PKI.leaf(ROLE.SECC_LEAF).der, SUB2.der)
REQUEST = build_request([WANTED])
HEADERS = {"content-type": "application/ocsp-request"}


async def respond(request: bytes) -> bytes:
    """Good for a day from NOW on; the nonce comes back."""
    asked = parse_request(request)
    single = SingleStatus(
        cert_id=asked.cert_ids[0], status=CertStatus.GOOD, this_update=NOW, next_update=NOW + timedelta(days=1)
    )
    return build_response([single], SUB2.signer, SUB2.certificate, produced_at=NOW, nonce=asked.nonce)


class Signed:
    """One response, signed beforehand: ECDSA makes another signature each time."""

    def __init__(self, response: bytes) -> None:
        self.response = response

    async def __call__(self, request: bytes) -> bytes:
        return self.response


def path(request: bytes = REQUEST) -> str:
    return f"/ocsp/cpo-sub2/{quote(base64.b64encode(request), safe='')}"


@asynccontextmanager
async def served(responder: Any = respond, *, routed: bool = False, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    clock = options.pop("clock", None) or ManualClock(NOW)
    app: Any = OcspApp(responder, clock=clock, actor="v2g-ca", **options)
    if routed:
        app = FastAPI()
        app.include_router(ocsp_router(responder, clock=clock, actor="v2g-ca", **options))
    async with HttpServer(app, clock=clock) as server, http_client(server.url) as http:
        yield http


# --- caches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routed", [False, True], ids=["app", "router"])
async def test_caches_are_told_when_a_newer_response_can_be_had(routed: bool) -> None:
    clock = ManualClock(NOW + timedelta(hours=3))
    async with served(routed=routed, clock=clock) as http:
        answer = await http.get(path())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/ocsp-response")
    assert answer.headers["cache-control"] == f"max-age={9 * 3600}, public, no-transform, must-revalidate"
    assert parsedate_to_datetime(answer.headers["last-modified"]) == NOW
    assert parsedate_to_datetime(answer.headers["expires"]) == NOW + timedelta(days=1)
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_past_half_of_its_life_a_response_is_checked_again_each_time() -> None:
    async with served(clock=ManualClock(NOW + timedelta(hours=13))) as http:
        answer = await http.get(path())
    assert answer.headers["cache-control"].startswith("max-age=0,")


@pytest.mark.parametrize("sent", ["{etag}", "W/{etag}", '"other", {etag}'])
async def test_who_has_the_response_already_gets_no_second_copy(sent: str) -> None:
    async with served(Signed(await respond(REQUEST))) as http:
        etag = (await http.get(path())).headers["etag"]
        again = await http.get(path(), headers={"if-none-match": sent.format(etag=etag)})
        other = await http.get(path(), headers={"if-none-match": '"other"'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert "max-age" in again.headers["cache-control"]
    assert other.status_code == 200


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(error_response(ResponseError.TRY_LATER), id="error"),
        pytest.param(None, id="nonce"),
        pytest.param("endless", id="no nextUpdate"),
    ],
)
async def test_what_is_for_one_asker_is_stored_nowhere(response: bytes | str | None) -> None:
    single = SingleStatus(cert_id=WANTED, status=CertStatus.GOOD, this_update=NOW)
    endless = build_response([single], SUB2.signer, SUB2.certificate, produced_at=NOW)
    body = (
        response
        if isinstance(response, bytes)
        else endless
        if response
        else await respond(build_request([WANTED], nonce=b"n" * 16))
    )
    async with served(Signed(body)) as http:
        answer = await http.get(path())
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


async def test_a_post_is_not_for_caches() -> None:
    async with served() as http:
        answer = await http.post("/ocsp/cpo-sub2", content=REQUEST, headers=HEADERS)
    assert answer.status_code == 200
    assert not {"etag", "expires", "cache-control"} & set(answer.headers)


# --- addresses and methods -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routed", [False, True], ids=["app", "router"])
@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("GET", "/ocsp/cpo-sub2", 404),
        ("GET", "/ocsp/", 404),
        ("POST", "/ocsp/cpo-sub2/more", 404),
        ("PUT", "/ocsp/cpo-sub2", 405),
        ("DELETE", path(), 405),
        ("GET", "/ocsp/cpo-sub2/%C3%A4%C3%A4", 400),
        ("GET", "/ocsp/cpo-sub2/AAA", 400),
        ("POST", "/ocsp/cpo-sub2", 415),
    ],
)
async def test_other_requests_are_refused_in_words(method: str, url: str, status: int, routed: bool) -> None:
    async with served(routed=routed) as http:
        with capture_logs() as logs:
            answer = await http.request(method, url)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert [(line["event"], line["status"]) for line in logs] == [("ocsp.request_refused", status)]
    assert ("allow" in answer.headers) is (status == 405)


async def test_other_paths_are_no_business_of_it() -> None:
    async with served() as http:
        assert (await http.get("/elsewhere")).status_code == 404


async def test_a_body_that_comes_in_pieces_is_put_together() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for octet in REQUEST:
            yield bytes([octet])

    async with served() as http:
        answer = await http.post("/ocsp/cpo-sub2", content=pieces(), headers=HEADERS)
    assert answer.status_code == 200


async def test_it_speaks_http_only() -> None:
    async def nothing(*_: Any) -> Any:
        raise AssertionError("not reached")

    with pytest.raises(LocalError, match="not websocket"):
        await OcspApp(respond, clock=ManualClock(NOW), actor="v2g-ca")({"type": "websocket"}, nothing, nothing)


@given(st.text(max_size=40), st.binary(max_size=60))
async def test_any_path_and_body_get_an_answer(below: str, body: bytes) -> None:
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        answers.append(message)

    app = OcspApp(Signed(error_response(ResponseError.MALFORMED_REQUEST)), clock=ManualClock(NOW), actor="v2g-ca")
    for method in ("GET", "POST"):
        scope = {
            "type": "http",
            "method": method,
            "path": f"/ocsp/{below}",
            "headers": [(b"content-type", b"application/ocsp-request; charset=binary")],
        }
        with capture_logs():
            await app(scope, receive, send)
    assert [message["type"] for message in answers] == ["http.response.start", "http.response.body"] * 2
    assert {answers[0]["status"], answers[2]["status"]} <= {200, 400, 404}


# --- around it -------------------------------------------------------------------------------------------------------


async def test_each_answer_is_traced() -> None:
    trace = ListTrace()
    async with served(trace=trace) as http:
        await http.get(path())
        await http.post("/ocsp/cpo-sub2", content=REQUEST, headers=HEADERS)
    assert [(event.message, event.detail, event.ok) for event in trace.events] == [
        ("GET OCSPRequest", "successful", True),
        ("POST OCSPRequest", "successful", True),
    ]


async def test_the_authority_that_answered_before_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugpass.net.ocsp_http._MAX_REMEMBERED", 2)
    asked: list[str] = []
    foreign = error_response(ResponseError.UNAUTHORIZED)

    async def never(request: bytes) -> bytes:
        asked.append("never")
        return foreign

    async def short(request: bytes) -> bytes:
        asked.append("short")
        return b"answer" if len(request) < 3 else foreign

    responder = first_responsible(never, short)
    for request in (b"a", b"a", b"b", b"c", b"a"):
        assert await responder(request) == b"answer"
    assert asked == ["never", "short", "short", *["never", "short"] * 3], "the memory is bounded"
    assert await responder(b"long") == foreign
    assert first_responsible(short) is short
