"""Store an undo of an e-mail change that waits, and the age of the factor that a log-in proved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_email_undos"
down_revision = "0007_password_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("undo_email", sa.String(320)))
        batch.add_column(sa.Column("undo_changed_at", sa.BigInteger()))
        batch.add_column(sa.Column("undo_at", sa.BigInteger()))
        batch.create_index("ix_accounts_undo_at", ["undo_at"])
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("factor_added_at", sa.BigInteger()))


def downgrade() -> None:
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("factor_added_at")
    with op.batch_alter_table("accounts") as batch:
        batch.drop_index("ix_accounts_undo_at")
        for column in ("undo_at", "undo_changed_at", "undo_email"):
            batch.drop_column(column)
