"""Add the method of the last log-in, which the next one asks for first. No row changes: without it, the method that was
proved last comes first, as before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022_login_method"
down_revision = "0021_login_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("login_method", sa.String(32)))


def downgrade() -> None:
    op.drop_column("accounts", "login_method")
