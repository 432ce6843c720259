"""Add what the limits of texts, mails and contacts are counted by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_budgets"
down_revision = "0005_claims"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("phone_number_mac", sa.String(200), nullable=True))
    op.add_column("codes", sa.Column("adopted_by", sa.String(80), nullable=True))
    op.create_index("ix_codes_adopted_by", "codes", ["adopted_by"])
    op.add_column("contact_lookups", sa.Column("entries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("contact_lookups") as batch:
        batch.alter_column("entries", server_default=None)


def downgrade() -> None:
    op.drop_column("contact_lookups", "entries")
    op.drop_index("ix_codes_adopted_by", "codes")
    op.drop_column("codes", "adopted_by")
    op.drop_column("accounts", "phone_number_mac")
