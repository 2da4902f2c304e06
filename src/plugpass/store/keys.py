"""Credentials and a vehicle's contracts in SQL, private keys encrypted at rest."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from plugpass.errors import LocalError
from plugpass.ids import EMAID
from plugpass.pki.keys import LocalSigner
from plugpass.ports.keys import Credential
from plugpass.store.database import Database
from plugpass.store.tables.keys import credential as credentials
from plugpass.store.tables.keys import credential_certificate as certificates
from plugpass.store.tables.keys import installed_contract as contracts

PREVIOUS = "#previous"


class SqlKeyStore:
    """`plugpass.ports.keys.KeyStore` and `ContractStore` on a database.

    Every change is one transaction: a process killed in the middle of it leaves the credential that was there.
    Private keys are stored as encrypted PKCS#8 (the passphrase never is); keys that cannot leave a token are not for
    this store.
    """

    def __init__(self, database: Database, passphrase: bytes) -> None:
        """`passphrase` opens every key of this database. Raises LocalError where it is empty."""
        if not passphrase:
            raise LocalError("the key store needs a passphrase: keys are never at rest in the clear")
        self._database = database
        self._passphrase = passphrase

    async def put(self, name: str, credential: Credential) -> None:
        """Store it, replacing the one of the same name, which stays readable as `<name>#previous`.

        Raises LocalError where the name contains "#", or where the key cannot be exported.
        """
        pem = self._seal(name, credential)
        async with self._database.begin() as connection:
            await _replace(connection, name, credential, pem)

    async def get(self, name: str) -> Credential | None:
        """The credential, or None where there is none of that name. Raises UnusableKey for a wrong passphrase."""
        async with self._database.begin() as connection:
            return await self._read(connection, name)

    async def delete(self, name: str) -> None:
        """Forget it together with its `#previous` one; unknown names are fine."""
        async with self._database.begin() as connection:
            await _remove(connection, name)
            await _remove(connection, name + PREVIOUS)

    async def names(self, prefix: str = "") -> tuple[str, ...]:
        """All names that begin with `prefix`, sorted, without the `#previous` ones."""
        query = select(credentials.c.name).order_by(credentials.c.name)
        async with self._database.begin() as connection:
            found = (await connection.execute(query)).scalars()
            return tuple(sorted(name for name in found if name.startswith(prefix) and not name.endswith(PREVIOUS)))

    async def install(self, emaid: EMAID, credential: Credential) -> None:
        """Make it the contract in use; an older one of the same EMAID stays until the new one is stored."""
        name = _contract_name(emaid)
        pem = self._seal(name, credential)
        async with self._database.begin() as connection:
            await _replace(connection, name, credential, pem)
            newest = (await connection.execute(select(func.max(contracts.c.sequence)))).scalar() or 0
            await connection.execute(delete(contracts).where(contracts.c.emaid == emaid.key))
            await connection.execute(
                insert(contracts).values(emaid=emaid.key, spelling=str(emaid), sequence=newest + 1)
            )

    async def current(self) -> tuple[EMAID, Credential] | None:
        """The contract installed last and not discarded."""
        query = select(contracts.c.spelling).order_by(contracts.c.sequence.desc()).limit(1)
        async with self._database.begin() as connection:
            spelling = (await connection.execute(query)).scalar()
            if spelling is None:
                return None
            emaid = EMAID.parse(spelling)
            credential = await self._read(connection, _contract_name(emaid))
        if credential is None:
            raise LocalError(f"the key of contract {emaid} was deleted behind the contract's back: discard it first")
        return emaid, credential

    async def discard(self, emaid: EMAID) -> None:
        """Forget the contract, its key and the key before it."""
        name = _contract_name(emaid)
        async with self._database.begin() as connection:
            await connection.execute(delete(contracts).where(contracts.c.emaid == emaid.key))
            await _remove(connection, name)
            await _remove(connection, name + PREVIOUS)

    def _seal(self, name: str, credential: Credential) -> str:
        if "#" in name:
            raise LocalError(f"credential name {name!r} contains '#', which marks replaced ones: choose another")
        if not isinstance(credential.signer, LocalSigner):
            raise LocalError(f"the key of {name!r} cannot be exported: keep it in its token, not in the database")
        return credential.signer.to_pem(self._passphrase).decode("ascii")

    async def _read(self, connection: AsyncConnection, name: str) -> Credential | None:
        pem = (await connection.execute(select(credentials.c.private_key).where(credentials.c.name == name))).scalar()
        if pem is None:
            return None
        signer = LocalSigner.from_pem(pem.encode("ascii"), self._passphrase)
        return Credential(chain=await _chain(connection, name), signer=signer)


def _contract_name(emaid: EMAID) -> str:
    return f"contract:{emaid.key}"


async def _chain(connection: AsyncConnection, name: str) -> tuple[bytes, ...]:
    query = select(certificates.c.certificate).where(certificates.c.name == name).order_by(certificates.c.position)
    return tuple((await connection.execute(query)).scalars())


async def _replace(connection: AsyncConnection, name: str, credential: Credential, pem: str) -> None:
    chain = await _chain(connection, name)
    if chain and chain == credential.chain:
        # The same credential again (a repeated message): the one before it stays the previous one.
        await connection.execute(update(credentials).where(credentials.c.name == name).values(private_key=pem))
        return
    await _remove(connection, name + PREVIOUS)
    await _rename(connection, name, name + PREVIOUS)
    await connection.execute(insert(credentials).values(name=name, private_key=pem))
    rows = [{"name": name, "position": at, "certificate": der} for at, der in enumerate(credential.chain)]
    if rows:
        await connection.execute(insert(certificates), rows)


async def _rename(connection: AsyncConnection, old: str, new: str) -> None:
    # Copied and deleted, not updated: the rows of the chain refer to the name.
    for table in (credentials, certificates):
        others = [column for column in table.c if column.name != "name"]
        copy = select(literal(new), *others).where(table.c.name == old)
        await connection.execute(insert(table).from_select(["name", *(column.name for column in others)], copy))
    await _remove(connection, old)


async def _remove(connection: AsyncConnection, name: str) -> None:
    await connection.execute(delete(certificates).where(certificates.c.name == name))
    await connection.execute(delete(credentials).where(credentials.c.name == name))
