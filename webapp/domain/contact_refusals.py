"""Refusals of an upload of contacts. Their sentences are in `web/words.py`."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import Refusal, Waiting


class NoNumbers(Refusal):
    """Neither a file of contacts nor a number was sent."""

    field = "numbers"


class NoNumbersInFile(Refusal):
    """A contact list without a phone number."""

    field = "file"


class NotContacts(Refusal):
    """The file is no contact list."""

    field = "file"


@dataclass(eq=False)
class FileTooLarge(Refusal):
    field = "file"
    status = 413
    megabytes: int


@dataclass(eq=False)
class TooManyContacts(Refusal):
    field = "numbers"
    maximum: int


class TooManyLookups(Waiting):
    """The limit of new contacts in one day is reached."""
