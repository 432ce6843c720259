"""Endpoints for programs, on the main host. Nothing here may read a session."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request
from prometheus_client import CONTENT_TYPE_LATEST

from ...services.operation.restoration import UNKNOWN
from .. import current, exposition, hosts, layouts, method_rows

bp = Blueprint("machine", __name__)
# final states of a delivery receipt; "accepted" and "buffered" are not final
RECEIVED, LOST = frozenset({"delivered"}), frozenset({"expired", "failed", "rejected", "unknown"})


@bp.get("/healthz")
def healthz() -> Any:
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
def readyz() -> Any:
    services = current.services()
    answers = {"database": services.db.answers()}
    if services.settings.redis_url:
        answers["redis"] = current_app.extensions["floods"].store_answers()
    if not all(answers.values()):
        return jsonify(answers), 503
    if services.restoration.is_unknown():
        return jsonify({**answers, "heartbeat": UNKNOWN}), 503
    return jsonify(answers), 200


@bp.get(hosts.METRICS)
def metrics() -> Any:
    services = current.services()
    token = services.settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    with_token = token is not None and hmac.compare_digest(given.encode(), token.encode())
    if not with_token and request.environ.get(hosts.OTHER_HOST):
        abort(400)  # else a page of another site could read them in a browser on this machine (DNS rebinding)
    if not with_token and not _is_from_this_machine():
        abort(404)
    return Response(
        exposition.text(services.delivery, services.settings.worker_metrics), content_type=CONTENT_TYPE_LATEST
    )


@bp.route("/hooks/vonage/delivery/<secret>", methods=["GET", "POST"])
def delivery_receipt(secret: str) -> Any:
    """A delivery receipt of the gateway, which names the text message by our client-ref. May arrive more than once."""
    gateway = current.services().settings.text_gateway
    expected = gateway.hook_secret if gateway else None
    if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()) or request.method != "POST":
        abort(404)
    receipt = request.get_json(silent=True) if request.is_json else request.form
    if not isinstance(receipt, Mapping):
        abort(400)
    uid, status = (str(receipt.get(name, "")) for name in ("client-ref", "status"))
    if not (uid.isascii() and uid.isalnum()):
        return "", 204  # not an id that we send
    if status in RECEIVED:
        current.services().delivery.received(uid)
    elif status in LOST:
        current.services().delivery.lost(uid, f"the gateway says: {status}")
    return "", 204


@bp.get("/.well-known/change-password")
def change_password() -> Any:
    return redirect(layouts.page_url("settings.password"), 302)


@bp.get("/.well-known/passkey-endpoints")
def passkey_endpoints() -> Any:
    """Where passkeys are added and listed (W3C, A Well-Known URL for Relying Party Passkey Endpoints)."""
    method = current.services().methods.passwordless
    if method is None:
        abort(404)
    home = current.services().settings.main_url
    enroll = layouts.page_url("enrollment.start", method=method.slug)
    return jsonify(enroll=home + enroll, manage=home + method_rows.list_url(method.slug))


def _is_from_this_machine() -> bool:
    """True for a client on this machine; False for a forwarded request, unless the settings trust proxies."""
    is_proxied = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if is_proxied and current.services().settings.trusted_proxies == 0:
        return False
    try:
        return ip_address(current.client_address()).is_loopback
    except ValueError:
        return False
