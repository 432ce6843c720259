"""Ends what accounts gave to apps that they may not use any more."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, not_, or_, select

from ...models.accounts import Account
from ...models.app_logins import AppAuthorization, SessionApp, disconnect_sessions, end_given
from ...models.batches import parts_of
from ...models.database import Database, Transaction
from ...models.groups import Membership
from ...models.registered_apps import AppGroup, RegisteredApp


def end_shut_out(tx: Transaction, now: int, account_id: int) -> None:
    """Ends what the account gave to apps that it may not use any more, and tells the apps. `now` is in Unix seconds.

    Without it, tokens that outlive their session would work again once the account may use the app again.
    """
    end_given(tx, now, AppAuthorization.account_id == account_id, _is_shut_out(AppAuthorization))
    disconnect_sessions(tx, SessionApp.account_id == account_id, _is_shut_out(SessionApp))


def end_all_shut_out(db: Database, now: int, app_id: int | None = None) -> None:
    """The same for all accounts, of which there may be any number, of one app or of all. Raises `DatabaseUnavailable`.

    It comes after the change that shut them out, which is enough to refuse them: each use of a token asks who may use
    the app. If it is interrupted, the next purge goes on.
    """

    def of(given: Any) -> tuple[ColumnElement[bool], ...]:
        return () if app_id is None else (given.app_id == app_id,)

    for part in parts_of(db, AppAuthorization, AppAuthorization.ended_at.is_(None), *of(AppAuthorization)):
        with db.write() as tx:
            end_given(tx, now, part, _is_shut_out(AppAuthorization))
    for part in parts_of(db, SessionApp, SessionApp.session_id.is_not(None), *of(SessionApp)):
        with db.write() as tx:
            disconnect_sessions(tx, part, _is_shut_out(SessionApp))


def _is_shut_out(given: Any) -> ColumnElement[bool]:
    """`given` is a table with an account and an app in each row."""
    member = select(Membership.id)
    of_app = member.join(AppGroup, AppGroup.group_name == Membership.group_name).where(AppGroup.app_id == given.app_id)
    is_member = of_app.where(Membership.account_id == given.account_id).exists()
    is_confirmed = select(Account.id).where(Account.id == given.account_id, Account.email.is_not(None)).exists()
    limited = select(RegisteredApp.id).where(RegisteredApp.id == given.app_id, RegisteredApp.limited).exists()
    return not_(or_(and_(limited, is_member), and_(not_(limited), is_confirmed)))
