"""The table of factors: a method that an account has turned on."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, Text, UniqueConstraint, bindparam, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, Key, MaybeAt, Sealed, Table


def sole_external_id(account_id: int) -> str:
    """The external id of a factor whose method allows only one for each account."""
    return str(account_id)


class Factor(Table):
    __tablename__ = "factors"
    # a key that is a factor of one account must not become one of another (WebAuthn Level 3 section 7.1, step 26)
    __table_args__ = (UniqueConstraint("method", "external_id"),)

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    method: Mapped[str] = mapped_column(String(32))
    external_id: Mapped[str] = mapped_column(String(255))
    """Identifies it among all factors of its method: the account's id where an account can have only one."""
    label: Mapped[str] = mapped_column(String(64), default="")
    """The name its owner gave it, where an account may have several of the method."""
    attributes: Mapped[str] = mapped_column(Text, default="{}")
    """What its method stores about it and need not be secret, as JSON."""
    sealed: Mapped[Sealed]
    added_at: Mapped[At]
    counter: Mapped[int] = mapped_column(BigInteger, default=-1)
    """The highest counter that was proved with it (a TOTP time step, a signature count): only a higher is accepted."""
    logged_in_at: Mapped[int] = mapped_column(BigInteger, default=0)
    """When it was last proved, in Unix seconds, at a log-in or at step-up."""
    turned_off_at: Mapped[MaybeAt]
    """Set for the ten minutes in which it can be turned back on; meanwhile it proves nothing."""


MARK_USED = (
    update(Factor)
    .where(Factor.id == bindparam("factor"), Factor.turned_off_at.is_(None))
    .values(logged_in_at=bindparam("now"))
)
"""Records the time of a proof; changes no row when the factor was turned off meanwhile."""


def factor_bound(account_id: int, method: str) -> str:
    """What a factor's sealed secret is bound to."""
    return f"account:{account_id}:factor:{method}"
