"""The "Not you?" pages: by a link in a notice, and for a logged-in user from receipts and settings.

A GET never ends anything, because mail programs open links. A link that was used shows what it did.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import LinkInvalid
from ...services.email_addresses import masked
from ...services.links import OpenLink
from ...services.not_you import is_still_theirs
from .. import current, layouts, render
from ..forms import Form

bp = Blueprint("not_you", __name__)


@bp.route("/settings/security/not-you", methods=["GET", "POST"])
@login_required
def logged_in() -> Any:
    return _for_the_owner()


@bp.route("/not-you/<token>", methods=["GET", "POST"])
def mailed(token: str) -> Any:
    try:
        opened = current.services().links.find("not-you", token)
    except LinkInvalid:
        return _done(token)
    user = current.user_or_none()
    if user is not None and user.account.id == opened.account.id:
        return _for_the_owner()  # ends all other sessions and keeps this one; the link stays unused
    return _for_the_reader(opened)


def _for_the_owner() -> Response:
    form, user = Form(), current.user()
    if form.submitted():
        opened = current.services().not_you.logged_in(user, current.origin())
        render.receipt(_("All your other devices were logged out, and remembered browsers were forgotten."))
        render.receipt(_("Now choose a new password."))
        return render.logged_in_as(render.go(layouts.page_url("settings.password"), whole=True), opened)
    username = user.account.username
    return render.page("not_you/ask.html", form, username=username, stays=True, address=None)


def _for_the_reader(opened: OpenLink) -> Response:
    """For the owner of the mailbox, in a browser where that account is not logged in."""
    form = Form()
    if form.submitted():
        with suppress(LinkInvalid):  # used by a simultaneous request; the page says what it did
            current.services().not_you.by_mail(opened, current.origin())
        return render.go(current.path(), whole=True)
    address = masked(opened.link.email) if is_still_theirs(opened) else None
    return render.page("not_you/ask.html", form, username=opened.account.username, stays=False, address=address)


def _done(token: str) -> Response:
    try:
        done = current.services().not_you.done(token)
    except LinkInvalid:
        return render.page("entrance/link_dead.html", status=404, protects=True)
    if request.method == "POST":
        return render.go(current.path(), whole=True)  # used by a simultaneous request
    return render.page("not_you/done.html", done=done, username=done.account.username, address=masked(done.address))
