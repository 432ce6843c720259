"""Handing text messages to Vonage's SMS API (`POST /sms/json`), or to what speaks like it at NIGHTLATCH_VONAGE_URL.

One send is one POST: nothing below sends by itself again. When it is known that the message did not go, or when its
answer was lost and nobody can know, the message is `Unreachable` and the worker tries again. So a lost answer can
mean a second text: it carries the same code under the same client-ref, which is odd to nobody, while no second one
could leave a person without any code. What the gateway took, even in part, is never sent again.

A complaint tells the number of a status and never the gateway's words: they can quote the phone number.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..domain.ports import Refused, TextMessage, Unreachable
from ..domain.segments import needs_unicode

if TYPE_CHECKING:
    from .vonage_line import Answer, Line

GATEWAY = "the text message gateway"
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
TAKEN = "0"

# developer.vonage.com/en/api-errors/sms; all others say no to the message or to its number
LATER = {"1", "5", "10"}  # throttled, an error of theirs, too many connections
OPERATORS_FAULT = {  # says nothing against the message
    "4": "refused our API key and secret",
    "8": "suspended our account",
    "9": "says that our account has no credit left",
    "11": "does not let our account use its SMS API",
    "14": "wants signed requests of our account",
    "32": "wants signed requests of our account",
}
LATER_HTTP = {408, 425, 429}
OPERATORS_FAULT_HTTP = {
    401: "refused our API key and secret",
    402: "says that our account has no credit left",
    403: "refused our API key and secret, or suspended our account",
}
NOT_THERE = {404, 405, 501}


class VonageTexts:
    keeps = False

    def __init__(
        self, api_key: str, api_secret: str, sender: str, url: str, timeout_seconds: int, ttl_seconds: int = 600
    ) -> None:
        """`timeout_seconds` bounds a whole send. A text that is undelivered after `ttl_seconds` is of no use."""
        self._credentials = api_key, api_secret
        self._sender = sender
        self._url = url
        self._timeout = timeout_seconds
        self._ttl = ttl_seconds * 1000

    def send(self, message: TextMessage) -> str | None:
        if not E164.fullmatch(message.to):
            raise Refused("not a number that a text can be sent to")
        answer = self._line().text(
            from_=self._sender,
            to=message.to.removeprefix("+"),
            text=message.text,
            type="unicode" if needs_unicode(message.text) else None,  # else the gateway turns what it lacks into "?"
            client_ref=message.message_id,
            ttl=self._ttl,
        )
        _refuse(answer)
        return _id_of_taken(answer)

    def check(self) -> None:
        answer = self._line().balance()
        if answer.code in NOT_THERE and self._url.startswith("http://"):
            return  # a local gateway need not keep accounts: that it answers is enough
        _refuse(answer)
        if not isinstance(_parsed(answer), dict):
            raise _not_understood(answer)

    def _line(self) -> Line:
        # 0.2 s and 37 MB, which neither a site without texts nor the start of any site should pay
        from .vonage_line import Line

        return Line(*self._credentials, self._url, self._timeout)


def _refuse(answer: Answer) -> None:
    """Raises what an HTTP status other than success means."""
    code = answer.code
    if code in OPERATORS_FAULT_HTTP:
        raise Unreachable(f"{GATEWAY} {OPERATORS_FAULT_HTTP[code]}: HTTP {code}")
    if 300 <= code <= 399 or code in (404, 405):
        raise Unreachable(f"there is no text message gateway at NIGHTLATCH_VONAGE_URL: HTTP {code}")
    if code in LATER_HTTP or code >= 500:
        raise Unreachable(f"{GATEWAY} is not ready: HTTP {code}")
    if not 200 <= code <= 299:
        raise Refused(f"{GATEWAY} did not take the message: HTTP {code}")


def _id_of_taken(answer: Answer) -> str | None:
    """The gateway's id of the message, or of its first part; None when it took the message without naming it."""
    parsed = _parsed(answer)
    parts = parsed.get("messages") if isinstance(parsed, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise _not_understood(answer)
    statuses = [str(part.get("status")) for part in parts]
    refusals = [status for status in statuses if status != TAKEN]
    if not refusals:
        taken = parts[0].get("message-id")
        return str(taken) if taken else None
    status = refusals[0]
    if not re.fullmatch(r"[0-9]{1,3}", status):
        raise _not_understood(answer)
    if TAKEN in statuses:  # the rest again would be all of it again
        raise Refused(f"{GATEWAY} took only a part of the message: status {status}")
    if status in OPERATORS_FAULT:
        raise Unreachable(f"{GATEWAY} {OPERATORS_FAULT[status]}: status {status}")
    if status in LATER:
        raise Unreachable(f"{GATEWAY} is not ready: status {status}")
    raise Refused(f"{GATEWAY} did not take the message: status {status}")


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:  # a JSONDecodeError, or bytes that are no UTF-8
        return None


def _not_understood(answer: Answer) -> Unreachable:
    return Unreachable(f"{GATEWAY} gave an answer that is none of its own: HTTP {answer.code}")
