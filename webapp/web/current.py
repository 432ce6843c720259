"""What belongs to the current request: services, user, origin and path."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

from flask import current_app, g, request

from ..bootstrap import Services
from ..domain.codes import hash_of
from ..domain.origin import Origin, address_in
from ..models.user import User
from . import cookies

EXTENSION = "nightlatch"
UNREAD: Any = object()


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def user_or_none() -> User | None:
    """The logged-in user, read from the database at most once in a request; None without a valid session."""
    user: User | None = g.get("user", UNREAD)
    if user is UNREAD:
        token, sessions = g.get("new_token") or cookies.session_token(), services().sessions
        g.user = user = sessions.find(token) if token else None
        if user is not None:
            sessions.see(user)
    return user


def user() -> User:
    """The logged-in user, in a view with `login_required`."""
    found = user_or_none()
    assert found is not None, "a view without @login_required asked for the user"
    return found


def use_new_token(token: str) -> None:
    """After the session got a new token in this request: the next call of `user` reads the user with it."""
    g.new_token = token
    g.pop("user", None)


def origin() -> Origin:
    host, known = request.environ.get("HTTP_HOST", "").partition(":")[0], cookies.known_browser()
    external_ids = frozenset(hash_of(token) for token in cookies.device_tokens())
    return Origin(
        client_address(),
        request.user_agent.string,
        host,
        known.browser if known else "",
        request.headers.get("Accept-Language", ""),
        external_ids,
    )


def client_address(*, by_proxy: bool = False) -> str:
    """The client's network address: REMOTE_ADDR, or with n trusted proxies the n-th last entry of X-Forwarded-For.

    `by_proxy`: the request proved that it comes from a trusted proxy, though maybe past others of the n. What that one
    wrote counts: the n-th last entry, or the first of fewer.

    Some proxies write a port behind the address, another one for each connection: it must not count as part of it.
    """
    peer = request.environ.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104  # a placeholder, nothing listens on it
    proxies = services().settings.trusted_proxies
    entries = [e.strip() for e in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if e.strip()]
    if by_proxy:
        proxies = min(max(proxies, 1), len(entries))
    if proxies == 0 or len(entries) < proxies:
        return peer
    return address_in(entries[-proxies]) or peer


def path() -> str:
    """Path and query of this request, percent-encoded, for a form's action or a redirect to this page."""
    path = "/" + quote(request.path.lstrip("/"), safe="/:@!$&'()*+,;=")  # browsers read //x as another host
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path
