"""The contract pool without a network: several signers, and contracts at the edge of their validity."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from pki_factory import NOW, ROLE, Minted, Pki, mint_pki
from plugpass.exi import to_xml
from plugpass.ids import EMAID
from plugpass.iso15118 import contract
from plugpass.iso15118.inspection import inspect_installation
from plugpass.net.clock import ManualClock
from plugpass.opcp.errors import OpcpError
from plugpass.opcp.namespaces import ISO2_NAMESPACE
from plugpass.opcp.rights import Account, Party
from plugpass.pki.certificate import parse
from plugpass.ports.keys import Credential
from plugpass.roles.pools import Pools
from plugpass.store.accounts import SqlAccountStore
from plugpass.store.database import Database
from plugpass.store.pools import SqlPoolStore
from provisioning_support import PCID_1, installation_request

OEM = Account(client_id="oem", parties=frozenset({Party.OEM}), wmis=frozenset({"WPL"}))
CPO = Account(client_id="csms", parties=frozenset({Party.CPO}))
DAY = timedelta(days=1)


class World:
    """Pools with one vehicle, and hierarchies to sign for it."""

    def __init__(self, pools: Pools, clock: ManualClock, pki: Pki, vehicle: Minted) -> None:
        self.pools = pools
        self.clock = clock
        self.pki = pki
        self.vehicle = vehicle

    async def add(self, leaf: Minted, signer: Minted) -> None:
        """Sign with `signer` and store."""
        emaid = EMAID.parse(parse(leaf.der).common_name)
        message = contract.build_installation_response(
            emaid=emaid,
            contract_chain=leaf.chain,
            sealed=contract.seal_iso2(leaf.signer, self.vehicle.signer.public_key, random=os.urandom),
            cps_chain=signer.chain,
            cps_signer=signer.signer,
        )
        await self.pools.contracts.add(emaid, PCID_1, to_xml("iso2", message).encode())

    async def deliver(self, *roots: bytes) -> str:
        """The serial number of the CPS leaf of what a vehicle with these roots gets."""
        vehicle = Credential(chain=self.vehicle.chain, signer=self.vehicle.signer)
        delivery = await self.pools.contracts.deliver(CPO, installation_request(vehicle, roots))
        return f"{inspect_installation(delivery.exi).cps.certificates[0].serial:x}"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    database = await Database.in_memory()
    clock = ManualClock(NOW)
    pools = Pools(
        store=SqlPoolStore(database),
        accounts=SqlAccountStore(database),
        clock=clock,
        random=os.urandom,
        revocation=None,
    )
    pki = mint_pki()
    await pools.roots.add(parse(pki[ROLE.V2G_ROOT].der), "V2G", NOW)
    await pools.roots.add(parse(pki[ROLE.OEM_ROOT].der), "OEM", NOW)
    await pools.roots.add(parse(pki[ROLE.MO_ROOT].der), "MO", NOW)
    vehicle = pki.leaf(ROLE.OEM_PROVISIONING, PCID_1.value)
    leaf, *subs = map(parse, vehicle.chain)
    await pools.provisioning.publish(OEM, leaf, tuple(subs), ISO2_NAMESPACE)
    yield World(pools, clock, pki, vehicle)
    await database.close()


async def test_a_contract_that_has_expired_is_not_stored(world: World) -> None:
    leaf = world.pki.leaf(ROLE.CONTRACT, validity=DAY)
    world.clock.advance(2 * DAY)
    with pytest.raises(OpcpError, match="validUntil date of contract certificate is in the past"):
        await world.add(leaf, world.pki.leaf(ROLE.CPS_LEAF))


async def test_the_vehicle_gets_the_data_whose_signer_it_can_verify(world: World) -> None:
    other = mint_pki()
    await world.pools.roots.add(parse(other[ROLE.V2G_ROOT].der), "V2G", NOW)
    leaf = world.pki.leaf(ROLE.CONTRACT)
    first, second = world.pki.leaf(ROLE.CPS_LEAF), other.leaf(ROLE.CPS_LEAF)
    await world.add(leaf, first)
    await world.add(leaf, second)
    first_root, second_root = world.pki[ROLE.V2G_ROOT].der, other[ROLE.V2G_ROOT].der
    assert await world.deliver(first_root) == f"{parse(first.der).serial:x}"
    assert await world.deliver(second_root) == f"{parse(second.der).serial:x}"
    assert await world.deliver(first_root, second_root) == f"{parse(second.der).serial:x}", "the newest"
    renewed, third = world.pki.leaf(ROLE.CONTRACT), world.pki.leaf(ROLE.CPS_LEAF)
    await world.add(renewed, third)
    with pytest.raises(OpcpError, match="No signed contract data"):
        await world.deliver(second_root)  # what was signed for the old certificate is gone with it
    assert await world.deliver(first_root) == f"{parse(third.der).serial:x}"


async def test_a_root_that_is_deleted_takes_its_signers_trust_with_it(world: World) -> None:
    await world.add(world.pki.leaf(ROLE.CONTRACT), world.pki.leaf(ROLE.CPS_LEAF))
    (v2g,) = await world.pools.roots.list("V2G")
    await world.pools.roots.delete(v2g.root_id)
    with pytest.raises(OpcpError, match="No signed contract data"):
        await world.deliver(v2g.certificate)
    with pytest.raises(OpcpError, match="signer is not accepted"):
        await world.add(world.pki.leaf(ROLE.CONTRACT), world.pki.leaf(ROLE.CPS_LEAF))
