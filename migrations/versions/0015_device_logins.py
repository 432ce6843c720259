"""A table of log-ins to apps on devices without a browser. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_device_logins"
down_revision = "0014_app_proofs"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INDEXED = ("user_code_mac", "app_id", "session_id")


def upgrade() -> None:
    op.create_table(
        "device_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("device_code_hash", sa.String(64), nullable=False),
        sa.Column("user_code_mac", sa.String(200), nullable=False),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("device", sa.String(300), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("polled_at", sa.BigInteger()),
        sa.Column("typed_at", sa.BigInteger()),
        sa.Column("session_id", KEY),
        sa.Column("session_hash", sa.String(64)),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("authorization_id", sa.BigInteger()),
        sa.Column("used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["app_id"], ["registered_apps.id"], name="fk_device_requests_app_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_device_requests_session_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_device_requests"),
        sa.UniqueConstraint("device_code_hash", name="uq_device_requests_device_code_hash"),
    )
    for column in INDEXED:
        op.create_index(f"ix_device_requests_{column}", "device_requests", [column])


def downgrade() -> None:
    op.drop_table("device_requests")
