"""Contract provisioning: pools, signing service and contract issuer (steps 3 to 6 of the chain)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from plugpass.ids import EMAID, PCID
from plugpass.opcp.namespaces import ISO2_NAMESPACE as ISO2_NAMESPACE
from plugpass.opcp.rights import Account

RootType = Literal["V2G", "MO", "OEM", "PE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootEntry:
    """One trust anchor of a root certificate pool."""

    root_id: str  #: the pool's UUID for it
    root_type: RootType
    certificate: bytes  #: DER


class RootPool(Protocol):
    """RCP: the trust anchors everybody reads."""

    async def roots(self, root_type: RootType | None = None) -> tuple[RootEntry, ...]:
        """All roots, or those of one type."""
        ...

    async def publish_root(self, certificate: bytes, root_type: RootType) -> RootEntry:
        """Add a root (administrative)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisioningEntry:
    """A vehicle's provisioning certificate as published by its maker; certificates are DER."""

    pcid: PCID
    certificate: bytes
    sub_cas: tuple[bytes, ...]  #: nearest to the leaf first: Sub-CA 2, Sub-CA 1
    namespace: str = ISO2_NAMESPACE


class ProvisioningPool(Protocol):
    """PCP: provisioning certificates by PCID."""

    async def publish(self, entry: ProvisioningEntry) -> None:
        """Add or overwrite the entry; with a new key pair all contracts of the PCID are deleted."""
        ...

    async def find(self, pcid: PCID) -> ProvisioningEntry | None:
        """The entry, checked again by the pool (validity, chain), or None where the PCID is unknown."""
        ...

    async def withdraw(self, pcid: PCID) -> None:
        """Delete the entry and all contracts of the PCID."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractData:
    """What an eMSP has signed by a CPS: the contract chain and the private key sealed for one vehicle."""

    emaid: EMAID
    pcid: PCID
    chain: tuple[bytes, ...]  #: DER: contract leaf, MO Sub-CA 2, MO Sub-CA 1
    encrypted_private_key: bytes  #: 48 octets in -2: IV and AES-128-CBC of the scalar
    dh_public_key: bytes  #: 65 octets in -2: the ephemeral point, uncompressed
    namespace: str = ISO2_NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedContract:
    """Signed contract data: the complete CertificateInstallationRes, as EXI (a V2G_Message of -2)."""

    emaid: EMAID
    pcid: PCID
    exi: bytes
    namespace: str = ISO2_NAMESPACE


class ProvisioningService(Protocol):
    """CPS: signs contract data and, as OPCP has it, hands the result to the contract pool."""

    async def sign(self, data: ContractData) -> SignedContract:
        """The signed contract data; it has been stored in the CCP when this returns."""
        ...


class ContractPool(Protocol):
    """CCP: signed contract data by EMAID and PCID."""

    async def store(self, contract: SignedContract) -> None:
        """Add it, or overwrite the one of the same EMAID (CPS)."""
        ...

    async def deliver(self, installation_request: bytes, namespace: str) -> bytes:
        """The CertificateInstallationRes (EXI) for the vehicle's CertificateInstallationReq (EXI).

        Where the pool has nothing for the vehicle the answer is an EXI response with a FAILED code, which the
        caller relays.
        """
        ...

    async def delete(self, emaid: EMAID) -> None:
        """Remove the contract's signed data (eMSP)."""
        ...


class ContractIssuer(Protocol):
    """eMSP: concludes, renews and ends contracts."""

    async def conclude(self, pcid: PCID) -> SignedContract:
        """A new contract for the vehicle: new EMAID, new certificate, sealed, signed and stored in the CCP."""
        ...

    async def renew(self, emaid: EMAID) -> SignedContract:
        """A new certificate for the same EMAID, through the CPS and into the CCP."""
        ...

    async def revoke(self, emaid: EMAID, reason: str) -> None:
        """End the contract: certificate revoked, signed data deleted from the CCP."""
        ...


# --- what the parties remember --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldContract:
    """Signed contract data as a contract pool holds it; several of one EMAID differ in the root of their CPS."""

    emaid: EMAID
    pcid: PCID
    exi: bytes
    certificate: bytes  #: DER, the contract leaf
    cps_root: str  #: hex SHA-256 of the V2G root above the CPS leaf that signed
    not_before: datetime
    not_after: datetime
    default: bool  #: the one an ISO 15118-2 vehicle gets
    stored_at: datetime
    namespace: str = ISO2_NAMESPACE


