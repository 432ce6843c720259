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
        _("%(site)s manages your account and protects it with two-factor authentication.", site=site),
        _("It's powered by Nightlatch, self-hosted login software."),
    ]
    return render.page("site/page.html", heading=_("About"), paragraphs=paragraphs)


@bp.get("/terms")
def terms() -> Any:
    paragraphs = [
        _(
            "Only use your own account, keep your password and codes private, and don't try to access other"
            " people's accounts."
        ),
        _("The site's administrators may suspend accounts that cause harm."),
    ]
    return render.page("site/page.html", heading=_("Terms"), paragraphs=paragraphs)


@bp.get("/privacy")
def privacy() -> Any:
    paragraphs = [
        _("We store your name, username, email address, a hash of your password, and your two-factor methods."),
        _(
            "For an authentication app, we store its secret (encrypted). For a security key, its public key,"
            " model, and name. For a phone that approves logins, its name and its notification address"
            " (encrypted)."
        ),
        _(
            "We keep security activity for 180 days, and IP addresses and messages for 30 days. Sessions,"
            " codes, and temporary passwords are deleted one day after they end or expire."
        ),
        _(
            "For each login, remembered browser, app, and security event we store the IP address and browser"
            " type so you can recognize your own activity. We count failed attempts by account and IP"
            " address; those addresses are deleted after a day. We also store your language and theme."
        ),
        _(
            "Login notifications go through your browser's push service. They're encrypted, so the service"
            " can't read them."
        ),
        _(
            "Your phone number is stored encrypted. We only use it for codes, temporary passwords, security"
            " warnings, and, if you allow it, to let contacts find you. The company that delivers our texts"
            " sees the number and the message. Contacts you upload are stored only as hashes."
        ),
        _(
            "We use your email address to confirm it's yours and to send security alerts. Mail providers that"
            " deliver our messages can see the address and the message."
        ),
        _(
            "An account whose email address was never confirmed is deleted after 30 days without use. When an account"
            " with a confirmed address is deleted, a keyed hash of its username is kept, so that no one else can take"
            " that name."
        ),
        _(
            "We use only the cookies that logging in needs. We don't share data with advertisers and don't"
            " use analytics."
        ),
    ]
    return render.page("site/page.html", heading=_("Privacy notice"), paragraphs=paragraphs)


@bp.get("/status")
def status() -> Any:
    saves = current.services().db.answers()
    messages = _messages() if saves else _("Having problems")  # messages are in the same database
    parts = [(_("Login"), _("Working") if saves else _("Having problems")), (_("Messages"), messages)]
    return render.page("site/status.html", status=200 if saves else 503, parts=parts)


def _messages() -> str:
    return _("Delayed") if current.services().delivery.is_behind() else _("Working")


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
