"""Sends pushes to the push services of browsers (RFC 8030), encrypted (RFC 8291) and signed (RFC 8292).

One send is one POST: it must never follow a redirect or send again, and never send to a host that the settings do not
allow. The host is checked at each send, because the settings may have changed since the subscription was stored.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..domain.base64url import as_text
from ..domain.ports import LONGEST_WAIT, Clock, Gone, PushMessage, Refused, Unreachable
from ..settings import PushSettings
from .deadline import Deadline

if TYPE_CHECKING:
    import requests

SERVICE = "the push service"  # how every error begins
SIGNED_FOR = 12 * 3600  # seconds; RFC 8292 section 2 allows 24 hours, and clocks differ
GONE = {404, 410}
LATER = {408, 425, 429}  # and 5xx


class WebPush:
    def __init__(self, settings: PushSettings, timeout_seconds: int, clock: Clock) -> None:
        """`timeout_seconds` limits a whole send. `clock` is for the expiry of signatures.

        Raises `ValueError` without a private key.
        """
        if settings.private_key is None:
            raise ValueError("pushes are signed with a private key")
        self._private_key = derive_private_key(int.from_bytes(settings.private_key), SECP256R1())
        self._subject = settings.subject
        self._hosts = settings.hosts
        self._timeout = timeout_seconds
        self._clock = clock
        raw = self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key: str | None = as_text(raw)

    def send(self, message: PushMessage) -> None:
        """Raises `Gone`, `Refused` or `Unreachable`, with `wait` if the push service says how long."""
        subscription = json.loads(message.subscription)
        endpoint = subscription["endpoint"]
        if not self._hosts.allows(endpoint):
            raise Gone(f"{SERVICE} is none that NIGHTLATCH_PUSH_HOSTS allows")
        response = self._post(subscription, endpoint, message)
        code = response.status_code
        if code in GONE:
            raise Gone(f"{SERVICE} knows the address no more: HTTP {code}")
        if code in LATER or code >= 500:
            later = Unreachable(f"{SERVICE} is not ready: HTTP {code}")
            later.wait = self._seconds(response.headers.get("Retry-After"))
            raise later
        if not 200 <= code <= 299:
            raise Refused(f"{SERVICE} did not take the push: HTTP {code}")

    def _post(self, subscription: object, endpoint: str, message: PushMessage) -> requests.Response:
        # 85 ms and 13 MiB, and few sites send pushes (docs/decisions/lazy-imports.md)
        import requests
        from py_vapid import Vapid02
        from pywebpush import WebPusher

        from .single_send import SingleSendAdapter

        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it logs the subscription's URL, which is a secret
        parts = urlsplit(endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        claims = {"sub": self._subject, "aud": origin, "exp": self._clock.now() + SIGNED_FOR}
        vapid = Vapid02(self._private_key, {"no-strict": True})
        headers = {**vapid.sign(claims), "Urgency": "high", "Topic": message.topic}
        with Deadline(self._timeout) as deadline, requests.Session() as session:
            session.max_redirects = 0  # a redirect leads to a host that was not checked
            session.trust_env = parts.scheme == "https"  # no proxy of the environment for a service on loopback
            for scheme in ("https://", "http://"):
                session.mount(scheme, SingleSendAdapter(self._timeout, deadline))
            try:
                pusher = WebPusher(subscription, requests_session=session)
                return pusher.send(message.text, headers, ttl=max(0, message.lasts), timeout=self._timeout)  # type: ignore[no-any-return]
            except requests.TooManyRedirects:
                raise Refused(f"{SERVICE} leads elsewhere") from None
            except requests.RequestException as error:
                late = deadline.has_passed or isinstance(error, requests.Timeout)
                why = f"took longer than {self._timeout} s" if late else f"cannot be reached ({type(error).__name__})"
                raise Unreachable(f"{SERVICE} {why}") from None

    def _seconds(self, retry_after: str | None) -> int | None:
        """The header Retry-After in seconds from now. It is a number or a date (RFC 9110 section 10.2.3)."""
        if retry_after is None:
            return None
        if retry_after.isascii() and retry_after.isdigit():
            return min(int(retry_after), LONGEST_WAIT)
        try:
            at = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        wait = int((at - datetime.fromtimestamp(self._clock.now(), UTC)).total_seconds())
        return min(max(0, wait), LONGEST_WAIT)
