"""How the settings show a method that is on. No method may be named here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.language import Sentence
from ..models.accounts import Account


@dataclass(frozen=True, slots=True)
class Known:
    """What tells the factor of a method from others, such as the end of a phone number."""

    label: Sentence
    """Such as "Number"."""
    of: Callable[[Account], str]
    briefly: Sentence
    """The same in one phrase with it as `known`, such as "To ...42"."""


@dataclass(frozen=True, slots=True)
class Looks:
    icon: str = "key"
    """The name of its drawing in templates/parts/icons.html."""
    replace: Sentence | None = None
    """The link that replaces its factor; without it "Replace" and the title."""
    known: Known | None = None
    elsewhere: Sentence | None = None
    """For a method that is turned on from a phone: what it is, as other devices say it."""
