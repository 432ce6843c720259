"""Tables of guarded hosts. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_guarded_hosts"
down_revision = "0010_app_logins"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PARENTS = {"app_id": "registered_apps", "account_id": "accounts", "session_id": "sessions"}


def owned_by(table: str, name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([name], [f"{PARENTS[name]}.id"], name=f"fk_{table}_{name}", ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "guarded_logins",
        sa.Column("id", KEY, nullable=False),
        sa.Column("handle_hash", sa.String(64), nullable=False),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("proof", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("nonce_hash", sa.String(64)),
        sa.Column("asks", sa.Boolean(), nullable=False),
        sa.Column("agreed_hash", sa.String(64)),
        sa.Column("account_id", KEY),
        sa.Column("session_id", KEY),
        sa.Column("code_hash", sa.String(64)),
        sa.Column("granted_at", sa.BigInteger()),
        sa.Column("used_at", sa.BigInteger()),
        *(owned_by("guarded_logins", name) for name in PARENTS),
        sa.PrimaryKeyConstraint("id", name="pk_guarded_logins"),
        sa.UniqueConstraint("handle_hash", name="uq_guarded_logins_handle_hash"),
        sa.UniqueConstraint("code_hash", name="uq_guarded_logins_code_hash"),
    )
    op.create_table(
        "guarded_sessions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("session_id", KEY, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("device", sa.String(300), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        *(owned_by("guarded_sessions", name) for name in PARENTS),
        sa.PrimaryKeyConstraint("id", name="pk_guarded_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_guarded_sessions_token_hash"),
    )
    for table in ("guarded_logins", "guarded_sessions"):
        for name in PARENTS:
            op.create_index(f"ix_{table}_{name}", table, [name])


def downgrade() -> None:
    op.drop_table("guarded_sessions")
    op.drop_table("guarded_logins")
