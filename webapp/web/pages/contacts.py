"""Discoverability and contacts: who may find the user, and whom the user finds."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required

from ...domain.contact_refusals import FileTooLarge
from ...domain.language import gettext as _
from ...domain.language import ngettext
from ...services.contacts import Uploaded
from .. import current, guards, layouts, render, words
from ..forms import ContactsForm, DiscoverableForm

SAVE, UPLOAD, REMOVE = "save", "upload", "remove"
"""The names of the buttons of the three forms."""

bp = Blueprint("contacts", __name__, url_prefix="/settings/privacy/contacts")


def too_large() -> Response:
    form = ContactsForm(None)
    words.place(FileTooLarge(_megabytes()), form)
    return _page(form, DiscoverableForm(None, discoverable=current.user().account.discoverable))


@bp.route("", methods=["GET", "POST"])
@guards.takes_file("file", too_large)
@login_required
def contacts() -> Any:
    account = current.user().account
    option = DiscoverableForm() if SAVE in request.form else DiscoverableForm(None, discoverable=account.discoverable)
    form = ContactsForm() if UPLOAD in request.form else ContactsForm(None)
    if form.trusted():
        with words.placing(form):
            _carry_out(option, form)
            return render.go(layouts.page_url("contacts.contacts"))
    return _page(form, option)


def _page(form: ContactsForm, option: DiscoverableForm) -> Response:
    book = current.services().contacts.phone_book(current.user().account)
    return render.page("settings/contacts.html", form, option=option, book=book, megabytes=_megabytes())


def _megabytes() -> int:
    return current.services().settings.policy.upload_bytes // (1024 * 1024)


def _carry_out(option: DiscoverableForm, form: ContactsForm) -> None:
    account, services = current.user().account, current.services()
    if SAVE in request.form:
        services.contacts.let_find(account, option.discoverable.data)
        render.receipt(
            _("Saved. People who have your number, and whose number you have, can now find you.")
            if option.discoverable.data
            else _("Saved. No one can find you by phone number.")
        )
    if UPLOAD in request.form:
        file = form.file.data.read() if form.file.data else b""
        _report(
            services.contacts.upload(
                account, file, form.numbers.data or "", services.phone_numbers.default_country(current.origin())
            )
        )
    if REMOVE in request.form:
        services.contacts.remove_all(account)
        render.receipt(_("All contacts removed."))


def _report(uploaded: Uploaded) -> None:
    """Shows how many numbers were uploaded. It must not reveal which of them have an account."""
    if uploaded.added:
        render.receipt(
            ngettext("%(num)s new number added.", "%(num)s new numbers added.", uploaded.added),
        )
    else:
        render.receipt(_("No new numbers were added."))
    if uploaded.unread:
        render.warning(
            ngettext("We couldn't read %(num)s line.", "We couldn't read %(num)s lines.", uploaded.unread),
        )
