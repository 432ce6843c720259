"""Add roles, locks, groups and apps, and what each session proved.

Existing accounts are persons, and not locked. What earlier sessions proved is not known beyond the two times that they
have, so an app that asks for a security key asks them again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_apps"
down_revision = "0007_language_unset"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NO_TEXTS = ("redirect_uris", "post_logout_redirect_uris", "private_addresses", "scopes", "origins", "resources")


def upgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("role", sa.String(16), nullable=False, server_default="person"))
        batch.add_column(sa.Column("locked_at", sa.BigInteger()))
    with op.batch_alter_table("sessions") as batch:
        batch.add_column(sa.Column("proofs", sa.Text(), nullable=False, server_default="{}"))
    for table, column in (("accounts", "role"), ("sessions", "proofs")):
        options = {"table_kwargs": {"sqlite_autoincrement": True}} if table == "accounts" else {}
        with op.batch_alter_table(table, **options) as batch:  # values of later rows come from the application
            batch.alter_column(column, server_default=None)
    create_groups()
    create_apps()


def create_groups() -> None:
    op.create_table(
        "groups",
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_groups"),
    )
    op.create_table(
        "memberships",
        sa.Column("id", KEY, nullable=False),
        sa.Column("group_name", sa.String(40), nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_name"], ["groups.name"], name="fk_memberships_group_name", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_memberships_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_memberships"),
        sa.UniqueConstraint("group_name", "account_id", name="uq_memberships_group_name"),
    )
    op.create_index("ix_memberships_account_id", "memberships", ["account_id"])


def create_apps() -> None:
    op.create_table(
        "registered_apps",
        sa.Column("id", KEY, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("proof", sa.String(16), nullable=False),
        sa.Column("max_age", sa.Integer()),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in NO_TEXTS),
        sa.Column("backchannel_logout_uri", sa.Text()),
        sa.Column("subject_type", sa.String(8), nullable=False),
        sa.Column("sector", sa.String(255), nullable=False),
        sa.Column("pkce_demanded", sa.Boolean(), nullable=False),
        sa.Column("signing_algorithm", sa.String(8), nullable=False),
        sa.Column("jwks", sa.JSON()),
        sa.Column("jwks_uri", sa.Text()),
        sa.Column("dpop_demanded", sa.Boolean(), nullable=False),
        sa.Column("device_allowed", sa.Boolean(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("authorization_allowed", sa.Boolean(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_registered_apps"),
        sa.UniqueConstraint("client_id", name="uq_registered_apps_client_id"),
        sa.UniqueConstraint("host", name="uq_registered_apps_host"),
    )
    op.create_table(
        "app_groups",
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("group_name", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["registered_apps.id"], name="fk_app_groups_app_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_name"], ["groups.name"], name="fk_app_groups_group_name"),
        sa.PrimaryKeyConstraint("app_id", "group_name", name="pk_app_groups"),
    )
    op.create_index("ix_app_groups_group_name", "app_groups", ["group_name"])
    op.create_table(
        "app_secrets",
        sa.Column("id", KEY, nullable=False),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["app_id"], ["registered_apps.id"], name="fk_app_secrets_app_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_app_secrets"),
        sa.UniqueConstraint("secret_hash", name="uq_app_secrets_secret_hash"),
    )
    op.create_index("ix_app_secrets_app_id", "app_secrets", ["app_id"])


def downgrade() -> None:
    for table in ("app_secrets", "app_groups", "registered_apps", "memberships", "groups"):
        op.drop_table(table)
    with op.batch_alter_table("sessions") as batch:
        batch.drop_column("proofs")
    with op.batch_alter_table("accounts", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_column("locked_at")
        batch.drop_column("role")
