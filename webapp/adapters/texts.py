"""Where text messages go without a gateway: nowhere but the outbox page of a development site."""

from __future__ import annotations

from ..domain.ports import TextMessage


class OutboxTexts:
    """Nothing leaves the machine; the message stays readable in the outbox."""

    keeps = True

    def send(self, message: TextMessage) -> None:
        """Delivered by being kept."""

    def check(self) -> None:
        """There is nobody to ask."""
