"""Tells apps that a session ended in which they took part (OpenID Connect Back-Channel Logout 1.0).

That a session ended is known by its row, and by nothing else: each round of the worker looks for sessions that ended,
and owes a message to each of their apps. So no action that ends sessions has to know of apps, and none can forget them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, exists, insert, literal, not_, or_, select, union_all

from ...domain.codes import draw_token
from ...domain.ports import LogOut, Refused, ServerRequests, Unreachable
from ...models.app_logins import SessionApp
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import RegisteredApp
from ...models.sessions import Session
from ..core import Core
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
        of_both = {row.session_id: session.id, row.app_id: app_id, row.account_id: session.account_id}
        values = {**of_both, row.sid: sid, row.since: self.core.clock.now()}
        wanted = select(*(literal(value, column.type) for column, value in values.items())).where(~exists(known))
        tx.execute(insert(row).from_select([column.key for column in values], wanted))

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
        with self.core.db.read() as tx:
            found = tx.scalars(joined.where(is_over)).all()
        self._owe(found)

    def _owe(self, found: Sequence[int]) -> None:
        if found:
            self.subjects.ready()
        for row_id in found:
            with self.core.db.write() as tx:
                self._owe_one(tx, row_id)

    def _owe_one(self, tx: Transaction, row_id: int) -> None:
        row = tx.execute(select(SessionApp.__table__).where(SessionApp.id == row_id)).one_or_none()
        # another worker may have taken it
        if row is None or not changed_one_row(tx, delete(SessionApp).where(SessionApp.id == row_id)):
            return
        app = tx.objects.get_one(RegisteredApp, row.app_id)
        if app.backchannel_logout_uri is not None:
            self.outbox.post_log_out(tx, LogOut(app.id, self.subjects.of(app, row.account_id), row.sid))

    def send(self, told: LogOut) -> None:
        """Sends the log-out token, at the address that the app has now. Raises `Refused` or `Unreachable`."""
        with self.core.db.read() as tx:
            app = tx.objects.get(RegisteredApp, told.app_id)
        if app is None or app.backchannel_logout_uri is None:
            raise Refused("the app has no address for log-out any more")
        form = {"logout_token": self.token(app, told)}
        status = self.servers.post(app.backchannel_logout_uri, form, app.private_addresses).status
        if status == REFUSED:
            raise Refused(f"the app refused the log-out: HTTP {status}")
        if status not in TAKEN:
            raise Unreachable(f"the app did not take the log-out: HTTP {status}")

    def token(self, app: RegisteredApp, told: LogOut) -> str:
        """The log-out token (section 2.4). It has no `nonce`, and another `jti` each time that it is sent."""
        now = self.core.clock.now()
        claims = {
            "iss": self.issuer,
            "sub": told.subject,
            "aud": app.client_id,
            "iat": now,
            "exp": now + self.core.policy.logout_token_seconds,
            "jti": draw_token(self.core.entropy),
            "events": {EVENT: {}},
            "sid": told.session,
        }
        return self.signing_keys.sign(self.signing_keys.published(), claims, app.signing_algorithm, LOGOUT_TOKEN)
