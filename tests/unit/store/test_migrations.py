"""The migration history leads exactly to the tables, up and down, and a database that was there is migrated."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from plugpass.store.database import Database, load_tables, migration_config
from plugpass.store.tables.base import metadata


def test_the_newest_migration_makes_exactly_the_tables(tmp_path: Path) -> None:
    load_tables()
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_every_migration_can_be_undone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'state.db'}")
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "head")
        command.downgrade(migration_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


async def test_opening_a_database_twice_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "party" / "state.db"
    first = await Database.at(path)
    async with first.begin() as connection:
        await connection.exec_driver_sql("create table note (text)")
        await connection.exec_driver_sql("insert into note values ('kept')")
    await first.close()
    second = await Database.at(path)
    async with second.begin() as connection:
        assert (await connection.exec_driver_sql("select text from note")).scalar() == "kept"
    await second.close()
    assert path.parent.stat().st_mode & 0o077 == 0
