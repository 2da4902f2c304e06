"""Fetching revocation information over HTTP, and the client on top of it against a running authority."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from structlog.testing import capture_logs

from ca_support import ListTrace, running_ca, station_csr
from pki_factory import ROLE
from plugpass.errors import Unavailable
from plugpass.net.clock import LabClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.pki.crl import MAX_CRL_BYTES
from plugpass.pki.keys import generate
from plugpass.pki.trust import TrustAnchors
from plugpass.pki.verdict import Status
from plugpass.providers.ocsp import HttpRevocationSource
from plugpass.providers.revocation import RevocationClient


def source(http: httpx.AsyncClient, trace: ListTrace | None = None, **options: Any) -> HttpRevocationSource:
    return HttpRevocationSource(http, clock=LabClock(), actor="csms", trace=trace, **options)


def file_server(answer: Response) -> FastAPI:
    app = FastAPI()

    @app.get("/list.crl")
    async def file() -> Response:
        return answer

    return app


async def test_a_list_comes_as_it_is() -> None:
    trace = ListTrace()
    async with HttpServer(file_server(Response(b"list", media_type="text/plain"))) as server, http_client() as http:
        assert await source(http, trace).crl(f"{server.url}/list.crl") == b"list"
    assert [(event.protocol, event.message, event.size, event.ok) for event in trace.events] == [
        ("CRL", "GET CRL", 4, True)
    ]


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        pytest.param(Response(status_code=404), "answered 404", id="status"),
        pytest.param(Response(status_code=302, headers={"location": "/x"}), "answered 302", id="redirect"),
        pytest.param(Response(b"x" * (MAX_CRL_BYTES + 1)), f"more than {MAX_CRL_BYTES}", id="size"),
    ],
)
async def test_unusable_distribution_points_are_unavailable(answer: Response, cause: str) -> None:
    trace = ListTrace()
    async with HttpServer(file_server(answer)) as server, http_client() as http:
        with capture_logs() as logs, pytest.raises(Unavailable, match=cause):
            await source(http, trace).crl(f"{server.url}/list.crl")
    assert [line["event"] for line in logs] == ["crl.unavailable"]
    assert [event.ok for event in trace.events] == [False]


async def test_a_silent_distribution_point_costs_no_more_than_the_budget() -> None:
    silence = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with http_client() as http:
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await source(http, budget=0.05).crl(f"http://127.0.0.1:{port}/list.crl")
    silence.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["ldap://host/cn=x?certificateRevocationList", "file:///etc/passwd", "http://u:p@h/"])
async def test_only_http_addresses_are_asked(url: str) -> None:
    trace = ListTrace()
    async with http_client() as http:
        with capture_logs() as logs, pytest.raises(Unavailable, match="is not allowed"):
            await source(http, trace).crl(url)
    assert [line["event"] for line in logs] == ["revocation.address_refused"]
    assert trace.events == []


async def test_a_station_is_accepted_until_it_is_revoked() -> None:
    async with running_ca() as ca, http_client() as http:
        chain = (await ca.v2g.issue_for(station_csr(generate()), ROLE.SECC_LEAF, owner="csms")).certificates
        client = RevocationClient(source(http), clock=ca.clock)
        with_nonces = RevocationClient(source(http), clock=ca.clock, random=os.urandom)
        anchors = TrustAnchors.of(v2g=[ca.v2g.root])

        async def status(asking: RevocationClient, *, ask_leaf: bool = False) -> Status:
            verdict = await asking.validate(chain, role=ROLE.SECC_LEAF, anchors=anchors, ask_leaf=ask_leaf)
            return verdict.status

        assert await status(client) is Status.ACCEPTED
        assert await status(with_nonces) is Status.ACCEPTED
        exchanges = len(ca.trace.events)
        assert await status(client) is Status.ACCEPTED
        assert len(ca.trace.events) == exchanges == 6, "three certificates, asked about by each client once"
        await ca.v2g.revoke(chain[0], "keyCompromise")
        assert await status(client) is Status.ACCEPTED, "what is at hand"
        assert await status(client, ask_leaf=True) is Status.REFUSED
        assert await status(client) is Status.REFUSED
