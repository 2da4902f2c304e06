"""Contracts of one mobility operator: concluded, renewed, ended; the private key of a contract is never kept."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog
from fastapi import FastAPI

from plugpass.clock import Clock
from plugpass.errors import LocalError, PeerError
from plugpass.ids import EMAID, PCID, pseudonym
from plugpass.iso15118.contract import SealedKey, seal_iso2
from plugpass.net.online_path import validate_online
from plugpass.pki.certificate import Certificate, parse, public_key
from plugpass.pki.csr import create_csr
from plugpass.pki.keys import generate
from plugpass.pki.path import FIELD, Policy
from plugpass.pki.profiles import CertificateRole, RootType
from plugpass.pki.trust import TrustAnchors
from plugpass.ports.charging import RevocationSource
from plugpass.ports.contracts import (
    ContractData,
    ContractPool,
    ContractRecord,
    ContractRegistry,
    ContractState,
    ProvisioningEntry,
    ProvisioningPool,
    ProvisioningService,
    RootPool,
    SignedContract,
)
from plugpass.ports.issuing import CertificateIssuer
from plugpass.roles.emsp.http import ocpi_app

log = structlog.get_logger(__name__)

RevokeCertificate = Callable[[bytes, str], Awaitable[bool]]
"""Revokes a contract certificate (DER) at its CA, for a reason by its RFC 5280 name; false where it is not the CA's."""

REVOCATION_REASON: Final = "cessationOfOperation"
MAX_REASON: Final = 200
_INSTANCE_CHARACTERS: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without I and O, which people misread
_INSTANCE_RANDOM: Final = 8
_EMAID_ATTEMPTS: Final = 16

_OPEN: Final = frozenset({ContractState.PENDING, ContractState.ACTIVE})


class NoVehicle(PeerError):
    """The provisioning pool does not know the vehicle, or its certificates are not trusted."""


class UnknownContract(PeerError):
    """There is no such contract, or it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who the operator is: the first five characters of its EMAIDs, and its name in certificates."""

    country: str  #: 2 letters
    provider: str  #: 3 letters or digits
    organization: str


