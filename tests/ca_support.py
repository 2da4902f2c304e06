"""A running V2G authority for tests: hierarchy, accounts, EST over HTTPS and OCSP over HTTP on loopback."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from net_support import ServiceCa
from plugpass.clock import Clock
from plugpass.est.authorization import Identity
from plugpass.est.messages import Label
from plugpass.ids import EVSEID
from plugpass.net.clock import LabClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.net.tls_service import server_context
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import LocalSigner
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.keys import Credential
from plugpass.ports.trace import WireEvent
from plugpass.providers.est import EstIssuer
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority
from plugpass.roles.v2g_ca import Account, EstSettings, V2gCa
from plugpass.store.authority import SqlCertificateLedger
from plugpass.store.database import Database
from plugpass.store.keys import SqlKeyStore

PASSWORD = "correct horse"
EVSE = EVSEID.parse("DE*PLU*E45B*78C")
CSMS = Account.create(
    Identity(name="csms", labels=frozenset({Label.CPO}), prefixes=frozenset({"DEPLU"})), PASSWORD, random=os.urandom
)
CPS = Account.create(
    Identity(name="cps", labels=frozenset({Label.CPS}), names=frozenset({"plugpass CPS"})), PASSWORD, random=os.urandom
)


class ListTrace:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: list[WireEvent] = []

    def record(self, event: WireEvent) -> None:
        self.events.append(event)


@dataclass(slots=True, kw_only=True)
class Stores:
    """The memory of an authority: survives the authority."""

    database: Database
    passphrase: bytes = b"test"
    keys: SqlKeyStore = field(init=False)
    ledger: SqlCertificateLedger = field(init=False)

    def __post_init__(self) -> None:
        self.keys = SqlKeyStore(self.database, self.passphrase)
        self.ledger = SqlCertificateLedger(self.database)


@asynccontextmanager
async def stores() -> AsyncIterator[Stores]:
    """Stores in memory."""
    database = await Database.in_memory()
    try:
        yield Stores(database=database)
    finally:
        await database.close()


async def authority(
    memory: Stores,
    clock: Clock,
    hierarchy: Hierarchy = Hierarchy.V2G,
    url: str = "http://127.0.0.1:1",
    **options: object,
) -> LocalCertificateAuthority:
    """An authority with these stores."""
    return await LocalCertificateAuthority.open(
        hierarchy,
        keys=memory.keys,
        ledger=memory.ledger,
        clock=clock,
        random=os.urandom,
        ocsp_base_url=url,
        **options,  # type: ignore[arg-type]  # whatever `open` takes besides
    )


def station_csr(
    signer: LocalSigner, name: str = "DE*PLU*E45B*78C", evse_id: EVSEID | None = EVSE, **names: str
) -> bytes:
    """The request of a SECC: DER PKCS#10 with the EVSE id as CN and as SubjectAltName."""
    chosen = {"organization": "Test", "country": "DE", "domain": "CPO"} | names
    return create_csr(signer, common_name=name, evse_id=evse_id, **chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCa:
    """A V2G authority on loopback and what a client needs to reach it."""

    v2g: LocalCertificateAuthority
    est_url: str
    ocsp_url: str
    tls_root: bytes
    clock: LabClock
    trace: ListTrace
    memory: Stores

    def http(self, auth: tuple[str, str] | None = None, credential: Credential | None = None) -> httpx.AsyncClient:
        """A client of the EST server."""
        return http_client(self.est_url, roots=[self.tls_root], auth=auth, credential=credential, clock=self.clock)

    def issuer(self, http: httpx.AsyncClient, trace: ListTrace | None = None) -> EstIssuer:
        """An EST client that trusts this authority's root."""
        return EstIssuer(http, anchors=TrustAnchors.of(v2g=[self.v2g.root]), clock=self.clock, trace=trace)


@asynccontextmanager
async def running_ca(clock: LabClock | None = None, settings: EstSettings | None = None) -> AsyncIterator[RunningCa]:
    """Serve a fresh V2G authority. TLS comes from a CA of its own, as in the field."""
    time, trace = clock or LabClock(), ListTrace()
    services = ServiceCa.mint()
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(stores())
        # The OCSP address goes into certificates before its server knows the application: the port decides.
        ocsp_app = _Later()
        ocsp = await stack.enter_async_context(HttpServer(ocsp_app, clock=time))
        v2g = await authority(memory, time, url=ocsp.url)
        role = V2gCa({Label.CPO: v2g, Label.CPS: v2g}, [CSMS, CPS], clock=time, trace=trace, settings=settings)
        ocsp_app.app = role.ocsp_app()
        tls = server_context(
            services.issue("localhost", validity=timedelta(days=3650)),
            client_roots=[v2g.root, *v2g.sub_cas],
            clock=time,
        )
        server = await stack.enter_async_context(HttpServer(role.est_app(), tls=tls, clock=time))
        yield RunningCa(
            v2g=v2g,
            est_url=f"https://localhost:{server.port}",
            ocsp_url=ocsp.url,
            tls_root=services.der,
            clock=time,
            trace=trace,
            memory=memory,
        )


class _Later:
    """An ASGI application that is decided on after its server has a port."""

    app: object = None

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        assert callable(self.app)
        await self.app(scope, receive, send)
