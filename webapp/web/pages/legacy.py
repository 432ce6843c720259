"""The legacy door at the main host: for apps that only know a password, and for proxies that ask on a site's behalf.

Its answers are for programs: a status, a few headers, a short text. Nothing here reads or sets a cookie.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from ...domain.language import ENGLISH, speaking
from ...domain.language import gettext as _
from ...domain.refusals import Refusal, WrongLogin
from ...services.legacy_access import Caller
from .. import credentials, current, guards, words
from ..credentials import Basic, header_safe

bp = Blueprint(guards.LEGACY, __name__, url_prefix="/legacy")
TOKEN = f"{guards.LEGACY}.token"
UNSAID = re.compile(r"[^ !#-\[\]-~]")  # what RFC 6749 section 5.2 keeps out of a description


@bp.get("/verify")
def verify() -> Any:
    """200 and whose it is, or 401: a proxy such as nginx's auth_request knows no third answer."""
    caller = _caller()
    response = Response(status=200, mimetype="text/plain")
    facts = {"Remote-User": caller.username, "Remote-Name": caller.name, "Remote-Email": caller.email}
    for name, fact in facts.items():
        safe = header_safe(fact)
        if safe is not None:
            response.headers[name] = safe
    return response


def _caller() -> Caller:
    """Raises what the door refuses with, and `WrongLogIn` for what is no credential at all."""
    access, given = current.services().legacy_access, credentials.read(request.headers.get("Authorization", ""))
    if isinstance(given, Basic):
        return access.by_password(given.name, given.password, current.origin())
    if given is not None:
        return access.by_token(given.token)
    raise WrongLogin()


@bp.post("/token")
def token() -> Any:
    """RFC 6749 section 4.3, of any client: what `client_id` or a client's own Authorization say is not looked at."""
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
    """A spent budget is a 429 or 503 and says when; everything else is the one answer that tells nothing."""
    if request.endpoint == TOKEN:
        with speaking(ENGLISH):  # a description is ASCII, and for whoever programs the app
            told = words.say(refusal)
        if refusal.wait is None:
            return _error(400, "invalid_grant", told)
        return _later(_error(refusal.status, "temporarily_unavailable", told), refusal.wait)
    if refusal.wait is not None:
        return _later(_plain(refusal.status, words.say(refusal)), refusal.wait)
    response = _plain(401, _("Log in with your username and password, or with a temporary password."))
    site = current.services().settings.site_name
    realm = "".join(c for c in site if c.isascii() and c.isprintable() and c not in '"\\') or "Log in"
    response.headers["WWW-Authenticate"] = f'Basic realm="{realm}", charset="UTF-8"'
    return response


@bp.errorhandler(HTTPException)
def garbled(error: HTTPException) -> Any:
    """What was too long, no text or part of a flood never came as far as the door."""
    status, wait = error.code or 400, getattr(error, "retry_after", None)
    if request.endpoint == TOKEN:
        code = "temporarily_unavailable" if wait else "invalid_request"
        response = _error(status, code, "The request could not be taken.")
    else:
        response = _plain(status, _("The request could not be taken."))
    return _later(response, wait) if wait else response


def _later(response: Response, wait: object) -> Response:
    response.headers["Retry-After"] = str(wait)
    return response


def _plain(status: int, sentence: str) -> Response:
    return Response(f"{sentence}\n", status, mimetype="text/plain")


def _error(status: int, error: str, description: str) -> Response:
    answer: Response = jsonify(error=error, error_description=UNSAID.sub("", description))
    answer.status_code = status
    answer.headers["Pragma"] = "no-cache"
    return answer
