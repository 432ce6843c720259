"""Ends what accounts gave to apps that they may not use any more."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, select

from ...models.accounts import Account
from ...models.app_logins import AppAuthorization, SessionApp, disconnect_sessions, end_given
from ...models.database import Transaction
from ...models.groups import Membership
from ...models.registered_apps import AppGroup, RegisteredApp


def end_shut_out(tx: Transaction, now: int, *, account_id: int | None = None, app_id: int | None = None) -> None:
    """Ends what accounts gave to apps that they may not use any more, of one account or of one app, and tells the apps.
    `now` is in Unix seconds.

    Without it, tokens that outlive their session would work again once the account may use the app again.
    """

    def of(given: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        chosen = given.account_id == account_id if account_id is not None else given.app_id == app_id
        return chosen, _is_shut_out(given)

    end_given(tx, now, *of(AppAuthorization))
    disconnect_sessions(tx, *of(SessionApp))


def _is_shut_out(given: Any) -> ColumnElement[bool]:
    """`given` is a table with an account and an app in each row."""
    member = select(Membership.id)
    of_app = member.join(AppGroup, AppGroup.group_name == Membership.group_name).where(AppGroup.app_id == given.app_id)
    is_member = of_app.where(Membership.account_id == given.account_id).exists()
    is_confirmed = select(Account.id).where(Account.id == given.account_id, Account.email.is_not(None)).exists()
    limited = select(RegisteredApp.id).where(RegisteredApp.id == given.app_id, RegisteredApp.limited).exists()
    return not_(or_(and_(limited, is_member), and_(not_(limited), is_confirmed)))
