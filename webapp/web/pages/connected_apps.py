"""The page of the apps that someone is connected to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.language import gettext as _
from .. import current, guards, layouts, render, scope_words
from ..forms import Form

bp = Blueprint("connected_apps", __name__, url_prefix="/settings/security/apps")


@bp.route("", methods=["GET", "POST"])
@login_required
def apps() -> Any:
    form = Form()
    if form.submitted():
        return _disconnect()
    connected = current.services().openid.connections.of(current.user().account)
    rows = [(app, scope_words.learns(app.learns)) for app in connected]
    return render.page("settings/connected_apps.html", form, rows=rows)


@guards.fresh
def _disconnect() -> Any:
    """Raises `NotFound` for an app of others only."""
    account, client_id = current.user().account, request.form.get("disconnect", "")
    name = current.services().openid.connections.disconnect(account, client_id, current.origin())
    render.changed(_("%(app)s is disconnected.", app=name))
    return render.go(layouts.page_url("connected_apps.apps"))
