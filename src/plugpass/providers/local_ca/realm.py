"""A part of a key store under a name of its own: several hierarchies of one kind live in one store."""

from __future__ import annotations

from plugpass.ports.keys import Credential, KeyStore


class RealmKeyStore:
    """`plugpass.ports.keys.KeyStore` that sees only the names behind `<realm>/`."""

    def __init__(self, keys: KeyStore, realm: str) -> None:
        self._keys = keys
        self._prefix = f"{realm}/"

    async def put(self, name: str, credential: Credential) -> None:
        """Store it, replacing the one of the same name."""
        await self._keys.put(self._prefix + name, credential)

    async def get(self, name: str) -> Credential | None:
        """The credential, or None where there is none of that name."""
        return await self._keys.get(self._prefix + name)

    async def delete(self, name: str) -> None:
        """Forget it; unknown names are fine."""
        await self._keys.delete(self._prefix + name)

    async def names(self, prefix: str = "") -> tuple[str, ...]:
        """All names of the realm that begin with `prefix`, sorted."""
        found = await self._keys.names(self._prefix + prefix)
        return tuple(name.removeprefix(self._prefix) for name in found)
