"""The number of a pending login that was deleted is given to no other one, which SQLite does unless told not to: its codes
and attempts are counted by it. No row changes."""

from __future__ import annotations

from alembic import op

revision = "0021_login_numbers"
down_revision = "0020_account_indexes"
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
    with op.batch_alter_table("pending_logins", recreate="always", **options):
        pass
