"""The base of every table. Times are whole seconds since 1970 UTC, so that one clock rules code and SQL."""

from __future__ import annotations

from typing import Annotated, cast

from sqlalchemy import BigInteger, ForeignKey, Integer, MetaData, String, Text
from sqlalchemy import Table as Rows
from sqlalchemy.orm import DeclarativeBase, mapped_column

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only on INTEGER

Key = Annotated[int, mapped_column(BigId, primary_key=True)]
At = Annotated[int, mapped_column(BigInteger)]
MaybeAt = Annotated[int | None, mapped_column(BigInteger)]
AccountId = Annotated[int, mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)]
Hash = Annotated[str, mapped_column(String(64), unique=True)]
Short = Annotated[str, mapped_column(String(255))]
Sealed = Annotated[str, mapped_column(Text)]
"""Written by the keyring; never compared, never shown."""


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
    """For statements that are made once and read no objects: past the ORM, they cost half."""
    return cast(Rows, table.__table__)
