"""The link that makes a browser known: asking for it after a wrong password, and opening it.

A GET changes nothing, because mail programs open links.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, session

from ...domain.language import gettext as _
from ...domain.refusals import PageTooOld
from .. import app_flow, current, layouts, login_response, render
from ..forms import Form, LoginLinkForm

ASKED = "login-link"
"""In the form session: the name for which a link was asked, and whether an earlier one still works."""

bp = Blueprint("login_links", __name__)


@bp.route("/log-in/email-link", methods=["GET", "POST"])
def ask() -> Any:
    form = LoginLinkForm()
    if request.method == "POST":
        if not form.submitted():
            return render.go_on(app_flow.log_in_url(), PageTooOld())
        name = form.username.data.strip()
        earlier = not current.services().login_links.send(name, current.origin())
        session[ASKED] = [name[: login_response.LONGEST_NAME], earlier]
        return render.go(layouts.page_url("login_links.ask"))
    if ASKED not in session:
        return render.go(app_flow.log_in_url())
    name, earlier = session[ASKED]
    return render.page("login_links/sent.html", name=name, earlier=earlier)


@bp.route("/log-in/here/<token>", methods=["GET", "POST"])
def use(token: str) -> Any:
    services, form = current.services(), Form()
    if form.submitted():
        account = services.login_links.use(token, current.origin())
        render.receipt(_("You can log in in this browser now. Enter your username and password."))
        response = render.go(app_flow.log_in_url(), whole=True)
        login_response.make_known(response, account.id)
        return response
    username = services.login_links.find(token).username
    return render.page("login_links/use.html", form, username=username)
