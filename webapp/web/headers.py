"""Security headers of every response (ASVS V3.4), and text that is safe in a header."""

from __future__ import annotations

import unicodedata

from flask import current_app, g, request
from flask.wrappers import Response

from . import guarded_hosts

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-ancestors 'none'",
    )
)
OF_GUARDED_HOST = "default-src 'none'; style-src {}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""What else the host has belongs to the application there."""
FEATURES = ("publickey-credentials-get", "publickey-credentials-create", "otp-credentials", "clipboard-write")
REFUSED = ("accelerometer", "autoplay", "camera", "clipboard-read", "compute-pressure", "cross-origin-isolated",
           "display-capture", "encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid",
           "identity-credentials-get", "idle-detection", "keyboard-map", "local-fonts", "magnetometer", "microphone",
           "midi", "payment", "picture-in-picture", "screen-wake-lock", "serial", "storage-access", "sync-xhr", "usb",
           "window-management", "xr-spatial-tracking")  # fmt: skip
"""Browsers complain in the console of a name that they do not know, so only those that all of Chromium's have."""
PERMISSIONS = ", ".join([*(f"{f}=(self)" for f in FEATURES), *(f"{f}=()" for f in REFUSED)])
TWO_YEARS = 63072000
ALL = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))
HTTPS_ONLY = ("Strict-Transport-Security", f"max-age={TWO_YEARS}; includeSubDomains")
JSON = (("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),)
DOCUMENTS = (
    ("Content-Security-Policy", POLICY),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # no-referrer would make forms send Origin: null
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", PERMISSIONS),
    ("Accept-CH", "Sec-CH-UA-Mobile"),
)


def lead_to(source: str) -> None:
    """Allows the forms of this page to lead to an app, named by its origin or private scheme: browsers hold the whole
    chain of redirects after a form to `form-action`. An app that uses a popup keeps its window (COOP)."""
    g.leads_to = source


def _of_document() -> tuple[tuple[str, str], ...]:
    source = g.get("leads_to")
    if guarded_hosts.HOST in request.environ:
        policy = OF_GUARDED_HOST.format(guarded_hosts.style() or "'none'")
        return ("Content-Security-Policy", policy), *DOCUMENTS[1:]
    if source is None:
        return DOCUMENTS
    changed = {
        "Content-Security-Policy": POLICY.replace("form-action 'self'", f"form-action 'self' {source}"),
        "Cross-Origin-Opener-Policy": "unsafe-none",
    }
    return tuple((name, changed.get(name, value)) for name, value in DOCUMENTS)


def add(response: Response) -> Response:
    headers = response.headers
    if ALL[0][0] in headers:
        return response  # the response of a kept form, which has passed through here in its own request context
    headers.setdefault("Cache-Control", "no-store")
    headers.extend(ALL)  # no view sets one of these
    if response.is_json:
        headers.extend(JSON)
    else:
        headers.extend(_of_document())
    if current_app.config["SESSION_COOKIE_SECURE"] and guarded_hosts.HOST not in request.environ:
        headers.extend((HTTPS_ONLY,))  # a guarded host and its subdomains decide this themselves
    return response


def header_safe(text: str | None) -> str | None:
    """The UTF-8 bytes of the text, decoded as Latin-1, as WSGI requires (PEP 3333); None when nothing is left.

    Control, format and separator characters are removed, so that a text cannot end a header or be invisible in it.
    """
    if text is not None and text.isascii() and text.isprintable():
        return " ".join(text.split()) or None
    kept = [" " if c.isspace() else c for c in text or "" if c.isspace() or unicodedata.category(c)[0] not in "CZ"]
    return " ".join("".join(kept).split()).encode().decode("latin-1") or None
