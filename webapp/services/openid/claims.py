"""What an app learns about an account: the claims of each scope (OpenID Connect Core 1.0 section 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from ...models.accounts import Account
from ...models.app_logins import AppAuthorization
from ...models.database import Transaction
from ...models.registered_apps import RegisteredApp
from ...models.sessions import Activity
from ..core import Core
from ..sealed_numbers import unsealed
from .clients import Clients

SCOPE_OF = {
    "name": "profile",
    "preferred_username": "profile",
    "locale": "profile",
    "updated_at": "profile",
    "email": "email",
    "email_verified": "email",
    "phone_number": "phone",
    "phone_number_verified": "phone",
    "groups": "groups",
}
"""The scope that gives a claim."""
RENAMED = ("name-changed", "username-changed", "username-changed-by-operator")
"""Events in the activity after which the claims of `profile` are others."""


def learned(scopes: Sequence[str], requested: dict[str, Any]) -> list[str]:
    """The scopes, with those of the claims that the `claims` parameter asks for by name."""
    names = {name for member in requested.values() for name in member}
    asked = dict.fromkeys(SCOPE_OF[name] for name in SCOPE_OF if name in names)
    return [*scopes, *(scope for scope in asked if scope not in scopes)]


def allowed(requested: dict[str, Any], scopes: Sequence[str]) -> dict[str, Any]:
    """The `claims` parameter without the claims of other scopes than these."""
    return {
        member: {name: wish for name, wish in wishes.items() if SCOPE_OF.get(name) in (None, *scopes)}
        for member, wishes in requested.items()
    }


@dataclass(frozen=True, slots=True)
class Claims:
    core: Core
    clients: Clients

    def of(
        self,
        tx: Transaction,
        app: RegisteredApp,
        account: Account,
        given: AppAuthorization,
        member: str,
        scopes: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The claims for the ID token or userinfo, which is the `member` of the `claims` parameter.

        `scopes` are those whose claims are told too: for userinfo, those of the access token. The app learns of no
        scope that it may not ask for today. A claim without a value is left out, as if it had not been asked for.
        """
        wanted, by_scope = given.claims.get(member, {}), set(scopes)
        by_name = {SCOPE_OF[name] for name in wanted if name in SCOPE_OF}
        found = {}
        for scope in sorted((by_name | by_scope) & set(app.scopes)):
            found.update(self._of_scope(tx, scope, app, account))
        return {
            n: value for n, value in found.items() if value is not None and (SCOPE_OF[n] in by_scope or n in wanted)
        }

    def _of_scope(self, tx: Transaction, scope: str, app: RegisteredApp, account: Account) -> dict[str, Any]:
        if scope == "profile":
            return {
                "name": account.name,
                "preferred_username": account.username,
                "locale": account.language or None,
                "updated_at": self._updated_at(tx, account),
            }
        if scope == "email" and account.email is not None:
            return {"email": account.email, "email_verified": True}
        if scope == "phone" and (number := unsealed(self.core.keyring, account.id, account.phone_number)):
            return {"phone_number": number, "phone_number_verified": True}
        if scope == "groups":
            return {"groups": self.clients.groups(tx, app.id, account.id)}
        return {}

    def _updated_at(self, tx: Transaction, account: Account) -> int:
        changed = select(func.max(Activity.at)).where(Activity.account_id == account.id, Activity.kind.in_(RENAMED))
        return tx.scalar(changed) or account.created_at
