"""Two-factor authentication in the settings: which methods are on, turning one off, and the backup code."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, request
from flask_login import login_required

from ...domain.codes import grouped, is_base32, tidy_base32
from ...domain.forecast import PHONE
from ...domain.language import gettext as _
from ...domain.moments import day
from ...domain.refusals import AlreadyDone, NotFound
from ...services.method import Method
from .. import backup_card, current, forecast_rows, guards, layouts, legacy_credentials, method_rows, render, times
from ..forms import Form, untrusted

bp = Blueprint("two_factor", __name__, url_prefix="/settings/security/two-factor")


@bp.route("", methods=["GET", "POST"])
@login_required
def methods() -> Any:
    user, form = current.user(), Form()
    on = {f.method for f in user.factors}
    if form.submitted():
        chosen = _method(request.form.get("method", ""))
        if not method_rows.has_list(chosen):
            if method_rows.shown(chosen):
                return _turn_off_from_list(chosen)
            current.services().enrollment.start_anew(user, chosen)
        return render.go(layouts.page_url("enrollment.step", method=chosen.slug, step=chosen.steps()[0].slug))
    methods, has_apps = current.services().methods, legacy_credentials.are_taken()
    lists = [m for m in methods.several if m.slug in on and not method_rows.is_elsewhere(m)]
    outlooks = current.services().forecasts.of(user) if on else []
    return render.page(
        "two_factor/methods.html",
        form,
        rows=[method_rows.row_of(m) for m in methods if m.slug in on or m.is_offered],
        is_on=bool(on),
        turned_off=_turned_off(),
        lists=[(m.icon, str(m.list_title), method_rows.list_url(m.slug)) for m in lists],
        backup_code_note=_backup_code_note(),
        forecast=forecast_rows.rows(user, outlooks[:1]),
        lost=forecast_rows.within_a_sentence(outlooks[0].losses[0]) if outlooks else "",
        one_phone=bool(outlooks) and PHONE in outlooks[0].losses and not outlooks[0].authenticators,
        backup_code_url=layouts.page_url("two_factor.backup_code"),
        temporary_password_url=layouts.page_url("temporary_passwords.page") if has_apps else None,
    )


def _backup_code_note() -> str:
    account = current.user().account
    if not current.user().factors:
        return _("You get one when you turn on your first method.")
    made_at = account.backup_code_made_at
    if not made_at:
        return _("You don't have a backup code yet.")
    return times.sentence(_("Created on %(date)s"), date=times.on(made_at))


def _turned_off() -> tuple[str, Form, str] | None:
    method = current.services().second_factors.turned_off(current.user(), current.origin())
    if method is None:
        return None
    return str(method.title), Form(), layouts.page_url("two_factor.turn_back_on", method=method.slug)


def _turn_off_from_list(method: Method) -> Any:
    """Turns off at once where the layout asks for no confirmation. The last factor always has a page with a warning."""
    last = current.services().second_factors.is_last(current.user(), method)
    if last or layouts.variant().turn_off_presses:
        return render.go(layouts.page_url("two_factor.turn_off", method=method.slug))
    return _turned_off_now(method)


@guards.fresh
def _turned_off_now(method: Method) -> Any:
    current.services().second_factors.turn_off(current.user(), method, current.origin())
    title = str(method.title)
    render.changed(_("%(method)s is now off. We sent you a confirmation email.", method=title))
    render.receipt(_("All your other devices were logged out."))
    return render.go(layouts.page_url("two_factor.methods"))


@bp.route("/<slug:method>/turn-off", methods=["GET", "POST"])
@login_required
@guards.fresh
def turn_off(method: str) -> Any:
    wanted, user, form = _method(method), current.user(), Form()
    if method_rows.has_list(wanted):
        return render.go(method_rows.list_url(wanted.slug))
    if not method_rows.shown(wanted):
        return render.go(layouts.page_url("two_factor.methods"))
    last = current.services().second_factors.is_last(user, wanted)
    presses = layouts.variant().last_turn_off_presses if last else layouts.variant().turn_off_presses
    pressed_before = request.args.get("again") == "1"
    if form.submitted():
        if presses > 1 and not pressed_before:
            return render.go(layouts.page_url("two_factor.turn_off", method=wanted.slug, again="1"))
        return _turned_off_now(wanted)
    return render.page(
        "two_factor/turn_off.html", form, title=str(wanted.title), last=last, again=presses > 1 and pressed_before
    )


@bp.post("/<slug:method>/turn-back-on")
@login_required
@guards.fresh
def turn_back_on(method: str) -> Any:
    wanted, list_url = _method(method), layouts.page_url("two_factor.methods")
    if not Form().submitted():
        return render.go_on(list_url, untrusted())
    try:
        current.services().second_factors.turn_back_on(current.user(), wanted, current.origin())
        title = str(wanted.title)
        render.changed(_("%(method)s is back on. We sent you a confirmation email.", method=title))
    except NotFound:
        if method_rows.shown(wanted):
            return render.go_on(list_url, AlreadyDone())
        render.problem(_("It's been off for more than ten minutes. To turn it on, set it up again."))
    return render.go(list_url)


@bp.route("/backup-code", methods=["GET", "POST"])
@login_required
def backup_code() -> Any:
    user, form = current.user(), Form()
    if not user.factors:
        if request.method == "POST":
            return render.go(layouts.page_url("two_factor.backup_code"))
        what = _("You get a backup code when you turn on your first method.")
        return render.page("two_factor/no_methods.html", heading=_("Backup code"), what=what)
    if form.submitted():
        return _new_backup_code()
    made_at = user.account.backup_code_made_at
    text = _("You don't have a backup code yet.")
    if made_at is not None:
        text = times.sentence(_("Your current code was created on %(date)s."), date=times.on(made_at))
    return render.page(
        "two_factor/backup_code.html", form, made_at_text=text, unsaved=backup_card.unsaved_url("two_factor")
    )


@guards.fresh
def _new_backup_code() -> Any:
    user = current.user()
    current.services().second_factors.new_backup_code(user, current.origin())
    return render.go(layouts.page_url("two_factor.new_backup_code"))


@bp.route("/backup-code/new", methods=["GET", "POST"])
@login_required
def new_backup_code() -> Any:
    return backup_card.page(lambda: render.go(layouts.page_url("two_factor.backup_code")))


@bp.post("/backup-code.txt")
@login_required
def download() -> Any:
    """The backup code as a text file. The page submits the code, because the server stores only its hash. It changes
    nothing, so the page may be old."""
    code = tidy_base32(request.form.get("code", ""))
    if not guards.is_from_a_page_of_this_browser() or not is_base32(code):
        abort(400)
    card = backup_card.card(current.user().account, code)
    title = _("Backup code for %(username)s on %(site)s", username=card.account, site=card.site)
    use = _(
        "Use it to log in once, if you lose your phone or can't use your other methods. Keep it where only you find it."
    )
    lines = [title, day(card.made_at), use, "", grouped(code), ""]
    response = Response("\r\n".join(lines), mimetype="text/plain")
    site = re.sub("[^a-z0-9]+", "-", card.site.lower()).strip("-") or "site"
    response.headers["Content-Disposition"] = f'attachment; filename="{site}-{card.account}-backup-code.txt"'
    return response


def _method(slug: str) -> Method:
    found = current.services().methods.named(slug)
    if found is None:
        raise NotFound()
    return found
