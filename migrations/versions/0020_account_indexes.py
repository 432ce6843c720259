"""Add indexes that find operators, and the accounts of a phone number. No row changes."""

from __future__ import annotations

from alembic import op

revision = "0020_account_indexes"
down_revision = "0019_app_of_a_message"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":  # on PostgreSQL webapp.models.migrate creates them
        op.create_index("ix_accounts_role", "accounts", ["role"])
        op.create_index("ix_accounts_phone_number", "accounts", ["phone_number_hint", "phone_number_mac"])


def downgrade() -> None:
    op.drop_index("ix_accounts_phone_number", "accounts", if_exists=True)
    op.drop_index("ix_accounts_role", "accounts", if_exists=True)
