"""What reverse proxies ask about requests to guarded hosts, each by the headers that it itself overwrites.

The answers are for programs, but proxies show a browser those that are no 200. Without the secret of a host they are
404. Query parameters mean nothing. A refusal is kept for `flask why`, and has its error id in a header too, because
nginx shows pages of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from flask import Blueprint, Response, abort, request

from ...domain.origin import Origin
from ...domain.refusals import DatabaseUnavailable, Refusal, WrongLogin
from ...services.guarded.checks import Allowed, Answer, CredentialsNeeded, Forbidden, HostRequest
from ...services.guarded.cookies import cookies_for_app
from .. import current, errors, guarded_hosts, guarded_page, words
from ..headers import header_safe
from ..legacy_credentials import credentials

bp = Blueprint("forward", __name__)
NGINX, CADDY, TRAEFIK, ENVOY = "nginx", "caddy", "traefik", "envoy"
READS = frozenset(("GET", "HEAD"))
NAVIGATES = READS | {"POST"}
"""A browser also sends the form of a page by which it leads to another."""
ERROR_ID = "Nightlatch-Error-Id"


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
    guarded_hosts.ask_about(original.host)
    asked = _asked(original)
    try:
        answer = _answer(secret, asked)
    except Refusal as refusal:
        return _refused(refusal, asked, proxy)
    if monotonic() - begun > current.services().settings.policy.guarded_check_seconds:
        abort(503)  # Traefik has no time-out of its own: what is decided late counts for nothing
    return _reply(answer, asked, proxy)


def _answer(secret: str, asked: HostRequest) -> Answer:
    """Raises what `credentials` and `Checks` raise."""
    checks = current.services().guarded.checks
    answer = checks.of_request(secret, asked)
    if answer is None:
        abort(404)
    if not isinstance(answer, CredentialsNeeded):
        return answer
    sent = credentials()
    if sent.token is not None:
        return checks.by_token(answer.found, sent.token)
    return checks.by_password(answer.found, sent.name, sent.password, asked.origin)


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


def _asked(original: Original) -> HostRequest:
    host = guarded_hosts.here()
    mode, accepts = request.headers.get("Sec-Fetch-Mode"), request.headers.get("Accept", "")
    is_old = mode is None and original.method in READS and "text/html" in accepts  # a browser without Sec-Fetch-Mode
    navigates = is_old or (mode == "navigate" and original.method in NAVIGATES)
    token = request.cookies.get(guarded_hosts.cookie_name(host))
    has_credentials = "Authorization" in request.headers
    # who asks has the secret of the host, so it is a proxy, whatever NIGHTLATCH_TRUSTED_PROXIES says
    origin = Origin(current.client_address(by_proxy=True), request.user_agent.string)
    return HostRequest(host, original.method, original.target, navigates, token, origin, has_credentials)


def _reply(answer: Answer, asked: HostRequest, proxy: str) -> Response:
    if isinstance(answer, Allowed):
        return _allowed(answer, asked.host)
    if isinstance(answer, Forbidden):
        rule = "host-rule" if answer.rule else "access"
        number = _noted(rule, asked, proxy, client_id=answer.app.client_id, denied_by=answer.rule)
        return _numbered(guarded_page.forbidden(answer.app, number), number)
    if answer.handle is None:
        return _plain(401)
    response = _plain(401 if proxy == NGINX else 303)
    at = str(answer.app.host)
    response.headers["Location"] = guarded_hosts.url(at, f"/.nightlatch/start?id={answer.handle}")
    return response


def _allowed(answer: Allowed, host: str) -> Response:
    """With every identity header, also an empty one: a proxy copies it over what the client sent."""
    response = _plain(200)
    for name, value in answer.identity.items():
        response.headers[name] = header_safe(value) or ""
    name = guarded_hosts.cookie_name(host)
    response.headers["Cookie"] = cookies_for_app(request.headers.get("Cookie", ""), name)
    return response


def _plain(status: int) -> Response:
    response = Response("", status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(refusal: Refusal, asked: HostRequest, proxy: str) -> Response:
    """401 for wrong credentials; 429 or 503 with Retry-After at a limit. Proxies refuse the request then."""
    if isinstance(refusal, WrongLogin):
        return _numbered(_plain(401), _noted("host-credentials", asked, proxy))
    number = _noted("unavailable" if isinstance(refusal, DatabaseUnavailable) else "host-limit", asked, proxy)
    said = words.say(refusal)
    response = errors.page(refusal.status, said, number) if asked.navigates else _plain(refusal.status)
    if refusal.wait is not None:
        response.headers["Retry-After"] = str(refusal.wait)
    return _numbered(response, number)


def _noted(rule: str, asked: HostRequest, proxy: str, **facts: str) -> str:
    """Keeps a refusal for `flask why`, without the secret in our address and without the query. Returns its error
    id."""
    about = {"host": asked.host, "method": asked.method, "path": asked.target.partition("?")[0], "proxy": proxy}
    refusals, endpoint = current.services().operators.refusals, f"{guarded_hosts.FORWARD}{proxy}"
    return refusals.note(rule, endpoint=endpoint, origin=asked.origin, asked=about, **facts)


def _numbered(response: Response, number: str) -> Response:
    response.headers[ERROR_ID] = number
    return response
