"""Proving again who one is, before a sensitive change: the password, and with factors a second factor."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hmac import compare_digest

from sqlalchemy import delete, insert, select

from ..domain.codes import draw_token
from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy, Keyring
from ..domain.refusals import CodeRefusal, Refusal, WrongPassword
from ..enrollment.method import Answers
from ..models.database import Database, Transaction
from ..models.sessions import KeptAct
from ..models.user import SessionToken, User
from ..policy import Policy
from .attempts import Attempts, Backoff, Bucket
from .backup_codes import BackupCodes
from .challenge import Challenges, Choice, choice_of
from .notices import Notices
from .passwords import Passwords
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class Act:
    """What was asked for when step-up came between: a page, and with `form` what was sent to it."""

    path: str
    form: list[tuple[str, str]] | None


class StepUp:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        entropy: Entropy,
        keyring: Keyring,
        policy: Policy,
        attempts: Attempts,
        passwords: Passwords,
        sessions: Sessions,
        challenges: Challenges,
        backup_codes: BackupCodes,
        notices: Notices,
    ) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._keyring = keyring
        self._policy = policy
        self._attempts = attempts
        self._passwords = passwords
        self._sessions = sessions
        self._challenges = challenges
        self._backup_codes = backup_codes
        self._notices = notices

    def with_password(self, user: User, typed: str) -> SessionToken:
        """A new token, with the password proved. Raises `WrongPassword`, `TooManyTries` or `Busy`."""
        policy = self._policy
        bucket = f"step-up-password:{user.session.id}"  # a thief's wrong ones are not the owner's
        rule = Backoff(policy.password_attempts, policy.password_first_wait, policy.password_longest_wait)
        self._attempts.count(Bucket(bucket, rule))
        if not self._passwords.is_right(user.account, typed):
            raise WrongPassword()
        now = self._clock.now()
        with self._db.write() as tx:
            self._attempts.clear(tx, bucket)
            opened = self._sessions.rotate(tx, user.session, password_at=now)
        user.session.password_at = now
        return opened

    def with_factor(self, user: User, slug: str | None, answers: Answers, origin: Origin) -> SessionToken:
        """A new token, with a second factor proved. Raises as `LogIn.with_factor` does."""
        choice, name = choice_of(user.factors, slug), self.challenge_of(user)
        left = self._challenges.count_attempt(user.account.id, name, choice, answers)
        with self._challenges.proving(user.account, origin) as tx:
            self._challenges.prove(tx, choice, user.account, name, answers, left)
            return self._proved(tx, user, origin, choice)

    def with_backup_code(self, user: User, typed: str, origin: Origin) -> tuple[SessionToken, str]:
        """A new token and the code's successor. Raises as `LogIn.with_backup_code` does."""
        left = self._challenges.count_attempt(user.account.id, self.challenge_of(user))
        with self._db.write() as tx:
            try:
                successor = self._backup_codes.exchange(tx, user.account.id, typed)
            except CodeRefusal as refusal:
                raise refusal.with_left(left) from None
            self._sessions.end_others(tx, user.account.id, user.session.id)
            self._notices.tell(tx, user.account, "backup-code-used", origin)
            return self._proved(tx, user, origin), successor

    def keep(self, user: User, act: Act) -> str:
        """Seals what was asked for, until it is proved who asks. A later act replaces it.

        Returns a key for the browser that asked: whoever else holds the session's token cannot have their act
        done by its owner's proof.
        """
        key = draw_token(self._entropy)
        text = json.dumps([key, act.path, act.form])
        values = {
            "session_id": user.session.id,
            "at": self._clock.now(),
            "sealed": self._keyring.seal(text, act_bound(user.session.id)),
        }
        with self._db.write() as tx:
            self._db.serialize(tx, act_bound(user.session.id))
            tx.execute(delete(KeptAct).where(KeptAct.session_id == user.session.id))
            tx.execute(insert(KeptAct).values(values))
        return key

    def peek(self, user: User, key: str) -> Act | None:
        """What waits for this browser, left where it is."""
        query = select(KeptAct).where(
            KeptAct.session_id == user.session.id, KeptAct.at > self._clock.now() - self._policy.fresh
        )
        with self._db.read() as tx:
            row = tx.objects.scalars(query).one_or_none()
        if row is None:
            return None
        kept_key, path, form = json.loads(self._keyring.open(row.sealed, act_bound(user.session.id)))
        if not compare_digest(kept_key, key):
            return None
        return Act(path, None if form is None else [(name, value) for name, value in form])

    def take(self, user: User, key: str) -> Act | None:
        """What waits for this browser, once."""
        act = self.peek(user, key)
        if act is not None:
            with self._db.write() as tx:
                tx.execute(delete(KeptAct).where(KeptAct.session_id == user.session.id))
        return act

    def choose(self, user: User, slug: str | None, origin: Origin) -> tuple[Choice, Refusal | None]:
        """The method that will be asked for, whose code goes out now; or why none does. Raises `Missing`."""
        choice = choice_of(user.factors, slug)
        return choice, self._challenges.put(choice, user.account, self.challenge_of(user), origin)

    def send_again(self, user: User, slug: str | None, origin: Origin) -> None:
        """Raises what the method refuses with."""
        self._challenges.send(choice_of(user.factors, slug), user.account, self.challenge_of(user), origin)

    def challenge_of(self, user: User) -> str:
        """One ten-minute stretch of one session, counted from its password."""
        begun = user.session.password_at or 0
        return f"step-up:{user.session.id}:{begun}"

    def _proved(self, tx: Transaction, user: User, origin: Origin, choice: Choice | None = None) -> SessionToken:
        now = self._clock.now()
        self._challenges.take_back(tx, user.account.id, choice)
        self._notices.record(tx, user.account.id, "stepped-up", origin)
        opened = self._sessions.rotate(tx, user.session, second_factor_at=now)
        user.session.second_factor_at = now
        return opened


def act_bound(session_id: int) -> str:
    """What a kept act is bound to."""
    return f"session:{session_id}:act"
