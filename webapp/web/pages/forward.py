"""What reverse proxies ask about requests to guarded hosts, each by the headers that it itself overwrites.

The answers are for programs. Without the secret of a host they are 404. Query parameters mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, request
from flask.blueprints import BlueprintSetupState

from ...domain.origin import address_in
from ...domain.refusals import Refusal, WrongLogin
from ...services.guarded.checks import Allowed, Answer, Asked, CredentialsNeeded, LogInFirst
from ...services.guarded.cookies import cookies_for_app
from .. import current, guarded_hosts, guards
from ..headers import header_safe
from ..legacy_credentials import Credentials, credentials

bp = Blueprint(guards.FORWARD, __name__)
NGINX, CADDY, TRAEFIK, ENVOY = "nginx", "caddy", "traefik", "envoy"
NAVIGATES = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class Original:
    """The request that the proxy asks about."""

    host: str
    method: str
    target: str
    """As it was received, so that the rules judge what the application gets."""


def _add_rules(state: BlueprintSetupState) -> None:
    """For every method, which Flask's own `route` cannot, and without merging the slashes of what follows."""
    paths = [*(f"/forward/<any({NGINX}, {CADDY}, {TRAEFIK}):proxy>/<secret>",), f"/forward/{ENVOY}/<secret>/"]
    for path in (*paths, f"/forward/{ENVOY}/<secret>/<path:rest>"):
        rule = state.app.url_rule_class
        state.app.url_map.add(rule(path, endpoint=f"{guards.FORWARD}.check", merge_slashes=False))


bp.record(_add_rules)


@bp.endpoint(f"{guards.FORWARD}.check")
def check(secret: str, proxy: str = ENVOY, rest: str = "") -> Any:  # noqa: ARG001  # read as it was received
    original = _of_url() if proxy == NGINX else _of_line() if proxy == ENVOY else _of_forwarded()
    if original is None:
        abort(404)
    checks = current.services().guarded.checks
    answer = checks.of_request(secret, _asked(original))
    if answer is None:
        abort(404)
    if isinstance(answer, CredentialsNeeded):
        answer = _by(credentials(), answer)
    return _reply(answer, original.host, by_redirect=proxy != NGINX)


def _by(given: Credentials, needed: CredentialsNeeded) -> Answer:
    checks = current.services().guarded.checks
    if given.token is not None:
        return checks.by_token(needed.found, given.token)
    return checks.by_password(needed.found, given.name, given.password, current.origin())


def _of_url() -> Original | None:
    """X-Original-URL and X-Original-Method, which the shipped configuration of nginx sets."""
    url, method = request.headers.get("X-Original-URL", ""), request.headers.get("X-Original-Method", "")
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return Original(host, method, f"{slash}{path}") if scheme and host and method else None


def _of_forwarded() -> Original | None:
    """X-Forwarded-Method, -Host and -Uri, which Caddy and Traefik overwrite."""
    host, method = request.headers.get("X-Forwarded-Host", ""), request.headers.get("X-Forwarded-Method", "")
    return Original(host, method, request.headers.get("X-Forwarded-Uri", "")) if host and method else None


def _of_line() -> Original | None:
    """The request line, after the prefix, and the Host header: Envoy sends both as it got them."""
    received = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    target = urlsplit(received).path if "://" in received.partition("/")[0] else received
    _, forward, proxy, secret = "", *target.split("/", 4)[1:4]
    prefix = f"/{forward}/{proxy}/{secret}"
    return Original(str(request.environ.get(guarded_hosts.HOST, "")), request.method, target.removeprefix(prefix))


def _asked(original: Original) -> Asked:
    host = guarded_hosts.registered(original.host)
    mode, accepts = request.headers.get("Sec-Fetch-Mode"), request.headers.get("Accept", "")
    navigates = original.method in NAVIGATES and (mode == "navigate" or (mode is None and "text/html" in accepts))
    token = request.cookies.get(guarded_hosts.cookie_name(host))
    has_credentials = "Authorization" in request.headers
    return Asked(host, original.method, original.target, navigates, token, _address(), has_credentials)


def _address() -> str:
    """The last entry of X-Forwarded-For is the proxy's: it proved itself by the secret."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return address_in(forwarded) or current.client_address()


def _reply(answer: Answer, host: str, *, by_redirect: bool) -> Response:
    if isinstance(answer, Allowed):
        return _allowed(answer, host)
    if not isinstance(answer, LogInFirst):
        return _plain(403)
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
