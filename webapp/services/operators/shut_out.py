"""Ends what accounts gave to apps that they may not use any more."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, not_, or_, select

from ...models.accounts import Account
from ...models.app_logins import AppAuthorization, end_given
from ...models.database import Transaction
from ...models.groups import Membership
from ...models.registered_apps import AppGroup, RegisteredApp


def end_shut_out(tx: Transaction, now: int, *which: ColumnElement[bool]) -> None:
    """Ends what accounts gave to apps that they may not use any more, only of `which`; `now` is in Unix seconds.

    Without it, tokens that outlive their session would work again once the account may use the app again.
    """
    given, member = AppAuthorization, select(Membership.id)
    of_app = member.join(AppGroup, AppGroup.group_name == Membership.group_name).where(AppGroup.app_id == given.app_id)
    is_member = of_app.where(Membership.account_id == given.account_id).exists()
    is_confirmed = select(Account.id).where(Account.id == given.account_id, Account.email.is_not(None)).exists()
    limited = select(RegisteredApp.id).where(RegisteredApp.id == given.app_id, RegisteredApp.limited).exists()
    end_given(tx, now, *which, not_(or_(and_(limited, is_member), and_(not_(limited), is_confirmed))))
