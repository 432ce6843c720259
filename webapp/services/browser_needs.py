"""What a method needs of the browser, in words."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.language import Sentence


@dataclass(frozen=True, slots=True)
class BrowserNeeds:
    """What the pages of a method say in a browser without JavaScript, and in one without security keys."""

    script: Sentence
    keys: Sentence
