"""Sessions: every way into the account that is open now, and ending one or all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required

from ...domain.devices import app_name, device
from ...domain.language import Sentence, lazy
from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone
from ...services.active_access import AccessEntry
from .. import cookies, current, factor_rows, layouts, render, row_ids, words
from ..forms import ForgetForm

END, OTHERS = "end", "others"
"""The names of the two kinds of buttons."""

bp = Blueprint("sessions", __name__, url_prefix="/settings/security/sessions")


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind is called here. `button` and `receipt` name a `device`."""

    heading: Sentence
    intro: Sentence
    started: Sentence
    seen: Sentence
    button: Sentence
    receipt: Sentence
    ends_current: bool
    known_as: Callable[[str], str] = device
    """What its owner knows it by, from what it says of itself."""


WORDS: dict[str, Words] = {
    "log-in": Words(
        heading=lazy("Log-ins"),
        intro=lazy("Where you are logged in now."),
        started=lazy("Logged in"),
        seen=lazy("Last seen"),
        button=lazy("Log out %(device)s"),
        receipt=lazy("You logged out %(device)s."),
        ends_current=False,
    ),
    "remembered-browser": Words(
        heading=lazy("Remembered browsers"),
        intro=lazy(
            "Here your password alone is enough. A browser that you forget is asked for your second factor again."
        ),
        started=lazy("Remembered"),
        seen=lazy("Last used"),
        button=lazy("Forget %(device)s"),
        receipt=lazy("A remembered browser was forgotten: %(device)s."),
        ends_current=True,
    ),
    "app": Words(
        heading=lazy("Apps"),
        intro=lazy("Apps that only know a password, and stay logged in. They may use one to log in again."),
        started=lazy("Logged in"),
        seen=lazy("Last seen"),
        button=lazy("Log out %(device)s"),
        receipt=lazy("You logged out an app: %(device)s."),
        ends_current=False,
        known_as=app_name,
    ),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One of them, as the page shows it; without a button where the site's own is the one to press."""

    way: AccessEntry
    device: str
    button: str | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """All of a kind."""

    words: Words
    ways: Sequence[Shown]


@bp.route("", methods=["GET", "POST"])
@login_required
def sessions() -> Any:
    form = ForgetForm() if OTHERS in request.form else ForgetForm(None, forget=True)
    if form.trusted():
        return _end_others(form) if OTHERS in request.form else _end_one(request.form.get(END, ""))
    services = current.services()
    listed = services.active_access.open_now(current.user(), cookies.remembered_tokens())
    shelves = [_shelf(kind.slug, listed.entries) for kind in services.active_access.kinds]
    return render.page(
        "settings/sessions.html",
        form,
        shelves=[shelf for shelf in shelves if shelf.ways],
        approvers=_approvers(),
        are_others=listed.more or any(not way.is_current for way in listed.entries),
        more=listed.more,
        can_forget=services.settings.policy.remember_browsers,
    )


def _approvers() -> list[factor_rows.Row]:
    """Phones that say yes to a log-in elsewhere: each has a way in of its own."""
    factors = current.user().factors
    methods = current.services().methods.out_of_band
    return [factor_rows.row_of(method, f) for method in methods for f in factors if f.method == method.slug]


def _shelf(kind: str, ways: Sequence[AccessEntry]) -> Shelf:
    return Shelf(WORDS[kind], [_shown(way) for way in ways if way.kind == kind])


def _shown(way: AccessEntry) -> Shown:
    said = WORDS[way.kind]
    name = said.known_as(way.device)
    button = said.button % {"device": name} if said.ends_current or not way.is_current else None
    return Shown(way, name, button)


def _end_one(chosen: str) -> Response:
    kind, _colon, number = chosen.rpartition(":")
    try:
        ended = current.services().active_access.end(current.user(), kind, row_ids.read(number), current.origin())
        render.receipt(WORDS[kind].receipt % {"device": WORDS[kind].known_as(ended)})
    except AlreadyDone as refusal:
        render.problem(words.say(refusal))
    return render.go(layouts.to("sessions.sessions"))


def _end_others(form: ForgetForm) -> Response:
    forget = bool(form.forget.data)
    opened = current.services().active_access.end_others(current.user(), current.origin(), forget=forget)
    render.receipt(
        _("Every other device is logged out, and every remembered browser forgotten.")
        if forget
        else _("Every other device is logged out.")
    )
    return render.logged_in_as(render.go(layouts.to("sessions.sessions")), opened)
