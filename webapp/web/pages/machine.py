"""Addresses that machines ask for, at the main host. Nothing here knows a session."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from .. import current, layouts

bp = Blueprint("machine", __name__)
# the last words of a delivery receipt; "accepted" and "buffered" are only steps on the way
RECEIVED, LOST = frozenset({"delivered"}), frozenset({"expired", "failed", "rejected", "unknown"})
ANY_HOST = frozenset({"/healthz", "/readyz"})


class AnyHost:
    """Lets a balancer ask for health under whatever name it likes; every other path keeps its Host check."""

    def __init__(self, app: Any, main_host: str) -> None:
        self._app = app
        self._main_host = main_host

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ.get("PATH_INFO") in ANY_HOST:
            environ["HTTP_HOST"] = self._main_host
        return self._app(environ, start_response)


@bp.get("/healthz")
def healthz() -> Any:
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
def readyz() -> Any:
    services = current.services()
    answers = {"database": services.db.answers()}
    if services.settings.redis_url:
        answers["redis"] = current_app.extensions["floods"].store_answers()
    ready = all(answers.values())
    return jsonify(answers), 200 if ready else 503


@bp.get("/metrics")
def metrics() -> Any:
    token = current.services().settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    with_token = token is not None and hmac.compare_digest(given.encode(), token.encode())
    if not with_token and not _is_from_this_machine():
        abort(404)
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@bp.route("/hooks/vonage/delivery/<secret>", methods=["GET", "POST"])
def delivery_receipt(secret: str) -> Any:
    """The gateway says what became of a text, by our own name for it; often more than once."""
    gateway = current.services().settings.text_gateway
    expected = gateway.hook_secret if gateway else None
    if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()) or request.method != "POST":
        abort(404)
    told = request.get_json(silent=True) if request.is_json else request.form
    if not isinstance(told, Mapping):
        abort(400)
    uid, status = (str(told.get(name, "")) for name in ("client-ref", "status"))
    if not (uid.isascii() and uid.isalnum()):
        return "", 204  # no name that we give
    if status in RECEIVED:
        current.services().delivery.received(uid)
    elif status in LOST:
        current.services().delivery.lost(uid, f"the gateway says: {status}")
    return "", 204


@bp.get("/.well-known/change-password")
def change_password() -> Any:
    return redirect(layouts.to("settings.password"), 302)


@bp.get("/.well-known/passkey-endpoints")
def passkey_endpoints() -> Any:
    """Where a password manager leads its owner (W3C, A Well-Known URL for Relying Party Passkey Endpoints)."""
    method = current.services().methods.passwordless
    if method is None:
        abort(404)
    home = current.services().settings.main_url
    enroll = layouts.to("enrollment.start", method=method.slug)
    return jsonify(enroll=home + enroll, manage=home + layouts.to("named_factors.listed", method=method.slug))


def _is_from_this_machine() -> bool:
    """Not when a proxy on it, which the settings do not name, passes on what came from anywhere."""
    passed_on = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if passed_on and current.services().settings.trusted_proxies == 0:
        return False
    try:
        return ip_address(current.client_address()).is_loopback
    except ValueError:
        return False
