"""What owners do with their account as a whole: name, username, a copy of its data, and its deletion."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, request
from flask_login import login_required

from ...domain.account_refusals import UsernameChangeWaits
from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone, EmailRequired, NotFound, Refusal
from ...policy import DAY
from .. import current, guards, languages, layouts, login_response, render, times, words
from ..forms import Form, NameForm, UsernameForm

bp = Blueprint("own_account", __name__)

ACCOUNT = "/settings/account"
STOP = "stop"


@bp.route(f"{ACCOUNT}/name", methods=["GET", "POST"])
@login_required
def name() -> Any:
    form = NameForm(name=current.user().account.name)
    if form.submitted():
        with words.placing(form):
            new = current.services().renames.change_name(current.user(), form.name.data, current.origin())
            render.changed(_("Your name is now %(name)s.", name=new))
            return render.go(layouts.page_url("settings.account"))
    return render.page("settings/name.html", form)


@bp.route(f"{ACCOUNT}/username", methods=["GET", "POST"])
@login_required
@guards.fresh
def username() -> Any:
    services, user = current.services(), current.user()
    if not services.settings.username_change:
        raise NotFound()
    if user.account.email is None:
        return render.go_on(layouts.page_url("settings.email"), EmailRequired())
    if user.account.rename_at is not None:
        return _waiting()
    if STOP in request.form:  # from a page that was opened before another tab stopped the change
        render.problem(words.say(AlreadyDone()))
        return render.go(layouts.page_url("own_account.username"))
    form = UsernameForm()
    if form.submitted():
        with words.placing(form):
            services.renames.ask(user, form.username.data, current.origin())
            render.changed(_("We emailed you a link that stops the change."))
            return render.go(layouts.page_url("own_account.username"))
    return render.page("settings/username.html", form, again=services.renames.again_at(user.account))


def _waiting() -> Any:
    """While a change of the username waits: when it takes effect, and the button that stops it."""
    user, form = current.user(), Form()
    if form.submitted():
        try:
            if STOP not in request.form:  # from a page that was opened before
                raise UsernameChangeWaits()
            current.services().renames.stop(user, current.origin())
            render.changed(_("Your username stays @%(username)s.", username=user.account.username))
        except Refusal as refusal:
            render.problem(words.say(refusal))
        return render.go(layouts.page_url("own_account.username"))
    return render.page("settings/username_waiting.html", form)


@bp.route("/keep-username/<token>", methods=["GET", "POST"])
def keep_username(token: str) -> Any:
    """The link in the e-mail about a change of the username: stops the change and ends every session."""
    services, form = current.services(), Form()
    opened = services.links.find("stop-rename", token)
    if form.submitted():
        services.renames.stop_by_link(opened, current.origin())
        username = opened.account.username
        render.receipt(_("Your username stays @%(username)s. Now choose a new password.", username=username))
        return render.go(layouts.page_url("entrance.forgot_password"), whole=True)
    return render.page("entrance/keep_username.html", form, account=opened.account)


@bp.get(f"{ACCOUNT}/data")
@login_required
@guards.fresh
def data() -> Any:
    return render.page("settings/data.html", Form())


@bp.post(f"{ACCOUNT}/data/file")
@login_required
def data_file() -> Any:
    """The copy, as a file. It has a path of its own: after step-up the page comes back, because a script would show the
    answer to a kept form as a page."""
    services, user, form = current.services(), current.user(), Form()
    if not services.sessions.is_fresh(user):
        return guards.step_up(layouts.page_url("own_account.data"))
    if form.submitted():
        with words.placing(form):
            copy = services.exports.make(user, current.origin())
            response = Response(json.dumps(copy, ensure_ascii=False, indent=2), mimetype="application/json")
            response.headers["Content-Disposition"] = f'attachment; filename="{user.account.username}-data.json"'
            return response
    return render.page("settings/data.html", form)


@bp.route(f"{ACCOUNT}/delete", methods=["GET", "POST"])
@login_required
@guards.fresh
def delete() -> Any:
    services, form = current.services(), Form()
    if form.submitted():
        with words.placing(form):
            until = services.deletions.ask(current.user(), current.origin())
            languages.speak_to_browser()
            deleted_at = _("Your account will be deleted on %(time)s. To keep it, log in before then.")
            return login_response.logged_out(times.sentence(deleted_at, time=times.at(until)))
    return render.page("settings/delete.html", form, days=services.settings.policy.deletion_waits // DAY)
