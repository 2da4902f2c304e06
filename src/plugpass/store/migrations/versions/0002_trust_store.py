"""trust store; the audit log is append-only in the database as well"""

import sqlalchemy as sa
from alembic import op

from plugpass.store.tables.base import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: By dialect: what makes the database refuse to change or delete audit entries, and what takes that away.
GUARDS = {
    "sqlite": (
        [
            f"CREATE TRIGGER audit_entry_no_{verb} BEFORE {verb} ON audit_entry "
            "BEGIN SELECT RAISE(ABORT, 'audit entries are never changed or deleted'); END"
            for verb in ("update", "delete")
        ],
        ["DROP TRIGGER audit_entry_no_update", "DROP TRIGGER audit_entry_no_delete"],
    ),
    "postgresql": (
        [
            "CREATE FUNCTION audit_entry_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'audit entries are never changed or deleted'; END $$",
            "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_refuse()",
        ],
        ["DROP TRIGGER audit_entry_append_only ON audit_entry", "DROP FUNCTION audit_entry_refuse"],
    ),
}


def upgrade() -> None:
    """Go one version up."""
    op.create_table(
        "trusted_root",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("root_type", sa.String(length=8), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("market", sa.String(length=16), nullable=False),
        sa.Column("added_by", sa.String(length=128), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("reach", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("fingerprint", "root_type", name=op.f("pk_trusted_root")),
    )
    for statement in GUARDS[op.get_bind().dialect.name][0]:
        op.execute(statement)


def downgrade() -> None:
    """Go one version down."""
    for statement in GUARDS[op.get_bind().dialect.name][1]:
        op.execute(statement)
    op.drop_table("trusted_root")
