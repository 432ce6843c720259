"""Compares the Host header with the two hosts of the site, before Flask sees the request.

Werkzeug's TRUSTED_HOSTS ignores the port, and its routing answers another port with 404 and a warning.
"""

from __future__ import annotations

from typing import Any

from flask import abort, make_response, redirect, request
from flask.wrappers import Response

from ..domain.app_addresses import OWN_PORTS
from ..settings import Settings
from . import current, guarded_hosts

ANY_HOST = frozenset({"/healthz", "/readyz"})
"""Health checks of a load balancer, which may name any host."""
METRICS = "/metrics"
"""Prometheus names the address that it scrapes, and can name no other host: the page demands the token then."""
OTHER_HOST = "nightlatch.other_host"
"""In the WSGI environment: the host is not of the site."""
FINAL_DOT = "nightlatch.final_dot"
"""In the WSGI environment: the host had a final dot."""


class Hosts:
    """Replaces the Host header by the host of the site that it names (RFC 9110 section 4.2.3), else by an empty one,
    which TRUSTED_HOSTS refuses with 400."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._main_host, self._own_port = settings.main_host, f":{OWN_PORTS[settings.scheme]}"
        self._hosts = frozenset({settings.main_host, settings.mobile_host})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path in ANY_HOST:
            environ["HTTP_HOST"] = self._main_host
        elif guarded_hosts.is_for_guarded_host(path):
            guarded_hosts.take_over(environ, self._main_host)
        else:
            given = environ.get("HTTP_HOST", "").lower().removesuffix(self._own_port)
            name, colon, port = given.partition(":")
            host = f"{name.removesuffix('.')}{colon}{port}"
            environ[OTHER_HOST] = host not in self._hosts
            environ["HTTP_HOST"] = host if host in self._hosts else self._main_host if path == METRICS else ""
            environ[FINAL_DOT] = host != given
        return self._app(environ, start_response)


def without_final_dot() -> Response | None:
    """Before each request: a page at a host with a final dot is redirected, because cookies and security keys belong to
    the plain host. A form from there is refused with 400."""
    if not request.environ.get(FINAL_DOT):
        return None
    if request.method not in ("GET", "HEAD"):
        abort(400)
    settings = current.services().settings
    return make_response(redirect(f"{settings.scheme}://{request.host}{current.path()}", 308))
