"""Adapters for what the operator has not configured. They must never send anything from this machine."""

from __future__ import annotations

from ..domain.ports import Email, PushMessage, Refused, TextMessage

NO_GATEWAY = "there is no text message gateway"


class OutboxMail:
    """E-mail of a development site: stays in the outbox, where the outbox page shows it."""

    keeps = True

    def send(self, email: Email) -> None:
        """Does nothing: the outbox keeps the content."""

    def check(self) -> None:
        """Nothing to check."""


class OutboxTexts:
    """Text messages of a development site, as `OutboxMail`."""

    keeps, available = True, True

    def send(self, message: TextMessage) -> None:
        """Does nothing: the outbox keeps the content."""

    def check(self) -> None:
        """Nothing to check."""


class NoTexts:
    """A served site without a gateway: text messages that are still in the outbox fail."""

    keeps, available = False, False

    def send(self, message: TextMessage) -> None:  # noqa: ARG002  # the signature of the port
        raise Refused(NO_GATEWAY)

    def check(self) -> None:
        raise Refused(NO_GATEWAY)


class NoPushes:
    """A site without a VAPID key: no push is sent, and users open the list of login requests themselves."""

    public_key: str | None = None

    def send(self, message: PushMessage) -> None:  # noqa: ARG002  # the signature of the port
        raise Refused("there is no VAPID key")


class NoPlaces:
    """A site without a places file: no place is known, and pages show the network address."""

    def near(self, address: str) -> str | None:  # noqa: ARG002  # the signature of the port
        return None
