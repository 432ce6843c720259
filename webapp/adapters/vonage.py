"""Sends text messages by Vonage's SMS API (`POST /sms/json`), or by a compatible gateway at NIGHTLATCH_VONAGE_URL.

One send is one POST: it must never be repeated here. When the message was not sent, or its response was lost, `send`
raises `Unreachable` and the worker sends it again. After a lost response the user may get the same text message twice,
with the same client-ref, rather than none. What the gateway accepted, even in part, is never sent again.

An error names the number of a status and must never contain the gateway's text, which can quote the phone number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..domain.ports import Refused, TextMessage
from ..domain.segments import needs_unicode
from ..settings import TextGateway
from . import vonage_answers as answers

if TYPE_CHECKING:
    from .vonage_client import VonageClient

SHORTEST_TTL = 20  # seconds; the gateway refuses less
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class VonageTexts:
    keeps, available = False, True

    def __init__(self, gateway: TextGateway, timeout_seconds: int) -> None:
        """`timeout_seconds` limits a whole request."""
        self._credentials = gateway.api_key, gateway.api_secret
        self._sender = gateway.sender
        self._url = gateway.url
        self._timeout = timeout_seconds

    def send(self, message: TextMessage) -> None:
        if not E164.fullmatch(message.to):
            raise Refused("not a number that a text can be sent to")
        answers.demand_taken(
            self._client().text(
                from_=self._sender,
                to=message.to.removeprefix("+"),
                text=message.text,
                type="unicode" if needs_unicode(message.text) else None,  # else it sends other characters as ?
                client_ref=message.message_id,
                ttl=max(SHORTEST_TTL, message.lasts) * 1000,
            )
        )

    def check(self) -> None:
        answer = self._client().balance()
        # a local gateway may have no endpoint for the balance: a response is enough
        if not (self._url.startswith("http://") and answers.is_not_there(answer)):
            answers.demand_balance(answer)

    def _client(self) -> VonageClient:
        # 90 ms and 15 MiB, and few sites send texts (docs/decisions/lazy-imports.md)
        from .vonage_client import VonageClient

        return VonageClient(*self._credentials, self._url, self._timeout)
