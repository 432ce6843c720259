"""Add what a recovery by an operator is kept in. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017_recovery"
down_revision = "0016_secrets_of_apps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("recovery_at", sa.BigInteger()))
        batch.add_column(sa.Column("recovery_why", sa.String(200)))
        if op.get_bind().dialect.name == "sqlite":  # on PostgreSQL webapp.models.migrate creates it
            batch.create_index("ix_accounts_recovery_at", ["recovery_at"])


def downgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.drop_index("ix_accounts_recovery_at")
        batch.drop_column("recovery_why")
        batch.drop_column("recovery_at")
