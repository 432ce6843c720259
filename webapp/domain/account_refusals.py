"""Refusals of changes of an account."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import Refusal


@dataclass(eq=False)
class ChangesPaused(Refusal):
    """An undo of a change of the e-mail address waits until `until`, in Unix seconds."""

    until: int
