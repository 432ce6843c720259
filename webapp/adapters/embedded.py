"""What stands in where the operator has set up no real thing: nothing leaves the machine."""

from __future__ import annotations

from ..domain.ports import Email, PushMessage, Refused, TextMessage

NO_GATEWAY = "there is no text message gateway"


class OutboxMail:
    """Messages stay readable in the outbox page of a development site."""

    keeps = True

    def send(self, email: Email) -> None:
        """Delivered by being kept."""

    def check(self) -> None:
        """There is no server to ask."""


class OutboxTexts:
    """The same for text messages."""

    keeps, available = True, True

    def send(self, message: TextMessage) -> None:
        """Delivered by being kept."""

    def check(self) -> None:
        """There is no gateway to ask."""


class NoTexts:
    """A served site without a gateway: text messages that are still owed fail at once."""

    keeps, available = False, False

    def send(self, message: TextMessage) -> None:  # noqa: ARG002  # as the port has it
        raise Refused(NO_GATEWAY)

    def check(self) -> None:
        raise Refused(NO_GATEWAY)


class NoPushes:
    """Without a VAPID key no push goes out; login requests that wait are in the list."""

    public_key: str | None = None

    def send(self, message: PushMessage) -> None:  # noqa: ARG002  # as the port has it
        raise Refused("there is no VAPID key")


class NoPlaces:
    """Without a file of places, network addresses are shown."""

    def near(self, address: str) -> str | None:  # noqa: ARG002  # as the port has it
        return None
