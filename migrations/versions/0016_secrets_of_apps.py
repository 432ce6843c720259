"""Secrets of apps have no time of their last use: nothing wrote it. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016_secrets_of_apps"
down_revision = "0015_device_logins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("app_secrets", "used_at")


def downgrade() -> None:
    op.add_column("app_secrets", sa.Column("used_at", sa.BigInteger()))
