"""Keep a new backup code with the session that generated it, until its owner has saved it.

A code of an enrollment that was finished within the last 30 minutes is not carried over: its page was shown once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_new_backup_code"
down_revision = "0008_email_undos"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("sealed_backup_code", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("backup_code_at", sa.BigInteger(), nullable=True))
    op.drop_column("drafts", "sealed_backup_code")


def downgrade() -> None:
    op.add_column("drafts", sa.Column("sealed_backup_code", sa.Text(), nullable=True))
    op.drop_column("sessions", "backup_code_at")
    op.drop_column("sessions", "sealed_backup_code")
