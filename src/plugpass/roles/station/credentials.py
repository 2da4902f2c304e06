"""What the station presents in TLS handshakes. Asked anew for each connection, so a new leaf needs no restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from plugpass.ports.keys import Credential, KeyStore


class CredentialSource(Protocol):
    """The SECC credential and its OCSP staple, as they are at this moment."""

    def credential(self) -> Credential | None:
        """The chain with its key, or None while there is none: the station then serves no session."""
        ...

    def staple(self) -> bytes | None:
        """The DER OCSPResponse of that chain's leaf, or None where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCredential:
    """A credential that never changes, for a station without a CSMS."""

    chain: Credential
    ocsp_response: bytes | None = None

    def credential(self) -> Credential:
        """The credential."""
        return self.chain

    def staple(self) -> bytes | None:
        """Its staple."""
        return self.ocsp_response


class SeccCredentials:
    """The SECC credential of one EVSE, in a key store; the newest one is live.

    `present_previous_leaf` is a fault for labs and tests: the station goes on presenting the leaf before the newest
    one, which has expired or will, to show that vehicles refuse it.
    """

    def __init__(self, keys: KeyStore, evse_id: str, *, present_previous_leaf: bool = False) -> None:
        self._keys = keys
        self._name = f"secc:{evse_id}"
        self._current: Credential | None = None
        self._previous: Credential | None = None
        self._staple: bytes | None = None
        self.evse_id = evse_id
        self.present_previous_leaf = present_previous_leaf

    async def load(self) -> None:
        """Read what earlier runs of the station were given."""
        self._current = await self._keys.get(self._name)
        self._previous = await self._keys.get(f"{self._name}#previous")

    async def install(self, credential: Credential, staple: bytes | None) -> None:
        """Keep the credential, then make it and its staple live in one step."""
        await self._keys.put(self._name, credential)
        self._previous = await self._keys.get(f"{self._name}#previous")
        self._current, self._staple = credential, staple

    async def delete(self) -> None:
        """Forget the credential: the station serves no session until it gets another."""
        await self._keys.delete(self._name)
        self._current = self._previous = self._staple = None

    def renew_staple(self, leaf: bytes, staple: bytes) -> None:
        """Take a fresh OCSP response for `leaf`; one for a leaf that was replaced meanwhile is dropped."""
        if self._current is not None and self._current.chain[0] == leaf:
            self._staple = staple

    @property
    def newest(self) -> Credential | None:
        """The credential installed last, also while the fault is on."""
        return self._current

    def credential(self) -> Credential | None:
        """The credential that handshakes present."""
        return self._previous if self.present_previous_leaf else self._current

    def staple(self) -> bytes | None:
        """The OCSP response that handshakes present."""
        return None if self.present_previous_leaf else self._staple
