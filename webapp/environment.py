"""Reads NIGHTLATCH_ environment variables and reports a wrong one in a single sentence.

An error must never repeat a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

PREFIX = "NIGHTLATCH_"
MISSPELLED = 0.75
"""From 0 to 1: how similar a name must be to that of a setting to be taken for it."""
SURROGATE = re.compile("[\ud800-\udfff]")
"""How Python reads a byte that is not UTF-8 (PEP 383)."""
OTHERS = ("POLICY_", "TEST_")
"""Variables that other code reads, by how their names go on: the policy, and the tests."""


class SettingsError(ValueError):
    """One sentence that names the variable and a valid value."""


class Variables:
    """The NIGHTLATCH_ variables that are set, by name without prefix. A blank one counts as not set.

    `rule` is what follows the name in the error sentence, such as "must be a label such as mobile". Every method but
    `get` raises `SettingsError`, and so does the constructor for bytes that are not UTF-8.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        given = environ.items()
        self._values = {k.removeprefix(PREFIX): v.strip() for k, v in given if k.startswith(PREFIX) and v.strip()}
        self._asked: set[str] = set()
        for name, value in self._values.items():
            if SURROGATE.search(value):
                raise mistake(name, "has bytes that are not UTF-8")

    def add_defaults(self, defaults: Mapping[str, str]) -> None:
        """`defaults` are named without the prefix, and count where nothing was given."""
        self._values = {**defaults, **self._values}

    def get(self, name: str) -> str | None:
        self._asked.add(name)
        return self._values.get(name)

    def required(self, name: str, example: str) -> str:
        value = self.get(name)
        if value is None:
            raise mistake(name, f"is not set; it needs {example}")
        return value

    def text(self, name: str, default: str, is_valid: Callable[[str], object], rule: str) -> str:
        value = self.get(name) or default
        if not is_valid(value):
            raise mistake(name, f"{rule}, not {value!r}")
        return value

    def secret(self, name: str, is_valid: Callable[[str], object], rule: str) -> str | None:
        """None when it is not set. As `text`, but the error does not repeat the value."""
        value = self.get(name)
        if value is not None and not is_valid(value):
            raise mistake(name, rule)
        return value

    def items(self, name: str, default: str, is_valid: Callable[[str], object], rule: str) -> tuple[str, ...]:
        """The items of a comma-separated list, without the blank ones."""
        items = tuple(item.strip() for item in (self.get(name) or default).split(",") if item.strip())
        wrong = [item for item in items if not is_valid(item)]
        if wrong:
            raise mistake(name, f"{rule}, and {wrong[0]!r} is none")
        return items

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        return self.text(name, default, choices.__contains__, f"must be one of {', '.join(choices)}")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        return whole_number(PREFIX + name, self.get(name) or str(default), least, most)

    def unknown(self) -> tuple[str, ...]:
        """The variables that were not read, to be called last. Raises `SettingsError` for one that is spelled almost as
        a setting, which would not change what it should. Others are no error: Kubernetes sets some for each service.
        """
        unread = sorted(name for name in self._values.keys() - self._asked if not name.startswith(OTHERS))
        for name in unread:
            if similar := get_close_matches(name, self._asked, 1, MISSPELLED):
                raise mistake(name, f"is not a setting; the most similar one is {PREFIX}{similar[0]}")
        return tuple(PREFIX + name for name in unread)


def mistake(name: str, sentence: str) -> SettingsError:
    """`name` has no prefix; `sentence` has neither the name nor a full stop."""
    return SettingsError(f"{PREFIX}{name} {sentence}.")


def whole_number(variable: str, text: str, least: int, most: int) -> int:
    """The number in `text`, ASCII digits without a sign. `variable` includes the prefix. Raises `SettingsError`."""
    if not re.fullmatch("[0-9]{1,18}", text) or not least <= int(text) <= most:
        raise SettingsError(f"{variable} must be a whole number from {least} to {most}, not {text!r}.")
    return int(text)
