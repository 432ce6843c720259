"""What a response of Vonage's SMS API means: accepted, refused, or to be sent again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ..domain.ports import CREDENTIALS, OTHER_FAULT, Refused, Unreachable

GATEWAY = "the text message gateway"  # how every error begins
TAKEN = "0"

# developer.vonage.com/en/api-errors/sms; every other status refuses the message, its number or its sender
LATER = {"1", "5", "10"}  # throttled, internal error, too many connections
OPERATORS_FAULT = {  # about our account, not about the message
    "4": "refused our API key and secret",
    "8": "suspended our account",
    "9": "says that our account has no credit left",
    "11": "does not let our account use this API",
    "14": "wants our account to sign requests",
    "32": "wants our account to sign requests",
}
ABOUT_CREDENTIALS = {"4", "14", "32"}
LATER_HTTP = {408, 425, 429}  # and 5xx
OPERATORS_FAULT_HTTP = {
    401: "refused our API key and secret",
    402: "says that our account has no credit left",
    403: "refused our API key and secret, or suspended our account",
}
ABOUT_CREDENTIALS_HTTP = {401, 403}
NOT_THERE = {404, 405, 501}


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    body: bytes


def demand_taken(answer: Answer) -> None:
    """Raises `Refused` or `Unreachable` unless the gateway accepted the whole message."""
    _demand_success(answer)
    parsed = _parsed(answer)
    parts = parsed.get("messages") if isinstance(parsed, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise _not_understood(answer)
    statuses = [str(part.get("status")) for part in parts]
    refusals = [status for status in statuses if status != TAKEN]
    if not refusals:
        return
    status = refusals[0] if re.fullmatch(r"[0-9]{1,3}", refusals[0]) else "none"
    if TAKEN in statuses:  # the rest cannot be sent without sending all of it again
        raise Refused(f"{GATEWAY} took only a part of the message: status {status}")
    if status == "none":
        raise _not_understood(answer)
    if status in OPERATORS_FAULT:
        fault = CREDENTIALS if status in ABOUT_CREDENTIALS else OTHER_FAULT
        raise Unreachable(f"{GATEWAY} {OPERATORS_FAULT[status]}: status {status}", fault)
    if status in LATER:
        raise Unreachable(f"{GATEWAY} is not ready: status {status}")
    raise Refused(f"{GATEWAY} did not take the message: status {status}")


def demand_balance(answer: Answer) -> None:
    """Raises `Refused` or `Unreachable` unless the response has the balance of the account."""
    _demand_success(answer)
    parsed = _parsed(answer)
    if not isinstance(parsed, dict) or "value" not in parsed:
        raise _not_understood(answer)


def is_not_there(answer: Answer) -> bool:
    """True when a server responded that has no such endpoint."""
    return answer.code in NOT_THERE


def _demand_success(answer: Answer) -> None:
    code = answer.code
    if code in OPERATORS_FAULT_HTTP:
        fault = CREDENTIALS if code in ABOUT_CREDENTIALS_HTTP else OTHER_FAULT
        raise Unreachable(f"{GATEWAY} {OPERATORS_FAULT_HTTP[code]}: HTTP {code}", fault)
    if 300 <= code <= 399 or code in NOT_THERE:
        raise Unreachable(f"{GATEWAY} is not at NIGHTLATCH_VONAGE_URL: HTTP {code}")
    if code in LATER_HTTP or code >= 500:
        raise Unreachable(f"{GATEWAY} is not ready: HTTP {code}")
    if not 200 <= code <= 299:
        raise Refused(f"{GATEWAY} did not take the message: HTTP {code}")


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:  # not JSON, or not UTF-8
        return None


def _not_understood(answer: Answer) -> Unreachable:
    return Unreachable(f"{GATEWAY} gave an unexpected answer: HTTP {answer.code}")
