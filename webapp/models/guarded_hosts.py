"""The tables of guarded hosts: log-ins to one that are under way, and the sessions that they opened."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .app_logins import AppId
from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Table


class GuardedLogin(Table):
    """A request to a guarded host that waits for a log-in. Addresses have its handle; the table only its SHA-256.

    It was caused by a browser, so it gives no access: what it may give is decided when it is granted.
    """

    __tablename__ = "guarded_logins"

    id: Mapped[Key]
    handle_hash: Mapped[Hash]
    app_id: Mapped[AppId]
    path: Mapped[str] = mapped_column(Text)
    """The path and query of the request as they were received, to which the log-in leads back."""
    proof: Mapped[str] = mapped_column(String(16))
    """What the host's rules ask for there: a proof of `RegisteredApp.proof`."""
    asked_at: Mapped[At]
    nonce_hash: Mapped[str | None] = mapped_column(String(64))
    """Of the cookie that the browser got at the host: the log-in ends in the browser in which it began."""
    asks: Mapped[bool] = mapped_column(default=False)
    """Its user logged out of the host before, so that the session of the site alone is not enough."""
    agreed_hash: Mapped[str | None] = mapped_column(String(64))
    """`Session.token_hash` of the session whose user agreed to go on: it is not the answer of another one."""
    account_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    """The session of the site that granted it."""
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    granted_at: Mapped[MaybeAt]
    used_at: Mapped[MaybeAt]


class GuardedSession(Table):
    """A session at a guarded host. The cookie has the token; the table only its SHA-256.

    It is valid while the session of the site from which it came is.
    """

    __tablename__ = "guarded_sessions"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    app_id: Mapped[AppId]
    account_id: Mapped[AccountId]
    session_id: Mapped[int] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[At]
    seen_at: Mapped[At]
    address: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(300))
    ended_at: Mapped[MaybeAt]
