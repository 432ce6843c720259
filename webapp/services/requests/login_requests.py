"""Login requests from the side of the browser that waits: created, polled and used once.

The number on the waiting screen must not be stored: it is a keyed hash of the request's nonce, bound to account and
request. The answers of approving devices are in `approvals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import String, bindparam, cast, insert, literal, select, update

from ...domain.codes import DIGITS, draw_token, hash_of
from ...domain.origin import Origin
from ...domain.request_refusals import NotApproved, TooManyRequests
from ...models.accounts import Account
from ...models.database import Transaction, changed_one_row
from ...models.factors import Factor
from ...models.login_requests import (
    APPROVED,
    EXPIRED,
    REPLACED,
    UNUSED,
    USED,
    WAITING,
    WITHDRAWN,
    LoginRequest,
    close_open,
)
from ...models.sessions import PENDING_CHALLENGE, Activity, PendingLogin
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..method_kinds import Glance, RequestStatus
from .request_pushes import RequestPushes

LOGGED_IN = ("logged-in", "logged-in-alone")
GLANCE = (
    select(LoginRequest.state, LoginRequest.made_at, LoginRequest.ended_at)
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
        """Creates a request in place of an older one and notifies `phones`; `list_path` is the page to answer it.

        Raises `TooManyRequests`.
        """
        self.attempts.count(Bucket(_bucket(account.id), SlidingWindows(self.core.policy.requests, TooManyRequests)))
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
        """The newest request of this challenge; None when there is none."""
        own = LoginRequest.account_id == account.id, LoginRequest.challenge == challenge
        with self.core.db.read() as tx:
            row = tx.objects.scalars(select(LoginRequest).where(*own).order_by(LoginRequest.id.desc()).limit(1)).first()
        if row is None:
            return None
        state = self._state_there(row.state, row.made_at, row.ended_at)
        until = row.made_at + self.core.policy.request_seconds
        return RequestStatus(state, self.numbers(row)[0], row.made_at, until, state in (WAITING, APPROVED))

    def glance(self, pending_token: str) -> Glance | None:
        """The newest request of a pending login, also of one that has ended, in one statement."""
        with self.core.db.read() as tx:
            row = tx.execute(GLANCE, {"token_hash": hash_of(pending_token)}).first()
        return Glance(self._state_there(*row), row.made_at) if row is not None else None

    def use(self, tx: Transaction, account: Account, challenge: str) -> None:
        """Consumes the approval, and records the time of the proof at the approving device.

        The device is locked before the request, as by what turns it off. Raises `NotApproved`, also when that was done
        meanwhile.
        """
        now = self.core.clock.now()
        approved = (
            LoginRequest.account_id == account.id,
            LoginRequest.challenge == challenge,
            LoginRequest.state == APPROVED,
            self.core.within(LoginRequest.ended_at, self.core.policy.request_seconds),
        )
        phone = Factor.id == select(LoginRequest.factor_id).where(*approved).scalar_subquery()
        proved = update(Factor).where(phone, Factor.turned_off_at.is_(None)).values(logged_in_at=now)
        used = update(LoginRequest).where(*approved).values(state=USED)
        if not (changed_one_row(tx, proved) and changed_one_row(tx, used)):
            raise NotApproved()
        self.attempts.clear(tx, _bucket(account.id))  # the owner has proved a factor, so the limit starts anew

    def withdraw(self, tx: Transaction, account_id: int, challenge: str) -> None:
        """Ends the requests of this challenge, because it was answered by another method or cancelled."""
        close_open(tx, account_id, WITHDRAWN, self.core.clock.now(), LoginRequest.challenge == challenge)

    def state_of(self, state: str, made_at: int) -> str:
        """The present state: a request that has waited too long, or is of the future, is expired."""
        is_recent = self.core.is_within(made_at, self.core.policy.request_seconds)
        return EXPIRED if state == WAITING and not is_recent else state

    def _state_there(self, state: str, made_at: int, ended_at: int | None) -> str:
        """The state for the browser that waits, which must use an approval in time too."""
        is_unused = state == APPROVED and not self.core.is_within(ended_at or 0, self.core.policy.request_seconds)
        return UNUSED if is_unused else self.state_of(state, made_at)

    def numbers(self, row: LoginRequest) -> list[str]:
        """The number on the waiting screen first, then those it showed before a rotation of keys."""
        macs = self.core.keyring.macs(row.nonce, f"account:{row.account_id}:login-request:{row.id}")
        digests = (mac.rpartition(".")[2] for mac in macs)
        return [str(int(digest, 16) % 10**DIGITS).zfill(DIGITS) for digest in digests]

    def _is_new(self, tx: Transaction, account_id: int, address: str, device: str) -> bool:
        here = Activity.account_id == account_id, Activity.address == address, Activity.device == device
        before = select(Activity.id).where(*here, Activity.kind.in_(LOGGED_IN)).limit(1)
        return tx.scalar(before) is None


def _bucket(account_id: int) -> str:
    return f"requests:{account_id}"
