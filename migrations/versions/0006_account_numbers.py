"""Never give the number of a deleted account to another one, which SQLite does unless told not to. No row changes.

Browsers keep the numbers of the accounts that know them in a signed cookie, and limits are counted under them.
"""

from __future__ import annotations

from alembic import op

revision = "0006_account_numbers"
down_revision = "0005_theme"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rebuild(autoincrement=True)


def downgrade() -> None:
    rebuild(autoincrement=False)


def rebuild(*, autoincrement: bool) -> None:
    """A later migration that rebuilds the table must pass `sqlite_autoincrement` too."""
    if op.get_bind().dialect.name != "sqlite":
        return
    options = {
        "table_kwargs": {"sqlite_autoincrement": autoincrement},
        "naming_convention": {"pk": "pk_%(table_name)s"},
    }
    with op.batch_alter_table("accounts", recreate="always", **options):
        pass
