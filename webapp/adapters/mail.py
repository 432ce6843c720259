"""Where e-mail goes: a real SMTP server, or nowhere but the outbox page of a development site."""

from __future__ import annotations

from ..domain.ports import Email


class OutboxMail:
    """Nothing leaves the machine; the message stays readable in the outbox."""

    keeps = True

    def send(self, email: Email) -> None:
        """Delivered by being kept."""

    def check(self) -> None:
        """There is nobody to ask."""
