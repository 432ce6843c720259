"""The ways in which a code can be sent, with what a page says of each. A shared page never names a channel itself.

A method whose codes go out in another way, or of which another sentence is true, makes a `Channel` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from .language import Sentence, lazy


@dataclass(frozen=True, slots=True)
class Channel:
    on_its_way: Sentence
    failed: Sentence
    filled_in: Sentence | None = None
    """Said when the browser reads the code by itself; None where no browser can."""


EMAIL = Channel(
    on_its_way=lazy("An email with a code is on its way."),
    failed=lazy("We can't e-mail you now. Try again later, or use a different email address."),
)
TEXT = Channel(
    on_its_way=lazy("A text with a code is on its way."),
    failed=lazy("We can't text you now. Try again later, or choose another method."),
    filled_in=lazy("The code from the text is filled in."),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A code that was sent and could still be entered."""

    address: str
    """The recipient, as its owner may read it: an email address, or the end of a phone number."""
    channel: Channel
    message_id: int | None
    resend_at: int
    """When another may be sent, in Unix seconds."""
