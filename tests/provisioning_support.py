"""A whole provisioning ecosystem on loopback: authorities, pools, CPS, eMSP, OEM, each with its own database.

The parties meet over HTTPS as in the field; only the certificate authorities and their OCSP responders are called
directly, since other tests cover those wires.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
from fastapi import FastAPI

from net_support import ServiceCa
from pki_factory import NOW
from plugpass.errors import Unavailable
from plugpass.exi import encode
from plugpass.ids import PCID
from plugpass.iso15118.messages import iso2, xmldsig
from plugpass.iso15118.signature import sign_body
from plugpass.net.clock import ManualClock
from plugpass.net.http_client import http_client
from plugpass.net.http_server import HttpServer
from plugpass.net.ocsp_http import first_responsible
from plugpass.net.tls_service import server_context
from plugpass.opcp.rights import Account, Party
from plugpass.pki.certificate import parse
from plugpass.ports.contracts import ISO2_NAMESPACE
from plugpass.ports.keys import Credential
from plugpass.ports.trace import WireEvent
from plugpass.providers.local_ca import Hierarchy, LocalCertificateAuthority
from plugpass.providers.ocpi import OcpiAuthorizer
from plugpass.providers.opcp import (
    OpcpContractPool,
    OpcpProvisioningPool,
    OpcpProvisioningService,
    OpcpRootPool,
    OpcpSession,
)
from plugpass.roles.cps import Cps, CpsSubject
from plugpass.roles.emsp import Emsp, Provider
from plugpass.roles.oem import Oem
from plugpass.roles.pools import Pools
from plugpass.store.accounts import SqlAccountStore
from plugpass.store.authority import SqlCertificateLedger
from plugpass.store.database import Database
from plugpass.store.emsp import SqlContractRegistry
from plugpass.store.keys import SqlKeyStore
from plugpass.store.oem import SqlVehicleRegistry
from plugpass.store.pools import SqlPoolStore

PCID_1 = PCID.parse("WPLUG000000000017A")
SESSION_ID = bytes.fromhex("0102030405060708")

ACCOUNTS = (
    Account(client_id="admin", parties=frozenset({Party.ADMIN})),
    Account(client_id="oem", parties=frozenset({Party.OEM}), wmis=frozenset({"WPL"})),
    Account(client_id="other-oem", parties=frozenset({Party.OEM}), wmis=frozenset({"XYZ"})),
    Account(client_id="emsp", parties=frozenset({Party.MO}), providers=frozenset({"DEPLU"})),
    Account(client_id="other-emsp", parties=frozenset({Party.MO}), providers=frozenset({"NLTNM"})),
    Account(client_id="cps", parties=frozenset({Party.CPS})),
    Account(client_id="csms", parties=frozenset({Party.CPO})),
)


@dataclass(slots=True)
class Recorder:
    """A trace that remembers."""

    events: list[WireEvent] = field(default_factory=list)

    def record(self, event: WireEvent) -> None:
        self.events.append(event)


@dataclass(slots=True)
class DirectRevocation:
    """A revocation source that asks the authorities in this process; `down` makes them unreachable."""

    authorities: tuple[LocalCertificateAuthority, ...]
    down: bool = False

    async def ocsp_response(self, request: bytes, url: str) -> bytes:
        if self.down:
            raise Unavailable(f"{url} is switched off")
        return await first_responsible(*(authority.respond_ocsp for authority in self.authorities))(request)


@dataclass(slots=True, kw_only=True)
class Ecosystem:
    """Everything a provisioning test needs."""

    clock: ManualClock
    v2g: LocalCertificateAuthority
    oem_ca: LocalCertificateAuthority
    mo: LocalCertificateAuthority
    revocation: DirectRevocation
    services: ServiceCa
    trace: Recorder
    pools: Pools
    pools_url: str = ""
    cps: Cps
    cps_url: str = ""
    emsp: Emsp
    emsp_url: str = ""
    registry: SqlContractRegistry
    oem: Oem
    stack: AsyncExitStack

    def session(self, client_id: str, url: str = "", secret: str = "") -> OpcpSession:
        """A client of the pools (or of `url`) with that account."""
        http = http_client(url or self.pools_url, roots=[self.services.der], clock=self.clock)
        self.stack.push_async_callback(http.aclose)
        return OpcpSession(
            http,
            client_id=client_id,
            client_secret=secret or f"{client_id}-secret",
            clock=self.clock,
            actor=client_id,
            peer="cps" if url and url == self.cps_url else "pools",
            trace=self.trace,
        )

    def http(self, url: str) -> httpx.AsyncClient:
        """A bare HTTPS client."""
        http = http_client(url, roots=[self.services.der], clock=self.clock)
        self.stack.push_async_callback(http.aclose)
        return http

    def authorizer(self, token: str = "ocpi-token") -> OcpiAuthorizer:
        """The operator's OCPI client."""
        return OcpiAuthorizer(self.http(self.emsp_url), token=token, clock=self.clock, trace=self.trace)

    def request(self, vehicle: Credential, *, roots: tuple[bytes, ...] | None = None) -> bytes:
        """The vehicle's signed CertificateInstallationReq, EXI, listing `roots` (default: the V2G root)."""
        return installation_request(vehicle, (self.v2g.root,) if roots is None else roots)


