"""Login requests on the approving device: their list, and approving or denying one.

For a logged-in user, and for an approving device, which need not be logged in. Only an approving device may approve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, request

from ...domain import devices
from ...domain.language import gettext as _
from ...domain.refusals import NotFound, Refusal
from ...domain.request_refusals import RequestEnded, WrongNumber
from ...models.login_requests import APPROVED, USED, WAITING, LoginRequest
from ...services.method_kinds import Methods, OutOfBand
from ...services.requests.approvals import Viewer
from .. import cookies, current, guards, layouts, render, words
from ..forms import Form, NumberForm
from ..places import place_of


@dataclass(frozen=True, slots=True)
class Row:
    """A login request as the page shows it."""

    device: str
    icon: str
    """The name of its drawing in web/icons.py."""
    place: str
    at: int
    is_new: bool
    state: str
    was_used: bool
    """The browser that asked has continued."""
    url: str
    account: str
    """The username, on a phone that approves for several accounts; else empty."""


def for_viewers(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a view: passes it the `Viewer`. Without one, does as `log_in_first` does."""

    @wraps(view)
    def guarded(method: str, **arguments: Any) -> Any:
        kind = current.services().methods.named(method)
        if not isinstance(kind, OutOfBand):
            raise NotFound()
        viewer = current.services().approvals.viewer(kind, current.user_or_none(), current.origin())
        if viewer is None:
            return guards.log_in_first()
        response = view(method, viewer, **arguments)
        if viewer.phones:
            cookies.renew_device(response)
        return response

    return guarded


@for_viewers
def listed(method: str, viewer: Viewer) -> Any:
    rows = [_row(method, viewer, one) for one in current.services().approvals.listed(viewer)]
    return render.page(
        "requests/list.html",
        Form(),
        waiting=[row for row in rows if row.state == WAITING],
        recent=[row for row in rows if row.state != WAITING],
        is_on=bool(viewer.phones) or _is_on(method),
        is_phone=bool(viewer.phones),
        is_app=True,
    )


@for_viewers
def one(method: str, viewer: Viewer, request_id: int) -> Any:
    approvals, form = current.services().approvals, NumberForm()
    found = approvals.one(viewer, request_id)
    if request.method == "POST" and form.trusted():
        try:
            return _answered(method, viewer, found)
        except NotFound:
            raise
        except (RequestEnded, WrongNumber) as refusal:
            render.problem(words.say(refusal))
            return render.go(_url(method, found))
        except Refusal as refusal:
            words.place(refusal, form)
    row = _row(method, viewer, found)
    list_url = layouts.page_url("requests.listed", method=method)
    template = "requests/answer.html" if row.state == WAITING else "requests/over.html"
    can_approve = found.account_id in viewer.phones
    return render.page(template, form, row=row, can_approve=can_approve, list_url=list_url, is_app=True)


def _answered(method: str, viewer: Viewer, found: LoginRequest) -> Any:
    approvals, origin = current.services().approvals, current.origin()
    if "deny" in request.form:
        approvals.deny(viewer, found.id, origin)
        return render.go(_url(method, found))
    if "cancel" in request.form:
        approvals.cancel(viewer, found.id, origin)
        render.receipt(_("Login request canceled."))
        return render.go(layouts.page_url("requests.listed", method=method))
    approvals.approve(viewer, found.id, request.form.get("number", ""), origin)
    return render.go(_url(method, found))


def blueprint(methods: Methods) -> Blueprint:
    """The URL rules. Each method defines the path of its requests."""
    bp = Blueprint("requests", __name__)
    for method in methods.out_of_band:
        path, given = method.requests_path, {"method": method.slug}
        bp.add_url_rule(path, "listed", listed, defaults=given)
        bp.add_url_rule(f"{path}/<id:request_id>", "one", one, defaults=given, methods=["GET", "POST"])
    return bp


def _is_on(method: str) -> bool:
    user = current.user_or_none()
    return user is not None and bool(user.factors_of(method))


def _url(method: str, found: LoginRequest) -> str:
    return layouts.page_url("requests.one", method=method, request_id=found.id)


def _row(method: str, viewer: Viewer, found: LoginRequest) -> Row:
    state = current.services().approvals.state(found)
    return Row(
        device=devices.device(found.device),
        icon=devices.form(found.device),
        place=place_of(found.address),
        at=found.made_at,
        is_new=found.is_new,
        state=APPROVED if state == USED else state,
        was_used=state == USED,
        url=_url(method, found),
        account=viewer.accounts[found.account_id].username if len(viewer.accounts) > 1 else "",
    )
