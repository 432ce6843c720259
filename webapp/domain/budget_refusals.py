"""Refusals of messages that others would pay for: texts and e-mails. Their sentences are in `web/words.py`."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import Refusal, Waiting


@dataclass(eq=False)
class NumberTaken(Refusal):
    """The number is confirmed for as many accounts as one number can have."""

    most: int


class NetworkMailLimitReached(Waiting):
    """The limit of codes by e-mail that one network can request is reached."""

    status = 429
