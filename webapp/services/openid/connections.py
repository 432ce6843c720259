"""Connected apps: to what the owner of an account agreed, which apps they use, and disconnecting one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from ...domain.origin import Origin
from ...domain.refusals import NotFound
from ...models.accounts import Account, lock_account
from ...models.app_logins import AppAuthorization, AppConnection, SessionApp, disconnect_sessions, end_given
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import SCOPES, RegisteredApp
from ..core import Core
from ..notices import Notices


@dataclass(frozen=True, slots=True)
class Connected:
    """One app for its user. Times are Unix seconds."""

    client_id: str
    name: str
    since: int
    used_at: int
    learns: Sequence[str]
    """Scopes."""


@dataclass(frozen=True, slots=True)
class Connections:
    core: Core
    notices: Notices

    def find(self, tx: Transaction, app_id: int, account_id: int) -> AppConnection | None:
        of_both = AppConnection.app_id == app_id, AppConnection.account_id == account_id
        return tx.objects.scalars(select(AppConnection).where(*of_both)).one_or_none()

    def of(self, account: Account) -> list[Connected]:
        """The account's apps, the last used one first."""
        row, app = AppConnection, RegisteredApp
        columns = app.client_id, app.name, row.since, row.used_at, row.learned
        own = select(*columns).join(app, app.id == row.app_id).where(row.account_id == account.id)
        with self.core.db.read() as tx:
            return [Connected(*found) for found in tx.execute(own.order_by(row.used_at.desc(), row.id.desc()))]

    def note(
        self, tx: Transaction, app: RegisteredApp, account: Account, scopes: Sequence[str], *, agreed: bool
    ) -> bool:
        """Stores that the app was given these scopes. `agreed`: its user was asked. True for the first time."""
        now = self.core.clock.now()
        self.core.db.serialize(tx, f"connection:{account.id}:{app.id}")  # else two requests would each insert a row
        found = self.find(tx, app.id, account.id)
        if found is None:
            values = {"since": now, "used_at": now, "learned": scopes, "consented": scopes if agreed else []}
            tx.execute(insert(AppConnection).values(account_id=account.id, app_id=app.id, **values))
            return True
        consented = _joined(found.consented, scopes) if agreed else found.consented
        values = {"used_at": now, "learned": _joined(found.learned, scopes), "consented": consented}
        tx.execute(update(AppConnection).where(AppConnection.id == found.id).values(values))
        return False

    def disconnect(self, account: Account, client_id: str, origin: Origin) -> str:
        """Ends all that the app was given, tells it, and forgets the consent. Returns its name. Raises `NotFound`."""
        with self.core.db.write() as tx:
            lock_account(tx, account.id)  # what a log-in gives at this moment (`share_account`) is ended too
            by_id = select(RegisteredApp.id, RegisteredApp.name).where(RegisteredApp.client_id == client_id)
            app = tx.execute(by_id).one_or_none()
            if app is None:
                raise NotFound()
            own = AppConnection.app_id == app.id, AppConnection.account_id == account.id
            if not changed_one_row(tx, delete(AppConnection).where(*own)):
                raise NotFound()
            of_both = AppAuthorization.account_id == account.id, AppAuthorization.app_id == app.id
            end_given(tx, self.core.clock.now(), *of_both)
            disconnect_sessions(tx, SessionApp.account_id == account.id, SessionApp.app_id == app.id)
            self.notices.tell(tx, account, "app-disconnected", origin, name=app.name)
        return str(app.name)


def _joined(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [scope for scope in SCOPES if scope in one or scope in other]
