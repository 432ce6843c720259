"""Deleting rows after their retention time, and resealing secrets under the newest key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Delete, Update, and_, delete, func, not_, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from ...models.accounts import OPERATOR, Account
from ...models.app_logins import AppAuthorization, AuthorizationRequest, LogOutRequest, RefreshToken, end_given
from ...models.app_proofs import PushedRequest, UsedProof
from ...models.apps import AppSession, KnownNetwork, RefusedAccess, TemporaryPassword
from ...models.base import Table
from ...models.batches import parts_of
from ...models.codes import Code, Link
from ...models.contacts import ContactLookups
from ...models.device_logins import DeviceRequest
from ...models.drafts import Draft, draft_bound
from ...models.factors import Factor, factor_bound
from ...models.guarded_hosts import GuardedLogin, GuardedSession
from ...models.login_requests import LoginRequest
from ...models.messages import OWED, Message, TextCount
from ...models.names import SiteKey, site_key_bound
from ...models.refusals import RefusedRequest
from ...models.registered_apps import AppSecret, app_secret_bound
from ...models.sessions import (
    Activity,
    Attempt,
    KeptAct,
    PendingLogin,
    RememberedBrowser,
    Session,
    new_backup_code_bound,
)
from ...models.signing_keys import SigningKey, signing_key_bound
from ...policy import DAY
from ..core import Core
from ..due import do_each
from ..kept_acts import act_bound
from ..login.proof import SHARED_BUCKETS
from ..operators.shut_out import end_all_shut_out
from ..outbox import message_bound
from ..own_account import Deletions
from ..own_account.deletions import delete_accounts
from ..password_attempts import TOTALS
from ..sealed_numbers import phone_bound, target_bound

SEALED: tuple[tuple[InstrumentedAttribute[Any], Callable[[Any], str]], ...] = (
    (Factor.sealed, lambda factor: factor_bound(factor.account_id, factor.method)),
    (Draft.sealed, lambda draft: draft_bound(draft.account_id, draft.method)),
    (Session.sealed_backup_code, lambda session: new_backup_code_bound(session.account_id, session.id)),
    (Message.sealed, lambda message: message_bound(message.uid)),
    (KeptAct.sealed, lambda act: act_bound(act.session_id)),
    (Account.phone_number, lambda account: phone_bound(account.id)),
    (SiteKey.sealed, lambda key: site_key_bound(key.name)),
    (AppSecret.sealed, lambda secret: app_secret_bound(secret.app_id)),
    (Code.sealed_target, lambda code: target_bound(code.account_id, code.challenge)),
    (SigningKey.sealed, lambda key: signing_key_bound(key.kid)),
)
"""Every sealed column, and what its values are bound to. Once all are resealed, an old key can be removed."""
RUNS = (SHARED_BUCKETS, TOTALS)


@dataclass(frozen=True, slots=True)
class Maintenance:
    core: Core
    deletions: Deletions

    def purge(self) -> dict[str, int]:
        """Deletes what is past its retention time in the policy; returns the numbers of deleted rows by table.

        Where it fails in one table, or one part of a table, it goes on with the others, and raises the error then.
        """
        tasks: list[tuple[type[Table], Callable[[], int | None]]] = [
            (Account, self._purge_accounts),
            (Account, self.deletions.finish_due),
            (AppAuthorization, lambda: end_all_shut_out(self.core.db, self.core.clock.now())),
            *((table, partial(self._delete_expired, table, which)) for table, which in self._expired()),
            (Activity, self._drop_addresses),
            (Session, self._drop_backup_codes),
        ]
        deleted = {table.__tablename__: 0 for table, _ in tasks}

        def carry_out(task: tuple[type[Table], Callable[[], int | None]]) -> None:
            table, act = task
            deleted[table.__tablename__] += act() or 0

        do_each(tasks, carry_out, lambda task: task[0].__tablename__)
        return deleted

    def _delete_expired(self, table: type[Table], which: ColumnElement[bool]) -> int:
        if table is Session:
            self._end_logged_out()
        return self._in_parts(table, delete(table).where(which))

    def _drop_addresses(self) -> None:
        old = Activity.at < self.core.clock.now() - self.core.policy.activity_address_kept
        self._in_parts(Activity, update(Activity).where(old, Activity.address.is_not(None)).values(address=None))

    def _drop_backup_codes(self) -> None:
        unsaved = or_(
            Session.backup_code_at <= self.core.clock.now() - self.core.policy.new_backup_code_seconds,
            and_(Session.backup_code_at.is_not(None), Session.ended_at.is_not(None)),
        )
        self._in_parts(Session, update(Session).where(unsaved).values(sealed_backup_code=None, backup_code_at=None))

    def _in_parts(self, table: type[Table], statement: Delete | Update) -> int:
        """Carries the statement out for one part of the table after the other. Returns the number of its rows."""

        def carry_out(part: ColumnElement[bool]) -> int:
            with self.core.db.write() as tx:
                return tx.execute(statement.where(part)).rowcount

        return do_each(parts_of(self.core.db, table), carry_out)

    def _end_logged_out(self) -> None:
        """Ends what apps were given by sessions that were ended, before these are deleted: what may outlive a session
        ends when its user logs out."""
        ended = select(Session.id).where(Session.ended_at.is_not(None))
        for part in parts_of(self.core.db, AppAuthorization):
            with self.core.db.write() as tx:
                end_given(tx, self.core.clock.now(), part, AppAuthorization.session_id.in_(ended))

    def reseal(self) -> int:
        """Seals every secret of an older key under the newest, row by row, and returns how many.

        Raises `ValueError` when the key of one is not in the settings.
        """
        return sum(self._reseal(column, bound_to) for column, bound_to in SEALED)

    def key_fault(self) -> str | None:
        """Why the keys of the settings do not open what was sealed last in each column; None when they do.

        One row of each table is read, so of keys that sealed older values only `reseal` tells.
        """
        for column, bound_to in SEALED:
            table: Any = column.class_
            with self.core.db.read() as tx:
                row = tx.objects.scalars(select(table).order_by(table.id.desc()).limit(1)).first()
            sealed = getattr(row, column.key, None)
            try:
                if sealed is not None:
                    self.core.keyring.open(sealed, bound_to(row))
            except ValueError as error:
                return str(error)
        return None

    def _reseal(self, column: InstrumentedAttribute[Any], bound_to: Callable[[Any], str]) -> int:
        table: Any = column.class_
        count = 0
        for part in parts_of(self.core.db, table):
            with self.core.db.read() as tx:
                rows = tx.objects.scalars(select(table).where(part, column.is_not(None))).all()
            for row in rows:
                sealed = getattr(row, column.key)
                if self.core.keyring.is_newest(sealed):
                    continue
                fresh = self.core.keyring.seal(self.core.keyring.open(sealed, bound_to(row)), bound_to(row))
                values: dict[InstrumentedAttribute[Any], Any] = {column: fresh}
                if column is Account.phone_number:
                    values[Account.phone_number_mac] = None  # made anew from the sealed number when it is needed
                with self.core.db.write() as tx:
                    tx.execute(update(table).where(table.id == row.id, column == sealed).values(values))
                count += 1
        return count

    def _purge_accounts(self) -> int:
        """Deletes accounts that were never confirmed and are no longer used; returns how many.

        Their names are free again: no other site can have trusted them, because legacy access refuses such accounts.
        """
        unused = self.core.clock.now() - self.core.policy.unconfirmed_kept
        in_use = select(Session.id).where(Session.account_id == Account.id, Session.ended_at.is_(None))
        never_confirmed = Account.email.is_(None), not_(Account.made_by_operator), Account.role != OPERATOR
        is_unused = Account.used_at <= unused, not_(in_use.where(Session.seen_at > unused).exists())

        def delete_of(part: ColumnElement[bool]) -> int:
            with self.core.db.write() as tx:
                return delete_accounts(tx, and_(part, *never_confirmed, *is_unused))

        return do_each(parts_of(self.core.db, Account), delete_of)

    def _authorization_is_over(self, ended: int) -> ColumnElement[bool]:
        """It was ended, or its last token has expired. A code of which nothing came is over too."""
        last = select(func.max(RefreshToken.made_at)).where(RefreshToken.authorization_id == AppAuthorization.id)
        unused = and_(last.scalar_subquery().is_(None), AppAuthorization.made_at < ended)
        return or_(AppAuthorization.ended_at < ended, unused)

    def _expired(self) -> list[tuple[Any, Any]]:
        now, policy = self.core.clock.now(), self.core.policy
        ended = now - policy.ended_kept
        return [
            (KeptAct, KeptAct.at < now - policy.fresh),
            (
                Session,
                or_(
                    Session.ended_at < ended,
                    Session.started_at < ended - policy.kept_session_total,
                    Session.seen_at < ended - policy.kept_session_idle,
                    and_(not_(Session.persistent), Session.started_at < ended - policy.session_total),
                    and_(not_(Session.persistent), Session.seen_at < ended - policy.session_idle),
                ),
            ),
            (PendingLogin, PendingLogin.started_at < ended),
            (LoginRequest, LoginRequest.made_at < ended),
            (
                RememberedBrowser,
                or_(RememberedBrowser.ended_at < ended, RememberedBrowser.added_at < ended - policy.remembered_browser),
            ),
            (TemporaryPassword, or_(TemporaryPassword.ended_at < ended, TemporaryPassword.expires_at < ended)),
            (
                AppSession,
                or_(
                    AppSession.ended_at < ended,
                    AppSession.started_at < ended - policy.app_session_total,
                    AppSession.seen_at < ended - policy.app_session_idle,
                ),
            ),
            (AuthorizationRequest, AuthorizationRequest.asked_at < now - policy.authorization_request_seconds),
            (GuardedLogin, GuardedLogin.asked_at < now - policy.guarded_login_seconds - policy.code_seconds),
            (GuardedSession, GuardedSession.ended_at < ended),
            (LogOutRequest, LogOutRequest.asked_at < now - policy.authorization_request_seconds),
            (PushedRequest, PushedRequest.made_at <= now - policy.pushed_request_seconds),
            (UsedProof, UsedProof.expires_at <= now),
            (DeviceRequest, DeviceRequest.asked_at < now - policy.authorization_request_seconds),
            (RefreshToken, RefreshToken.made_at < ended - policy.refresh_token_idle),
            (AppAuthorization, self._authorization_is_over(ended)),
            (RefusedAccess, RefusedAccess.at < now - policy.refused_access_seconds),
            (RefusedRequest, RefusedRequest.at < now - policy.refusals_kept),
            (Code, Code.made_at < ended - policy.email_code_seconds),
            (Link, or_(Link.expires_at < ended, Link.used_at < ended)),
            (Draft, Draft.touched_at < now - policy.draft_seconds),
            (Factor, Factor.turned_off_at < now - policy.turn_back_on_seconds),
            # a run of wrong passwords or second factors counts until a full log-in, however long that takes
            (Attempt, and_(Attempt.at < ended, *(not_(Attempt.bucket.startswith(run)) for run in RUNS))),
            (SigningKey, SigningKey.signs_until < ended - policy.signing_key_seconds),
            (KnownNetwork, KnownNetwork.at < now - policy.known_network),
            (ContactLookups, ContactLookups.at <= now - policy.contact_lookups.seconds),
            (Activity, Activity.at < now - policy.activity_kept),
            (TextCount, TextCount.day < (now - policy.messages_kept) // DAY),
            (Message, and_(Message.state != OWED, Message.made_at < now - policy.messages_kept)),
        ]
