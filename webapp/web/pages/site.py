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
    methods = [str(method.general_title) for method in current.services().methods if method.is_offered]
    return render.page("site/about.html", methods=all_of(methods), closed=words.say(SignUpClosed()))


@bp.get("/terms")
def terms() -> Any:
    return render.page("site/terms.html")


@bp.get("/privacy")
def privacy() -> Any:
    return render.page("site/privacy.html")


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
