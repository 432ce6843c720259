"""Mark the language of every account as not chosen: until now English was the only one, so no owner has chosen it.

Pages are then in the language that the browser prefers, and the next log-in stores that language.
"""

from __future__ import annotations

from alembic import op

revision = "0007_language_unset"
down_revision = "0006_account_numbers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE accounts SET language = ''")


def downgrade() -> None:
    op.execute("UPDATE accounts SET language = 'en' WHERE language = ''")
