"""Settings and privacy: menus, and the pages that change password, e-mail address and phone number."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request, session
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.language import pgettext
from ...domain.refusals import EmailRequired
from ...models.accounts import OPERATOR
from ...services.contacts import discoverable_by_default
from ...services.email_addresses import masked
from .. import confirming, current, guards, languages, layouts, render, times, words
from ..forms import EmailForm, Form, NewPasswordForm, PhoneForm, ThemeForm
from ..verbatim import verbatim

DISCOVERABLE = "discoverable"  # in the form session, until the number is confirmed

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("")
@login_required
def overview() -> Any:
    url = layouts.page_url
    security = _("Password, two-factor authentication, and devices")
    rows = [(_("Account"), _("Name, username, email address, phone number, and password"), url("settings.account"))]
    if not layouts.variant().is_phone:
        rows.append((_("Security and account access"), security, url("settings.security_and_access")))
    rows += [
        (_("Privacy"), _("Your contacts and the data we keep"), url("settings.privacy")),
        (_("Language"), _("Change the display language"), url("settings.language")),
        (_("Display"), _("Light or dark theme"), url("settings.display")),
    ]
    if current.user().account.role == OPERATOR:
        rows.append((_("Operator"), _("Apps, accounts, and groups of this site"), url("operator.overview")))
    return render.page("settings/overview.html", rows=rows)


@bp.get("/security-and-account-access")
@login_required
def security_and_access() -> Any:
    rows = [
        (
            _("Security"),
            _("Two-factor authentication, logins, devices, and password"),
            layouts.page_url("settings.security"),
        ),
        (_("Sessions"), _("Where you're logged in, and remembered browsers"), layouts.page_url("sessions.sessions")),
        (_("Activity"), _("Recent security activity"), layouts.page_url("activity.activity")),
        (
            _("Don't recognize something?"),
            _("Log out everything else and choose a new password"),
            layouts.page_url("not_you.logged_in"),
        ),
    ]
    return render.page("settings/rows.html", heading=_("Security and account access"), rows=rows)


@bp.get("/security")
@login_required
def security() -> Any:
    url, on = layouts.page_url, bool(current.user().factors)
    out_of_band = current.services().methods.out_of_band
    rows = [
        (
            _("Two-factor authentication"),
            pgettext("two-factor authentication", "On") if on else pgettext("two-factor authentication", "Off"),
            url("two_factor.methods"),
        ),
        *(
            (
                str(method.requests_title),
                _("Logins waiting for your approval"),
                url("requests.listed", method=method.slug),
            )
            for method in out_of_band
        ),
        (_("Sessions"), _("Where you're logged in, and remembered browsers"), url("sessions.sessions")),
        (_("Connected apps"), _("Apps that you log in to with your account here"), url("connected_apps.apps")),
        (_("Activity"), _("Recent security activity"), url("activity.activity")),
        (_("Password"), _("Change your password"), url("settings.password")),
    ]
    parent = (url("settings.security_and_access"), _("Security and account access"))
    if layouts.variant().is_phone:
        parent = (url("settings.account"), _("Account"))
    return render.page("settings/rows.html", heading=_("Security"), rows=rows, parent=parent)


@bp.get("/account")
@login_required
def account() -> Any:
    url, mine = layouts.page_url, current.user().account
    rows = [
        (_("Name"), _("Change your name"), url("own_account.name")),
        *_username_row(),
        (_("Email address"), verbatim(mine.email) if mine.email else _("Not confirmed"), url("settings.email")),
        (
            _("Phone number"),
            verbatim(mine.phone_number_hint) if mine.phone_number_hint else _("Not added"),
            url("settings.phone"),
        ),
        (_("Password"), _("Change your password"), url("settings.password")),
    ]
    if layouts.variant().is_phone:
        rows.append(
            (_("Security"), _("Two-factor authentication, logins, devices, and password"), url("settings.security"))
        )
    rows += [
        (_("Download my data"), _("A copy of what we store about you"), url("own_account.data")),
        (_("Delete my account"), _("You have 30 days to come back"), url("own_account.delete")),
    ]
    intro = times.sentence(_("%(name)s (%(username)s)"), name=mine.name, username=verbatim(f"@{mine.username}"))
    return render.page("settings/rows.html", heading=_("Account"), rows=rows, intro=intro)


def _username_row() -> list[tuple[str, str, str]]:
    """Empty where usernames stay."""
    if not current.services().settings.username_change:
        return []
    mine = current.user().account
    note: str = _("Change your username")
    if mine.new_username:
        note = times.sentence(_("It changes to %(username)s soon"), username=verbatim(f"@{mine.new_username}"))
    return [(_("Username"), note, layouts.page_url("own_account.username"))]


@bp.get("/privacy")
@login_required
def privacy() -> Any:
    note = _("What we store, for how long, and who we share it with")
    contacts = _("Who can find you, and who you can find")
    rows = [
        (_("Discoverability and contacts"), contacts, layouts.page_url("contacts.contacts")),
        (_("Privacy notice"), note, layouts.page_url("site.privacy")),
    ]
    return render.page("settings/rows.html", heading=_("Privacy"), rows=rows)


@bp.get("/language")
@login_required
def language() -> Any:
    return render.page("settings/language.html", unreviewed=languages.unreviewed())


@bp.route("/display", methods=["GET", "POST"])
@login_required
def display() -> Any:
    account, form = current.user().account, ThemeForm()
    if form.submitted():
        current.services().accounts.set_theme(account, form.theme.data)
        render.receipt(_("Theme saved."))
        return render.go(layouts.page_url("settings.display"), whole=True)
    if request.method == "GET":
        form.theme.data = account.theme
    return render.page("settings/display.html", form)


@bp.route("/account/password", methods=["GET", "POST"])
@login_required
@guards.fresh
def password() -> Any:
    form, services = NewPasswordForm(), current.services()
    if form.submitted():
        with words.placing(form):
            opened = services.password_changes.change(current.user(), form.password.data, current.origin())
            render.changed(
                _("Password changed. All your other devices were logged out. We sent you a confirmation email.")
                if current.user().account.email
                else _("Password changed. All your other devices were logged out.")
            )
            return render.logged_in_as(render.go(layouts.page_url("settings.account")), opened)
    return render.page("settings/password.html", form, minimum=services.passwords.minimum)


def _challenge() -> str:
    return f"email:change:{current.user().session.id}"


@bp.route("/account/email", methods=["GET", "POST"])
@login_required
@guards.fresh
def email() -> Any:
    account, form = current.user().account, EmailForm()
    if account.undo_at is not None:
        return render.go(layouts.page_url("settings.email_undo"))
    if form.submitted():
        with words.placing(form):
            emails = current.services().email_addresses
            emails.send_unless_sent(account, _challenge(), form.email.data, current.origin())
            return render.go(layouts.page_url("settings.email_code"))
    elif request.method == "GET":
        form.email.data = account.unconfirmed_email if account.email is None else ""
    heading = _("Change your email") if account.email else _("Confirm your email")
    return render.page(
        "entrance/email.html",
        form,
        heading=heading,
        present=account.email,
        button=_("Save"),
        cancel_url=layouts.page_url("settings.account"),
    )


@bp.route("/account/email/undo", methods=["GET", "POST"])
@login_required
@guards.fresh
def email_undo() -> Any:
    """An undo of a change of the address that waits, and the button that stops it."""
    services, user, form = current.services(), current.user(), Form()
    if user.account.undo_at is None:
        return render.go(layouts.page_url("settings.account"))
    if form.submitted():
        services.email_undos.stop(user, current.origin())
        render.changed(_("Your email address stays as it is."))
        return render.go(layouts.page_url("settings.account"))
    return render.page(
        "settings/email_undo.html",
        form,
        earlier=masked(user.account.undo_email or ""),
        can_stop=services.email_undos.can_stop(user),
    )


@bp.route("/account/email/code", methods=["GET", "POST"])
@login_required
@guards.fresh
def email_code() -> Any:
    services, account = current.services(), current.user().account
    sent = services.email_addresses.sent(account.id, _challenge())
    if sent is None:
        typed = request.form.get("code", "")
        is_done = services.email_addresses.was_confirmed(account.id, _challenge(), typed)
        return confirming.without_code("settings.email", is_done=is_done)
    return confirming.email_code(
        _challenge(),
        sent,
        page="settings.email_code",
        before="settings.email",
        after=layouts.page_url("settings.account"),
        cancel_url=layouts.page_url("settings.account"),
    )


def _phone_challenge() -> str:
    return f"phone:change:{current.user().session.id}"


@bp.route("/account/phone", methods=["GET", "POST"])
@login_required
@guards.fresh
def phone() -> Any:
    phones, account = current.services().phone_numbers, current.user().account
    if account.email is None:
        return render.go_on(layouts.page_url("settings.email"), EmailRequired())
    by_default, is_under_way = discoverable_by_default(account), phones.sent(account, _phone_challenge()) is not None
    form = PhoneForm(discoverable=session.get(DISCOVERABLE, by_default) if is_under_way else by_default)
    form.country.choices = phones.country_choices()
    form.country.data = form.country.data or phones.default_country(current.origin())
    if form.submitted():
        with words.placing(form):
            number = phones.read(form.phone.data, form.country.data)
            phones.send_unless_sent(account, _phone_challenge(), current.origin(), number)
            session[DISCOVERABLE] = form.discoverable.data
            return render.go(layouts.page_url("settings.phone_code"))
    heading = _("Change your phone number") if account.phone_number else _("Add your phone number")
    return render.page(
        "entrance/phone.html",
        form,
        heading=heading,
        present=account.phone_number_hint,
        button_label=_("Save"),
        cancel_url=layouts.page_url("settings.account"),
    )


@bp.route("/account/phone/code", methods=["GET", "POST"])
@login_required
@guards.fresh
def phone_code() -> Any:
    phones, account = current.services().phone_numbers, current.user().account
    sent = phones.sent(account, _phone_challenge())
    if sent is None:
        is_done = phones.was_confirmed(account.id, _phone_challenge(), request.form.get("code", ""))
        return confirming.without_code("settings.phone", is_done=is_done)
    return confirming.phone_code(
        _phone_challenge(),
        sent,
        session.get(DISCOVERABLE),
        page="settings.phone_code",
        before="settings.phone",
        after=layouts.page_url("settings.account"),
        cancel_url=layouts.page_url("settings.account"),
    )
