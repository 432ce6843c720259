"""The channels by which a code can be sent, with the sentences that pages show for each.

A page that all channels share must not name a channel. A method whose codes are sent in another way, or of which
another sentence is true, makes a `Channel` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from .language import Sentence, lazy


@dataclass(frozen=True, slots=True)
class Channel:
    on_its_way: Sentence
    failed: Sentence
    filled_in: Sentence | None = None
    """Shown when the browser has filled in the code by itself; None for a channel where no browser can."""


EMAIL = Channel(
    on_its_way=lazy("An email with a code is on its way."),
    failed=lazy("We can't email you right now. Try again later, or use a different address."),
)
TEXT = Channel(
    on_its_way=lazy("A text with a code is on its way."),
    failed=lazy("We can't text you now. Try again later, or choose another method."),
    filled_in=lazy("We filled in the code from your text message."),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A code that was sent and is still valid."""

    address: str
    """The recipient as shown to the owner: an e-mail address, or the last digits of a phone number."""
    channel: Channel
    message_id: int | None
    resend_at: int
    """When another may be sent, in Unix seconds."""
    earlier: bool = False
    """It was sent for an earlier log-in, and none for this one."""
