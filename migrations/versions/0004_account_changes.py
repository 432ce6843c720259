"""Add what changes of usernames and deletions by owners are kept in. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_account_changes"
down_revision = "0003_limits_and_undos"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIMES = ("rename_at", "rename_asked_at", "delete_at")


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("new_username", sa.String(255)))
        batch.add_column(sa.Column("new_username_key", sa.String(255)))
        for column in TIMES:
            batch.add_column(sa.Column(column, sa.BigInteger()))
        batch.create_unique_constraint("uq_accounts_new_username_key", ["new_username_key"])
        if not later():
            batch.create_index("ix_accounts_rename_at", ["rename_at"])
            batch.create_index("ix_accounts_delete_at", ["delete_at"])
    op.create_table(
        "former_usernames",
        sa.Column("id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("username", sa.String(255), nullable=False),
        sa.Column("username_key", sa.String(255), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_former_usernames_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_former_usernames"),
        sa.UniqueConstraint("username_key", name="uq_former_usernames_username_key"),
    )
    op.create_index("ix_former_usernames_account_id", "former_usernames", ["account_id"])


def later() -> bool:
    """On PostgreSQL webapp.models.migrate creates the indexes of tables that may have many rows."""
    return op.get_bind().dialect.name == "postgresql"


def downgrade() -> None:
    op.drop_table("former_usernames")
    with op.batch_alter_table("accounts") as batch:
        batch.drop_index("ix_accounts_delete_at")
        batch.drop_index("ix_accounts_rename_at")
        batch.drop_constraint("uq_accounts_new_username_key", type_="unique")
        for column in (*reversed(TIMES), "new_username_key", "new_username"):
            batch.drop_column(column)
