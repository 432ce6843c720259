"""Rules by path of a guarded host: reading them from text, and writing them back."""

from __future__ import annotations

import re
from typing import Any

from .app_refusals import RuleMalformed

ACTIONS = ("public", "password", "two-factor", "key", "deny")
METHOD = re.compile("[A-Z]+(?:-[A-Z]+)*")  # of RFC 9110 section 9, and those of WebDAV
PREFIX = re.compile(r"/(?:[A-Za-z0-9._~!$&'()+,=:@-]+/?)*")
"""Segments as they are received, without escapes, semicolons and empty segments: a rule with these would match
nothing."""


def parse_rule(text: str) -> dict[str, Any]:
    """`ACTION [METHOD,...] PREFIX` as it is stored: action, methods (empty for all), prefix. Raises `RuleMalformed`."""
    words = text.split()
    if len(words) not in (2, 3) or words[0] not in ACTIONS:
        raise RuleMalformed(text.strip())
    methods, prefix = words[1].split(",") if len(words) == 3 else [], words[-1]
    segments = prefix.split("/")
    if (
        not all(METHOD.fullmatch(method) for method in methods)
        or not PREFIX.fullmatch(prefix)
        or {".", ".."} & {*segments}
    ):
        raise RuleMalformed(text.strip())
    return {"action": words[0], "methods": methods, "prefix": prefix}


def rule_text(rule: dict[str, Any]) -> str:
    """The rule as `parse_rule` reads it."""
    return " ".join(filter(None, (rule["action"], ",".join(rule["methods"]), rule["prefix"])))
