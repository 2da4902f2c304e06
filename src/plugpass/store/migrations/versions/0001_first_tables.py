"""first tables"""

import sqlalchemy as sa
from alembic import op

from plugpass.store.tables.base import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go one version up."""
    op.create_table(
        "audit_entry",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("digest", name=op.f("uq_audit_entry_digest")),
    )
    op.create_table(
        "contract",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("emaid", sa.String(length=14), nullable=False),
        sa.Column("pcid", sa.String(length=18), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("not_after", UtcDateTime(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("emaid", name=op.f("uq_contract_emaid")),
    )
    with op.batch_alter_table("contract", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_pcid"), ["pcid"], unique=False)

    op.create_table(
        "credential",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_credential")),
    )
    op.create_table(
        "csms_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=48), nullable=False),
        sa.Column("use", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csms_attempt")),
    )
    with op.batch_alter_table("csms_attempt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_csms_attempt_station"), ["station"], unique=False)

    op.create_table(
        "csms_authorization",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=48), nullable=False),
        sa.Column("emaid", sa.String(length=36), nullable=False),
        sa.Column("certificate_status", sa.String(length=24), nullable=False),
        sa.Column("token_status", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csms_authorization")),
    )
    with op.batch_alter_table("csms_authorization", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_csms_authorization_station"), ["station"], unique=False)

    op.create_table(
        "csms_certificate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=48), nullable=False),
        sa.Column("evse_id", sa.String(length=48), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("chain", sa.JSON(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("installed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csms_certificate")),
        sa.UniqueConstraint("station", "evse_id", "serial", name="uq_csms_certificate_serial"),
    )
    with op.batch_alter_table("csms_certificate", schema=None) as batch_op:
        batch_op.create_index("ix_csms_certificate_evse", ["station", "evse_id"], unique=False)

    op.create_table(
        "csms_security_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=48), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("tech_info", sa.String(length=255), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csms_security_event")),
    )
    with op.batch_alter_table("csms_security_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_csms_security_event_station"), ["station"], unique=False)

    op.create_table(
        "csms_station",
        sa.Column("identity", sa.String(length=48), nullable=False),
        sa.Column("operator", sa.String(length=8), nullable=False),
        sa.Column("evse_ids", sa.JSON(), nullable=False),
        sa.Column("vendor", sa.String(length=50), nullable=False),
        sa.Column("model", sa.String(length=20), nullable=False),
        sa.Column("serial_number", sa.String(length=25), nullable=False),
        sa.Column("last_boot", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_csms_station")),
    )
    op.create_table(
        "csms_transaction_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=48), nullable=False),
        sa.Column("transaction_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.String(length=8), nullable=False),
        sa.Column("emaid", sa.String(length=36), nullable=True),
        sa.Column("evse", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=True),
        sa.Column("signed_receipt", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_csms_transaction_event")),
        sa.UniqueConstraint("station", "transaction_id", "sequence", name="uq_csms_transaction_event_sequence"),
    )
    op.create_table(
        "installed_contract",
        sa.Column("emaid", sa.String(length=64), nullable=False),
        sa.Column("spelling", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("emaid", name=op.f("pk_installed_contract")),
        sa.UniqueConstraint("sequence", name=op.f("uq_installed_contract_sequence")),
    )
    op.create_table(
        "issued_certificate",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("issuer_key_id", sa.String(length=40), nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revocation_reason", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_certificate")),
        sa.UniqueConstraint("issuer_key_id", "serial", name=op.f("uq_issued_certificate_issuer_key_id")),
    )
    with op.batch_alter_table("issued_certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issued_certificate_request_digest"), ["request_digest"], unique=False)

    op.create_table(
        "oem_vehicle",
        sa.Column("pcid", sa.String(length=18), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sub_ca2", sa.LargeBinary(), nullable=True),
        sa.Column("sub_ca1", sa.LargeBinary(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("pcid", name=op.f("pk_oem_vehicle")),
    )
    op.create_table(
        "opcp_account",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=128), nullable=False),
        sa.Column("parties", sa.JSON(), nullable=False),
        sa.Column("wmis", sa.JSON(), nullable=False),
        sa.Column("providers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_opcp_account")),
    )
    op.create_table(
        "provisioning_certificate",
        sa.Column("pcid", sa.String(length=18), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("sub_ca2", sa.LargeBinary(), nullable=True),
        sa.Column("sub_ca1", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("pcid", name=op.f("pk_provisioning_certificate")),
    )
    op.create_table(
        "root_certificate",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("root_id", sa.String(length=36), nullable=False),
        sa.Column("root_type", sa.String(length=3), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_root_certificate")),
        sa.UniqueConstraint("fingerprint", "root_type", name=op.f("uq_root_certificate_fingerprint")),
        sa.UniqueConstraint("root_id", name=op.f("uq_root_certificate_root_id")),
    )
    op.create_table(
        "station_report",
        sa.Column("position", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("transaction_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=10), nullable=False),
        sa.Column("emaid", sa.String(length=36), nullable=True),
        sa.Column("evse", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("energy_wh", sa.Integer(), nullable=True),
        sa.Column("signed_receipt", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_station_report")),
        sa.UniqueConstraint("transaction_id", "sequence", name=op.f("uq_station_report_transaction_id")),
    )
    op.create_table(
        "station_root",
        sa.Column("use", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("installed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("use", "fingerprint", name=op.f("pk_station_root")),
    )
    op.create_table(
        "station_security_event",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("detail", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station_security_event")),
    )
    op.create_table(
        "contract_certificate",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("emaid", sa.String(length=14), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["emaid"], ["contract.emaid"], name=op.f("fk_contract_certificate_emaid_contract")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_certificate")),
    )
    with op.batch_alter_table("contract_certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contract_certificate_emaid"), ["emaid"], unique=False)

    op.create_table(
        "credential_certificate",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["name"], ["credential.name"], name=op.f("fk_credential_certificate_name_credential"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", "position", name=op.f("pk_credential_certificate")),
    )
    op.create_table(
        "opcp_token",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["opcp_account.client_id"],
            name=op.f("fk_opcp_token_client_id_opcp_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_opcp_token")),
    )
    op.create_table(
        "signed_contract",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("emaid", sa.String(length=14), nullable=False),
        sa.Column("spelling", sa.String(length=15), nullable=False),
        sa.Column("pcid", sa.String(length=18), nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("cps_root", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("exi", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("stored_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pcid"], ["provisioning_certificate.pcid"], name=op.f("fk_signed_contract_pcid_provisioning_certificate")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signed_contract")),
        sa.UniqueConstraint("emaid", "namespace", "cps_root", name=op.f("uq_signed_contract_emaid")),
    )
    with op.batch_alter_table("signed_contract", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signed_contract_pcid"), ["pcid"], unique=False)


def downgrade() -> None:
    """Go one version down."""
    with op.batch_alter_table("signed_contract", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signed_contract_pcid"))

    op.drop_table("signed_contract")
    op.drop_table("opcp_token")
    op.drop_table("credential_certificate")
    with op.batch_alter_table("contract_certificate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_certificate_emaid"))

    op.drop_table("contract_certificate")
    op.drop_table("station_security_event")
    op.drop_table("station_root")
    op.drop_table("station_report")
    op.drop_table("root_certificate")
    op.drop_table("provisioning_certificate")
    op.drop_table("opcp_account")
    op.drop_table("oem_vehicle")
    with op.batch_alter_table("issued_certificate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issued_certificate_request_digest"))

    op.drop_table("issued_certificate")
    op.drop_table("installed_contract")
    op.drop_table("csms_transaction_event")
    op.drop_table("csms_station")
    with op.batch_alter_table("csms_security_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_csms_security_event_station"))

    op.drop_table("csms_security_event")
    with op.batch_alter_table("csms_certificate", schema=None) as batch_op:
        batch_op.drop_index("ix_csms_certificate_evse")

    op.drop_table("csms_certificate")
    with op.batch_alter_table("csms_authorization", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_csms_authorization_station"))

    op.drop_table("csms_authorization")
    with op.batch_alter_table("csms_attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_csms_attempt_station"))

    op.drop_table("csms_attempt")
    op.drop_table("credential")
    with op.batch_alter_table("contract", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contract_pcid"))

    op.drop_table("contract")
    op.drop_table("audit_entry")
