"""Pages about the site, its status, the choice of language and layout, and the cookie notice."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import gettext as _
from .. import cookies, current, guards, layouts, render
from ..forms import Form

bp = Blueprint("site", __name__)


@bp.get("/about")
def about() -> Any:
    site = current.services().settings.site_name
    paragraphs = [
        _("%(site)s keeps accounts that log in with a password and a second factor.", site=site),
        _("It's powered by Nightlatch, self-hosted login software."),
    ]
    return render.page("site/page.html", heading=_("About"), paragraphs=paragraphs)


@bp.get("/terms")
def terms() -> Any:
    paragraphs = [
        _("Use your own account only, keep your password and codes to yourself, and do not try to get into others'."),
        _("The people who run this site may end log-ins or accounts that harm it."),
    ]
    return render.page("site/page.html", heading=_("Terms"), paragraphs=paragraphs)


@bp.get("/privacy")
def privacy() -> Any:
    paragraphs = [
        _("Stored: your name, username, email address, a hash of your password, and your second factors."),
        _(
            "Of an authentication app its secret, sealed; of a security key its public half, its model and its name; of"
            " a phone that approves log-ins its name and, sealed, where its notifications go."
        ),
        _(
            "Security events are kept for 180 days, their network addresses for 30 days, and messages for 30 days."
            " Log-ins, codes and temporary passwords are deleted a day after they end or lapse."
        ),
        _(
            "Beside each log-in, remembered browser, app and event stand the network address and what the browser said"
            " of itself, so that you can tell what was you. Wrong tries are counted by account and by network address;"
            " the address is forgotten after a day. Your language is stored, too."
        ),
        _(
            "A notification about a log-in goes through the push service of your phone's browser. It is encrypted: the"
            " service learns that there was one, not what it says."
        ),
        _(
            "Your phone number is sealed and gets codes, temporary passwords and warnings only. The gateway that"
            " delivers texts sees the number and the text. Numbers that you upload as contacts are kept as keyed hashes"
            " only."
        ),
        _(
            "Your email address is used to confirm that it is yours and to tell you about the security of your account."
            " The mail servers on the way see the address and the message."
        ),
        _(
            "An account whose email address was never confirmed is deleted after 30 days without use. When an account"
            " with a confirmed address is deleted, a keyed hash of its username is kept, so that no one else can take"
            " that name."
        ),
        _(
            "Only the cookies that logging in needs are set. Nothing is shared with advertisers,"
            " and nothing is measured."
        ),
    ]
    return render.page("site/page.html", heading=_("Privacy notice"), paragraphs=paragraphs)


@bp.get("/status")
def status() -> Any:
    saves = current.services().db.answers()
    messages = _messages() if saves else _("Disturbed")  # messages are in the same database
    parts = [(_("Log-in"), _("Works") if saves else _("Disturbed")), (_("Messages"), messages)]
    return render.page("site/status.html", status=200 if saves else 503, parts=parts)


def _messages() -> str:
    return _("Delayed") if current.services().delivery.is_behind() else _("Work")


@bp.get("/delivery/<message>")
def delivery(message: str) -> Any:
    """Polled by a page that sent a message, whose id is signed: 204 while it is on its way, then a fragment."""
    message_id, failed = render.unsigned(message)
    state = current.services().delivery.state(message_id)
    if state == "owed":
        return "", 204
    return render.part("parts/delivery.html", failed=failed if state == "failed" else None)


@bp.post("/language")
def language() -> Any:
    chosen = request.form.get("language", "")
    response = render.go(_back(), whole=True)
    if Form().submitted() and chosen in current.services().languages:
        cookies.put(response, cookies.LANGUAGE, chosen, cookies.YEAR)
        user = current.user_or_none()
        if user is not None:
            current.services().accounts.set_language(user.account, chosen)
    return response


@bp.post("/cookie-notice")
def cookie_notice() -> Any:
    response = render.go(_back(), whole=True)
    if Form().submitted():
        cookies.put(response, cookies.NOTICE_SEEN, "1", cookies.YEAR)
    return response


@bp.get("/site/<slug:layout>")
def choose(layout: str) -> Any:
    """The links "Desktop site" and "Mobile site", on the main host, which stores the choice in a cookie."""
    url, remembered = layouts.chosen(layout, guards.local_path(request.args.get("next")) or "/")
    response = render.go(url)
    if remembered is not None:
        cookies.put(response, cookies.SITE_CHOICE, remembered, cookies.YEAR)
    else:
        cookies.drop(response, cookies.SITE_CHOICE)
    return response


def _back() -> str:
    return guards.local_path(request.form.get("next")) or layouts.page_url("home.home")
