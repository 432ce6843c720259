"""Login requests, as the browser that waits sees them: asked for, looked at, used once.

The number on the waiting screen is kept nowhere: it is a keyed hash of the request's own nonce, bound to account and
request. What the account's phones answer is in `approvals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import String, bindparam, cast, insert, literal, select, update

from ..domain.codes import draw_token, hash_of
from ..domain.origin import Origin
from ..domain.request_refusals import NotApproved, TooManyRequests
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.factors import Factor
from ..models.login_requests import (
    APPROVED,
    EXPIRED,
    REPLACED,
    USED,
    WAITING,
    WITHDRAWN,
    LoginRequest,
    close_open,
)
from ..models.sessions import PENDING_CHALLENGE, Activity, PendingLogin
from .attempts import Attempts, Bucket, SlidingWindows, WithRefusal
from .core import Core
from .method_kinds import Glance, RequestStatus
from .request_pushes import RequestPushes

DIGITS = 6
LOGGED_IN = ("logged-in", "logged-in-alone")
GLANCE = (
    select(LoginRequest.state, LoginRequest.made_at)
    .join(PendingLogin, LoginRequest.challenge == literal(PENDING_CHALLENGE).concat(cast(PendingLogin.id, String)))
    .where(PendingLogin.token_hash == bindparam("token_hash"))
    .order_by(LoginRequest.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class LoginRequests:
    core: Core
    attempts: Attempts
    pushes: RequestPushes

    def ask(self, account: Account, challenge: str, phones: Sequence[Factor], origin: Origin, list_path: str) -> None:
        """One more for the account's phones, in place of an older one; `list_path` is where they answer.

        Raises `TooManyRequests`.
        """
        self.attempts.count(
            Bucket(_bucket(account.id), WithRefusal(SlidingWindows(self.core.policy.requests), TooManyRequests))
        )
        now, device = self.core.clock.now(), origin.device
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, _bucket(account.id))
            close_open(tx, account.id, REPLACED, now)
            values = {
                "account_id": account.id,
                "challenge": challenge,
                "nonce": draw_token(self.core.entropy),
                "made_at": now,
                "address": origin.address,
                "device": device,
                "is_new": self._is_new(tx, account.id, origin.address, device),
            }
            made = tx.objects.scalars(insert(LoginRequest).returning(LoginRequest), values).one()
            self.pushes.post(tx, account, phones, made, list_path)

    def status(self, account: Account, challenge: str) -> RequestStatus | None:
        """How the newest request of this challenge stands; None when there is none."""
        mine = LoginRequest.account_id == account.id, LoginRequest.challenge == challenge
        with self.core.db.read() as tx:
            row = tx.objects.scalars(
                select(LoginRequest).where(*mine).order_by(LoginRequest.id.desc()).limit(1)
            ).first()
        if row is None:
            return None
        state = self.state_of(row.state, row.made_at)
        until = row.made_at + self.core.policy.request_seconds
        return RequestStatus(state, self.numbers(row)[0], row.made_at, until, state in (WAITING, APPROVED))

    def glance(self, pending_token: str) -> Glance | None:
        """The same for a pending login, or one that ended lately, in one statement."""
        with self.core.db.read() as tx:
            row = tx.execute(GLANCE, {"token_hash": hash_of(pending_token)}).first()
        return Glance(self.state_of(row[0], row[1]), row[1]) if row is not None else None

    def use(self, tx: Transaction, account: Account, challenge: str) -> int:
        """The approval, once; returns which phone it came from. Raises `NotApproved`."""
        approved = (
            LoginRequest.account_id == account.id,
            LoginRequest.challenge == challenge,
            LoginRequest.state == APPROVED,
            LoginRequest.ended_at > self.core.clock.now() - self.core.policy.request_seconds,
        )
        used = update(LoginRequest).where(*approved).values(state=USED).returning(LoginRequest.factor_id)
        phone = tx.execute(used).scalar_one_or_none()
        if phone is None:
            raise NotApproved()
        self.attempts.clear(tx, _bucket(account.id))  # a full log-in, or its owner at step-up
        return phone

    def withdraw(self, tx: Transaction, account_id: int, challenge: str) -> None:
        """What this challenge asked the account's phones is answered otherwise, or not at all."""
        close_open(tx, account_id, WITHDRAWN, self.core.clock.now(), LoginRequest.challenge == challenge)

    def state_of(self, state: str, made_at: int) -> str:
        """As it is now: one that waits too long has expired."""
        is_late = self.core.clock.now() - made_at >= self.core.policy.request_seconds
        return EXPIRED if state == WAITING and is_late else state

    def numbers(self, row: LoginRequest) -> list[str]:
        """What its waiting screen shows, or showed before the newest key came into the settings."""
        macs = self.core.keyring.macs(row.nonce, f"account:{row.account_id}:login-request:{row.id}")
        digests = (mac.rpartition(".")[2] for mac in macs)
        return [str(int(digest, 16) % 10**DIGITS).zfill(DIGITS) for digest in digests]

    def _is_new(self, tx: Transaction, account_id: int, address: str, device: str) -> bool:
        here = Activity.account_id == account_id, Activity.address == address, Activity.device == device
        before = select(Activity.id).where(*here, Activity.kind.in_(LOGGED_IN)).limit(1)
        return tx.scalar(before) is None


def _bucket(account_id: int) -> str:
    return f"requests:{account_id}"
