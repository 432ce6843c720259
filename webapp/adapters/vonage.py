"""Handing text messages to Vonage's SMS API (`POST /sms/json`), or to what speaks like it at NIGHTLATCH_VONAGE_URL.

One send is one POST: nothing below sends by itself again. When a message did not go, or when its answer was lost and
nobody can know, it is `Unreachable` and the worker tries again. So a lost answer can mean a second text: it carries the
same code under the same client-ref, which is odd to nobody, while giving up could leave a person without any code.
What the gateway took, even in part, is never sent again.

A complaint tells the number of a status and never the gateway's words: they can quote the phone number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..domain.ports import Refused, TextMessage
from ..domain.segments import needs_unicode
from ..settings import TextGateway
from . import vonage_answers as answers

if TYPE_CHECKING:
    from .vonage_line import Line

SHORTEST_TTL = 20  # seconds, as the gateway takes it
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class VonageTexts:
    keeps, available = False, True

    def __init__(self, gateway: TextGateway, timeout_seconds: int) -> None:
        """`timeout_seconds` bounds a whole send."""
        self._credentials = gateway.api_key, gateway.api_secret
        self._sender = gateway.sender
        self._url = gateway.url
        self._timeout = timeout_seconds

    def send(self, message: TextMessage) -> None:
        if not E164.fullmatch(message.to):
            raise Refused("not a number that a text can be sent to")
        answers.demand_taken(
            self._line().text(
                from_=self._sender,
                to=message.to.removeprefix("+"),
                text=message.text,
                type="unicode" if needs_unicode(message.text) else None,  # else the gateway writes "?" for the rest
                client_ref=message.message_id,
                ttl=max(SHORTEST_TTL, message.lasts) * 1000,
            )
        )

    def check(self) -> None:
        answer = self._line().balance()
        # a local gateway need not keep accounts: that it answers is enough
        if not (self._url.startswith("http://") and answers.is_not_there(answer)):
            answers.demand_balance(answer)

    def _line(self) -> Line:
        # 90 ms and 15 MiB, and few sites send texts (docs/decisions/lazy-imports.md)
        from .vonage_line import Line

        return Line(*self._credentials, self._url, self._timeout)
