"""The addresses of the OpenID Connect provider for programs, on the main host. Nothing here may read a session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Blueprint, g, jsonify, make_response, redirect, request
from flask.wrappers import Response
from werkzeug.exceptions import HTTPException

from ...domain.app_rules import rule_for
from ...domain.ports import KeyMissing
from ...domain.refusals import DatabaseUnavailable, Refusal
from ...policy import MINUTE
from ...services.openid import discovery
from ...services.openid.provider import Received, Reply
from ...services.openid.requests import Unanswerable
from .. import app_flow, current, errors, guards, layouts

bp = Blueprint(guards.OPENID, __name__)
bp.register_error_handler(Unanswerable, app_flow.unanswerable)
FOR_BROWSERS = frozenset({"configuration", "metadata", "keys", "token", "userinfo", "revoke"})
"""Endpoints that scripts of public apps may call from their own origins (CORS)."""
FOR_PEOPLE = frozenset({"authorize", "log_out"})
"""Endpoints to which the form of another site leads a browser: they answer by pages."""
SCHEMES = ("basic", "bearer", "dpop")
FORM = "application/x-www-form-urlencoded"
PENDING = "authorization_pending"
"""RFC 8628 section 3.5."""


@bp.get("/.well-known/openid-configuration")
@bp.get("/.well-known/oauth-authorization-server", endpoint="metadata")
def configuration() -> Any:
    return _cached(jsonify(current.services().openid.configuration))


@bp.get(discovery.KEYS)
def keys() -> Any:
    return _cached(jsonify(current.services().openid.signing_keys.published().document))


@bp.post(discovery.TOKEN)
def token() -> Any:
    return _answered(current.services().openid.endpoints.token)


@bp.post(discovery.PUSH)
def push() -> Any:
    return _answered(current.services().openid.endpoints.push)


@bp.post(discovery.REVOKE)
def revoke() -> Any:
    return _answered(current.services().openid.endpoints.revoke)


@bp.post(discovery.INTROSPECT)
def introspect() -> Any:
    return _answered(current.services().openid.endpoints.introspect)


@bp.route(discovery.USERINFO, methods=["GET", "POST"])
def userinfo() -> Any:
    return _reply(
        current.services().openid.endpoints.userinfo(
            request.headers.get("Authorization"), request.method, request.headers.get("DPoP")
        )
    )


@bp.post(discovery.DEVICE)
def device() -> Any:
    return _answered(current.services().openid.endpoints.device)


@bp.post(discovery.AUTHORIZE)
def authorize() -> Any:
    """Stores the request of another site's form, and leads on to a page (OpenID Connect Core 1.0 section 3.1.2.1)."""
    service, pushed = current.services().openid.authorizations, current.services().openid.pushed_requests
    parameters = pushed.take(list(request.form.items(multi=True)))
    app, _reply_to = service.addressed(parameters)
    return redirect(app_flow.page_of(service.keep(app, parameters, None, current.origin())), 303)


@bp.post(discovery.LOG_OUT)
def log_out() -> Any:
    """Stores the request, and leads on to the page, which then leads to the app by a page too."""
    service, parameters = current.services().openid.log_outs, list(request.form.items(multi=True))
    kept = {app_flow.STORED: service.keep(parameters, current.origin())}
    return redirect(layouts.page_url("app_logins.log_out", **kept), 303)


def _answered(answer: Callable[[Received], Reply]) -> Response:
    """The answer to a form in which no name is repeated (RFC 6749 section 3.2)."""
    endpoints = current.services().openid.endpoints
    if request.mimetype != FORM:
        return _reply(endpoints.refuse("invalid_request", f"The content type must be {FORM}."))
    if any(len(values) > 1 for _, values in request.form.lists()):
        return _reply(endpoints.refuse("invalid_request", "A parameter is sent more than once."))
    received = Received(
        request.form.to_dict(), request.headers.get("Authorization"), current.origin(), request.headers.get("DPoP")
    )
    return _reply(answer(received))


@bp.errorhandler(HTTPException)
def not_accepted(error: HTTPException) -> Any:
    """Requests that are refused before the view: too long, not UTF-8, or over the flood limit."""
    if _page() in FOR_PEOPLE:
        return errors.of_http(error)
    with suppress(DatabaseUnavailable):
        judge_origin()
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        body = {"error": "temporarily_unavailable", "error_description": "Too many requests were refused."}
    else:
        body = {"error": "invalid_request", "error_description": "The request is malformed or too long."}
    rule = "malformed" if wait is None else "flood"
    body["error_id"] = app_flow.note(rule, "", (), **body)  # nothing of the form, which may be unreadable
    response = make_response(jsonify(body), error.code)
    response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


@bp.errorhandler(Refusal)
def unavailable(refusal: Refusal) -> Any:
    """The database is locked or unreachable, or too many requests came: nothing was changed."""
    if _page() in FOR_PEOPLE:
        return app_flow.unavailable(refusal)
    endpoints = current.services().openid.endpoints
    reply = endpoints.refuse("temporarily_unavailable", "Nothing was changed. Try again.", refusal.status)
    response = _reply(reply, "unavailable" if isinstance(refusal, DatabaseUnavailable) else "too-many-requests")
    response.headers["Retry-After"] = str(refusal.wait or 1)
    return response


@bp.errorhandler(KeyMissing)
def key_missing(error: KeyMissing) -> Any:
    """As for a database that does not answer; the log names the key."""
    errors.tell_of_key(error)
    return unavailable(DatabaseUnavailable(MINUTE))


def _reply(reply: Reply, rule: str | None = None) -> Response:
    """The answer as JSON. A refusal is kept for `flask why`, and has its error id. A device that has to wait is
    not refused."""
    body = reply.body
    if body.get("error", PENDING) != PENDING:
        body = {**body, "error_id": _noted(reply, rule)}
    response = make_response(jsonify(body), reply.status)
    response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache", **dict(reply.headers)})
    return response


def _noted(reply: Reply, rule: str | None) -> str:
    error, description = reply.body["error"], reply.body.get("error_description", "")
    scheme = request.headers.get("Authorization", "").partition(" ")[0].lower()
    shown = [("authorization", scheme if scheme in SCHEMES else ""), ("content_type", request.mimetype)]
    asked, named = [*request.form.items(multi=True), *shown], reply.client_id or request.form.get("client_id", "")
    said = {"error": error, "error_description": description}
    return app_flow.note(rule or rule_for(error, description), named, asked, **said)


def _page() -> str:
    """The endpoint of this request, without the blueprint."""
    return (request.endpoint or "").removeprefix(f"{bp.name}.")


def _cached(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={current.services().settings.policy.signing_keys_cached}"
    return response


@bp.before_request
def judge_origin() -> None:
    """Reads whose script asks, before anything is done: a database that is lost afterwards would hide the answer."""
    origin = request.headers.get("Origin")
    if _page() in FOR_BROWSERS and origin and current.services().openid.origins.is_of_public_app(origin):
        g.readable_by = origin


@bp.after_request
def for_browsers(response: Response) -> Response:
    """Lets scripts of public apps read the answer (Fetch standard, section 3.3), and those of no other origin."""
    response.vary.add("Origin")
    if "readable_by" not in g:
        return response
    response.headers["Access-Control-Allow-Origin"] = g.readable_by
    response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
        response.headers["Access-Control-Max-Age"] = str(current.services().settings.policy.signing_keys_cached)
    return response
