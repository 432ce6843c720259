"""Proving the password again, at step-up and before an enrollment."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.refusals import WrongPassword
from ..models.sessions import PASSWORD_PROOF
from ..models.user import SessionToken, User
from .attempt_rules import Backoff
from .attempts import Attempts, Bucket
from .core import Core
from .passwords import Passwords
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class PasswordProof:
    core: Core
    attempts: Attempts
    passwords: Passwords
    sessions: Sessions

    def verify(self, user: User, typed: str) -> SessionToken:
        """A new token for the session, whose password is now proved.

        Raises `WrongPassword`, `TooManyAttempts`, `Busy`, or `LoginExpired` when the session was ended meanwhile.
        """
        policy = self.core.policy
        bucket = f"step-up-password:{user.session.id}"  # by session, so that a thief cannot lock the owner out
        rule = Backoff(policy.password_attempts, policy.password_first_wait, policy.password_longest_wait)
        self.attempts.count(Bucket(bucket, rule))
        if not self.passwords.is_right(user.account, typed):
            raise WrongPassword()
        now = self.core.clock.now()
        with self.core.db.write() as tx:
            self.attempts.clear(tx, bucket)
            token = self.sessions.rotate(tx, user.session, PASSWORD_PROOF)
        user.session.password_at = now
        return token
