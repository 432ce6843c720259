"""Where text messages go without a gateway: nowhere but the outbox page of a development site."""

from __future__ import annotations

from ..domain.ports import Refused, TextMessage


class OutboxTexts:
    """Nothing leaves the machine; the message stays readable in the outbox."""

    keeps = True

    def send(self, message: TextMessage) -> None:
        """Delivered by being kept."""

    def check(self) -> None:
        """There is nobody to ask."""


class NoTexts:
    """A served site whose gateway was taken away: whoever still relies on texts is told that none can go."""

    keeps = False

    def send(self, message: TextMessage) -> None:  # noqa: ARG002  # as the port has it
        raise Refused("there is no text message gateway")

    def check(self) -> None:
        raise Refused("there is no text message gateway")
