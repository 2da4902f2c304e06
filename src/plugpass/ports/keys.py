"""Key stores: who holds private keys, and how the others use them without seeing them (step 9 of the chain)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from plugpass.ids import EMAID
from plugpass.pki.keys import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A certificate chain with the key that belongs to its leaf. Never printed, never pickled."""

    chain: tuple[bytes, ...]  #: DER, leaf first, Sub-CAs after it, no root
    signer: Signer

    def __repr__(self) -> str:
        return f"Credential({len(self.chain)} certificates)"


class KeyStore(Protocol):
    """Named credentials, private keys encrypted at rest.

    Names in use: `station-tls`, `secc:<evse>`, `oem-provisioning`, `contract:<emaid>`, `ca:<name>`, `cps`.
    """

    async def put(self, name: str, credential: Credential) -> None:
        """Store it, replacing the one of the same name in one step.

        The one replaced stays readable as `<name>#previous`; storing the same credential again changes nothing.
        """
        ...

    async def get(self, name: str) -> Credential | None:
        """The credential, or None where there is none of that name."""
        ...

    async def delete(self, name: str) -> None:
        """Forget it; unknown names are fine."""
        ...

    async def names(self, prefix: str = "") -> tuple[str, ...]:
        """All names that begin with `prefix`, sorted, without the `#previous` ones."""
        ...


class ContractStore(Protocol):
    """A vehicle's contracts."""

    async def install(self, emaid: EMAID, credential: Credential) -> None:
        """Make it the contract in use; an older one of the same EMAID is replaced only when the new one is stored."""
        ...

    async def current(self) -> tuple[EMAID, Credential] | None:
        """The contract in use."""
        ...

    async def discard(self, emaid: EMAID) -> None:
        """Forget a contract that was refused for good (revoked, cancelled)."""
        ...
