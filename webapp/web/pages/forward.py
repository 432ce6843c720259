"""What reverse proxies ask about requests to guarded hosts, each by the headers that it itself overwrites.

The answers are for programs. Without the secret of a host they are 404. Query parameters mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from flask import Blueprint, Response, abort, request

from ...domain.origin import Origin, address_in
from ...domain.refusals import Refusal, WrongLogin
from ...services.guarded.checks import Allowed, Answer, Asked, CredentialsNeeded, Forbidden
from ...services.guarded.cookies import cookies_for_app
from .. import current, guarded_hosts, guarded_page
from ..headers import header_safe
from ..legacy_credentials import Credentials, credentials

bp = Blueprint("forward", __name__)
NGINX, CADDY, TRAEFIK, ENVOY = "nginx", "caddy", "traefik", "envoy"
NAVIGATES = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class Original:
    """The request that the proxy asks about."""

    host: str
    method: str
    target: str
    """As it was received, so that the rules judge what the application gets."""


@bp.get(f"{guarded_hosts.FORWARD}<any({NGINX}, {CADDY}, {TRAEFIK}, {ENVOY}):proxy>/<secret>")
def check(proxy: str, secret: str) -> Any:
    begun, original = monotonic(), READERS[proxy](secret)
    if original is None:
        abort(404)
    answer = current.services().guarded.checks.of_request(secret, _asked(original))
    if answer is None:
        abort(404)
    if isinstance(answer, CredentialsNeeded):
        answer = _by(credentials(), answer)
    if monotonic() - begun > current.services().settings.policy.guarded_check_seconds:
        abort(503)  # Traefik has no time-out of its own: what is decided late counts for nothing
    return _reply(answer, original.host, by_redirect=proxy != NGINX)


def _by(given: Credentials, needed: CredentialsNeeded) -> Answer:
    checks = current.services().guarded.checks
    if given.token is not None:
        return checks.by_token(needed.found, given.token)
    return checks.by_password(needed.found, given.name, given.password, current.origin())


def _of_url(_secret: str) -> Original | None:
    """X-Original-URL and X-Original-Method, which the shipped configuration of nginx sets."""
    url, method = request.headers.get("X-Original-URL", ""), request.headers.get("X-Original-Method", "")
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return Original(host, method, f"{slash}{path}") if scheme and host and method else None


def _of_headers(_secret: str) -> Original | None:
    """X-Forwarded-Method, -Host and -Uri, which Caddy and Traefik overwrite."""
    host, method = request.headers.get("X-Forwarded-Host", ""), request.headers.get("X-Forwarded-Method", "")
    return Original(host, method, request.headers.get("X-Forwarded-Uri", "")) if host and method else None


def _of_line(secret: str) -> Original | None:
    """The request line, after our address, and the Host header: Envoy sends both as it got them."""
    host, method = (str(request.environ.get(name, "")) for name in (guarded_hosts.HOST, guarded_hosts.METHOD))
    target = guarded_hosts.original_target(f"{guarded_hosts.FORWARD}{ENVOY}/{secret}")
    return Original(host, method, target) if host and target is not None else None


READERS = {NGINX: _of_url, CADDY: _of_headers, TRAEFIK: _of_headers, ENVOY: _of_line}


def _asked(original: Original) -> Asked:
    host = guarded_hosts.registered(original.host)
    mode, accepts = request.headers.get("Sec-Fetch-Mode"), request.headers.get("Accept", "")
    navigates = original.method in NAVIGATES and (mode == "navigate" or (mode is None and "text/html" in accepts))
    token = request.cookies.get(guarded_hosts.cookie_name(host))
    has_credentials = "Authorization" in request.headers
    return Asked(host, original.method, original.target, navigates, token, _network(), has_credentials)


def _network() -> str:
    """By the last entry of X-Forwarded-For, which is the proxy's: it proved itself by the secret."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return Origin(address_in(forwarded) or current.client_address()).rate_limit_key


def _reply(answer: Answer, host: str, *, by_redirect: bool) -> Response:
    if isinstance(answer, Allowed):
        return _allowed(answer, host)
    if isinstance(answer, Forbidden):
        return guarded_page.forbidden(answer.app)  # nginx shows the page of the host in its place
    if answer.handle is None:
        return _plain(401)
    response = _plain(303 if by_redirect else 401)
    at = str(answer.app.host)
    response.headers["Location"] = guarded_hosts.url(at, f"/.nightlatch/start?id={answer.handle}")
    return response


def _allowed(answer: Allowed, host: str) -> Response:
    """With every identity header, also an empty one: a proxy copies it over what the client sent."""
    response = _plain(200)
    for name, value in answer.identity.items():
        response.headers[name] = header_safe(value) or ""
    name = guarded_hosts.cookie_name(guarded_hosts.registered(host))
    response.headers["Cookie"] = cookies_for_app(request.headers.get("Cookie", ""), name)
    return response


def _plain(status: int) -> Response:
    response = Response("", status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.errorhandler(Refusal)
def refused(refusal: Refusal) -> Response:
    """401 for wrong credentials; 429 or 503 with Retry-After at a limit. Proxies refuse the request then."""
    response = _plain(401 if isinstance(refusal, WrongLogin) else refusal.status)
    if refusal.wait is not None:
        response.headers["Retry-After"] = str(refusal.wait)
    return response
