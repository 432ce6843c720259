"""Legacy access: for apps that can only send a password, and for proxies in front of other sites.

Responses are for programs: a status, a few headers, a short text. Nothing here may read or set a cookie.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from ...domain.language import ENGLISH, speaking
from ...domain.language import gettext as _
from ...domain.refusals import Refusal
from ...services.apps.legacy_access import Caller
from .. import current, guards, words
from ..headers import header_safe
from ..legacy_credentials import credentials

bp = Blueprint(guards.LEGACY, __name__)
absent = Blueprint(guards.LEGACY, __name__)
"""In its place while NIGHTLATCH_LEGACY_ACCESS is off: the addresses answer 404."""
PATHS = {guards.LEGACY_VERIFY: "/legacy/verify", guards.LEGACY_TOKEN: "/legacy/token"}
NO_RESOURCE = frozenset({"TRACE", "CONNECT"})  # RFC 9110 sections 9.3.6 and 9.3.8
NOT_IN_DESCRIPTION = re.compile(r"[^ !#-\[\]-~]")  # RFC 6749 section 5.2


def any_method(state: BlueprintSetupState, *endpoints: str) -> None:
    """Adds the paths of the endpoints, for every method: Flask's own `route` demands a list of methods."""
    for endpoint in endpoints:
        state.app.url_map.add(state.app.url_rule_class(PATHS[endpoint], endpoint=endpoint))


bp.record(lambda state: any_method(state, guards.LEGACY_VERIFY))
absent.record(lambda state: any_method(state, *PATHS))


@absent.endpoint(guards.LEGACY_VERIFY)
@absent.endpoint(guards.LEGACY_TOKEN)
def nothing() -> Any:
    abort(404)


@bp.endpoint(guards.LEGACY_VERIFY)
def verify() -> Any:
    """200 with the account in headers, or 401, which nginx's auth_request passes on; 429 or 503 at a limit.

    The answer is the same for every method, because some proxies ask with that of the request; its body is not read.
    """
    if request.method in NO_RESOURCE:
        raise MethodNotAllowed(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    caller = _caller()
    response = Response(status=200, mimetype="text/plain")
    facts = {"Remote-User": caller.username, "Remote-Name": caller.name, "Remote-Email": caller.email}
    for name, fact in facts.items():
        safe = header_safe(fact)
        if safe is not None:
            response.headers[name] = safe
    return response


def _caller() -> Caller:
    """The account of a Basic (RFC 7617) or Bearer (RFC 6750) header.

    Raises what `LegacyAccess` raises. For a malformed header it raises `WrongLogin` without counting an attempt.
    """
    given, access = credentials(), current.services().legacy_access
    if given.token is not None:
        return access.by_token(given.token)
    return access.by_password(given.name, given.password, current.origin())


@bp.post(PATHS[guards.LEGACY_TOKEN])
def token() -> Any:
    """RFC 6749 section 4.3 for any client: `client_id` and client authentication are ignored."""
    fields = ("grant_type", "username", "password")
    if any(len(request.form.getlist(name)) > 1 for name in request.form) or request.files:
        return _error(400, "invalid_request", "A parameter was sent more than once, or is a file.")
    grant, name, password = (request.form.get(field, "") for field in fields)
    if not grant:
        return _error(400, "invalid_request", "The parameter grant_type is missing.")
    if grant != "password":
        return _error(400, "unsupported_grant_type", "Only the grant type password is known here.")
    if not name or not password:
        return _error(400, "invalid_request", "The parameters username and password are needed.")
    if "\0" in name + password:
        return _error(400, "invalid_request", "A parameter is no text.")
    granted = current.services().legacy_access.exchange(name, password, current.origin())
    answer = jsonify(access_token=granted.token, token_type="Bearer", expires_in=granted.lasts)  # noqa: S106  # a type
    answer.headers["Pragma"] = "no-cache"
    return answer


@bp.errorhandler(Refusal)
def refused(refusal: Refusal) -> Any:
    """429 or 503 with Retry-After when a limit is reached; else a response that does not reveal what was wrong."""
    if request.endpoint == guards.LEGACY_TOKEN:
        with speaking(ENGLISH):  # RFC 6749 section 5.2: a description is ASCII
            description = words.say_plainly(refusal)
        if refusal.wait is None:
            return _error(400, "invalid_grant", description)
        return _later(_error(refusal.status, "temporarily_unavailable", description), refusal.wait)
    if refusal.wait is not None:
        return _later(_plain(refusal.status, words.say_plainly(refusal)), refusal.wait)
    response = _plain(
        401,
        _(
            "Log in with your username and a temporary password (or your usual password, if two-factor authentication"
            " is off)."
        ),
    )
    site = current.services().settings.site_name
    realm = "".join(c for c in site if c.isascii() and c.isprintable() and c not in '"\\') or "Log in"
    response.headers["WWW-Authenticate"] = f'Basic realm="{realm}", charset="UTF-8"'
    return response


@bp.errorhandler(HTTPException)
def not_accepted(error: HTTPException) -> Any:
    """Requests that are refused before the view: too long, not UTF-8, or over the flood limit."""
    status, wait = error.code or 400, getattr(error, "retry_after", None)
    if request.endpoint == guards.LEGACY_TOKEN:
        code = "temporarily_unavailable" if wait else "invalid_request"
        response = _error(status, code, "The request couldn't be processed.")
    else:
        response = _plain(status, _("The request couldn't be processed."))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return _later(response, wait) if wait else response


def _later(response: Response, wait: object) -> Response:
    response.headers["Retry-After"] = str(wait)
    return response


def _plain(status: int, sentence: str) -> Response:
    return Response(f"{sentence}\n", status, mimetype="text/plain")


def _error(status: int, error: str, description: str) -> Response:
    answer: Response = jsonify(error=error, error_description=NOT_IN_DESCRIPTION.sub("", description))
    answer.status_code = status
    answer.headers["Pragma"] = "no-cache"
    return answer
