"""Refusals of sign-up and of changes of an account. Their sentences are in `web/words.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .refusals import Refusal, Waiting


@dataclass(eq=False)
class ChangesPaused(Refusal):
    """An undo of a change of the e-mail address waits until `until`, in Unix seconds."""

    until: int


class UsernameTaken(Refusal):
    field = "username"


class UsernameUnchanged(Refusal):
    """It is the account's username already."""

    field = "username"


class UsernameChangeWaits(Refusal):
    """Another change of the username waits."""

    field = "username"


@dataclass(eq=False)
class UsernameChangedLately(Refusal):
    """It can be changed again from `until`, in Unix seconds."""

    field: ClassVar[str | None] = "username"
    until: int


class TooManyExports(Waiting):
    """The limit of downloads of one's data in one day is reached."""


class UsernameReserved(Refusal):
    """Its owner would be taken for the operator of the site."""

    field = "username"


class SignUpClosed(Refusal):
    """Only the operator makes accounts."""

    status = 403


class UsernameMalformed(Refusal):
    field = "username"


class NameMalformed(Refusal):
    field = "name"


class TooManySignUps(Waiting):
    """The limit of new accounts from one network is reached."""
