"""Where "Not you?" leads: from a notice by a link of its own, and from receipts and settings for those logged in.

The same words and the same button for both. A mailed link that was used shows what it did.
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
        return _for_the_owner()  # their log-in stays, so that the link need not be used up
    return _for_the_reader(opened)


def _for_the_owner() -> Response:
    form, user = Form(), current.user()
    if form.submitted():
        opened = current.services().not_you.logged_in(user, current.origin())
        render.receipt(_("Every other device is logged out, and every remembered browser forgotten."))
        render.receipt(_("Now choose a new password."))
        return render.logged_in_as(render.go(layouts.to("settings.password"), whole=True), opened)
    username = user.account.username
    return render.page("not_you/ask.html", form, username=username, stays=True, address=None)


def _for_the_reader(opened: OpenLink) -> Response:
    """The owner of the mailbox, who is logged in nowhere here, or as somebody else."""
    form = Form()
    if form.submitted():
        with suppress(LinkInvalid):  # another press was first; the page says what it did
            current.services().not_you.by_mail(opened, current.origin())
        return render.go(current.here(), whole=True)
    address = masked(opened.link.email) if is_still_theirs(opened) else None
    return render.page("not_you/ask.html", form, username=opened.account.username, stays=False, address=address)


def _done(token: str) -> Response:
    try:
        done = current.services().not_you.done(token)
    except LinkInvalid:
        return render.page("entrance/link_dead.html", status=404, protects=True)
    if request.method == "POST":
        return render.go(current.here(), whole=True)  # another press was first
    return render.page("not_you/done.html", done=done, username=done.account.username, address=masked(done.address))
