"""Add the theme of the pages to accounts. Existing ones follow the device, as before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_theme"
down_revision = "0004_account_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("theme", sa.String(8), nullable=False, server_default="system"))
    with op.batch_alter_table("accounts") as batch:  # values of later rows come from the application
        batch.alter_column("theme", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("theme")
