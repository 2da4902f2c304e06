"""The provisioning certificate pool (PCP)."""

from __future__ import annotations

import structlog

from plugpass.clock import Clock
from plugpass.ids import PCID, InvalidIdentifier, pseudonym
from plugpass.net.online_path import validate_online
from plugpass.opcp.errors import bad_request, not_found
from plugpass.opcp.rights import Account, require_vehicle
from plugpass.opcp.rules import acceptance_problem
from plugpass.pki.certificate import Certificate
from plugpass.pki.path import Policy, Verdict
from plugpass.pki.profiles import CertificateRole
from plugpass.ports.charging import RevocationSource
from plugpass.ports.contracts import PoolStore, ProvisioningEntry
from plugpass.roles.pools.roots import RootCertificatePool

log = structlog.get_logger(__name__)


class ProvisioningCertificatePool:
    """Vehicles' provisioning certificates by PCID."""

    def __init__(
        self,
        *,
        store: PoolStore,
        roots: RootCertificatePool,
        clock: Clock,
        policy: Policy,
        revocation: RevocationSource | None,
    ) -> None:
        self._store = store
        self._roots = roots
        self._clock = clock
        self._policy = policy
        self._revocation = revocation

    async def publish(
        self, account: Account, certificate: Certificate, sub_cas: tuple[Certificate, ...], namespace: str
    ) -> tuple[ProvisioningEntry, Certificate]:
        """Add or overwrite the entry of the vehicle the certificate names; the entry and its root.

        With another key pair the contracts of the vehicle are deleted: nobody could open them. Raises OpcpError: 403
        for another maker's vehicle, 400 for a chain that is not accepted, the first failing check being the answer.
        """
        pcid = _pcid(certificate)
        require_vehicle(account, pcid)
        entry = ProvisioningEntry(
            pcid=pcid,
            certificate=certificate.encoded,
            sub_cas=tuple(sub_ca.encoded for sub_ca in sub_cas),
            namespace=namespace,
        )
        verdict = await self.judge(entry)
        if problem := acceptance_problem(verdict):
            raise bad_request(problem)
        dropped = await self._store.save_provisioning(entry, self._clock.now())
        log.info("pools.provisioning_published", pcid=pseudonym(pcid), contracts_deleted=len(dropped))
        return entry, verdict.path[-1]

    async def deliver(self, account: Account, pcid: PCID) -> tuple[ProvisioningEntry, Certificate]:
        """The entry and its root, judged again. Raises OpcpError: 404, or 400 where the chain is no longer good."""
        require_vehicle(account, pcid)
        entry = await self._store.provisioning(pcid)
        if entry is None:
            raise not_found("The OEM provisioning certificate with given PCID is not found.")
        verdict = await self.judge(entry)
        if problem := acceptance_problem(verdict):
            raise bad_request(problem)
        return entry, verdict.path[-1]

    async def lookup(self, account: Account, pcid: PCID) -> None:
        """Whether the vehicle is known. Raises OpcpError 404."""
        require_vehicle(account, pcid)
        if await self._store.provisioning(pcid) is None:
            raise not_found("The OEM provisioning certificate with given PCID is not found.")

    async def withdraw(self, account: Account, pcid: PCID) -> None:
        """Delete the entry and all contracts of the vehicle. Raises OpcpError: 403, 404."""
        require_vehicle(account, pcid)
        dropped = await self._store.delete_provisioning(pcid)
        if dropped is None:
            raise not_found("The OEM provisioning certificate with given PCID is not found.")
        log.info("pools.provisioning_deleted", pcid=pseudonym(pcid), contracts_deleted=len(dropped))

    async def judge(self, entry: ProvisioningEntry) -> Verdict:
        """The verdict on an entry's chain now, against the OEM roots of the pool."""
        return await validate_online(
            (entry.certificate, *entry.sub_cas),
            role=CertificateRole.OEM_PROVISIONING,
            anchors=await self._roots.anchors(),
            at=self._clock.now(),
            policy=self._policy,
            revocation=self._revocation,
            expected_cn=entry.pcid.value,
        )


def _pcid(certificate: Certificate) -> PCID:
    try:
        return PCID.parse(certificate.common_name)
    except InvalidIdentifier as error:
        raise bad_request(f"pcid : {error}") from None
