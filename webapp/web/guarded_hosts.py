"""What belongs to a request at a guarded host: which host it is, and its cookies.

A guarded host has cookies of its own, so that no application can use those of another, or of the site. A proxy passes
only the pages below to Nightlatch, and their style sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import request
from flask.wrappers import Response

from ..domain.app_addresses import DEVELOPMENT, OWN_PORTS
from ..services.guarded.configurations import PAGES

FORWARD = "/forward/"
PATHS = frozenset(f"/.nightlatch/{page}" for page in PAGES)
STYLE = "/.nightlatch/style.css"
NAMED = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?")
"""A host that may be named in a header: it is known to be one only when an app has it."""
HOST, METHOD = "nightlatch.guarded_host", "nightlatch.guarded_method"
"""In the WSGI environment: host and method as they were received."""
MOST_STARTED = 10
"""Log-ins in progress that a browser has at one host; more would make its requests too long for proxies."""
START = "-start-"
AGAIN = "again"
"""In place of a handle in the name of a cookie: its user logged out of the host, so the next log-in asks first."""
HANDLE_IN_NAME = 16
"""Characters of a handle in the name of its cookie, so that two tabs do not disturb each other."""


def is_for_guarded_host(path: str) -> bool:
    return path.startswith(FORWARD) or path in PATHS


def take_over(environ: dict[str, Any], main_host: str) -> None:
    """Before Flask reads it: keeps the host of the request, and makes what a proxy asks a GET of its address alone.

    Method, query and the rest of the path belong to the request that the proxy asks about, so that no rule of the site
    may judge them. Of a redirect to a path with fewer slashes, a browser would learn the secret.
    """
    environ[HOST] = environ.get("HTTP_HOST", "")
    environ["HTTP_HOST"] = main_host
    path = environ["PATH_INFO"]
    if path.startswith(FORWARD):
        environ[METHOD] = environ["REQUEST_METHOD"]
        environ["PATH_INFO"] = "/".join(path.split("/", 4)[:4])
        environ["REQUEST_METHOD"], environ["QUERY_STRING"] = "GET", ""
        environ.pop("HTTP_UPGRADE", None)  # Werkzeug finds no view for a WebSocket


def original_target(prefix: str) -> str | None:
    """What follows `prefix` in the request line, as it was received; None for another one."""
    received = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    return received.removeprefix(prefix) if received.startswith(f"{prefix}/") else None


def registered(host: str) -> str:
    """The host as a guarded app has it: lower case, without a final dot and without its scheme's own port."""
    name, _, port = host.lower().rpartition(":") if host[-1:].isdigit() and ":" in host else (host.lower(), "", "")
    name = name.removesuffix(".")
    return name if not port or port == str(OWN_PORTS[scheme(name)]) else f"{name}:{port}"


def scheme(host: str) -> str:
    return "http" if host.partition(":")[0].endswith(DEVELOPMENT) else "https"


def url(host: str, path: str) -> str:
    return f"{scheme(host)}://{host}{path}"


def ask_about(host: str) -> None:
    """Tells this request at which host the one is that a proxy asks about."""
    request.environ[HOST] = host


def here() -> str:
    """The host of this request, or of the one that a proxy asks about."""
    return registered(str(request.environ.get(HOST, "")))


def style() -> str | None:
    """The address of the style sheet at the host; None where the host has no name."""
    return url(here(), STYLE) if NAMED.fullmatch(here()) else None


def cookie_name(host: str) -> str:
    """`__Host-Http-`: set over https, for this host alone, and never by a script (RFC 6265bis section 4.1.3)."""
    return "__Host-Http-nightlatch" if scheme(host) == "https" else "nightlatch"


def start_cookie(host: str, handle: str) -> str:
    return f"{cookie_name(host)}{START}{handle[:HANDLE_IN_NAME]}"


def started(host: str) -> dict[str, str]:
    """The cookies of the log-ins that this browser has in progress at the host, by name, the oldest first (RFC 6265
    section 5.4)."""
    prefix, again = f"{cookie_name(host)}{START}", start_cookie(host, AGAIN)
    return {name: value for name, value in request.cookies.items() if name.startswith(prefix) and name != again}


def put(response: Response, host: str, name: str, value: str, lasts: int | None) -> None:
    response.set_cookie(name, value, max_age=lasts, **_attributes(host))


def drop(response: Response, host: str, name: str) -> None:
    response.delete_cookie(name, **_attributes(host))


def _attributes(host: str) -> Mapping[str, Any]:
    return {"path": "/", "secure": scheme(host) == "https", "httponly": True, "samesite": "Lax"}
