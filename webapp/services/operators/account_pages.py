"""A page of a long list of accounts, by username.

A page is requested by the username that it comes after, not by its number, so that every page costs the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select

from ...models.accounts import Account
from ...models.database import Transaction


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`next_after` is `after` of the next page; None on the last page."""

    accounts: Sequence[Account]
    next_after: str | None


def account_page(tx: Transaction, accounts: Select[Account], after: str | None, most: int) -> AccountPage:
    """At most `most` of these accounts: the first whose `username_key` comes after `after`, which need not exist."""
    further = accounts if after is None else accounts.where(Account.username_key > after)
    rows = tx.objects.scalars(further.order_by(Account.username_key).limit(most + 1)).all()
    shown = rows[:most]
    return AccountPage(shown, shown[-1].username_key if len(rows) > most else None)
