"""Log-ins that wait for an answer on one of the account's phones."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, String, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Table
from .database import Transaction

WAITING, APPROVED, USED = "waiting", "approved", "used"
DENIED, CANCELLED, WITHDRAWN, WRONG, REPLACED = "denied", "cancelled", "withdrawn", "wrong", "replaced"
EXPIRED = "expired"
"""Said of one that waited too long; never written."""


class LoginRequest(Table):
    """One of an account waits at most. The number on the waiting screen stands nowhere: the keyring tells it."""

    __tablename__ = "login_requests"

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    challenge: Mapped[str] = mapped_column(String(80), index=True)
    """What waits for it, such as log-in:12."""
    nonce: Mapped[str] = mapped_column(String(64))
    """What the number is a keyed hash of."""
    made_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    is_new: Mapped[bool]
    """Nobody logged in to this account from there before."""
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    tried_at: Mapped[MaybeAt]
    """Its one try is spent."""
    ended_at: Mapped[MaybeAt]
    factor_id: Mapped[int | None] = mapped_column(BigInteger)
    """The phone that approved it."""


def close_open(tx: Transaction, account_id: int, state: str, now: int, *which: ColumnElement[bool]) -> None:
    """Those that wait, or were approved and not used yet, end in this state; `which` of the account's, or all."""
    still_open = LoginRequest.state.in_((WAITING, APPROVED))
    mine = update(LoginRequest).where(LoginRequest.account_id == account_id, still_open, *which)
    tx.execute(mine.values(state=state, ended_at=now))
