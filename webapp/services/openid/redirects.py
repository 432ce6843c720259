"""Which addresses of an app an answer may be sent to (RFC 9700 section 4.1.3, RFC 8252 sections 7 and 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit, urlunsplit

from ...domain.app_addresses import host_of, names_this_machine
from ...models.registered_apps import PUBLIC, RegisteredApp

LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/[^\s\\#]*)?")
"""An address on the device itself. A phone or computer app takes the port that is free (RFC 8252 section 7.3)."""
PORTS = range(1, 65536)  # RFC 9293 section 3.1
WEB_SCHEMES = ("https", "http")


def is_registered(app: RegisteredApp, address: str) -> bool:
    """True when the address is one of the app's, letter by letter; for a public app on its own device with any port."""
    if address in app.redirect_uris:
        return True
    given = LOOPBACK.fullmatch(address)
    if app.kind != PUBLIC or given is None or int(given[2] or 80) not in PORTS:
        return False
    own = (LOOPBACK.fullmatch(one) for one in app.redirect_uris)
    return any(one is not None and one.group(1, 3) == given.group(1, 3) for one in own)


def is_on_device(address: str) -> bool:
    """True for a loopback address or name, or a private scheme: another app on the device could use it too (RFC 8252
    section 8.6)."""
    host = host_of(address)
    return host is None or names_this_machine(host)


def is_web(address: str) -> bool:
    return urlsplit(address).scheme in WEB_SCHEMES


def takes_form(address: str) -> bool:
    """True where a page of ours can send a form: not at an installed app, nor at an IPv6 address, which no
    Content-Security-Policy can name (Content Security Policy Level 3, section 2.3.1)."""
    return is_web(address) and "[" not in urlsplit(address).netloc


def is_sent_whole(address: str) -> bool:
    """False for an address that a redirect would change: Werkzeug writes com.example.app:///back as
    com.example.app:/back."""
    return urlunsplit(urlsplit(address)) == address


def source_of(address: str) -> str:
    """What names the address in a Content-Security-Policy: its origin, or its scheme where it is a private one."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if is_web(address) else f"{parts.scheme}:"


def with_parameters(address: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The address with these added to its query (RFC 6749 section 4.1.2). A registered address has no fragment."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(list(parameters))}"
