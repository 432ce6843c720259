"""The base class and column types of all tables.

Times are whole Unix seconds from `Clock`; SQL must not use the clock of the database.
"""

from __future__ import annotations

from typing import Annotated, cast

from sqlalchemy import BigInteger, ForeignKey, Integer, MetaData, String, Text
from sqlalchemy import Table as Rows
from sqlalchemy.orm import DeclarativeBase, mapped_column

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite generates ids only for INTEGER

Key = Annotated[int, mapped_column(BigId, primary_key=True)]
At = Annotated[int, mapped_column(BigInteger)]
MaybeAt = Annotated[int | None, mapped_column(BigInteger)]
AccountId = Annotated[int, mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)]
Hash = Annotated[str, mapped_column(String(64), unique=True)]
Short = Annotated[str, mapped_column(String(255))]
Sealed = Annotated[str, mapped_column(Text)]
"""Ciphertext of the keyring. It must not be compared or shown."""


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def rows_of(table: type[Table]) -> Rows:
    """The Core table, for statements that read no ORM objects: they take half the time."""
    return cast(Rows, table.__table__)
