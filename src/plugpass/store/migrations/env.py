"""Alembic's entry: runs migrations on the connection that `store.database` hands over."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from plugpass.store.database import load_tables
from plugpass.store.tables.base import UtcDateTime, metadata


def render_item(kind: str, item: object, autogen: AutogenContext) -> str | Literal[False]:
    """How new migrations spell our own column type."""
    if kind == "type" and isinstance(item, UtcDateTime):
        autogen.imports.add("from plugpass.store.tables.base import UtcDateTime")
        return "UtcDateTime()"
    return False


load_tables()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
