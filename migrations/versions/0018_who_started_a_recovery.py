"""Add which operator started the recovery that waits. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018_who_started_a_recovery"
down_revision = "0017_recovery"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("recovery_by", KEY))


def downgrade() -> None:
    op.drop_column("accounts", "recovery_by")