class PoolStore(Protocol):
    """The memory of the three pools. Every method is one transaction."""

    async def roots(self) -> tuple[RootEntry, ...]:
        """All roots, in the order they were added."""
        ...

    async def add_root(self, entry: RootEntry) -> RootEntry:
        """Add it; where the same certificate of the same type is known, that entry is returned instead."""
        ...

    async def delete_root(self, root_id: str) -> bool:
        """Delete it; False where it is unknown. Nothing that depends on it is touched."""
        ...

    async def provisioning(self, pcid: PCID) -> ProvisioningEntry | None:
        """The entry of the vehicle."""
        ...

    async def save_provisioning(self, entry: ProvisioningEntry, at: datetime) -> tuple[EMAID, ...]:
        """Add or overwrite it; where the key pair is another one, the contracts dropped with the old one are named."""
        ...

    async def delete_provisioning(self, pcid: PCID) -> tuple[EMAID, ...] | None:
        """Delete it with all contracts of the vehicle, which are named; None where the vehicle is unknown."""
        ...

    async def save_contract(self, contract: HeldContract) -> HeldContract:
        """Add or overwrite it; whether it is the default is decided here and returned.

        Raises PeerError where the EMAID is in use with another PCID.
        """
        ...

    async def contract(self, emaid: EMAID) -> tuple[HeldContract, ...]:
        """What is held of the EMAID, newest first; more than one only where several V2G roots are served."""
        ...

    async def contracts_of(self, pcid: PCID) -> tuple[HeldContract, ...]:
        """All contracts of the vehicle, oldest first."""
        ...

    async def set_default(self, pcid: PCID, emaid: EMAID) -> bool:
        """Make it the vehicle's one default; False where the vehicle has no such contract."""
        ...

    async def delete_contract(self, emaid: EMAID) -> bool:
        """Delete it; False where it is unknown. No other contract becomes the default."""
        ...


class AccountStore(Protocol):
    """Clients of the pools and of the signing service, and the tokens they were given."""

    async def save_account(self, account: Account, secret_hash: str) -> None:
        """Add or overwrite it."""
        ...

    async def account(self, client_id: str) -> tuple[Account, str] | None:
        """The account and the hash of its secret."""
        ...

    async def save_token(self, digest: str, client_id: str, now: datetime, expires_at: datetime) -> None:
        """Remember a token by its digest, and forget all that have expired by `now`."""
        ...

    async def token(self, digest: str, now: datetime) -> Account | None:
        """The account a valid token was given to."""
        ...


class ContractState(StrEnum):
    """Life of a contract at its mobility operator."""

    PENDING = "pending"  #: EMAID assigned, signed data not yet confirmed in the pool
    ACTIVE = "active"
    ENDING = "ending"  #: to be revoked; the authority or the pool has not confirmed yet
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRecord:
    """A contract as its mobility operator remembers it. The private key is not among it: nobody but the EV has it."""

    emaid: EMAID
    pcid: PCID
    state: ContractState
    certificate: bytes = b""  #: DER, the newest contract leaf; empty while pending
    serial: int = 0
    not_before: datetime | None = None
    not_after: datetime | None = None
    reason: str = ""  #: why it ended
    updated_at: datetime


class ContractRegistry(Protocol):
    """The memory of a mobility operator. Every method is one transaction."""

    async def save(self, record: ContractRecord) -> None:
        """Add or overwrite the record of the EMAID."""
        ...

    async def change(
        self, emaid: EMAID, change: Callable[[ContractRecord], ContractRecord | None]
    ) -> ContractRecord | None:
        """Let `change` make the new record from the one that is there, in one transaction with writing it.

        `change` decides by what it is shown, and gives None to leave everything as it is; it may not wait for anything.
        Returns what was written; None where nothing was, or there is no such record.
        """
        ...

    async def find(self, emaid: EMAID) -> ContractRecord | None:
        """The record, or None."""
        ...

    async def add_certificate(self, emaid: EMAID, certificate: bytes) -> None:
        """Remember a contract certificate (DER) that was issued, whatever becomes of it."""
        ...

    async def certificates(self, emaid: EMAID) -> tuple[bytes, ...]:
        """Every certificate ever issued for the contract, oldest first."""
        ...

    async def all(self, pcid: PCID | None = None) -> tuple[ContractRecord, ...]:
        """All records, or those of one vehicle, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleRecord:
    """A vehicle its maker has given a provisioning certificate."""

    pcid: PCID
    certificate: bytes  #: DER
    sub_cas: tuple[bytes, ...]  #: DER, nearest to the leaf first
    published: bool
    not_before: datetime
    not_after: datetime


class VehicleRegistry(Protocol):
    """The memory of a vehicle maker."""

    async def save(self, record: VehicleRecord) -> None:
        """Add or overwrite the record of the PCID."""
        ...

    async def find(self, pcid: PCID) -> VehicleRecord | None:
        """The record, or None."""
        ...

    async def all(self) -> tuple[VehicleRecord, ...]:
        """All records."""
        ...
