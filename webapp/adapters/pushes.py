"""Where pushes go without a VAPID key: nowhere. What waits is in the list."""

from __future__ import annotations

from ..domain.ports import PushMessage, Refused


class NoPushes:
    public_key: str | None = None

    def send(self, message: PushMessage) -> None:  # noqa: ARG002  # as the port has it
        raise Refused("there is no VAPID key")
