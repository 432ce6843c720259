"""The tables of registered apps: what people reach with their account here. The operator registers them.

Apps of legacy access, which only know a password, are in models/apps.py. In an address, a column or a claim that has a
name in OpenID Connect or OAuth 2.0, that name is used.
"""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, BigId, Hash, Key, MaybeAt, Sealed, Short, Table
from .groups import GROUP_NAME

WEB, PUBLIC, GUARDED = "web", "public", "guarded"
"""Kinds: a web application with a secret, a browser or phone app without one (RFC 6749 section 2.1), and a host behind
a reverse proxy that asks about each request."""
PASSWORD, TWO_FACTOR, KEY = "password", "two-factor", "key"
"""Proofs that an app may ask for: the password, any second factor too, or a security key or passkey."""
PAIRWISE, PUBLIC_SUBJECT = "pairwise", "public"
"""Subject types (OpenID Connect Core 1.0 section 8)."""
OFFLINE_ACCESS = "offline_access"
SCOPES = ("openid", "profile", "email", "phone", "groups", OFFLINE_ACCESS)
"""All that an app may ask for (OpenID Connect Core 1.0 section 5.4)."""
RS256, ES256 = "RS256", "ES256"
ALGORITHMS = RS256, ES256
"""Those of tokens, RS256 first: every app knows it (OpenID Connect Core 1.0 section 15.1)."""

Texts = Annotated[list[str], mapped_column(JSON, default=list)]


class RegisteredApp(Table):
    """An app and all that the operator decided about it."""

    __tablename__ = "registered_apps"

    id: Mapped[Key]
    client_id: Mapped[str] = mapped_column(String(64), unique=True)
    """Random; the app is named by it in the protocol, in commands and in addresses of pages."""
    kind: Mapped[str] = mapped_column(String(8))
    """`WEB`, `PUBLIC` or `GUARDED`."""
    name: Mapped[Short]
    made_at: Mapped[At]
    used_at: Mapped[MaybeAt]
    """When someone last logged in to it."""

    # Who may use it, and with what proof
    limited: Mapped[bool] = mapped_column(default=False)
    """Only members of its groups (`AppGroup`) may use it; else everyone with a confirmed email address."""
    proof: Mapped[str] = mapped_column(String(16), default=PASSWORD)
    """`PASSWORD`, `TWO_FACTOR` or `KEY`."""
    max_age: Mapped[int | None]
    """The greatest age of the proof in seconds; None for that of the session."""

    # OpenID Connect clients
    redirect_uris: Mapped[Texts]
    post_logout_redirect_uris: Mapped[Texts]
    backchannel_logout_uri: Mapped[str | None] = mapped_column(Text)
    private_addresses: Mapped[Texts]
    """Networks, such as 10.0.0.0/8, in which addresses that this app names may be, although they are private."""
    scopes: Mapped[Texts]
    """Those that it may ask for."""
    subject_type: Mapped[str] = mapped_column(String(8), default=PAIRWISE)
    """`PAIRWISE` or `PUBLIC_SUBJECT`."""
    sector: Mapped[Short]
    """The host by which pairwise subjects are made (OpenID Connect Core 1.0 section 8.1). It never changes."""
    pkce_demanded: Mapped[bool] = mapped_column(default=True)
    signing_algorithm: Mapped[str] = mapped_column(String(8), default="RS256")
    """Of ID and access tokens: RS256 or ES256."""
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Its own public keys (RFC 7517 section 5), with which it proves itself in place of a secret."""
    jwks_uri: Mapped[str | None] = mapped_column(Text)
    """Where these keys are instead."""
    dpop_demanded: Mapped[bool] = mapped_column(default=False)
    """Its access tokens must be bound to a key (RFC 9449)."""
    device_allowed: Mapped[bool] = mapped_column(default=False)
    """People may log in to it on a device without a browser (RFC 8628)."""
    trusted: Mapped[bool] = mapped_column(default=False)
    """People are not asked for consent."""
    origins: Mapped[Texts]
    """Web origins whose scripts may read answers (CORS)."""
    resources: Mapped[Texts]
    """Addresses of resource servers for which it may ask access tokens (RFC 8707)."""

    @property
    def has_keys(self) -> bool:
        """It proves itself by its keys (`private_key_jwt`), and may not use a secret."""
        return self.jwks is not None or self.jwks_uri is not None

    # Guarded hosts
    host: Mapped[str | None] = mapped_column(String(255), unique=True)
    """In lower case, with the port where it is not the scheme's own."""
    authorization_allowed: Mapped[bool] = mapped_column(default=False)
    """Apps and scripts may log in with a temporary password or a token in the Authorization header."""
    rules: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """Rules by path, in order: `action`, `methods` (a list, empty for all) and `prefix`."""


class AppGroup(Table):
    """A group whose members may use an app, and which the app is told of. A group that an app has is not deleted."""

    __tablename__ = "app_groups"

    app_id: Mapped[int] = mapped_column(BigId, ForeignKey("registered_apps.id", ondelete="CASCADE"), primary_key=True)
    group_name: Mapped[str] = mapped_column(String(GROUP_NAME), ForeignKey("groups.name"), primary_key=True, index=True)


class AppSecret(Table):
    """A secret of an app, as its SHA-256: 256 random bits need no slow hash (ASVS V6.5.2). Two live at a time."""

    __tablename__ = "app_secrets"

    id: Mapped[Key]
    app_id: Mapped[int] = mapped_column(BigId, ForeignKey("registered_apps.id", ondelete="CASCADE"), index=True)
    secret_hash: Mapped[Hash]
    sealed: Mapped[Sealed | None]
    """The secret itself, of a guarded host only: it is part of the proxy's configuration, which is printed again."""
    made_at: Mapped[At]


def app_secret_bound(app_id: int) -> str:
    """What the sealed secret of an app is bound to."""
    return f"app:{app_id}:secret"
