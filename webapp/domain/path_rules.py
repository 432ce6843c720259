"""Rules by path of a guarded host: reading them from text, writing them back, and judging requests by them.

The proxy and the application behind it may read one path in several ways, so a rule that loosens applies only to a path
that all of them read alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from .app_refusals import RuleMalformed

ACTIONS = ("public", "password", "two-factor", "key", "deny")
"""From the loosest to the strictest."""
DENY = "deny"
METHOD = re.compile("[A-Z]+(?:-[A-Z]+)*")  # of RFC 9110 section 9, and those of WebDAV
PREFIX = re.compile(r"/(?:[A-Za-z0-9._~!$&'()+,=:@-]+/)*[A-Za-z0-9._~!$&'()+,=:@-]*")
"""Segments as they are received, without escapes, semicolons and empty segments: a rule with these would match
nothing."""
PLAIN = re.compile(rb"(?:/(?!\.{0,2}/|\.{1,2}\Z)(?:[^\x00-\x20\x7f\\;#/%]|%[89A-Fa-f][0-9A-Fa-f])*)+")
"""No escape of an ASCII character, bad escape, dot segment, empty segment but the last, semicolon, backslash or control
byte (RFC 3986 sections 3.3, 5.2.4 and 6.2.2); nor space and #, which no request target has (RFC 9112 section 3.2)."""
CHANGES: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"\\"), b"/"),
    (re.compile(rb"/{2,}"), b"/"),
    (re.compile(rb";[^/]*"), b""),
    (re.compile(rb"[;?#\x00].*", re.DOTALL), b""),
    (re.compile(rb"[\x00-\x20\x7f]+"), b""),
    (re.compile(rb"\xc0\xae"), b"."),  # these two are overlong (RFC 3629 section 10)
    (re.compile(rb"\xc0\xaf"), b"/"),
    (re.compile(rb"\A[A-Za-z][A-Za-z0-9+.-]*://[^/]*"), b""),
    (re.compile(rb"\A(?!/)"), b"/"),
)
"""What proxies and applications are known to do to a path before they look at it, besides decoding it."""
READINGS = 64
"""Of one path at most. Only a path that was written to be misread has more."""

Rule = Mapping[str, Any]
"""As `parse_rule` returns it."""


def parse_rule(text: str, line: int = 1) -> dict[str, Any]:
    """`ACTION [METHOD,...] PREFIX` as it is stored: action, methods (empty for all), prefix.

    Raises `RuleMalformed` with `line`, which counts from one.
    """
    words = text.split()
    if len(words) not in (2, 3) or words[0] not in ACTIONS:
        raise RuleMalformed(text.strip(), line)
    methods, prefix = words[1].split(",") if len(words) == 3 else [], words[-1]
    segments = prefix.split("/")
    if (
        not all(METHOD.fullmatch(method) for method in methods)
        or not PREFIX.fullmatch(prefix)
        or {".", ".."} & {*segments}
    ):
        raise RuleMalformed(text.strip(), line)
    return {"action": words[0], "methods": methods, "prefix": prefix}


def rule_text(rule: Rule) -> str:
    """The rule as `parse_rule` reads it."""
    return " ".join(filter(None, (rule["action"], ",".join(rule["methods"]), rule["prefix"])))


def action_for(rules: Sequence[Rule], default: str, method: str, target: str) -> str:
    """What is asked for a request: one of `ACTIONS`.

    `default` is the proof of the app. `target` is the raw request target as WSGI hands it over (bytes as Latin-1, PEP
    3333), with its query, which never matters.
    """
    rule = matching_rule(rules, method, target, default)
    if rule is not None:
        return str(rule["action"])
    return default if is_canonical(target) else strictest_proof(rules, default)


def matching_rule(rules: Sequence[Rule], method: str, target: str, default: str = ACTIONS[0]) -> Rule | None:
    """The rule that decides about a request; None where `default` decides, or `strictest_proof`.

    It is the first that matches as it is written. A rule that matches only without regard to case, or to the slash at
    its end, is taken instead where it is stricter. Of a path that is not canonical, which has the strictest proof
    anyway, only a `deny` decides: that of any path for which it can be taken.
    """
    path = _path(target)
    if _is_canonical(path):
        return _deciding(rules, default, method, path)
    denials = [rule for rule in rules if rule["action"] == DENY and _is_for(rule, method, any_case=True)]
    if not denials:
        return None
    readings = _readings(path)
    if len(readings) > READINGS:
        return denials[0]
    found = (_deciding(rules, default, method, reading) for reading in readings)
    return next((rule for rule in found if rule in denials), None)


def strictest_proof(rules: Sequence[Rule], default: str) -> str:
    """The strictest of all that the host asks for, `deny` aside."""
    proofs = [str(rule["action"]) for rule in rules if rule["action"] != DENY]
    return max((default, *proofs), key=ACTIONS.index)


def is_canonical(target: str) -> bool:
    """True when everything between browser and application reads the path of this request target alike."""
    return _is_canonical(_path(target))


def _path(target: str) -> bytes:
    # what is not Latin-1 did not come by WSGI, and gets a backslash, with which it is not canonical
    return target.encode("latin-1", "backslashreplace").partition(b"?")[0]


def _is_canonical(path: bytes) -> bool:
    if not PLAIN.fullmatch(path):
        return False
    try:
        text = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return not any("\x80" <= character <= "\x9f" for character in text)


def _deciding(rules: Sequence[Rule], default: str, method: str, path: bytes) -> Rule | None:
    raw, folded = path.decode("latin-1"), unquote_to_bytes(path).decode(errors="replace").casefold()
    exact = [rule for rule in rules if _is_for(rule, method) and _is_under(raw, rule["prefix"])]
    found = exact[0] if exact else None
    for rule in rules:
        similar = _is_for(rule, method, any_case=True) and _is_under(folded, rule["prefix"].casefold().rstrip("/"))
        asked = default if found is None else found["action"]
        if similar and rule not in exact and ACTIONS.index(rule["action"]) > ACTIONS.index(asked):
            found = rule
    return found


def _is_for(rule: Rule, method: str, *, any_case: bool = False) -> bool:
    """HEAD is GET: an application answers it by the same code (RFC 9110 section 9.3.2)."""
    asked = method.upper() if any_case else method
    methods = {"GET" if name == "HEAD" else name for name in rule["methods"]}
    return not methods or ("GET" if asked == "HEAD" else asked) in methods


def _is_under(path: str, prefix: str) -> bool:
    """True when the path is the prefix, or goes on after a "/"."""
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _readings(path: bytes) -> set[bytes]:
    """Every path for which this one can be taken, in whatever order the changes are made; few more than `READINGS`."""
    readings, new = {path}, [path]
    while new and len(readings) <= READINGS:
        changed = set(_changed(new.pop())) - readings
        readings |= changed
        new += changed
    return readings


def _changed(path: bytes) -> Iterator[bytes]:
    yield unquote_to_bytes(path)
    yield _without_dots(path)
    for pattern, replacement in CHANGES:
        yield pattern.sub(replacement, path)


def _without_dots(path: bytes) -> bytes:
    """The path without dot segments (RFC 3986 section 5.2.4)."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            del kept[max(1, len(kept) - 1) :]
        elif segment != b".":
            kept.append(segment)
    return b"/".join(kept) + (b"/" if segments[-1] in (b".", b"..") else b"")
