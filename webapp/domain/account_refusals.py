"""Refusals of sign-up and of changes of an account. Their sentences are in `web/words.py`."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import Refusal, Waiting


@dataclass(eq=False)
class ChangesPaused(Refusal):
    """An undo of a change of the e-mail address waits until `until`, in Unix seconds."""

    until: int


class UsernameTaken(Refusal):
    field = "username"


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

    status = 429
