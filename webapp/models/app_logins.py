"""The tables of log-ins to apps by OpenID Connect: requests that wait for a person, what they gave, and consent."""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, String, Text, UniqueConstraint, update
from sqlalchemy.orm import Mapped, mapped_column

from .base import AccountId, At, BigId, Hash, Key, MaybeAt, Table
from .database import Transaction
from .registered_apps import Texts

AGREED, CANCELED = "agreed", "canceled"
AppId = Annotated[int, mapped_column(BigId, ForeignKey("registered_apps.id", ondelete="CASCADE"), index=True)]


class AuthorizationRequest(Table):
    """A checked request of an app that waits for log-in, step-up or consent. The address has its handle.

    It was sent by a browser, so it gives no access: what it may give is decided when it is answered.
    """

    __tablename__ = "authorization_requests"

    id: Mapped[Key]
    handle_hash: Mapped[Hash]
    app_id: Mapped[AppId]
    parameters: Mapped[list[list[str]]] = mapped_column(JSON)
    """Pairs of name and value, as the app sent them."""
    asked_at: Mapped[At]
    session_hash: Mapped[str | None] = mapped_column(String(64))
    """`Session.token_hash` when it was asked: another one shows that a proof came after the request."""
    decision: Mapped[str | None] = mapped_column(String(8))
    """`AGREED` or `CANCELED`, which holds for every session; None while the user has not been asked."""
    decided_hash: Mapped[str | None] = mapped_column(String(64))
    """`Session.token_hash` of the session that agreed: it is not the answer of another one."""
    answered_at: Mapped[MaybeAt]


class AppAuthorization(Table):
    """What one log-in to one app gave: its code, and all tokens that came from it (RFC 6749 section 1.4)."""

    __tablename__ = "app_authorizations"

    id: Mapped[Key]
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    """Random; begins the `jti` of its access tokens."""
    app_id: Mapped[AppId]
    account_id: Mapped[AccountId]
    session_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    code_hash: Mapped[Hash]
    redirect_uri: Mapped[str] = mapped_column(Text)
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    """Of PKCE with S256 (RFC 7636 section 4.2)."""
    dpop_jkt: Mapped[str | None] = mapped_column(String(64))
    """Thumbprint of the key that must use the code and, for a public app, each refresh token (RFC 9449)."""
    scopes: Mapped[Texts]
    claims: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The `claims` parameter (OpenID Connect Core 1.0 section 5.5)."""
    resource: Mapped[str | None] = mapped_column(Text)
    """The audience of its access tokens (RFC 8707); None for the app itself."""
    nonce: Mapped[str | None] = mapped_column(Text)
    auth_time: Mapped[At]
    acr: Mapped[str] = mapped_column(String(64))
    amr: Mapped[Texts]
    sid: Mapped[str] = mapped_column(String(64))
    """The session, as this app is told it."""
    offline: Mapped[bool]
    """It has the scope `offline_access`, so that it outlives the session."""
    made_at: Mapped[At]
    code_used_at: Mapped[MaybeAt]
    ended_at: Mapped[MaybeAt]


class SessionApp(Table):
    """That an app took part in a session, until it was told of the end (OpenID Connect Back-Channel Logout 1.0).

    It outlives session and account. The worker finds what is over by the session's row, which is written in the
    transaction that ends the session: no action that ends sessions can forget an app.
    """

    __tablename__ = "session_apps"

    id: Mapped[Key]
    session_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    """None once the session was deleted, and when what it gave to this app ended alone (`disconnect_sessions`)."""
    app_id: Mapped[AppId]
    account_id: Mapped[int] = mapped_column(BigId, index=True)
    """No foreign key: a deleted account is told of too."""
    sid: Mapped[str] = mapped_column(String(64))
    """As in `AppAuthorization`."""
    since: Mapped[At]


class LogOutRequest(Table):
    """A request for log-out that an app sent by a form, until the page that answers it. The address has its handle."""

    __tablename__ = "log_out_requests"

    id: Mapped[Key]
    handle_hash: Mapped[Hash]
    parameters: Mapped[list[list[str]]] = mapped_column(JSON)
    """As in `AuthorizationRequest`."""
    asked_at: Mapped[At]


class RefreshToken(Table):
    """A refresh token; each use replaces it by another one of the same authorization (RFC 9700 section 4.14.2)."""

    __tablename__ = "refresh_tokens"

    id: Mapped[Key]
    token_hash: Mapped[Hash]
    authorization_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("app_authorizations.id", ondelete="CASCADE"), index=True
    )
    made_at: Mapped[At]
    used_at: Mapped[MaybeAt]


class AppConnection(Table):
    """That an account has logged in to an app, and to what its owner agreed."""

    __tablename__ = "app_connections"
    __table_args__ = (UniqueConstraint("account_id", "app_id"),)

    id: Mapped[Key]
    account_id: Mapped[AccountId]
    app_id: Mapped[AppId]
    consented: Mapped[Texts]
    """Scopes to which the owner agreed, so that they are not asked again."""
    learned: Mapped[Texts]
    """Scopes that the app was given, with or without asking."""
    since: Mapped[At]
    used_at: Mapped[At]


def end_given(tx: Transaction, now: int, *which: ColumnElement[bool]) -> None:
    """Ends the authorizations of `which` that have not ended, with all their tokens. `now` is in Unix seconds."""
    tx.execute(update(AppAuthorization).where(AppAuthorization.ended_at.is_(None), *which).values(ended_at=now))


def disconnect_sessions(tx: Transaction, *which: ColumnElement[bool]) -> None:
    """Separates the rows of `SessionApp` of `which` from their sessions, so that these apps are told of a log-out."""
    tx.execute(update(SessionApp).where(*which).values(session_id=None))
