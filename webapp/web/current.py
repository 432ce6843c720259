"""What belongs to the present request: the services, the user, and where it came from."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote

from flask import current_app, g, request

from ..bootstrap import Services
from ..domain.codes import hash_of
from ..domain.origin import Origin
from ..models.user import User
from . import cookies

EXTENSION = "nightlatch"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def user_or_none() -> User | None:
    """The logged-in user, read from the database once a request; None where there is none."""
    if "user" not in g:
        token = g.get("new_token") or cookies.session_token()
        g.user = services().sessions.find(token) if token else None
        if g.user is not None:
            services().sessions.see(g.user)
    return cast("User | None", g.user)


def user() -> User:
    """The user of a view under `login_required`."""
    found = user_or_none()
    assert found is not None, "a view without @login_required asked for the user"  # for mypy and us
    return found


def is_now(token: str) -> None:
    """The session got a new token in this request: the user is read again when next asked for."""
    g.new_token = token
    g.pop("user", None)


def origin() -> Origin:
    host, known = request.environ.get("HTTP_HOST", "").partition(":")[0], cookies.known_browser()
    external_ids = frozenset(hash_of(token) for token in cookies.own_tokens())
    return Origin(
        client_address(),
        request.user_agent.string,
        host,
        known.browser if known else "",
        request.headers.get("Accept-Language", ""),
        external_ids,
    )


def client_address() -> str:
    """The peer, or with n trusted proxies the n-th entry of X-Forwarded-For from its end."""
    peer = request.environ.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104  # no address is bound: none is known
    proxies = services().settings.trusted_proxies
    entries = [e.strip() for e in ",".join(request.headers.getlist("X-Forwarded-For")).split(",") if e.strip()]
    if proxies == 0 or len(entries) < proxies:
        return peer
    return entries[-proxies][:64]


def here() -> str:
    """The path of this page with its query, for a form's action or a way back."""
    path = "/" + quote(request.path.lstrip("/"), safe="/:@!$&'()*+,;=")  # browsers take //x for another host
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path