class Locks:
    """A lock for each contract or vehicle; it is forgotten when nobody holds or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[EMAID | PCID, asyncio.Lock] = WeakValueDictionary()

    def of(self, identifier: EMAID | PCID) -> asyncio.Lock:
        """The lock; always the same one while it is in use."""
        return self._locks.setdefault(identifier, asyncio.Lock())


class Emsp:
    """A mobility operator; a `ContractIssuer`.

    `issuer` signs contract certificates and `revoke_certificate` revokes them at the same CA; `provisioning`, `roots`,
    `signing` and `pool` are the ecosystem's PCP, RCP, CPS and CCP. `ocpi_tokens` names the operators that may ask for
    authorization, with the token of each. `revocation=None` decides not to look at the revocation of vehicles.

    What is done to one contract is done one after the other. Several processes may share a registry: a contract only
    becomes active in the transaction that has seen it open, so that nothing brings back one that was ended meanwhile.
    """

    def __init__(
        self,
        *,
        provider: Provider,
        registry: ContractRegistry,
        issuer: CertificateIssuer,
        revoke_certificate: RevokeCertificate,
        provisioning: ProvisioningPool,
        roots: RootPool,
        signing: ProvisioningService,
        pool: ContractPool,
        clock: Clock,
        random: Callable[[int], bytes],
        revocation: RevocationSource | None,
        ocpi_tokens: Mapping[str, str],
        policy: Policy = FIELD,
    ) -> None:
        self._provider = provider
        self._registry = registry
        self._issuer = issuer
        self._revoke_certificate = revoke_certificate
        self._provisioning = provisioning
        self._roots = roots
        self._signing = signing
        self._pool = pool
        self._clock = clock
        self._random = random
        self._revocation = revocation
        self._ocpi_tokens = dict(ocpi_tokens)
        self._policy = policy
        self._locks = Locks()

    def app(self) -> FastAPI:
        """The HTTP face for charge point operators: OCPI real-time authorization; serve it over TLS only."""
        return ocpi_app(self._registry, self._provider.country, self._provider.provider, self._ocpi_tokens, self._clock)

    # --- the port ---

    async def conclude(self, pcid: PCID) -> SignedContract:
        """A new contract for the vehicle, its signed data in the contract pool.

        A contract for the vehicle that was begun and not finished is finished instead, with its EMAID. Raises
        NoVehicle, and PeerError or Unavailable where another party refuses or is away.
        """
        vehicle = await self._vehicle(pcid)
        async with self._locks.of(pcid):
            record = await self._begun(pcid) or await self._begin(pcid)
            async with self._locks.of(record.emaid):
                return await self._fulfil(record, vehicle)

    async def renew(self, emaid: EMAID) -> SignedContract:
        """A new key and certificate for the same contract; the vehicle gets them with its next installation.

        The certificate in use stays valid: the vehicle charges with it until then. Raises as `conclude` does, and
        UnknownContract, also where the contract was ended while this went on.
        """
        async with self._locks.of(emaid):
            record = await self._open_contract(emaid)
            return await self._fulfil(record, await self._vehicle(record.pcid))

    async def revoke(self, emaid: EMAID, reason: str) -> None:
        """End the contract; `reason` is for the operator's own memory. Ending one twice changes nothing.

        The certificate is revoked first, and the signed data are deleted only then: a pool without them and a CA that
        still vouches would be the wrong half. Raises UnknownContract, PeerError, Unavailable; calling again goes on.
        """
        if await self._registry.find(emaid) is None:
            raise UnknownContract(f"there is no contract {emaid}: nothing to end")
        # Before waiting for a renewal that is under way: from here on nobody charges, and the renewal comes to nothing.
        await self._change(emaid, _not_ended, state=ContractState.ENDING, reason=reason[:MAX_REASON])
        async with self._locks.of(emaid):
            await self._end(emaid)

    async def resume(self) -> None:
        """Finish what was interrupted: contracts begun but not stored, and contracts being ended."""
        for record in await self._registry.all():
            async with self._locks.of(record.emaid):
                now = await self._registry.find(record.emaid) or record
                if now.state is ContractState.PENDING:
                    await self._fulfil(now, await self._vehicle(now.pcid))
                elif now.state is ContractState.ENDING:
                    await self._end(now.emaid)

    async def contracts(self, pcid: PCID | None = None) -> tuple[ContractRecord, ...]:
        """All contracts, or those of one vehicle, oldest first."""
        return await self._registry.all(pcid)

    # --- steps ---

    async def _vehicle(self, pcid: PCID) -> ProvisioningEntry:
        """The vehicle's entry of the provisioning pool, judged by ourselves against the OEM roots."""
        entry = await self._provisioning.find(pcid)
        if entry is None:
            raise NoVehicle(f"the provisioning pool does not know {pcid}: ask the vehicle's maker to publish it")
        verdict = await validate_online(
            (entry.certificate, *entry.sub_cas),
            role=CertificateRole.OEM_PROVISIONING,
            anchors=await self._anchors(),
            at=self._clock.now(),
            policy=self._policy,
            revocation=self._revocation,
            expected_cn=pcid.value,
        )
        if not verdict.ok:
            raise NoVehicle(f"the provisioning certificate of {pcid} is not trusted: {verdict.summary}")
        return entry

    async def _anchors(self) -> TrustAnchors:
        anchors = TrustAnchors()
        for entry in await self._roots.roots():
            anchors = anchors.adding(RootType(entry.root_type), entry.certificate)
        return anchors

    async def _begun(self, pcid: PCID) -> ContractRecord | None:
        pending = (record for record in await self._registry.all(pcid) if record.state is ContractState.PENDING)
        return next(pending, None)

    async def _begin(self, pcid: PCID) -> ContractRecord:
        for _ in range(_EMAID_ATTEMPTS):
            emaid = EMAID.create(self._provider.country, self._provider.provider, self._instance())
            if await self._registry.find(emaid) is None:
                record = ContractRecord(
                    emaid=emaid, pcid=pcid, state=ContractState.PENDING, updated_at=self._clock.now()
                )
                await self._registry.save(record)
                return record
        raise LocalError("no free EMAID was found: the random source repeats itself")

    def _instance(self) -> str:
        """ "C" and 8 characters, as eMI3 has it."""
        octets = self._random(_INSTANCE_RANDOM)
        return "C" + "".join(_INSTANCE_CHARACTERS[octet % len(_INSTANCE_CHARACTERS)] for octet in octets)

    async def _fulfil(self, record: ContractRecord, vehicle: ProvisioningEntry) -> SignedContract:
        """New key, certificate, sealed key, signature, pool; only then the record says so.

        Raises UnknownContract where the contract has been ended meanwhile: what was made for it is undone.
        """
        chain, sealed = await self._issue(record.emaid, parse(vehicle.certificate))
        signed = await self._signing.sign(
            ContractData(
                emaid=record.emaid,
                pcid=record.pcid,
                chain=chain,
                encrypted_private_key=sealed.encrypted_private_key,
                dh_public_key=sealed.dh_public_key,
            )
        )
        leaf = parse(chain[0])
        active = await self._change(
            record.emaid,
            _open,
            state=ContractState.ACTIVE,
            certificate=leaf.encoded,
            serial=leaf.serial,
            not_before=leaf.not_before,
            not_after=leaf.not_after,
        )
        if active is None:
            await self._undo(record)
            raise UnknownContract(f"the contract {record.emaid} was ended meanwhile: conclude a new one")
        log.info(
            "emsp.contract_in_force",
            emaid=pseudonym(record.emaid),
            pcid=pseudonym(record.pcid),
            fingerprint=leaf.fingerprint,
            not_after=leaf.not_after.isoformat(),
        )
        return signed

    async def _issue(self, emaid: EMAID, vehicle: Certificate) -> tuple[tuple[bytes, ...], SealedKey]:
        """A certificate for a fresh key, and that key sealed for the vehicle: it exists nowhere else afterwards."""
        contract_key = generate()
        csr = create_csr(contract_key, common_name=str(emaid), organization=self._provider.organization, domain="MO")
        issued = await self._issuer.issue(csr, CertificateRole.CONTRACT)
        await self._registry.add_certificate(emaid, issued.leaf)
        sealed = seal_iso2(contract_key, public_key(vehicle.key.encoded), random=self._random)
        return issued.certificates, sealed

    async def _undo(self, record: ContractRecord) -> None:
        """Take back a certificate and signed data that came after the end of their contract."""
        log.warning("emsp.contract_ended_meanwhile", emaid=pseudonym(record.emaid), pcid=pseudonym(record.pcid))
        # Even one that had ended is being ended again: where we are interrupted, `resume` finds it.
        await self._change(record.emaid, _closed, state=ContractState.ENDING)
        await self._end(record.emaid)

    async def _end(self, emaid: EMAID) -> None:
        # Every certificate there ever was: a vehicle may still use one from before the last renewal.
        if (record := await self._registry.find(emaid)) is None or record.state is not ContractState.ENDING:
            return  # somebody else has ended it
        for certificate in await self._registry.certificates(emaid):
            if not await self._revoke_certificate(certificate, REVOCATION_REASON):
                raise LocalError(
                    f"a certificate of {emaid} was not issued by the CA that is to revoke it: check which it is"
                )
        await self._delete_signed_data(emaid)
        if await self._change(emaid, _ending, state=ContractState.ENDED) is not None:
            log.info("emsp.contract_ended", emaid=pseudonym(emaid), pcid=pseudonym(record.pcid))

    async def _delete_signed_data(self, emaid: EMAID) -> None:
        try:
            await self._pool.delete(emaid)
        except PeerError as error:
            if error.wire != "404":  # gone already: an earlier attempt, or the vehicle's maker withdrew the vehicle
                raise

    async def _open_contract(self, emaid: EMAID) -> ContractRecord:
        record = await self._registry.find(emaid)
        if record is None or not _open(record):
            raise UnknownContract(f"there is no contract {emaid} in force: conclude a new one")
        return record

    async def _change(
        self, emaid: EMAID, allowed: Callable[[ContractRecord], bool], **fields: Any
    ) -> ContractRecord | None:
        """Change these fields of the record where what is written there now allows it; None where it does not."""

        def change(record: ContractRecord) -> ContractRecord | None:
            return dataclasses.replace(record, updated_at=self._clock.now(), **fields) if allowed(record) else None

        return await self._registry.change(emaid, change)


def _open(record: ContractRecord) -> bool:
    return record.state in _OPEN


def _closed(record: ContractRecord) -> bool:
    return record.state not in _OPEN


def _ending(record: ContractRecord) -> bool:
    return record.state is ContractState.ENDING


def _not_ended(record: ContractRecord) -> bool:
    return record.state is not ContractState.ENDED
