"""A factor: one method that an account has turned on."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text, UniqueConstraint, bindparam, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Sealed, Table


def sole_external_id(account_id: int) -> str:
    """Of a factor of which an account has one of a method."""
    return str(account_id)


class Factor(Table):
    __tablename__ = "factors"
    # what is told apart by its slot is nobody else's either (WebAuthn Level 3 section 7.1, step 26)
    __table_args__ = (UniqueConstraint("method", "external_id"),)

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    method: Mapped[str] = mapped_column(String(32))
    external_id: Mapped[str] = mapped_column(String(255))
    """What it is found by among all of its method: the account's id where an account has one."""
    label: Mapped[str] = mapped_column(String(64), default="")
    """The name its owner gave it, where there are several of a method."""
    attributes: Mapped[str] = mapped_column(Text, default="{}")
    """What its method knows of it and is no secret, as JSON."""
    sealed: Mapped[Sealed]
    added_at: Mapped[At]
    counter: Mapped[int] = mapped_column(BigInteger, default=-1)
    """The newest moment that was proved with it (a TOTP time step, a sign count): only a later one counts."""
    logged_in_at: Mapped[int] = mapped_column(BigInteger, default=0)
    """When it last let its owner in: the newest is offered first."""
    turned_off_at: Mapped[MaybeAt]
    """Set for the few minutes in which it can be turned back on; it proves nothing meanwhile."""


MARK_USED = (
    update(Factor)
    .where(Factor.id == bindparam("factor"), Factor.turned_off_at.is_(None))
    .values(logged_in_at=bindparam("now"))
)
"""It has just let its owner in; changes no row when it was turned off meanwhile."""


def factor_bound(account_id: int, method: str) -> str:
    """What a factor's sealed secret is bound to."""
    return f"account:{account_id}:factor:{method}"
