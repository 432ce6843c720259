"""Reading and setting values of the whole site."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import Transaction, changed_one_row
from .messages import SiteValue


def site_value(tx: Transaction, name: str) -> int:
    """The value, 0 when it was never set. Locks it until a writing transaction ends."""
    return tx.scalar(select(SiteValue.value).where(SiteValue.name == name).with_for_update()) or 0


def set_site_value(tx: Transaction, name: str, value: int) -> None:
    stored = update(SiteValue).where(SiteValue.name == name).values(value=value)
    if changed_one_row(tx, stored):
        return
    try:
        with tx.connection.begin_nested():
            tx.execute(insert(SiteValue).values(name=name, value=value))
    except IntegrityError:  # another process inserted it meanwhile
        tx.execute(stored)
