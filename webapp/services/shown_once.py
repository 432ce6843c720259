"""Carries a secret from the POST that made it to the page that shows it once: sealed, stored in the browser only."""

from __future__ import annotations

from dataclasses import dataclass

from .core import Core


@dataclass(frozen=True, slots=True)
class ShownOnce:
    core: Core

    def seal(self, session_id: int, secret: str) -> str:
        """The sealed secret, which only `open` for the same session returns, and for ten minutes only."""
        return self.core.keyring.seal(f"{self.core.clock.now()}:{secret}", shown_bound(session_id))

    def open(self, session_id: int, sealed: str) -> str | None:
        """The secret; None when it is another session's, or was sealed more than ten minutes ago."""
        try:
            made_at, _, secret = self.core.keyring.open(sealed, shown_bound(session_id)).partition(":")
        except ValueError:
            return None
        return secret if self.core.is_within(int(made_at), self.core.policy.fresh) else None


def shown_bound(session_id: int) -> str:
    """What a secret to be shown once is bound to."""
    return f"session:{session_id}:shown-once"
