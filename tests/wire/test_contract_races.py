"""Contracts that several things happen to at once: nothing brings back what was ended, nothing is lost."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from plugpass.errors import Unavailable
from plugpass.ids import EMAID, PCID
from plugpass.iso15118.contract import read_installation_response
from plugpass.iso15118.inspection import inspect_installation
from plugpass.iso15118.messages.iso2 import ResponseCode
from plugpass.ports.charging import TokenStatus
from plugpass.ports.contracts import ContractState, ProvisioningEntry, ProvisioningPool
from plugpass.ports.keys import Credential
from plugpass.providers.opcp import OpcpContractPool
from plugpass.roles.emsp import Emsp
from plugpass.roles.emsp.service import Locks, UnknownContract
from provisioning_support import ISO2_NAMESPACE, PCID_1, Ecosystem, ecosystem


@pytest.fixture
async def eco() -> AsyncIterator[Ecosystem]:
    async with ecosystem() as running:
        yield running


@dataclass(slots=True)
class Interrupting:
    """The provisioning pool; while a vehicle is looked up, something else happens."""

    pool: ProvisioningPool
    meanwhile: Callable[[], Awaitable[None]]

    async def publish(self, entry: ProvisioningEntry) -> None:
        await self.pool.publish(entry)

    async def withdraw(self, pcid: PCID) -> None:
        await self.pool.withdraw(pcid)

    async def find(self, pcid: PCID) -> ProvisioningEntry | None:
        await self.meanwhile()
        return await self.pool.find(pcid)


def another_process(emsp: Emsp) -> Emsp:
    """The same operator with the same registry, and locks of its own."""
    other = copy.copy(emsp)
    other._locks = Locks()
    return other


async def delivered(eco: Ecosystem, vehicle: Credential) -> bytes:
    return await OpcpContractPool(eco.session("csms")).deliver(eco.request(vehicle), ISO2_NAMESPACE)


async def assert_ended(eco: Ecosystem, emaid: EMAID, vehicle: Credential, *, certificates: int) -> None:
    """Ended, every certificate revoked, nothing in the pool, and nobody charges."""
    (record,) = await eco.emsp.contracts()
    assert (record.state, record.reason) == (ContractState.ENDED, "customer moved")
    issued = await eco.registry.certificates(emaid)
    assert len(issued) == certificates
    for certificate in issued:
        known = await eco.mo.record_of(certificate)
        assert known is not None
        assert known.revocation_reason == "cessationOfOperation"
    _, response = read_installation_response(await delivered(eco, vehicle))
    assert response.response_code is ResponseCode.FAILED_NO_CERTIFICATE_AVAILABLE
    assert await eco.authorizer().authorize(emaid) is TokenStatus.BLOCKED


async def test_contract_ended_during_its_renewal_stays_ended(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    emaid = (await eco.emsp.conclude(PCID_1)).emaid
    revoking: list[asyncio.Task[None]] = []

    async def revoke() -> None:
        revoking.append(asyncio.create_task(eco.emsp.revoke(emaid, "customer moved")))
        while (record := await eco.registry.find(emaid)) is not None and record.state is ContractState.ACTIVE:
            pass
        assert await eco.authorizer().authorize(emaid) is TokenStatus.BLOCKED, "at once, and not after the renewal"

    eco.emsp._provisioning = Interrupting(eco.emsp._provisioning, revoke)
    with pytest.raises(UnknownContract, match="ended meanwhile"):
        await eco.emsp.renew(emaid)
    await asyncio.gather(*revoking)
    await assert_ended(eco, emaid, vehicle, certificates=2)


async def test_contract_ended_by_another_process_during_its_renewal_stays_ended(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    emaid = (await eco.emsp.conclude(PCID_1)).emaid
    other = another_process(eco.emsp)

    async def revoke() -> None:
        await other.revoke(emaid, "customer moved")

    eco.emsp._provisioning = Interrupting(eco.emsp._provisioning, revoke)
    with pytest.raises(UnknownContract, match="ended meanwhile"):
        await eco.emsp.renew(emaid)
    await assert_ended(eco, emaid, vehicle, certificates=2)


async def test_undoing_a_renewal_that_is_interrupted_is_resumed(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    emaid = (await eco.emsp.conclude(PCID_1)).emaid
    other = another_process(eco.emsp)

    async def revoke() -> None:
        await other.revoke(emaid, "customer moved")

    async def away(certificate: bytes, reason: str) -> bool:
        raise Unavailable("the CA does not answer")

    eco.emsp._provisioning = Interrupting(eco.emsp._provisioning, revoke)
    eco.emsp._revoke_certificate = away
    with pytest.raises(Unavailable):
        await eco.emsp.renew(emaid)
    assert [record.state for record in await other.contracts()] == [ContractState.ENDING]
    await other.resume()
    await assert_ended(eco, emaid, vehicle, certificates=2)


async def test_renewals_at_the_same_time_leave_registry_and_pool_agreeing(eco: Ecosystem) -> None:
    vehicle = await eco.oem.build_vehicle(PCID_1)
    emaid = (await eco.emsp.conclude(PCID_1)).emaid
    await asyncio.gather(eco.emsp.renew(emaid), eco.emsp.renew(emaid))
    (record,) = await eco.emsp.contracts()
    assert record.state is ContractState.ACTIVE
    held = inspect_installation(await delivered(eco, vehicle)).contract.certificates[0]
    assert held.serial == record.serial
    assert len(await eco.registry.certificates(emaid)) == 3


async def test_contracts_concluded_at_the_same_time_are_two(eco: Ecosystem) -> None:
    await eco.oem.build_vehicle(PCID_1)
    first, second = await asyncio.gather(eco.emsp.conclude(PCID_1), eco.emsp.conclude(PCID_1))
    assert first.emaid != second.emaid
    assert [record.state for record in await eco.emsp.contracts()] == [ContractState.ACTIVE] * 2


async def test_a_contract_nobody_has_is_not_changed(eco: Ecosystem) -> None:
    unknown = EMAID.create("DE", "PLU", "C00000001")
    assert await eco.registry.change(unknown, lambda record: record) is None
    assert await eco.registry.all() == ()
