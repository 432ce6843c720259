"""Tables of signed proofs and pushed requests of apps, and the key that tokens are bound to. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_app_proofs"
down_revision = "0013_back_channel"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "used_proofs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("proof_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_used_proofs"),
        sa.UniqueConstraint("proof_hash", name="uq_used_proofs_proof_hash"),
    )
    op.create_table(
        "pushed_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uri_hash", sa.String(64), nullable=False),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["app_id"], ["registered_apps.id"], name="fk_pushed_requests_app_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pushed_requests"),
        sa.UniqueConstraint("uri_hash", name="uq_pushed_requests_uri_hash"),
    )
    op.create_index("ix_pushed_requests_app_id", "pushed_requests", ["app_id"])
    op.add_column("app_authorizations", sa.Column("dpop_jkt", sa.String(64)))


def downgrade() -> None:
    op.drop_column("app_authorizations", "dpop_jkt")
    op.drop_table("pushed_requests")
    op.drop_table("used_proofs")
