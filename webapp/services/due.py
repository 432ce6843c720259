"""Doing what is due, one after the other: what fails must not keep the rest waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def do_each(due: Iterable[T], do: Callable[[T], int | None], called: Callable[[T], str] = str) -> int:
    """The sum of what `do` returns.

    When all was tried, the first error is raised, with a note (PEP 678) of what failed, as `called` names it.
    """
    done, first = 0, None
    for one in due:
        try:
            done += do(one) or 0
        except Exception as error:
            error.add_note(called(one))
            first = first or error
    if first is not None:
        raise first
    return done
