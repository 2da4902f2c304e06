"""Clients of an OPCP server and their tokens, in SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, insert, select

from plugpass.opcp.rights import Account, Party
from plugpass.store.database import Database
from plugpass.store.tables.pools import opcp_account, opcp_token


class SqlAccountStore:
    """`plugpass.ports.contracts.AccountStore` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_account(self, account: Account, secret_hash: str) -> None:
        """Add or overwrite it; tokens given before are void."""
        row = {
            "client_id": account.client_id,
            "secret_hash": secret_hash,
            "parties": sorted(account.parties),
            "wmis": sorted(account.wmis),
            "providers": sorted(account.providers),
        }
        async with self._database.begin() as connection:
            await connection.execute(delete(opcp_token).where(opcp_token.c.client_id == account.client_id))
            await connection.execute(delete(opcp_account).where(opcp_account.c.client_id == account.client_id))
            await connection.execute(insert(opcp_account).values(row))

    async def account(self, client_id: str) -> tuple[Account, str] | None:
        """The account and the hash of its secret."""
        async with self._database.begin() as connection:
            query = select(opcp_account).where(opcp_account.c.client_id == client_id)
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        account = Account(
            client_id=row.client_id,
            parties=frozenset(Party(party) for party in row.parties),
            wmis=frozenset(row.wmis),
            providers=frozenset(row.providers),
        )
        return account, row.secret_hash

    async def save_token(self, digest: str, client_id: str, now: datetime, expires_at: datetime) -> None:
        """Remember a token by its digest, and forget all that have expired by `now`."""
        row = {"digest": digest, "client_id": client_id, "expires_at": expires_at}
        async with self._database.begin() as connection:
            await connection.execute(delete(opcp_token).where(opcp_token.c.expires_at <= now))
            await connection.execute(insert(opcp_token).values(row))

    async def token(self, digest: str, now: datetime) -> Account | None:
        """The account a token was given to that is valid at `now`."""
        async with self._database.begin() as connection:
            query = select(opcp_token).where(opcp_token.c.digest == digest, opcp_token.c.expires_at > now)
            row = (await connection.execute(query)).first()
        found = None if row is None else await self.account(row.client_id)
        return None if found is None else found[0]
