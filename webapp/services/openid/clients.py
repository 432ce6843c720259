"""Registered apps as OpenID Connect clients, and who may use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, SQLColumnExpression, bindparam, select

from ...models.accounts import Account
from ...models.database import Transaction
from ...models.groups import Membership
from ...models.registered_apps import GUARDED, AppGroup, AppSecret, RegisteredApp
from ..core import Core
from .signing_keys import NEWEST

FIND = select(RegisteredApp).where(RegisteredApp.client_id == bindparam("client_id"), RegisteredApp.kind != GUARDED)
FIND_WITH_SECRETS = (
    select(RegisteredApp, AppSecret.secret_hash, NEWEST.scalar_subquery())
    .outerjoin(AppSecret, AppSecret.app_id == RegisteredApp.id)
    .where(RegisteredApp.client_id == bindparam("client_id"), RegisteredApp.kind != GUARDED)
)


def shared_groups(app_id: SQLColumnExpression[int], account_id: SQLColumnExpression[int]) -> Select[str]:
    """Selects the names of those of the account's groups that the app has."""
    joined = select(AppGroup.group_name).join(Membership, Membership.group_name == AppGroup.group_name)
    return joined.where(AppGroup.app_id == app_id, Membership.account_id == account_id)


GROUPS = shared_groups(bindparam("app"), bindparam("account")).order_by(AppGroup.group_name)


@dataclass(frozen=True, slots=True)
class Client:
    """An app with the hashes of its live secrets, and the number of the newest signing key."""

    app: RegisteredApp
    secret_hashes: Sequence[str]
    newest_key: int


@dataclass(frozen=True, slots=True)
class Clients:
    core: Core

    def app(self, client_id: str) -> RegisteredApp | None:
        with self.core.db.read() as tx:
            return tx.objects.scalars(FIND, {"client_id": client_id}).one_or_none()

    def client(self, client_id: str) -> Client | None:
        """The app with its secrets, in one statement."""
        with self.core.db.read() as tx:
            rows = tx.objects.execute(FIND_WITH_SECRETS, {"client_id": client_id}).all()
        if not rows:
            return None
        return Client(rows[0][0], [secret for _, secret, _ in rows if secret is not None], rows[0][2])

    def groups(self, tx: Transaction, app_id: int, account_id: int) -> list[str]:
        """Those of the account's groups that the app has, which are all that it learns of."""
        return list(tx.scalars(GROUPS, {"app": app_id, "account": account_id}))

    def may_use(self, tx: Transaction, app: RegisteredApp, account: Account) -> bool:
        """True for everyone with a confirmed email address or, where the app is limited, for members of its groups.

        Never for a locked account, or one that its owner deleted.
        """
        return is_open_to(app, account, self.groups(tx, app.id, account.id) if app.limited else ())


def is_open_to(app: RegisteredApp, account: Account, groups: Sequence[str]) -> bool:
    """`Clients.may_use`, where `groups` are those of the account that the app has."""
    if account.locked_at is not None or account.delete_at is not None:
        return False
    return bool(groups) if app.limited else account.email is not None
