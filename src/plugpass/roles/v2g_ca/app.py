"""The HTTP face of the authority: EST under every path the clients in the field use, and OCSP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import FastAPI, Request, Response

from plugpass.clock import Clock
from plugpass.est.messages import MAX_BODY, EstRequest, Label
from plugpass.net.http_server import client_certificate
from plugpass.net.ocsp_http import first_responsible, ocsp_router
from plugpass.ports.issuing import CertificateAuthority
from plugpass.ports.trace import Trace
from plugpass.roles.v2g_ca.accounts import Account
from plugpass.roles.v2g_ca.service import Client, EstService, EstSettings

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


class V2gCa:
    """An authority's services: `est_app` belongs behind HTTPS, `ocsp_app` is served over plain HTTP (RFC 6960 A.1).

    For re-enrolment the HTTPS server must ask for client certificates of the hierarchy: `client_roots` for
    `plugpass.net.tls_service.server_context`.
    """

    def __init__(
        self,
        authorities: Mapping[Label, CertificateAuthority],
        accounts: Iterable[Account],
        *,
        clock: Clock,
        trace: Trace | None = None,
        settings: EstSettings | None = None,
    ) -> None:
        """`authorities` has the CA behind each label; one hierarchy may stand behind several."""
        self._authorities = dict(authorities)
        self._clock = clock
        self._trace = trace
        self._settings = settings or EstSettings()
        self._est = EstService(authorities, accounts, clock=clock, trace=trace, settings=self._settings)

    def est_app(self) -> FastAPI:
        """The EST application. It answers 413 itself above 16 KiB, whatever the server's limit is."""
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

        @app.api_route("/{path:path}", methods=_METHODS)
        async def est(request: Request) -> Response:
            """Any EST operation; the path decides."""
            answer = await self._est.handle(await _est_request(request), _client(request))
            return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))

        return app

    def ocsp_app(self) -> FastAPI:
        """The OCSP responder of all authorities."""
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        responders = {id(each): each.respond_ocsp for each in self._authorities.values()}
        respond = first_responsible(*responders.values())
        app.include_router(ocsp_router(respond, clock=self._clock, actor=self._settings.actor, trace=self._trace))
        return app


async def _est_request(request: Request) -> EstRequest:
    """The request with at most one octet more than is allowed: enough to refuse it."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            break
    headers = {name.lower(): value for name, value in request.headers.items()}
    return EstRequest(method=request.method, path=request.scope["path"], headers=headers, body=body)


def _client(request: Request) -> Client:
    return Client(
        address=request.client.host if request.client else "unknown",
        secure=request.url.scheme == "https",
        certificate=client_certificate(request),
    )
