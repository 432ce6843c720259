"""Compresses public pages for browsers that are not logged in. It must never compress a page of a user.

The length of a compressed page tells an eavesdropper what its parts have in common, such as a guess in the address and
a secret (BREACH, CVE-2013-3587). So a page is compressed only if it has no secret but the CSRF token, which is masked
anew each time.
"""

from __future__ import annotations

import gzip

from flask import get_flashed_messages, request, session
from flask.wrappers import Response

from . import cookies, layouts

PAGES = frozenset(
    {
        "entrance.log_in",
        "entrance.sign_up",
        "entrance.forgot_password",
        "help.two_factor",
        "site.about",
        "site.terms",
        "site.privacy",
        "site.status",
    }
)
LEVEL = 6  # 9 saves 10 bytes more


def compress(response: Response) -> Response:
    if layouts.endpoint() not in PAGES or request.method not in ("GET", "HEAD") or response.mimetype != "text/html":
        return response
    response.vary.update(("Accept-Encoding", "Cookie"))
    if request.accept_encodings["gzip"] > 0 and not _knows_the_browser():
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response


def _knows_the_browser() -> bool:
    """True if the page may say more than it says to anyone: for a session, a pending login, or after another page."""
    has_token = any(cookies.get(name) is not None for name in (cookies.SESSION, cookies.LOGIN))
    return has_token or bool(get_flashed_messages()) or bool(set(session) - {"csrf_token"})
