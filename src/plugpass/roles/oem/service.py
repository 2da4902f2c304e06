"""Provisioning certificates: made with the vehicle, published in the pool."""

from __future__ import annotations

import dataclasses

import structlog

from plugpass.errors import LocalError
from plugpass.ids import PCID, pseudonym
from plugpass.pki.certificate import parse
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.charging import ExpiringItem
from plugpass.ports.contracts import ProvisioningEntry, ProvisioningPool, VehicleRecord, VehicleRegistry
from plugpass.ports.issuing import CertificateIssuer
from plugpass.ports.keys import Credential

log = structlog.get_logger(__name__)


class Oem:
    """A vehicle maker. `wmis` are the world manufacturer identifiers it owns."""

    def __init__(
        self,
        *,
        organization: str,
        wmis: frozenset[str],
        issuer: CertificateIssuer,
        pool: ProvisioningPool,
        registry: VehicleRegistry,
    ) -> None:
        self._organization = organization
        self._wmis = wmis
        self._issuer = issuer
        self._pool = pool
        self._registry = registry

    async def build_vehicle(self, pcid: PCID) -> Credential:
        """A key pair and provisioning certificate for the vehicle, published before this returns.

        The key goes into the vehicle with the result and is not kept. For a vehicle that has one already this is a new
        key, and its contracts are void. Raises LocalError for another maker's PCID.
        """
        if pcid.wmi not in self._wmis:
            raise LocalError(
                f"{pcid} begins with {pcid.wmi}, which is not ours: we own {', '.join(sorted(self._wmis))}"
            )
        signer = generate()
        csr = create_csr(signer, common_name=pcid.value, organization=self._organization, domain="OEM")
        chain = (await self._issuer.issue(csr, CertificateRole.OEM_PROVISIONING)).certificates
        leaf = parse(chain[0])
        record = VehicleRecord(
            pcid=pcid,
            certificate=leaf.encoded,
            sub_cas=chain[1:],
            published=False,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
        )
        await self._registry.save(record)
        await self._publish(record)
        return Credential(chain=chain, signer=signer)

    async def publish_missing(self) -> tuple[PCID, ...]:
        """Publish the vehicles whose certificate has not reached the pool yet."""
        missing = [record for record in await self._registry.all() if not record.published]
        for record in missing:
            await self._publish(record)
        return tuple(record.pcid for record in missing)

    async def withdraw(self, pcid: PCID) -> None:
        """Delete the vehicle from the pool, with all its contracts; it stays known here as unpublished."""
        record = await self._registry.find(pcid)
        await self._pool.withdraw(pcid)
        if record is not None:
            await self._registry.save(dataclasses.replace(record, published=False))
        log.info("oem.vehicle_withdrawn", pcid=pseudonym(pcid))

    async def vehicles(self) -> tuple[VehicleRecord, ...]:
        """All vehicles."""
        return await self._registry.all()

    async def items(self) -> tuple[ExpiringItem, ...]:
        """Every provisioning certificate; renewing one is the vehicle's visit to a workshop, so there is no renewer."""
        return tuple(
            ExpiringItem(
                item_id=f"oem-provisioning:{record.pcid}",
                kind="oem-provisioning",
                subject=record.pcid.value,
                serial=parse(record.certificate).serial,
                not_before=record.not_before,
                not_after=record.not_after,
            )
            for record in await self._registry.all()
        )

    async def _publish(self, record: VehicleRecord) -> None:
        entry = ProvisioningEntry(pcid=record.pcid, certificate=record.certificate, sub_cas=record.sub_cas)
        await self._pool.publish(entry)
        await self._registry.save(dataclasses.replace(record, published=True))
        log.info("oem.vehicle_published", pcid=pseudonym(record.pcid))
