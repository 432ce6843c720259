"""The pages on which people connect a device without a browser to an app (RFC 8628 section 3.3)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain import devices
from ...domain.language import gettext as _
from ...domain.refusals import CodeExpired, StepClosed
from ...services.openid.device_requests import Shown
from ...services.openid.steps import Consent
from .. import app_flow, current, layouts, render, words
from ..forms import DeviceForm, Form
from ..places import address_of, place_of

bp = Blueprint("device", __name__, url_prefix="/device")


@bp.route("", methods=["GET", "POST"])
@login_required
def code() -> Any:
    """The code is typed by hand: one in the address is not read (RFC 8628 section 5.4)."""
    form = DeviceForm()
    if form.submitted():
        with words.placing(form):
            found = current.services().openid.devices.type(current.user(), form.code.data, current.origin())
            return render.go(layouts.page_url("device.one", request_id=found))
    return render.page("app_logins/device_code.html", form)


@bp.route("/<id:request_id>", methods=["GET", "POST"])
@login_required
def one(request_id: int) -> Any:
    """The request whose code was typed in this session."""
    form = Form()
    try:
        shown = current.services().openid.devices.find(current.user(), request_id)
        if form.trusted() and (isinstance(shown.step, Consent) or "cancel" in request.form):
            return _answered(shown)
        if isinstance(shown.step, Consent):
            return _ask(form, shown)
    except CodeExpired as refusal:
        render.problem(words.say(refusal))
        return render.go(layouts.page_url("device.code"))
    except StepClosed:
        return render.go(current.path())
    return app_flow.before(shown.asked, shown.step)


def _ask(form: Form, shown: Shown) -> Any:
    row = shown.row
    place, address = place_of(row.address), address_of(row.address)
    return render.page(
        "app_logins/device.html",
        form,
        app=shown.asked.app,
        asked=shown.asked,
        device=devices.device(row.device),
        places=[place, address] if place != address else [address],
        at=row.asked_at,
    )


def _answered(shown: Shown) -> Any:
    if "cancel" in request.form:
        return app_flow.deny_device(current.user(), shown.row.id)
    current.services().openid.devices.approve(current.user(), shown.row.id, current.origin())
    render.receipt(_("%(app)s is connected. Go back to your device.", app=shown.asked.app.name))
    return render.go(layouts.page_url("connected_apps.apps"))