def installation_request(vehicle: Credential, roots: tuple[bytes, ...]) -> bytes:
    """A signed CertificateInstallationReq as EXI."""
    listed = tuple(
        xmldsig.X509IssuerSerial(x509_issuer_name=str(parse(root).issuer), x509_serial_number=parse(root).serial)
        for root in roots
    )
    body = iso2.CertificateInstallationReq(
        id="id1",
        oem_provisioning_cert=vehicle.chain[0],
        list_of_root_certificate_ids=iso2.ListOfRootCertificateIDs(root_certificate_id=listed),
    )
    header = iso2.MessageHeader(session_id=SESSION_ID, signature=sign_body(body, vehicle.signer))
    return encode("iso2", iso2.V2GMessage(header=header, body=iso2.Body(body)))


@asynccontextmanager
async def ecosystem() -> AsyncIterator[Ecosystem]:
    """All parties running, roots published."""
    async with AsyncExitStack() as stack:
        eco = await _assemble(stack)
        admin = OpcpRootPool(eco.session("admin"))
        await admin.publish_root(eco.v2g.root, "V2G")
        await admin.publish_root(eco.oem_ca.root, "OEM")
        await admin.publish_root(eco.mo.root, "MO")
        await eco.cps.start()
        eco.trace.events.clear()
        yield eco


async def _assemble(stack: AsyncExitStack) -> Ecosystem:
    clock, services, trace = ManualClock(NOW), ServiceCa.mint(now=NOW), Recorder()
    authority_db = await _database(stack)
    keys, ledger = SqlKeyStore(authority_db, b"passphrase"), SqlCertificateLedger(authority_db)
    v2g, oem_ca, mo = [
        await LocalCertificateAuthority.open(
            hierarchy,
            keys=keys,
            ledger=ledger,
            clock=clock,
            random=os.urandom,
            ocsp_base_url="http://ocsp.test",
        )
        for hierarchy in (Hierarchy.V2G, Hierarchy.OEM, Hierarchy.MO)
    ]
    revocation = DirectRevocation((v2g, oem_ca, mo))

    async def serve(app: FastAPI) -> str:
        tls = server_context(services.issue("plugpass", now=NOW, validity=timedelta(days=3000)), clock=clock)
        return (await stack.enter_async_context(HttpServer(app, tls=tls, clock=clock))).url

    def client(client_id: str, url: str, peer: str) -> OpcpSession:
        http = http_client(url, roots=[services.der], clock=clock)
        stack.push_async_callback(http.aclose)
        return OpcpSession(
            http,
            client_id=client_id,
            client_secret=f"{client_id}-secret",
            clock=clock,
            actor=client_id,
            peer=peer,
            trace=trace,
        )

    pools_db = await _database(stack)
    pools = Pools(
        store=SqlPoolStore(pools_db),
        accounts=SqlAccountStore(pools_db),
        clock=clock,
        random=os.urandom,
        revocation=revocation,
    )
    for account in ACCOUNTS:
        await pools.add_account(account, f"{account.client_id}-secret")
    pools_url = await serve(pools.app())

    cps_db = await _database(stack)
    cps_session = client("cps", pools_url, "pools")
    cps = Cps(
        subject=CpsSubject(common_name="plugpass CPS", organization="plugpass", country="DE"),
        keys=SqlKeyStore(cps_db, b"passphrase"),
        issuer=v2g,
        roots=OpcpRootPool(cps_session),
        pool=OpcpContractPool(cps_session),
        accounts=SqlAccountStore(cps_db),
        clock=clock,
        random=os.urandom,
        revocation=revocation,
    )
    for account in ACCOUNTS:
        await cps.add_account(account, f"{account.client_id}-secret")
    cps_url = await serve(cps.app())

    emsp_db = await _database(stack)
    emsp_session = client("emsp", pools_url, "pools")
    registry = SqlContractRegistry(emsp_db)
    emsp = Emsp(
        provider=Provider(country="DE", provider="PLU", organization="plugpass eMSP"),
        registry=registry,
        issuer=mo,
        revoke_certificate=mo.revoke,
        provisioning=OpcpProvisioningPool(emsp_session),
        roots=OpcpRootPool(emsp_session),
        signing=OpcpProvisioningService(client("emsp", cps_url, "cps")),
        pool=OpcpContractPool(emsp_session),
        clock=clock,
        random=os.urandom,
        revocation=revocation,
        ocpi_tokens={"csms": "ocpi-token"},
    )
    oem = Oem(
        organization="plugpass OEM",
        wmis=frozenset({"WPL"}),
        issuer=oem_ca,
        pool=OpcpProvisioningPool(client("oem", pools_url, "pools")),
        registry=SqlVehicleRegistry(await _database(stack)),
    )
    return Ecosystem(
        clock=clock,
        v2g=v2g,
        oem_ca=oem_ca,
        mo=mo,
        revocation=revocation,
        services=services,
        trace=trace,
        pools=pools,
        pools_url=pools_url,
        cps=cps,
        cps_url=cps_url,
        emsp=emsp,
        emsp_url=await serve(emsp.app()),
        registry=registry,
        oem=oem,
        stack=stack,
    )


async def _database(stack: AsyncExitStack) -> Database:
    database = await Database.in_memory()
    stack.push_async_callback(database.close)
    return database


__all__ = ["ACCOUNTS", "ISO2_NAMESPACE", "PCID_1", "SESSION_ID", "Ecosystem", "ecosystem", "installation_request"]
