"""Compresses public pages for browsers that are not logged in. It must never compress a page that shows an account.

The length of a compressed page tells an eavesdropper what its parts have in common, such as a guess in the address and
a secret (BREACH, CVE-2013-3587). So a page is compressed only if it has no secret but the CSRF token, which is masked
anew each time.
"""

from __future__ import annotations

import gzip

from flask import g, request, session
from flask.wrappers import Response

from . import cookies, layouts

PAGES = frozenset(
    {
        "entrance.log_in",
        "entrance.sign_up",
        "entrance.forgot_password",
        "help.cannot_log_in",
        "help.two_factor",
        "site.about",
        "site.terms",
        "site.privacy",
        "site.status",
    }
)
OF_ACCOUNTS = cookies.SESSION, cookies.LOGIN, cookies.DEVICE
"""The cookies of a session, a pending login and an approving device, whose pages show the requests that wait."""
LEVEL = 6  # 9 saves 10 bytes more


def judge(page: str | None) -> None:
    """Before the page reads the form session: may it say more to this browser than to any other?"""
    is_listed = page in PAGES and request.method in ("GET", "HEAD")
    g.is_public = is_listed and not any(map(cookies.get, OF_ACCOUNTS)) and not _remembers_a_page()


def compress(response: Response) -> Response:
    if layouts.endpoint() not in PAGES or request.method not in ("GET", "HEAD") or response.mimetype != "text/html":
        return response
    response.vary.update(("Accept-Encoding", "Cookie"))
    if g.get("is_public", False) and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response


def _remembers_a_page() -> bool:
    """True if another page left something for this one, such as a receipt or a username."""
    return bool(set(session) - {"csrf_token"})
