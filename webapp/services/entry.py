"""The last step of every log-in, whatever was proved: the session, a clean slate, a line in the activity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..domain.origin import Origin
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.user import SessionToken
from .notices import Notices
from .password_attempts import KnownBrowser, PasswordAttempts
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Logged in: the session, where to go, and what the browser may keep."""

    opened: SessionToken
    account: Account
    next_path: str
    remembered: str | None = None
    backup_code: str | None = None
    with_password: bool = True


class Entry:
    def __init__(self, sessions: Sessions, password_attempts: PasswordAttempts, notices: Notices) -> None:
        self._sessions = sessions
        self._password_attempts = password_attempts
        self._notices = notices

    def let_in(
        self,
        tx: Transaction,
        account: Account,
        known: KnownBrowser | None,
        *,
        keep: bool,
        next_path: str,
        origin: Origin,
        failures: Sequence[str] = (),
        alone: str | None = None,
    ) -> LoggedIn:
        """`failures` are the buckets of the second factor, where one was proved: a full log-in empties them.

        `alone` names what opened the account by itself, with no password.
        """
        opened = self._sessions.open(tx, account.id, origin, persistent=keep, second_factor=bool(failures))
        self._password_attempts.clear(tx, account, known, origin, *failures)
        if alone is None:
            self._notices.record(tx, account.id, "logged-in", origin)
        else:
            self._notices.record(tx, account.id, "logged-in-alone", origin, name=alone)
        return LoggedIn(opened, account, next_path, with_password=alone is None)
