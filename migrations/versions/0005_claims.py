"""When each unconfirmed address was entered: of several accounts that claim one, the newest gets its reset links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_claims"
down_revision = "0004_account_use"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("claimed_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE accounts SET claimed_at = created_at WHERE unconfirmed_email IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("claimed_at")
