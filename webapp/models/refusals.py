"""Refused requests of apps, by the number that the app or the page shows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import At, Key, Table


class RefusedRequest(Table):
    """Kept for some days, for `flask why`. It has no secret, code, token or assertion, and no network address."""

    __tablename__ = "refused_requests"

    id: Mapped[Key]
    number: Mapped[str] = mapped_column(String(16), unique=True)
    """The error id: 64 random bits in hexadecimal."""
    at: Mapped[At] = mapped_column(index=True)
    rule: Mapped[str] = mapped_column(String(40))
    endpoint: Mapped[str] = mapped_column(String(80))
    """The path that refused it."""
    client_id: Mapped[str | None] = mapped_column(String(40))
    """As it was sent; there may be no app of this id."""
    asked: Mapped[list[list[str]]] = mapped_column(JSON)
    """Pairs of name and value."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
