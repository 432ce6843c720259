"""Tables of log-ins to apps by OpenID Connect. No row changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_app_logins"
down_revision = "0009_signing_keys"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def app_of(table: str) -> list[sa.SchemaItem]:
    options = {"name": f"fk_{table}_app_id", "ondelete": "CASCADE"}
    return [
        sa.Column("app_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["registered_apps.id"], **options),
    ]


def account_of(table: str) -> list[sa.SchemaItem]:
    options = {"name": f"fk_{table}_account_id", "ondelete": "CASCADE"}
    return [
        sa.Column("account_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], **options),
    ]


def upgrade() -> None:
    op.create_table(
        "authorization_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("handle_hash", sa.String(64), nullable=False),
        *app_of("authorization_requests"),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("session_hash", sa.String(64)),
        sa.Column("decision", sa.String(8)),
        sa.Column("decided_hash", sa.String(64)),
        sa.Column("answered_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_authorization_requests"),
        sa.UniqueConstraint("handle_hash", name="uq_authorization_requests_handle_hash"),
    )
    op.create_table(
        "app_authorizations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("uid", sa.String(64), nullable=False),
        *app_of("app_authorizations"),
        *account_of("app_authorizations"),
        sa.Column("session_id", KEY),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.String(128)),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("claims", sa.JSON(), nullable=False),
        sa.Column("resource", sa.Text()),
        sa.Column("nonce", sa.Text()),
        sa.Column("auth_time", sa.BigInteger(), nullable=False),
        sa.Column("acr", sa.String(64), nullable=False),
        sa.Column("amr", sa.JSON(), nullable=False),
        sa.Column("sid", sa.String(64), nullable=False),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("code_used_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_app_authorizations_session_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_app_authorizations"),
        sa.UniqueConstraint("uid", name="uq_app_authorizations_uid"),
        sa.UniqueConstraint("code_hash", name="uq_app_authorizations_code_hash"),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("authorization_id", KEY, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["authorization_id"],
            ["app_authorizations.id"],
            name="fk_refresh_tokens_authorization_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
    )
    op.create_table(
        "app_connections",
        sa.Column("id", KEY, nullable=False),
        *account_of("app_connections"),
        *app_of("app_connections"),
        sa.Column("consented", sa.JSON(), nullable=False),
        sa.Column("learned", sa.JSON(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_app_connections"),
        sa.UniqueConstraint("account_id", "app_id", name="uq_app_connections_account_id"),
    )
    for table, column in INDEXED:
        op.create_index(f"ix_{table}_{column}", table, [column])


INDEXED = (
    ("authorization_requests", "app_id"),
    ("app_authorizations", "app_id"),
    ("app_authorizations", "account_id"),
    ("app_authorizations", "session_id"),
    ("refresh_tokens", "authorization_id"),
    ("app_connections", "account_id"),
    ("app_connections", "app_id"),
)


def downgrade() -> None:
    for table in ("app_connections", "refresh_tokens", "app_authorizations", "authorization_requests"):
        op.drop_table(table)
