"""Tells apps that a session ended in which they took part (OpenID Connect Back-Channel Logout 1.0).

That a session ended is known by its row, and by nothing else: each round of the worker looks for sessions that ended,
and owes a message to each of their apps. So no action that ends sessions has to know of apps, and none can forget them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, insert, literal, not_, or_, select, union_all

from ...domain.codes import draw_token
from ...domain.ports import LogOut, Refused, ServerRequests, Unreachable
from ...models.app_logins import SessionApp
from ...models.base import rows_of
from ...models.batches import parts_of
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import RegisteredApp
from ...models.sessions import Session
from ..core import Core
from ..due import do_each
from ..outbox import Outbox
from ..sessions import Sessions
from .signing_keys import SigningKeys
from .subjects import Subjects

LOGOUT_TOKEN = "logout+jwt"  # noqa: S105  # the `typ` of log-out tokens (section 2.4)
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TAKEN, REFUSED = (200, 204), 400  # section 2.8
AT_ONCE = 100  # in one round of the worker


@dataclass(frozen=True, slots=True)
class BackChannel:
    core: Core
    issuer: str
    outbox: Outbox
    servers: ServerRequests
    subjects: Subjects
    signing_keys: SigningKeys
    sessions: Sessions

    def note(self, tx: Transaction, app_id: int, session: Session, sid: str) -> None:
        """Stores that the app took part in the session, once. `sid` is how it knows the session."""
        row = SessionApp
        known = select(row.id).where(row.session_id == session.id, row.app_id == app_id)
        values = {"session_id": session.id, "app_id": app_id, "account_id": session.account_id, "sid": sid}
        values["since"] = self.core.clock.now()
        columns = rows_of(row).c
        wanted = select(*(literal(value, columns[name].type) for name, value in values.items())).where(~exists(known))
        tx.execute(insert(row).from_select(list(values), wanted))

    def owe_ended(self) -> None:
        """Owes a message for each app whose session was ended lately, or is deleted. Called by the worker."""
        since = self.core.clock.now() - self.core.policy.ended_lately
        joined = select(SessionApp.id).join(Session, Session.id == SessionApp.session_id)
        without = select(SessionApp.id).where(SessionApp.session_id.is_(None))
        with self.core.db.read() as tx:
            found = tx.scalars(union_all(joined.where(Session.ended_at >= since), without).limit(AT_ONCE)).all()
        self._owe(found)

    def owe_expired(self) -> None:
        """The same for every session that is over, also one that is idle or too old. Called by the worker."""
        joined = select(SessionApp.id).outerjoin(Session, Session.id == SessionApp.session_id)
        is_over = or_(Session.id.is_(None), not_(self.sessions.live()))

        def owe(part: ColumnElement[bool]) -> None:
            with self.core.db.read() as tx:
                found = tx.scalars(joined.where(part, is_over)).all()
            self._owe(found)

        do_each(parts_of(self.core.db, SessionApp), owe)

    def _owe(self, found: Sequence[int]) -> None:
        if found:
            self.subjects.ready()
        do_each(found, self._owe_one)

    def _owe_one(self, row_id: int) -> None:
        with self.core.db.write() as tx:
            self.owe_one(tx, row_id)

    def owe_one(self, tx: Transaction, row_id: int) -> None:
        """Owes the message of one row, unless another worker took it."""
        row = tx.execute(select(SessionApp.__table__).where(SessionApp.id == row_id)).one_or_none()
        if row is None or not changed_one_row(tx, delete(SessionApp).where(SessionApp.id == row_id)):
            return
        self._post(tx, tx.objects.get_one(RegisteredApp, row.app_id), row.account_id, row.sid)

    def owe_some(self, tx: Transaction, app: RegisteredApp, most: int) -> int:
        """Owes the messages of at most so many sessions in which the app takes part, because it is deleted. Returns of
        how many.

        `subjects.ready` must come before.
        """
        row = SessionApp
        some = select(row.id).where(row.app_id == app.id).limit(most)
        taken = tx.execute(delete(row).where(row.id.in_(some)).returning(row.account_id, row.sid)).all()
        for account_id, sid in taken:
            self._post(tx, app, account_id, sid)
        return len(taken)

    def _post(self, tx: Transaction, app: RegisteredApp, account_id: int, sid: str) -> None:
        address = app.backchannel_logout_uri
        if address is not None:
            how = (app.client_id, address, app.private_addresses, app.signing_algorithm)
            self.outbox.post_log_out(tx, LogOut(*how, self.subjects.of(app, account_id), sid), app.name)

    def send(self, told: LogOut) -> None:
        """Sends the log-out token, at the address that the app has now; for a deleted one, that it had last.

        Raises `Refused` or `Unreachable`.
        """
        app, columns = RegisteredApp, (RegisteredApp.backchannel_logout_uri, RegisteredApp.private_addresses)
        with self.core.db.read() as tx:
            present = tx.execute(select(*columns).where(app.client_id == told.client_id)).one_or_none()
        address, private_addresses = present or (told.address, told.private_addresses)
        if address is None:
            raise Refused("the app has no address for log-out any more")
        status = self.servers.post(address, {"logout_token": self.token(told)}, private_addresses).status
        if status == REFUSED:
            raise Refused(f"the app refused the log-out: HTTP {status}")
        if status not in TAKEN:
            raise Unreachable(f"the app did not take the log-out: HTTP {status}")

    def token(self, told: LogOut) -> str:
        """The log-out token (section 2.4). It has no `nonce`, and another `jti` each time that it is sent."""
        now = self.core.clock.now()
        claims = {
            "iss": self.issuer,
            "sub": told.subject,
            "aud": told.client_id,
            "iat": now,
            "exp": now + self.core.policy.logout_token_seconds,
            "jti": draw_token(self.core.entropy),
            "events": {EVENT: {}},
            "sid": told.session,
        }
        return self.signing_keys.sign(self.signing_keys.published(), claims, told.algorithm, LOGOUT_TOKEN)
