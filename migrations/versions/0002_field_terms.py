"""Call tables and columns by the field's terms. Every row stays, and so do the words stored in rows."""

from __future__ import annotations

from typing import NamedTuple

from alembic import op

revision = "0002_field_terms"
down_revision = "0001_first"
branch_labels = None
depends_on = None


class Table(NamedTuple):
    """A table to rename, with what carries its name in a name of its own."""

    old: str
    new: str
    key: str = "id"
    index: str | None = None
    unique: str | None = None
    foreign_key: tuple[str, str] | None = None  # the column, and the table that it points at


TABLES = (
    Table("tries", "attempts", index="bucket"),
    Table(
        "half_logged_in",
        "pending_logins",
        index="account_id",
        unique="token_hash",
        foreign_key=("account_id", "accounts"),
    ),
    Table("knocks", "refused_accesses", index="account_id", foreign_key=("account_id", "accounts")),
    Table("pending_acts", "kept_acts", unique="session_id", foreign_key=("session_id", "sessions")),
    Table("contact_look_ups", "contact_lookups", index="account_id", foreign_key=("account_id", "accounts")),
    Table("facts", "site_values", key="name"),
)

COLUMNS = (  # of tables as they are called afterwards
    ("accounts", "phone", "phone_number"),
    ("accounts", "phone_hint", "phone_number_hint"),
    ("activity", "facts", "details"),
    ("codes", "tries", "attempts"),
    ("factors", "slot", "external_id"),
    ("factors", "facts", "attributes"),
    ("factors", "last_step", "counter"),
    ("login_requests", "chance", "nonce"),
    ("messages", "tries", "attempts"),
    ("pending_logins", "keep", "persistent"),
    ("sessions", "kept", "persistent"),
)


def upgrade() -> None:
    for table in TABLES:
        rename(table, table.old, table.new)
    for table_name, old, new in COLUMNS:
        op.alter_column(table_name, old, new_column_name=new)


def downgrade() -> None:
    for table_name, old, new in reversed(COLUMNS):
        op.alter_column(table_name, new, new_column_name=old)
    for table in reversed(TABLES):
        rename(table, table.new, table.old)


def rename(table: Table, old: str, new: str) -> None:
    op.rename_table(old, new)
    if op.get_context().dialect.name == "sqlite":
        remake_names(table, old, new)
    else:
        rename_names(table, old, new)


def remake_names(table: Table, old: str, new: str) -> None:
    """SQLite renames no constraint and no index, so the table is built again with new ones."""
    with op.batch_alter_table(new) as batch:
        batch.drop_constraint(f"pk_{old}", type_="primary")
        batch.create_primary_key(f"pk_{new}", [table.key])
        if table.unique:
            batch.drop_constraint(f"uq_{old}_{table.unique}", type_="unique")
            batch.create_unique_constraint(f"uq_{new}_{table.unique}", [table.unique])
        if table.foreign_key:
            column, target = table.foreign_key
            batch.drop_constraint(f"fk_{old}_{column}", type_="foreignkey")
            batch.create_foreign_key(f"fk_{new}_{column}", target, [column], ["id"], ondelete="CASCADE")
        if table.index:
            batch.drop_index(f"ix_{old}_{table.index}")
            batch.create_index(f"ix_{new}_{table.index}", [table.index])


def rename_names(table: Table, old: str, new: str) -> None:
    """On PostgreSQL each is one change of the catalogue, whatever the table's size."""
    op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT pk_{old} TO pk_{new}")
    if table.unique:
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT uq_{old}_{table.unique} TO uq_{new}_{table.unique}")
    if table.foreign_key:
        column, _target = table.foreign_key
        op.execute(f"ALTER TABLE {new} RENAME CONSTRAINT fk_{old}_{column} TO fk_{new}_{column}")
    if table.index:
        op.execute(f"ALTER INDEX ix_{old}_{table.index} RENAME TO ix_{new}_{table.index}")
    if table.key == "id":  # it counts up by a sequence
        op.execute(f"ALTER SEQUENCE {old}_id_seq RENAME TO {new}_id_seq")
