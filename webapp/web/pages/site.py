"""Pages about the site, its status, the choice of language and layout, and the cookie notice."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, request

from ...domain.account_refusals import SignUpClosed
from ...domain.language import gettext as _
from ...domain.lists import all_of
from .. import cookies, current, guards, languages, layouts, render, words
from ..forms import Form, untrusted

bp = Blueprint("site", __name__)


@bp.get("/about")
def about() -> Any:
    settings, methods = current.services().settings, current.services().methods
    site = settings.site_name
    offered = all_of([str(method.general_title) for method in methods if method.is_offered])
    sections = [
        (
            _("Logging in"),
            _(
                "You log in with a password and, if you turn on two-factor authentication, a second step. You can"
                " choose from these methods: %(methods)s. A passkey lets you in without a password.",
                methods=offered,
            ),
        ),
        (
            _("Who can have an account"),
            _("Anyone can create one.") if settings.sign_up_open else words.say(SignUpClosed()),
        ),
        (
            _("The software"),
            _(
                "This site runs on Nightlatch, login software that the people who run a site keep on their own server."
                " It uses no analytics, no ads, and nothing from other sites."
            ),
        ),
    ]
    return render.page(
        "site/page.html",
        heading=_("About"),
        description=_("What %(site)s is, how you log in, and who can have an account.", site=site),
        paragraphs=[_("%(site)s manages your account and protects it with two-factor authentication.", site=site)],
        sections=sections,
        links=[(_("How to use two-factor authentication"), layouts.page_url("help.two_factor"))],
    )


@bp.get("/terms")
def terms() -> Any:
    site = current.services().settings.site_name
    sections = [
        (
            _("Your account"),
            _(
                "Only use your own account, keep your password and codes private, and don't try to access other"
                " people's accounts."
            ),
        ),
        (
            _("Limits"),
            _(
                "Logins, texts, and emails are limited, so that no one can guess a code or flood someone else. When"
                " you reach a limit, the page says when you can try again."
            ),
        ),
        (
            _("If an account causes harm"),
            _("The people who run this site can log an account out, turn off its two-factor methods, or delete it."),
        ),
        (
            _("Accounts that no one uses"),
            _("An account whose email address was never confirmed is deleted after 30 days without use."),
        ),
    ]
    return render.page(
        "site/page.html",
        heading=_("Terms"),
        description=_("What you may and may not do with your account on %(site)s.", site=site),
        paragraphs=[_("These rules apply when you use an account on %(site)s.", site=site)],
        sections=sections,
        links=[(_("Privacy notice"), layouts.page_url("site.privacy"))],
    )


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
            "You can download a copy of what we store about you, and delete your account. You then have 30 days to come"
            " back by logging in; after that all its data is deleted."
        ),
        _(
            "The people who run this site can add your account to groups, which decide what apps you can use. We store"
            " in which groups you are until they remove you or your account is deleted."
        ),
        _(
            "When you log in to an app with your account here, we store the app, when you last used it, and what it may"
            " learn about you, until you disconnect it."
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
    return render.page(
        "site/page.html",
        heading=_("Privacy notice"),
        description=_(
            "What %(site)s stores about you, for how long, and who sees it.", site=current.services().settings.site_name
        ),
        paragraphs=paragraphs,
    )


@bp.get("/status")
def status() -> Any:
    services = current.services()
    saves = services.db.answers()
    is_behind = not saves or services.delivery.is_behind()  # messages are in the same database
    messages = _("Having problems") if not saves else _("Delayed") if is_behind else _("Working")
    return render.page(
        "site/status.html",
        status=200 if saves else 503,
        working=saves and not is_behind,
        parts=[(_("Login"), _("Working") if saves else _("Having problems")), (_("Messages"), messages)],
        sentences=[
            _("You can log in, and changes are saved.") if saves else _("No one can log in, and no change is saved."),
            _("Codes and emails may arrive late. Wait for one before you request another.")
            if is_behind
            else _("No code or email has been waiting to be sent for more than a minute."),
        ],
        now=services.clock.now(),
    )


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
    chosen, back = request.form.get("language", ""), languages.without_parameter(_back())
    if not Form().submitted():
        return render.go_on(back, untrusted(), whole=True)
    response = render.go(back, whole=True)
    if chosen in current.services().languages:
        cookies.put(response, cookies.LANGUAGE, chosen, cookies.YEAR)
        user = current.user_or_none()
        if user is not None:
            current.services().accounts.set_language(user.account, chosen)
    return response


@bp.post("/cookie-notice")
def cookie_notice() -> Any:
    if not Form().submitted():
        return render.go_on(_back(), untrusted(), whole=True)
    response = render.go(_back(), whole=True)
    cookies.put(response, cookies.NOTICE_SEEN, "1", cookies.YEAR)
    return response


def choose(layout: str) -> Any:
    """The link to the other layout, on the main host, which stores the choice in a cookie."""
    url, remembered = layouts.chosen(layout, _next())
    response = render.go(url)
    if remembered is not None:
        cookies.put(response, cookies.SITE_CHOICE, remembered, cookies.YEAR)
    else:
        cookies.drop(response, cookies.SITE_CHOICE)
    return response


for layout, page in layouts.CHOICES.items():
    bp.add_url_rule(f"/site/{layout}", page, partial(choose, layout))


def _next() -> str:
    return guards.local_path(request.args.get("next")) or "/"


def _back() -> str:
    return guards.local_path(request.form.get("next")) or layouts.page_url("home.home")
