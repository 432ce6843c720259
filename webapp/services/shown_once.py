"""A secret on its way from the POST that made it to the page that shows it once: sealed, and kept by nobody but the
browser that asked."""

from __future__ import annotations

from dataclasses import dataclass

from .core import Core


@dataclass(frozen=True, slots=True)
class ShownOnce:
    core: Core

    def seal(self, session_id: int, secret: str) -> str:
        """For that log-in only, and not for long."""
        return self.core.keyring.seal(f"{self.core.clock.now()}:{secret}", shown_bound(session_id))

    def open(self, session_id: int, sealed: str) -> str | None:
        """None for another log-in's, or when it was made ten minutes ago."""
        try:
            made_at, _, secret = self.core.keyring.open(sealed, shown_bound(session_id)).partition(":")
        except ValueError:
            return None
        return secret if self.core.clock.now() - int(made_at) < self.core.policy.fresh else None


def shown_bound(session_id: int) -> str:
    """What a secret that waits to be shown is bound to."""
    return f"session:{session_id}:shown-once"
