"""Add what sign-up, the limits of messages and passwords, undos of e-mail changes and new backup codes are kept in.

Nothing tells when existing accounts were last used, so the migration counts as a use. An existing account without the
event of its sign-up was made by the operator, or that event is no longer kept: neither is ever purged. The names of
accounts that were deleted before are not known any more. A backup code that was generated within the last 30 minutes is
not carried over: its page was shown once.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0003_limits_and_undos"
down_revision = "0002_field_terms"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SIGNED_UP = (
    "UPDATE accounts SET made_by_operator = :no WHERE id IN (SELECT account_id FROM activity WHERE kind = :kind)"
)
CLAIMED = "UPDATE accounts SET claimed_at = created_at WHERE unconfirmed_email IS NOT NULL"


def upgrade() -> None:
    create_tables()
    extend_accounts()
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("factor_added_at", sa.BigInteger()))
        batch.add_column(sa.Column("sealed_backup_code", sa.Text()))
        batch.add_column(sa.Column("backup_code_at", sa.BigInteger()))
    with op.batch_alter_table("drafts") as batch:
        batch.drop_column("sealed_backup_code")
    with op.batch_alter_table("codes") as batch:
        batch.add_column(sa.Column("adopted_by", sa.String(80)))
        if not later():
            batch.create_index("ix_codes_adopted_by", ["adopted_by"])
    with op.batch_alter_table("contact_lookups") as batch:
        batch.add_column(sa.Column("entries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("contact_lookups") as batch:  # values of later rows come from the application
        batch.alter_column("entries", server_default=None)
    if not later():
        op.create_index("ix_attempts_account_id", "attempts", ["account_id"])


def later() -> bool:
    """On PostgreSQL webapp.models.migrate creates the indexes of tables that may have many rows."""
    return op.get_bind().dialect.name == "postgresql"


def create_tables() -> None:
    op.create_table(
        "deleted_names",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name_mac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deleted_names"),
        sa.UniqueConstraint("name_mac", name="uq_deleted_names_name_mac"),
    )
    op.create_table(
        "site_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_site_keys"),
        sa.UniqueConstraint("name", name="uq_site_keys_name"),
    )
    op.create_table(
        "known_networks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_known_networks_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_known_networks"),
        sa.UniqueConstraint("account_id", "network", name="uq_known_networks_account_id"),
    )


def extend_accounts() -> None:
    now = str(int(time.time()))
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("used_at", sa.BigInteger(), nullable=False, server_default=sa.text(now)))
        batch.add_column(sa.Column("made_by_operator", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch.add_column(sa.Column("claimed_at", sa.BigInteger()))
        batch.add_column(sa.Column("phone_number_mac", sa.String(200)))
        batch.add_column(sa.Column("undo_email", sa.String(320)))
        batch.add_column(sa.Column("undo_changed_at", sa.BigInteger()))
        batch.add_column(sa.Column("undo_at", sa.BigInteger()))
        if not later():
            batch.create_index("ix_accounts_undo_at", ["undo_at"])
    op.execute(sa.text(SIGNED_UP).bindparams(sa.bindparam("no", False, sa.Boolean()), kind="signed-up"))
    op.execute(CLAIMED)
    with op.batch_alter_table("accounts") as batch:  # values of later rows come from the application
        batch.alter_column("used_at", server_default=None)
        batch.alter_column("made_by_operator", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("attempts") as batch:
        batch.drop_index("ix_attempts_account_id")
    with op.batch_alter_table("contact_lookups") as batch:
        batch.drop_column("entries")
    with op.batch_alter_table("codes") as batch:
        batch.drop_index("ix_codes_adopted_by")
        batch.drop_column("adopted_by")
    with op.batch_alter_table("drafts") as batch:
        batch.add_column(sa.Column("sealed_backup_code", sa.Text()))
    with op.batch_alter_table("sessions") as batch:
        for column in ("backup_code_at", "sealed_backup_code", "factor_added_at"):
            batch.drop_column(column)
    with op.batch_alter_table("accounts") as batch:
        batch.drop_index("ix_accounts_undo_at")
        for column in (
            "undo_at",
            "undo_changed_at",
            "undo_email",
            "phone_number_mac",
            "claimed_at",
            "made_by_operator",
            "used_at",
        ):
            batch.drop_column(column)
    for table in ("known_networks", "site_keys", "deleted_names"):
        op.drop_table(table)
