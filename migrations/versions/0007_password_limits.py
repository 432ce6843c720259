"""Add the networks of apps, and find the attempts of one account by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_password_limits"
down_revision = "0006_budgets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "known_networks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_known_networks_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_networks")),
        sa.UniqueConstraint("account_id", "network", name=op.f("uq_known_networks_account_id")),
    )
    op.create_index(op.f("ix_attempts_account_id"), "attempts", ["account_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_attempts_account_id"), table_name="attempts")
    op.drop_table("known_networks")
