"""Tables for the usernames of deleted accounts, which stay taken. Names deleted before are not known any more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_deleted_names"
down_revision = "0002_field_terms"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "deleted_names",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name_mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_names")),
        sa.UniqueConstraint("name_mac", name=op.f("uq_deleted_names_name_mac")),
    )
    op.create_table(
        "site_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_keys")),
        sa.UniqueConstraint("name", name=op.f("uq_site_keys_name")),
    )


def downgrade() -> None:
    op.drop_table("site_keys")
    op.drop_table("deleted_names")
