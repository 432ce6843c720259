"""Login requests, as the browser that waits sees them: asked for, looked at, used once.

The number on the waiting screen is kept nowhere: it is a keyed hash of the request's own chance, bound to account and
request. What the account's phones say is in `approvals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import String, bindparam, cast, insert, literal, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy, Keyring
from ..domain.request_refusals import NotApproved, TooManyRequests
from ..enrollment.method import RequestStatus
from ..models.accounts import Account
from ..models.base import rows_of
from ..models.database import Database, Transaction
from ..models.factors import Factor
from ..models.login_requests import (
    APPROVED,
    DENIED,
    EXPIRED,
    REPLACED,
    USED,
    WAITING,
    WITHDRAWN,
    LoginRequest,
    close_open,
)
from ..models.sessions import Activity, PendingLogin
from ..policy import Policy
from .attempts import Attempts, Bucket, SlidingWindows, WithRefusal
from .request_pushes import RequestPushes

HALF = "log-in:"
DIGITS = 6
LOGGED_IN = ("logged-in", "logged-in-alone")

# Made once: a waiting browser asks it every two seconds.
REQUESTS, HALVES = rows_of(LoginRequest), rows_of(PendingLogin)
GLANCE = (
    select(REQUESTS.c.state, REQUESTS.c.made_at)
    .join(HALVES, REQUESTS.c.challenge == literal(HALF).concat(cast(HALVES.c.id, String)))
    .where(HALVES.c.token_hash == bindparam("token_hash"))
    .order_by(REQUESTS.c.id.desc())
    .limit(1)
)


class Glance(NamedTuple):
    """How a request stands, and since when it was asked (Unix seconds)."""

    state: str
    since: int


class LoginRequests:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        entropy: Entropy,
        keyring: Keyring,
        policy: Policy,
        attempts: Attempts,
        pushes: RequestPushes,
    ) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._keyring = keyring
        self._policy = policy
        self._attempts = attempts
        self._pushes = pushes

    def ask(self, account: Account, challenge: str, phones: Sequence[Factor], origin: Origin) -> None:
        """One more for the account's phones, in place of an older one. Raises `TooManyRequests`."""
        self._attempts.count(
            Bucket(_bucket(account.id), WithRefusal(SlidingWindows(self._policy.requests), TooManyRequests))
        )
        now, device = self._clock.now(), origin.device
        with self._db.write() as tx:
            self._db.serialize(tx, _bucket(account.id))
            close_open(tx, account.id, REPLACED, now)
            values = {
                "account_id": account.id,
                "challenge": challenge,
                "nonce": draw_token(self._entropy),
                "made_at": now,
                "address": origin.address,
                "device": device,
                "is_new": self._is_new(tx, account.id, origin.address, device),
            }
            made = tx.objects.scalars(insert(LoginRequest).returning(LoginRequest), values).one()
            self._pushes.post(tx, account, phones, made)

    def standing(self, account: Account, challenge: str) -> RequestStatus | None:
        """How the newest request of this challenge stands; None when there is none."""
        mine = LoginRequest.account_id == account.id, LoginRequest.challenge == challenge
        with self._db.read() as tx:
            row = tx.objects.scalars(
                select(LoginRequest).where(*mine).order_by(LoginRequest.id.desc()).limit(1)
            ).first()
        if row is None:
            return None
        state = self.state_of(row.state, row.made_at)
        until = row.made_at + self._policy.request_seconds
        return RequestStatus(state, self.numbers(row)[0], row.made_at, until, state in (WAITING, APPROVED))

    def glance(self, half_token: str | None) -> Glance | None:
        """The same for whoever is half logged in, or lately was, in one statement."""
        with self._db.read() as tx:
            row = tx.execute(GLANCE, {"token_hash": hash_of(half_token or "")}).first()
        return Glance(self.state_of(row[0], row[1]), row[1]) if row is not None else None

    def was_denied(self, half_token: str | None) -> bool:
        """True for a half log-in that its owner's phone ended."""
        seen = self.glance(half_token)
        return seen is not None and seen.state == DENIED

    def use(self, tx: Transaction, account: Account, challenge: str) -> int:
        """The approval, once; returns which phone it came from. Raises `NotApproved`."""
        approved = (
            LoginRequest.account_id == account.id,
            LoginRequest.challenge == challenge,
            LoginRequest.state == APPROVED,
            LoginRequest.ended_at > self._clock.now() - self._policy.request_seconds,
        )
        used = update(LoginRequest).where(*approved).values(state=USED).returning(LoginRequest.factor_id)
        phone = tx.execute(used).scalar_one_or_none()
        if phone is None:
            raise NotApproved()
        self._attempts.clear(tx, _bucket(account.id))  # a full log-in, or its owner at step-up
        return phone

    def withdraw(self, account: Account, challenge: str) -> None:
        """Who waits gives up."""
        with self._db.write() as tx:
            self.end(tx, account.id, challenge)

    def end(self, tx: Transaction, account_id: int, challenge: str) -> None:
        """What this challenge asked the account's phones is answered otherwise, or not at all."""
        close_open(tx, account_id, WITHDRAWN, self._clock.now(), LoginRequest.challenge == challenge)

    def state_of(self, state: str, made_at: int) -> str:
        """As it is now: one that waits too long has expired."""
        is_late = self._clock.now() - made_at >= self._policy.request_seconds
        return EXPIRED if state == WAITING and is_late else state

    def numbers(self, row: LoginRequest) -> list[str]:
        """What its waiting screen shows, or showed before the newest key came into the settings."""
        macs = self._keyring.macs(row.nonce, f"account:{row.account_id}:login-request:{row.id}")
        digests = (mac.rpartition(".")[2] for mac in macs)
        return [str(int(digest, 16) % 10**DIGITS).zfill(DIGITS) for digest in digests]

    def _is_new(self, tx: Transaction, account_id: int, address: str, device: str) -> bool:
        here = Activity.account_id == account_id, Activity.address == address, Activity.device == device
        before = select(Activity.id).where(*here, Activity.kind.in_(LOGGED_IN)).limit(1)
        return tx.scalar(before) is None


def pending_challenge(half_id: int) -> str:
    """What a half log-in's challenge is called."""
    return f"{HALF}{half_id}"


def _bucket(account_id: int) -> str:
    return f"requests:{account_id}"
