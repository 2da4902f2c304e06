"""One database of one party: opened, migrated to the newest schema, handed out as transactions."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from plugpass.store import migrations, tables

_ONE_CONNECTION: Final[dict[str, Any]] = {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}


def load_tables() -> None:
    """Import every table module, so that `metadata` is complete."""
    for module in pkgutil.iter_modules(tables.__path__):
        importlib.import_module(f"{tables.__name__}.{module.name}")


class Database:
    """A migrated database. Use `async with database.begin() as connection`: commits, or rolls back on an exception."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open `url` (such as `sqlite+aiosqlite:////path/state.db`) and migrate it to the newest schema."""
        parsed = make_url(url)
        in_memory = parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")
        # A SQLite database in memory lives as long as its one connection: keep it, and let transactions queue for it.
        engine = create_async_engine(url, **(_ONE_CONNECTION if in_memory else {}))
        if parsed.get_backend_name() == "sqlite":
            event.listen(engine.sync_engine, "connect", _configure_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
        return cls(engine)

    @classmethod
    async def at(cls, path: Path) -> Database:
        """Open the SQLite file at `path`, creating it (mode 0600) and its folder (mode 0700) where missing."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(path.touch, mode=0o600)
        return await cls.open(f"sqlite+aiosqlite:///{path}")

    @classmethod
    async def in_memory(cls) -> Database:
        """A database that is gone when closed: for tests and trials."""
        return await cls.open("sqlite+aiosqlite:///:memory:")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction."""
        async with self._engine.begin() as connection:
            yield connection

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later must hold the write lock from the start: with SQLite's default a
    # second one could read the same state in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _configure_sqlite(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # leave BEGIN to us
    cursor = connection.cursor()  # type: ignore[attr-defined]  # a DB-API connection, which has no common static type
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.close()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for migrating the database behind `connection`."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    command.upgrade(migration_config(connection), "head")
