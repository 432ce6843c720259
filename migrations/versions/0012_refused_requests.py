"""The table of refused requests of apps. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_refused_requests"
down_revision = "0011_guarded_hosts"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "refused_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("endpoint", sa.String(80), nullable=False),
        sa.Column("client_id", sa.String(40)),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_requests"),
        sa.UniqueConstraint("number", name="uq_refused_requests_number"),
    )
    op.create_index("ix_refused_requests_at", "refused_requests", ["at"])


def downgrade() -> None:
    op.drop_table("refused_requests")
