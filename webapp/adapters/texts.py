"""Where text messages go on a development site: nowhere but the outbox page. The real way is in `vonage`."""

from __future__ import annotations

from ..domain.ports import TextMessage


class OutboxTexts:
    """Nothing leaves the machine; the message stays readable in the outbox."""

    keeps = True

    def send(self, message: TextMessage) -> str | None:
        """Delivered by being kept; there is no gateway to name it."""
        return None

    def check(self) -> None:
        """There is nobody to ask."""
