"""Sessions: every log-in, remembered browser, app and approving device, and ending one or all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required

from ...domain.devices import app_name, device, form
from ...domain.language import Sentence, lazy, lazy_pgettext
from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone
from ...services.active_access import AccessEntry
from .. import cookies, current, factor_rows, layouts, render, row_ids, words
from ..forms import ForgetForm

END, OTHERS = "end", "others"
"""The names of the buttons: end one entry, end all others."""

bp = Blueprint("sessions", __name__, url_prefix="/settings/security/sessions")


@dataclass(frozen=True, slots=True)
class Words:
    """The texts for a kind of entry. `button` and `receipt` contain `%(device)s`."""

    heading: Sentence
    intro: Sentence
    started: Sentence
    seen: Sentence
    verb: Sentence
    """The button as it is seen."""
    button: Sentence
    """Its whole name."""
    receipt: Sentence
    ends_current: bool
    known_as: Callable[[str], str] = device
    """Turns its User-Agent header into a name for its owner."""
    drawn_as: Callable[[str], str] = form
    """Turns it into the name of a drawing in web/icons.py."""


LOG_IN = Words(
    heading=lazy("Logins"),
    intro=lazy("Where you're logged in now."),
    started=lazy("Logged in"),
    seen=lazy("Last seen"),
    verb=lazy_pgettext("a device", "Log out"),
    button=lazy("Log out %(device)s"),
    receipt=lazy("You logged out %(device)s."),
    ends_current=False,
)
WORDS: dict[str, Words] = {
    "log-in": LOG_IN,
    "remembered-browser": Words(
        heading=lazy("Remembered browsers"),
        intro=lazy("These browsers only need your password. Forget one to require your second step again."),
        started=lazy("Remembered"),
        seen=lazy("Last used"),
        verb=lazy("Forget"),
        button=lazy("Forget %(device)s"),
        receipt=lazy("You removed a remembered browser: %(device)s."),
        ends_current=True,
    ),
    "app": replace(
        LOG_IN,
        heading=lazy("Apps"),
        intro=lazy("Apps that logged in with a username and password and stay logged in."),
        receipt=lazy("You logged out the app %(device)s."),
        known_as=app_name,
        drawn_as=lambda _user_agent: "app",
    ),
    "guarded-host": replace(
        LOG_IN,
        heading=lazy("Apps in a browser"),
        intro=lazy(
            "Apps that you opened with this account. You're logged out of each when the login it came from ends."
        ),
        receipt=lazy("You logged out of %(device)s."),
        known_as=str,
        drawn_as=lambda _called: "app",
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the page shows it. The current session has no button: it is ended by "Log out"."""

    entry: AccessEntry
    device: str
    icon: str
    button: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """All entries of a kind."""

    words: Words
    rows: Sequence[Row]


@bp.route("", methods=["GET", "POST"])
@login_required
def sessions() -> Any:
    form = ForgetForm() if OTHERS in request.form else ForgetForm(None, forget=True)
    if form.trusted():
        return _end_others(form) if OTHERS in request.form else _end_one(request.form.get(END, ""))
    services = current.services()
    listed = services.active_access.open_now(current.user(), cookies.remembered_tokens())
    sections = [_section(kind.slug, listed.entries) for kind in services.active_access.kinds]
    return render.page(
        "settings/sessions.html",
        form,
        sections=[section for section in sections if section.rows],
        approvers=_approvers(),
        are_others=listed.more or any(not entry.is_current for entry in listed.entries),
        more=listed.more,
        can_forget=services.settings.policy.remember_browsers,
    )


def _approvers() -> list[factor_rows.Row]:
    """Approving devices. They are listed here because each has a token that log-out does not end."""
    methods = current.services().methods.out_of_band
    return [factor_rows.row_of(method, f) for method in methods for f in current.user().factors_of(method.slug)]


def _section(kind: str, entries: Sequence[AccessEntry]) -> Section:
    return Section(WORDS[kind], [_row(entry) for entry in entries if entry.kind == kind])


def _row(entry: AccessEntry) -> Row:
    words_of_kind = WORDS[entry.kind]
    name = words_of_kind.known_as(entry.device)
    has_button = words_of_kind.ends_current or not entry.is_current
    icon = words_of_kind.drawn_as(entry.device)
    return Row(entry, name, icon, words_of_kind.button % {"device": name} if has_button else None)


def _end_one(chosen: str) -> Response:
    kind, _colon, number = chosen.rpartition(":")
    try:
        ended = current.services().active_access.end(current.user(), kind, row_ids.read(number), current.origin())
        render.receipt(WORDS[kind].receipt % {"device": WORDS[kind].known_as(ended)})
    except AlreadyDone as refusal:
        render.problem(words.say(refusal))
    return render.go(layouts.page_url("sessions.sessions"))


def _end_others(form: ForgetForm) -> Response:
    forget = bool(form.forget.data)
    opened = current.services().active_access.end_others(current.user(), current.origin(), forget=forget)
    render.receipt(
        _("All your other devices were logged out, and remembered browsers were forgotten.")
        if forget
        else _("All your other devices were logged out.")
    )
    return render.logged_in_as(render.go(layouts.page_url("sessions.sessions")), opened)
