"""Apps that took part in sessions, to which log-out is told; stored requests for log-out; signing keys that are withdrawn.

The number of a session that was deleted is given to no other one, which SQLite does unless told not to: apps know
sessions by a hash of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_back_channel"
down_revision = "0012_refused_requests"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    rebuild_sessions(autoincrement=True)
    if op.get_bind().dialect.name == "sqlite":  # on PostgreSQL webapp.models.migrate creates it
        op.create_index("ix_sessions_ended_at", "sessions", ["ended_at"])
    op.create_table(
        "session_apps",
        sa.Column("id", KEY, nullable=False),
        sa.Column("session_id", KEY),
        sa.Column("app_id", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("sid", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_session_apps_session_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["app_id"], ["registered_apps.id"], name="fk_session_apps_app_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_session_apps"),
    )
    for column in ("session_id", "app_id", "account_id"):
        op.create_index(f"ix_session_apps_{column}", "session_apps", [column])
    op.execute(
        "INSERT INTO session_apps (session_id, app_id, account_id, sid, since)"
        " SELECT session_id, app_id, account_id, sid, min(made_at) FROM app_authorizations"
        " WHERE session_id IS NOT NULL GROUP BY session_id, app_id, account_id, sid"
    )
    op.create_table(
        "log_out_requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("handle_hash", sa.String(64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_out_requests"),
        sa.UniqueConstraint("handle_hash", name="uq_log_out_requests_handle_hash"),
    )
    op.add_column("signing_keys", sa.Column("withdrawn_at", sa.BigInteger()))


def downgrade() -> None:
    op.drop_column("signing_keys", "withdrawn_at")
    op.drop_table("log_out_requests")
    op.drop_table("session_apps")
    op.drop_index("ix_sessions_ended_at", "sessions")
    rebuild_sessions(autoincrement=False)


def rebuild_sessions(*, autoincrement: bool) -> None:
    """A later migration that rebuilds the table must pass `sqlite_autoincrement` too."""
    if op.get_bind().dialect.name != "sqlite":
        return
    options = {
        "table_kwargs": {"sqlite_autoincrement": autoincrement},
        "naming_convention": {"pk": "pk_%(table_name)s"},
    }
    with op.batch_alter_table("sessions", recreate="always", **options):
        pass
