"""The back offices: certificate pools, provisioning service, vehicle maker and mobility operator."""

from __future__ import annotations

from dataclasses import dataclass

from plugpass.ids import PCID
from plugpass.lab.topology.authorities import CPS_NAME, Authorities, est_issuer
from plugpass.lab.topology.ground import Ground
from plugpass.opcp.rights import Account, Party
from plugpass.ports.contracts import RootType
from plugpass.providers.ocsp import HttpRevocationSource
from plugpass.providers.opcp import (
    OpcpContractPool,
    OpcpProvisioningPool,
    OpcpProvisioningService,
    OpcpRootPool,
    OpcpSession,
)
from plugpass.roles.cps import Cps, CpsSubject
from plugpass.roles.emsp import ContractRenewal, Emsp, Provider
from plugpass.roles.oem import Oem
from plugpass.roles.pools import Pools
from plugpass.store.accounts import SqlAccountStore
from plugpass.store.emsp import SqlContractRegistry
from plugpass.store.oem import SqlVehicleRegistry
from plugpass.store.pools import SqlPoolStore


class PoolServer:
    """The pools and the means to become a client of them."""

    def __init__(self, ground: Ground, pools: Pools) -> None:
        self._ground = ground
        self._pools = pools

    async def session(self, account: Account, actor: str) -> OpcpSession:
        """A session of `actor` with a fresh secret."""
        secret = self._ground.secret()
        await self._pools.add_account(account, secret)
        return OpcpSession(
            await self._ground.client("pools"),
            client_id=account.client_id,
            client_secret=secret,
            clock=self._ground.clock,
            actor=actor,
            trace=self._ground.recorder,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOffice:
    """The parties between the authorities and the roadside."""

    pools: PoolServer
    cps: Cps
    oem: Oem
    vehicles: OpcpProvisioningPool  #: the pool as the vehicle maker sees it
    emsp: Emsp
    renewal: ContractRenewal
    ocpi_token: str


async def start_pools(ground: Ground) -> PoolServer:
    """Serve the root, provisioning and contract pools."""
    database = await ground.database("pools")
    pools = Pools(
        store=SqlPoolStore(database),
        accounts=SqlAccountStore(database),
        clock=ground.clock,
        random=ground.random,
        revocation=await revocation_source(ground, "pools"),
    )
    await ground.serve("pools", pools.app())
    return PoolServer(ground, pools)


async def publish_roots(ground: Ground, authorities: Authorities, pools: PoolServer) -> None:
    """Put the three roots into the root pool, each once."""
    session = await pools.session(Account(client_id="admin", parties=frozenset({Party.ADMIN})), "pools")
    pool = OpcpRootPool(session)
    known = {entry.certificate for entry in await pool.roots()}
    types: tuple[RootType, ...] = ("V2G", "OEM", "MO")
    for authority, root_type in zip(authorities.all, types, strict=True):
        if authority.root not in known:
            await pool.publish_root(authority.root, root_type)


async def start_back_office(ground: Ground, authorities: Authorities, pools: PoolServer) -> BackOffice:
    """Start CPS, OEM and eMSP. The CPS enrols its signing certificate over EST."""
    cps, signing = await _start_cps(ground, authorities, pools)
    oem_session = await pools.session(
        Account(
            client_id="oem", parties=frozenset({Party.OEM}), wmis=frozenset({PCID.parse(ground.settings.pcid).wmi})
        ),
        "oem",
    )
    vehicles = OpcpProvisioningPool(oem_session)
    oem = Oem(
        organization="plugpass OEM",
        wmis=frozenset({PCID.parse(ground.settings.pcid).wmi}),
        issuer=authorities.oem,
        pool=vehicles,
        registry=SqlVehicleRegistry(await ground.database("oem")),
    )
    token = ground.secret()
    emsp = await _start_emsp(ground, authorities, pools, OpcpProvisioningService(signing), token)
    return BackOffice(
        pools=pools,
        cps=cps,
        oem=oem,
        vehicles=vehicles,
        emsp=emsp,
        renewal=ContractRenewal(emsp),
        ocpi_token=token,
    )


async def revocation_source(ground: Ground, actor: str) -> HttpRevocationSource:
    """How `actor` asks OCSP responders."""
    return HttpRevocationSource(
        await ground.plain_client(), clock=ground.clock, actor=actor, peer="responder", trace=ground.recorder
    )


async def _start_cps(ground: Ground, authorities: Authorities, pools: PoolServer) -> tuple[Cps, OpcpSession]:
    session = await pools.session(Account(client_id="cps", parties=frozenset({Party.CPS})), "cps")
    cps = Cps(
        subject=CpsSubject(common_name=CPS_NAME, organization="plugpass", country="DE"),
        keys=await ground.keys("cps"),
        issuer=await est_issuer(ground, authorities, "cps"),
        roots=OpcpRootPool(session),
        pool=OpcpContractPool(session),
        accounts=SqlAccountStore(await ground.database("cps")),
        clock=ground.clock,
        random=ground.random,
        revocation=await revocation_source(ground, "cps"),
    )
    await cps.start()
    await ground.serve("cps", cps.app())
    secret = ground.secret()
    await cps.add_account(_operator_account(ground), secret)
    signing = OpcpSession(
        await ground.client("cps"),
        client_id="emsp",
        client_secret=secret,
        clock=ground.clock,
        actor="emsp",
        peer="cps",
        trace=ground.recorder,
    )
    return cps, signing


async def _start_emsp(
    ground: Ground, authorities: Authorities, pools: PoolServer, signing: OpcpProvisioningService, token: str
) -> Emsp:
    session = await pools.session(_operator_account(ground), "emsp")
    provider = ground.settings.provider
    emsp = Emsp(
        provider=Provider(country=provider[:2], provider=provider[2:], organization="plugpass eMSP"),
        registry=SqlContractRegistry(await ground.database("emsp")),
        issuer=authorities.mo,
        revoke_certificate=authorities.mo.revoke,
        provisioning=OpcpProvisioningPool(session),
        roots=OpcpRootPool(session),
        signing=signing,
        pool=OpcpContractPool(session),
        clock=ground.clock,
        random=ground.random,
        revocation=await revocation_source(ground, "emsp"),
        ocpi_tokens={"csms": token},
    )
    await ground.serve("emsp", emsp.app())
    return emsp


def _operator_account(ground: Ground) -> Account:
    return Account(client_id="emsp", parties=frozenset({Party.MO}), providers=frozenset({ground.settings.provider}))
