"""Add the name of the app that a message tells of a log-out. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019_app_of_a_message"
down_revision = "0018_who_started_a_recovery"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("app_name", sa.String(255)))


def downgrade() -> None:
    op.drop_column("messages", "app_name")
