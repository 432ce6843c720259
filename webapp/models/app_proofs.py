"""The tables of what apps send once: signed proofs, and requests that they push ahead of the browser."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from .app_logins import AppId
from .base import At, Hash, Key, MaybeAt, Table
from .database import Transaction


class UsedProof(Table):
    """A client assertion (RFC 7523) or DPoP proof (RFC 9449) that was used, until it would be refused for its age."""

    __tablename__ = "used_proofs"

    id: Mapped[Key]
    proof_hash: Mapped[Hash]
    """SHA-256 of its kind, of who signed it, and of its `jti`."""
    expires_at: Mapped[At]


class PushedRequest(Table):
    """An authorization request that an app sent by itself (RFC 9126). A browser brings its address once."""

    __tablename__ = "pushed_requests"

    id: Mapped[Key]
    uri_hash: Mapped[Hash]
    """SHA-256 of the random part of the `request_uri`."""
    app_id: Mapped[AppId]
    parameters: Mapped[list[list[str]]] = mapped_column(JSON)
    """Pairs of name and value, as the app sent them; without its secret or assertion."""
    made_at: Mapped[At]
    used_at: Mapped[MaybeAt]


def use_proof(tx: Transaction, proof_hash: str, expires_at: int) -> bool:
    """True once for each hash, of several requests at once too. `expires_at` is in Unix seconds.

    The row that is returned decides: for an INSERT psycopg and SQLAlchemy tell no row count.
    """
    if tx.connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert  # 17 ms that a site on SQLite does not need
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # of the same form
    values: dict[str, Any] = {"proof_hash": proof_hash, "expires_at": expires_at}
    once = insert(UsedProof).values(values).on_conflict_do_nothing().returning(UsedProof.id)
    return tx.scalar(once) is not None
