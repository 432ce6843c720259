"""What an app learns, in words: one sentence for each scope."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.language import Sentence, lazy

LEARNS: dict[str, Sentence] = {
    "openid": lazy("That you have an account here, and how you proved it's you"),
    "profile": lazy("Your name, username, and language"),
    "email": lazy("Your email address"),
    "phone": lazy("Your phone number"),
    "groups": lazy("Which of its groups you're in"),
    "offline_access": lazy("All of this while you're away, until you log out or disconnect it"),
}


def learns(scopes: Sequence[str]) -> list[Sentence]:
    return [sentence for scope, sentence in LEARNS.items() if scope in scopes]
