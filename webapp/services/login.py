"""Logging in: the password, then what the account asks beyond it.

Half logged in is a state of its own, in a cookie of its own, that opens nothing but the challenge. A browser
learns about factors only after a right password.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, insert, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy
from ..domain.refusals import ChallengeExhausted, CodeRefusal, LoginExpired, Refusal, TemporaryPasswordHere, WrongLogin
from ..enrollment.method import Answers
from ..models.accounts import Account
from ..models.base import rows_of
from ..models.database import Database, Transaction, changed_one_row
from ..models.factors import Factor
from ..models.sessions import PendingLogin
from ..models.side_by_side import SideBySide
from ..policy import Policy
from .backup_codes import BackupCodes
from .challenge import Challenges, Choice, choice_of, shared_bucket, waits_elsewhere
from .entry import Entry, LoggedIn
from .login_requests import LoginRequests, pending_challenge
from .named_accounts import ON, named, owes_factor
from .notices import Notices
from .password_attempts import KnownBrowser, PasswordAttempts
from .passwords import Passwords, looks_temporary
from .remembered_browsers import RememberedBrowsers
from .sessions import Sessions

# Made once: every log-in runs them, and making a statement costs as much as running it.
OWING = SideBySide(PendingLogin, Account, Factor)
PENDING = (
    select(*OWING.columns)
    .join(Account, Account.id == PendingLogin.account_id)
    .outerjoin(Factor, ON)
    .where(
        PendingLogin.token_hash == bindparam("token_hash"),
        PendingLogin.ended_at.is_(None),
        PendingLogin.started_at > bindparam("since"),
    )
)
HALVES, ACCOUNTS = rows_of(PendingLogin), rows_of(Account)
HALF_COLUMNS = [column for column in HALVES.c if column.name not in ("id", "ended_at")]
HALF_ROW = (
    select(*(bindparam(f"new_{column.name}", type_=column.type) for column in HALF_COLUMNS))
    .where(ACCOUNTS.c.id == bindparam("owner"), ACCOUNTS.c.password_hash == bindparam("compared"))
    .with_for_update(read=True, of=ACCOUNTS)
)
LET_IN_HALF = insert(HALVES).from_select(HALF_COLUMNS, HALF_ROW).returning(HALVES.c.id)
END_HALF = (
    update(HALVES)
    .where(HALVES.c.id == bindparam("half"), HALVES.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class PendingToken:
    """The password was right; this token leads to the challenge. `refusal` is why no code went out for it."""

    token: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class LoginClaim:
    row: PendingLogin
    account: Account
    factors: Sequence[Factor]


class Login:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        entropy: Entropy,
        policy: Policy,
        password_attempts: PasswordAttempts,
        passwords: Passwords,
        sessions: Sessions,
        challenges: Challenges,
        backup_codes: BackupCodes,
        remembered: RememberedBrowsers,
        notices: Notices,
        entry: Entry,
        requests: LoginRequests,
    ) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._policy = policy
        self._password_attempts = password_attempts
        self._passwords = passwords
        self._sessions = sessions
        self._challenges = challenges
        self._backup_codes = backup_codes
        self._remembered = remembered
        self._notices = notices
        self._entry = entry
        self._requests = requests

    def with_password(
        self,
        typed_name: str,
        typed_password: str,
        *,
        keep: bool,
        next_path: str,
        origin: Origin,
        known_browser: KnownBrowser | None = None,
        remembered: Sequence[str] = (),
    ) -> LoggedIn | PendingToken:
        """Raises `WrongLogIn`, `TemporaryPasswordHere`, `TooManyTries` or `Busy`; the same for unknown names."""
        found, factors = named(self._db, typed_name)
        account = self._password_attempts.count(found, typed_name, known_browser, origin)
        if not self._passwords.is_right(account, typed_password) or account is None:
            raise TemporaryPasswordHere() if looks_temporary(typed_password) else WrongLogin()
        self._passwords.renew(account, typed_password)
        owes = bool(factors) and not remembered  # as nearly everybody does, without another look
        with self._db.write(durable=not owes) as tx:  # half a log-in is soon begun anew
            if not owes and self._password_suffices(tx, account, remembered):
                return self._entry.let_in(tx, account, known_browser, keep=keep, next_path=next_path, origin=origin)
            half_id, token = self._half(tx, account, keep, next_path, origin)
        refusal = (
            self._challenges.put(choice_of(factors, None), account, pending_challenge(half_id), origin)
            if factors
            else None
        )
        return PendingToken(token, refusal)

    def pending(self, token: str | None) -> LoginClaim:
        """Who is half logged in. Raises `LogInOver` when nobody is, or for longer than ten minutes."""
        since = self._clock.now() - self._policy.pending_login_seconds
        with self._db.read() as tx:
            rows = tx.execute(PENDING, {"token_hash": hash_of(token or ""), "since": since}).all()
        if not rows:
            raise LoginExpired()
        found = [OWING.objects(row) for row in rows]
        return LoginClaim(found[0][0], found[0][1], [factor for *_, factor in found if factor is not None])

    def choose(self, pending: LoginClaim, slug: str | None, origin: Origin) -> tuple[Choice, Refusal | None]:
        """Another method, whose code goes out now; or why none does. Raises `Missing`."""
        choice = choice_of(pending.factors, slug, pending.account)
        return choice, self._challenges.put(choice, pending.account, challenge_of(pending), origin)

    def send_again(self, pending: LoginClaim, slug: str | None, origin: Origin) -> None:
        """Raises what the method refuses with."""
        choice = choice_of(pending.factors, slug, pending.account)
        self._challenges.send(choice, pending.account, challenge_of(pending), origin)

    def with_factor(
        self,
        pending: LoginClaim,
        slug: str | None,
        answers: Answers,
        *,
        remember: bool,
        origin: Origin,
        known_browser: KnownBrowser | None = None,
    ) -> LoggedIn:
        """Raises what the method's challenge refuses with, `ChallengeSpent` or `TooManyTries`."""
        choice = choice_of(pending.factors, slug, pending.account)
        left = self._challenges.count_attempt(pending.account.id, challenge_of(pending), choice, answers)
        with self._spent_at_last(pending, left), self._challenges.proving(pending.account, origin) as tx:
            self._challenges.prove(tx, choice, pending.account, challenge_of(pending), answers, left)
            return self._let_in_half(tx, pending, known_browser, remember=remember, origin=origin)

    def give_up(self, pending: LoginClaim) -> None:
        """Who waits for another device's answer does so no longer: back to the password."""
        self._requests.withdraw(pending.account, challenge_of(pending))
        with self._db.write() as tx:
            tx.execute(END_HALF, {"half": pending.row.id, "now": self._clock.now()})

    def with_backup_code(
        self, pending: LoginClaim, typed: str, *, origin: Origin, known_browser: KnownBrowser | None = None
    ) -> LoggedIn:
        """Replaces the code, ends every other session and tells the owner. Raises as `with_factor` does."""
        left = self._challenges.count_attempt(pending.account.id, challenge_of(pending))
        with self._spent_at_last(pending, left), self._db.write() as tx:
            try:
                successor = self._backup_codes.exchange(tx, pending.account.id, typed)
            except CodeRefusal as refusal:
                raise refusal.with_left(left) from None
            done = self._let_in_half(tx, pending, known_browser, remember=False, origin=origin)
            self._sessions.end_others(tx, pending.account.id, done.opened.session_id)
            self._notices.tell(tx, pending.account, "backup-code-used", origin)
        return replace(done, backup_code=successor)

    @contextmanager
    def _spent_at_last(self, pending: LoginClaim, left: int) -> Iterator[None]:
        """After the last wrong code the challenge is dead: back to the password."""
        try:
            yield
        except CodeRefusal:
            if left > 0:
                raise
            with self._db.write() as tx:
                tx.execute(END_HALF, {"half": pending.row.id, "now": self._clock.now()})
                self._end_request(tx, pending)
                origin = Origin(pending.row.address, pending.row.device)
                self._notices.record(tx, pending.account.id, "second-factor-failed", origin)
            raise ChallengeExhausted() from None

    def _password_suffices(self, tx: Transaction, account: Account, remembered: Sequence[str]) -> bool:
        """No factor is on, or this browser need not show one. Raises `WrongLogIn` as `owes_factor` does."""
        return not owes_factor(tx, account) or self._remembered.use(tx, account.id, remembered)

    def _half(self, tx: Transaction, account: Account, keep: bool, next_path: str, origin: Origin) -> tuple[int, str]:
        token = draw_token(self._entropy)
        values = {
            "token_hash": hash_of(token),
            "account_id": account.id,
            "started_at": self._clock.now(),
            "persistent": keep,
            "next_path": next_path,
            "address": origin.address,
            "device": origin.device,
        }
        facts = {f"new_{name}": value for name, value in values.items()}
        made = tx.execute(LET_IN_HALF, {**facts, "owner": account.id, "compared": account.password_hash}).first()
        if made is None:
            raise WrongLogin()
        return made[0], token

    def _let_in_half(
        self, tx: Transaction, pending: LoginClaim, known: KnownBrowser | None, *, remember: bool, origin: Origin
    ) -> LoggedIn:
        row, account = pending.row, pending.account
        if not changed_one_row(tx, END_HALF, {"half": row.id, "now": self._clock.now()}):
            raise LoginExpired()
        self._end_request(tx, pending)
        token = self._remembered.add(tx, account.id, origin) if remember else None
        failures = challenge_of(pending), shared_bucket(account.id)
        done = self._entry.let_in(
            tx, account, known, keep=row.persistent, next_path=row.next_path, origin=origin, failures=failures
        )
        return replace(done, remembered=token)

    def _end_request(self, tx: Transaction, pending: LoginClaim) -> None:
        """A phone that was asked too is asked no more. Costs nothing where no phone could be."""
        if waits_elsewhere(pending.factors):
            self._requests.end(tx, pending.account.id, challenge_of(pending))


def challenge_of(pending: LoginClaim) -> str:
    return pending_challenge(pending.row.id)
