"""The table of login requests, and their states."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, String, cast, literal, select, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Table
from .database import Transaction
from .sessions import PENDING_CHALLENGE, PendingLogin

WAITING, APPROVED, USED = "waiting", "approved", "used"
DENIED, CANCELLED, WITHDRAWN, WRONG, REPLACED = "denied", "cancelled", "withdrawn", "wrong", "replaced"
EXPIRED = "expired"
"""Shown for a request that waited too long; not stored."""
UNUSED = "unused"
"""The same for one whose approval waited too long."""


class LoginRequest(Table):
    """At most one of an account waits. The number on its waiting screen is not stored, but a hash of `nonce`."""

    __tablename__ = "login_requests"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    challenge: Mapped[str] = mapped_column(String(80), index=True)
    """The challenge that waits for the answer, such as log-in:12."""
    nonce: Mapped[str] = mapped_column(String(64))
    """The random input of the keyed hash that yields the number."""
    made_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    is_new: Mapped[bool]
    """The account has no earlier log-in from this address and device."""
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    tried_at: Mapped[MaybeAt]
    """When its one attempt was used."""
    ended_at: Mapped[MaybeAt]
    factor_id: Mapped[int | None] = mapped_column(BigInteger)
    """The approving device on which a number was entered."""


def close_open(tx: Transaction, account_id: int, state: str, now: int, *which: ColumnElement[bool]) -> None:
    """Ends the account's requests that wait, or were approved and not used, with `state`; only those of `which`."""
    _close(tx, state, now, LoginRequest.account_id == account_id, *which)


def close_requests_of(tx: Transaction, token_hash: str, state: str, now: int) -> None:
    """The same for the requests of the open pending login with this token."""
    name = literal(PENDING_CHALLENGE).concat(cast(PendingLogin.id, String))
    own = select(name).where(PendingLogin.token_hash == token_hash, PendingLogin.ended_at.is_(None))
    _close(tx, state, now, LoginRequest.challenge.in_(own))


def _close(tx: Transaction, state: str, now: int, *which: ColumnElement[bool]) -> None:
    still_open = LoginRequest.state.in_((WAITING, APPROVED))
    tx.execute(update(LoginRequest).where(*which, still_open).values(state=state, ended_at=now))
