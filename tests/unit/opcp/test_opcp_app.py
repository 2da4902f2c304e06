"""Every way a request can fail ends in the OPCP error shape, and says nothing about our insides."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter

from plugpass.errors import LocalError, PeerError, Unavailable
from plugpass.net.opcp_http import opcp_app
from plugpass.opcp.errors import OpcpError


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        (OpcpError(409, ("one", "two", "one")), 409, ["one", "two"]),
        (PeerError("not well formed"), 400, ["not well formed"]),
        (Unavailable("the responder is away"), 503, ["the responder is away"]),
        (
            LocalError("the key store is at /somewhere"),
            500,
            ["The service cannot answer this request; its log says why."],
        ),
        (ZeroDivisionError("inside"), 500, ["The service cannot answer this request; its log says why."]),
    ],
)
async def test_an_error_has_the_published_shape(raised: Exception, status: int, words: list[str]) -> None:
    router = APIRouter()

    @router.get("/")
    async def fail() -> None:
        raise raised

    transport = httpx.ASGITransport(
        opcp_app("test", router, random=lambda size: bytes(size)), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/")
    assert response.status_code == status
    assert response.json()["errorMessages"] == words
    assert response.json()["traceId"] == "00000000-0000-4000-8000-000000000000", "from the injected random"
