"""When each account was last used, and whether the operator made it: unconfirmed ones that are unused get deleted.

Nothing tells when existing accounts were used, so the migration counts as a use. An existing account without the event
of its sign-up was made by the operator, or that event is no longer kept: neither is deleted.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0004_account_use"
down_revision = "0003_deleted_names"
branch_labels = None
depends_on = None

SIGNED_UP = (
    "UPDATE accounts SET made_by_operator = :no WHERE id IN (SELECT account_id FROM activity WHERE kind = :kind)"
)


def upgrade() -> None:
    now = str(int(time.time()))
    with op.batch_alter_table("accounts") as batch:
        batch.add_column(sa.Column("used_at", sa.BigInteger(), nullable=False, server_default=sa.text(now)))
        batch.add_column(sa.Column("made_by_operator", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute(sa.text(SIGNED_UP).bindparams(sa.bindparam("no", False, sa.Boolean()), kind="signed-up"))
    with op.batch_alter_table("accounts") as batch:  # values of later rows come from the application
        batch.alter_column("used_at", server_default=None)
        batch.alter_column("made_by_operator", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("accounts") as batch:
        batch.drop_column("made_by_operator")
        batch.drop_column("used_at")
