"""Logging in: the password, then a second factor if the account has one.

A pending login has a table and a cookie of its own, and must give access to the challenge only. A browser must learn
about factors only after a right password.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, insert, inspect, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...domain.refusals import (
    ChallengeExhausted,
    CodeRefusal,
    LoginExpired,
    Refusal,
    TemporaryPasswordHere,
    TooManyAttempts,
    TooManyLogins,
    WrongLogin,
    WrongLoginHere,
)
from ...models.account_rows import AccountRows
from ...models.accounts import Account
from ...models.database import Transaction, changed_one_row
from ...models.sessions import PASSWORD_PROOF, PendingLogin
from ..account_lookup import find_by_name, needs_second_factor
from ..method_kinds import Glance
from ..password_attempts import KnownBrowser, PasswordAttempts
from ..passwords import Passwords, looks_temporary
from .proof import Claim, ProofFlow, first_glance, shared_bucket
from .remembered_browsers import RememberedBrowsers
from .session_opening import LoggedIn, SessionOpening

FIND = AccountRows(
    PendingLogin,
    PendingLogin.token_hash == bindparam("token_hash"),
    PendingLogin.ended_at.is_(None),
    PendingLogin.started_at > bindparam("since"),
    PendingLogin.started_at <= bindparam("until"),
)
NEW = {
    column.key: bindparam(column.key, type_=column.type)
    for column in inspect(PendingLogin).columns
    if column.key not in ("id", "ended_at")
}
BEGIN_IF_PASSWORD_STILL_HOLDS = (
    insert(PendingLogin)
    .from_select(
        list(NEW),
        select(*NEW.values())
        .where(
            Account.id == NEW["account_id"],
            Account.password_hash == bindparam("compared"),
            Account.locked_at.is_(None),
        )
        .with_for_update(read=True, of=Account),
    )
    .returning(PendingLogin.id)
)
END = (
    update(PendingLogin)
    .where(PendingLogin.id == bindparam("pending"), PendingLogin.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class PendingToken:
    """A pending login: `token` gives access to its challenge. `refusal` is why no code was sent for it, if any."""

    token: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class LoginClaim(Claim):
    """A pending login that must prove a second factor."""

    pending: PendingLogin

    @property
    def token_hash(self) -> str:
        return self.pending.token_hash


@dataclass(frozen=True, slots=True)
class Login(ProofFlow[LoginClaim, LoggedIn]):
    password_attempts: PasswordAttempts
    passwords: Passwords
    remembered: RememberedBrowsers
    opening: SessionOpening

    def with_password(
        self,
        typed_name: str,
        typed_password: str,
        *,
        persistent: bool,
        next_path: str,
        origin: Origin,
        known_browser: KnownBrowser | None = None,
        remembered: Sequence[str] = (),
    ) -> LoggedIn | PendingToken:
        """Logs in, or begins a pending login. `remembered` are the tokens in this browser's cookies.

        Raises `WrongLogin`, `TemporaryPasswordHere`, `TooManyAttempts` or `Busy`; from a browser that is not known
        `WrongLoginHere` and `TooManyLogins`, the same for unknown names.
        """
        found, factors = find_by_name(self.core.db, typed_name)
        is_known = known_browser is not None and known_browser.knows(found)
        try:
            counted = self.password_attempts.count(found, typed_name, known_browser, origin)
        except TooManyAttempts as refusal:
            raise (refusal if is_known else TooManyLogins(refusal.seconds)) from None
        account = counted.account
        if not self.passwords.is_right(account, typed_password) or account is None:
            if looks_temporary(typed_password):
                raise TemporaryPasswordHere()
            raise WrongLogin() if is_known else WrongLoginHere()
        self.passwords.renew(account, typed_password)
        is_pending = bool(factors) and not remembered  # the rest is decided in the transaction
        with self.core.db.write(durable=not is_pending) as tx:  # a pending login that is lost begins again
            if not is_pending and self._password_is_enough(tx, account, remembered):
                return self.opening.open(
                    tx, account, known_browser, persistent=persistent, next_path=next_path, origin=origin
                )
            pending, token = self._begin(tx, account, persistent, next_path, origin)
            self.password_attempts.take_back(tx, counted)
        if not factors:
            return PendingToken(token)  # a first factor was turned on meanwhile: its page sends the code
        claim = LoginClaim(account, factors, pending.challenge, pending)
        return PendingToken(token, self.choice(claim, None).send_unless_sent(origin))

    def claim(self, token: str | None) -> LoginClaim:
        """The claim of a pending login. Raises `LoginExpired` when there is none or it is older than ten minutes."""
        now, policy = self.core.clock.now(), self.core.policy
        times = {"since": now - policy.pending_login_seconds, "until": now + policy.clock_ahead}
        with self.core.db.read() as tx:
            found = FIND.find(tx, {"token_hash": hash_of(token or ""), **times})
        if found is None:
            raise LoginExpired()
        pending, account, factors = found
        on = [factor for factor in factors if factor.turned_off_at is None]
        return LoginClaim(account, on, pending.challenge, pending)

    def glance(self, token: str | None) -> Glance | None:
        """The state of its login request, in one statement; also for a pending login that has ended."""
        return first_glance(self.methods, token)

    def repeat_backup_code(self, token: str | None, typed: str, origin: Origin) -> LoggedIn:
        """As `repeat_exchange`, for the same pending login."""
        ended = PendingLogin.token_hash == hash_of(token or ""), PendingLogin.ended_at.is_not(None)
        query = select(PendingLogin, Account).join(Account, Account.id == PendingLogin.account_id).where(*ended)
        with self.core.db.read() as tx:
            found = tx.objects.execute(query).one_or_none()
        if found is None:
            raise LoginExpired()
        pending, account = found
        return LoggedIn(self.repeat_exchange(account.id, token, typed, origin), account, pending.next_path)

    def give_up(self, claim: LoginClaim) -> None:
        """Ends the pending login and its requests on other devices, for Cancel."""
        with self.core.db.write() as tx:
            self._withdraw_requests(tx, claim)
            tx.execute(END, {"pending": claim.pending.id, "now": self.core.clock.now()})

    def _complete(
        self,
        tx: Transaction,
        claim: LoginClaim,
        proof: str,
        origin: Origin,
        *,
        remember: bool = False,
        known_browser: KnownBrowser | None = None,
        **_options: Any,
    ) -> LoggedIn:
        pending, account = claim.pending, claim.account
        self._withdraw_requests(tx, claim)  # requests are locked before pending logins everywhere
        if not changed_one_row(tx, END, {"pending": pending.id, "now": self.core.clock.now()}):
            raise LoginExpired()
        token = self.remembered.add(tx, account.id, origin) if remember else None
        opened = self.opening.open(
            tx,
            account,
            known_browser,
            persistent=pending.persistent,
            next_path=pending.next_path,
            origin=origin,
            proofs=(PASSWORD_PROOF, proof),
            failures=(claim.name, shared_bucket(account.id)),
        )
        return replace(opened, remembered=token)

    def _session_of(self, result: LoggedIn) -> int:
        return result.token.session_id

    def _after(self, claim: LoginClaim, refusal: CodeRefusal, left: int) -> Refusal:
        """Ends the pending login after the last wrong code, so that a log-in starts again at the password."""
        if left > 0:
            return refusal.with_left(left)
        with self.core.db.write() as tx:
            self._withdraw_requests(tx, claim)
            tx.execute(END, {"pending": claim.pending.id, "now": self.core.clock.now()})
            origin = Origin(claim.pending.address, claim.pending.device)
            self.notices.record(tx, claim.account.id, "second-factor-failed", origin)
        return ChallengeExhausted()

    def _password_is_enough(self, tx: Transaction, account: Account, remembered: Sequence[str]) -> bool:
        """No factor is on, or this browser is remembered. Raises `WrongLogin` as `needs_second_factor` does."""
        return not needs_second_factor(tx, account) or self.remembered.use(tx, account.id, remembered)

    def _begin(
        self, tx: Transaction, account: Account, persistent: bool, next_path: str, origin: Origin
    ) -> tuple[PendingLogin, str]:
        """Raises `WrongLogin` when the password was changed, or the account locked, since it was compared."""
        token = draw_token(self.core.entropy)
        row = {
            "token_hash": hash_of(token),
            "account_id": account.id,
            "started_at": self.core.clock.now(),
            "persistent": persistent,
            "next_path": next_path,
            "address": origin.address,
            "device": origin.device,
        }
        number = tx.scalar(BEGIN_IF_PASSWORD_STILL_HOLDS, {**row, "compared": account.password_hash})
        if number is None:
            raise WrongLogin()
        return PendingLogin(id=number, **row), token
