"""A copy of everything that the site stores about an account, for its owner.

Must never have a secret, a hash or the address of a push service: the copy is a file on a computer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from ...domain.account_refusals import TooManyExports
from ...domain.moments import machine
from ...domain.origin import Origin
from ...models.accounts import Account, lock_account
from ...models.app_logins import AppAuthorization, AppConnection, SessionApp
from ...models.apps import AppSession, KnownNetwork, RefusedAccess, TemporaryPassword
from ...models.base import Table, rows_of
from ...models.codes import Code, Link
from ...models.contacts import Contact, ContactLookups
from ...models.database import Transaction
from ...models.drafts import Draft
from ...models.factors import Factor
from ...models.groups import Membership
from ...models.guarded_hosts import GuardedLogin, GuardedSession
from ...models.login_requests import LoginRequest
from ...models.messages import Message
from ...models.names import FormerUsername
from ...models.sessions import Activity, Attempt, PendingLogin, RememberedBrowser, Session
from ...models.user import User
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..notices import Notices, sentence_for
from ..sealed_numbers import unsealed
from ..sessions import Sessions

FROM = ("address", "device")
OF_ACCOUNT = (
    *("created_at", "used_at", "made_by_operator", "name", "username", "new_username", "rename_at", "rename_asked_at"),
    *("language", "theme", "email", "unconfirmed_email", "claimed_at", "undo_email", "undo_changed_at", "undo_at"),
    *("phone_number_hint", "discoverable", "backup_code_made_at", "delete_at", "role", "locked_at"),
    *("recovery_at", "recovery_why", "login_method"),
)
COPIED: dict[type[Table], tuple[str, ...]] = {
    FormerUsername: ("username", "until"),
    Factor: ("method", "label", "attributes", "added_at", "logged_in_at", "turned_off_at"),
    Session: (
        *("started_at", "seen_at", "persistent", "password_at", "second_factor_at", "proofs", "factor_added_at"),
        *(*FROM, "ended_at", "backup_code_at"),
    ),
    PendingLogin: ("started_at", "persistent", "next_path", *FROM, "ended_at"),
    RememberedBrowser: ("added_at", "used_at", *FROM, "ended_at"),
    LoginRequest: ("made_at", *FROM, "is_new", "state", "tried_at", "ended_at"),
    TemporaryPassword: ("made_at", "expires_at", "texted", "used_at", "used_address", "used_device", "ended_at"),
    AppSession: ("started_at", "seen_at", *FROM, "ended_at"),
    AppAuthorization: (
        *("redirect_uri", "scopes", "claims", "resource", "auth_time", "acr", "amr", "offline"),
        *("made_at", "code_used_at", "ended_at"),
    ),
    GuardedLogin: ("path", "proof", "asked_at", "granted_at", "used_at"),
    GuardedSession: ("started_at", "seen_at", *FROM, "ended_at"),
    SessionApp: ("since",),
    AppConnection: ("consented", "learned", "since", "used_at"),
    KnownNetwork: ("network", "at"),
    Membership: ("group_name", "added_at"),
    RefusedAccess: ("at", *FROM),
    Code: ("challenge", "made_at", "attempts", "used_at", "voided_at"),
    Link: ("purpose", "email", "made_at", "expires_at", "used_at"),
    Draft: ("method", "started_at", "touched_at", "finished_at"),
    Contact: ("added_at",),
    ContactLookups: ("at", "count", "entries"),
    Attempt: ("bucket", "at"),
    Message: ("channel", "template", "state", "made_at", "ended_at", "received_at"),
    Activity: ("at", "kind", "details", *FROM),
}
"""The columns that are copied, of each table with the account's id. The others are secrets, hashes and numbers of rows.
"""
TIMES = frozenset({"at", "until", "since", "auth_time"})


@dataclass(frozen=True, slots=True)
class Exports:
    core: Core
    attempts: Attempts
    sessions: Sessions
    notices: Notices

    def make(self, user: User, origin: Origin) -> dict[str, Any]:
        """The copy, ready for JSON: times are ISO 8601 in UTC. The owner is told.

        Raises `NotFresh`, `LoginExpired` when the session was ended meanwhile, and `TooManyExports` for the fourth in a
        day.
        """
        self.sessions.demand_fresh(user)
        with self.core.db.write() as tx:
            lock_account(tx, user.account.id)
            self.sessions.demand_open(tx, user.session)
            account = tx.objects.get_one(Account, user.account.id)
            self.attempts.count_within(tx, self._bucket(account.id))
            self.notices.tell(tx, account, "data-downloaded", origin)
        with self.core.db.read() as tx:
            return self._copy(tx, account)

    def _copy(self, tx: Transaction, account: Account) -> dict[str, Any]:
        own = {name: _plain(name, getattr(account, name)) for name in OF_ACCOUNT}
        copied: dict[str, Any] = {
            "copied_at": machine(self.core.clock.now()),
            "account": {**own, "phone_number": unsealed(self.core.keyring, account.id, account.phone_number)},
        }
        for table, names in COPIED.items():
            columns = rows_of(table).c
            mine = select(*(columns[name] for name in names)).where(columns.account_id == account.id)
            rows = tx.execute(mine.order_by(columns.id)).all()
            copied[table.__tablename__] = [_row(dict(zip(names, row, strict=True))) for row in rows]
        return copied

    def _bucket(self, account_id: int) -> Bucket:
        return Bucket(f"export:{account_id}", SlidingWindows((self.core.policy.exports,), TooManyExports))


def _row(values: dict[str, Any]) -> dict[str, Any]:
    row = {name: _plain(name, value) for name, value in values.items()}
    if "kind" in row:
        row["sentence"] = sentence_for(row["kind"], row["details"])
    return row


def _plain(name: str, value: Any) -> Any:
    if name in TIMES or name.endswith("_at"):
        return machine(value) if value else None  # 0 is never
    if name == "attributes":  # `browser` is in a signed cookie, by which that browser is known
        return {key: what for key, what in json.loads(value).items() if key != "browser"}
    if name == "details":
        return json.loads(value)
    if name == "proofs":
        return {what: machine(at) for what, at in json.loads(value).items()}
    if name == "bucket":  # what is counted; the rest names it by ids, addresses and hashes
        return value.partition(":")[0]
    return value
