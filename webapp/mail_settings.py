"""What the operator says about the mail server.

Like the policy, it raises `ValueError` with one sentence, which `settings` passes on as its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from .gateway_settings import is_loopback
from .keys import PREFIX


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: str  # "starttls", "implicit" or "none"


def mail_server(given: Mapping[str, str]) -> MailServer | None:
    """None when there is none. Names in `given` have lost their prefix. Raises `ValueError`."""
    url = given.get("MAIL_URL")
    if url is None:
        return None
    example = "such as smtp://user:password@mail.example.org:587?starttls=1"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{PREFIX}MAIL_URL has a bad host or port; it needs a name and a number, {example}.") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(f"{PREFIX}MAIL_URL must begin with smtp:// or smtps:// and name a host, {example}.")
    starttls = parse_qs(parts.query).get("starttls") == ["1"]
    tls = "implicit" if parts.scheme == "smtps" else "starttls" if starttls else "none"
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if user and tls == "none" and not is_loopback(parts.hostname):
        raise ValueError(f"{PREFIX}MAIL_URL would send its password in the clear; add ?starttls=1, {example}.")
    return MailServer(parts.hostname, port or {"implicit": 465, "starttls": 587, "none": 25}[tls], user, password, tls)
