"""The form of an app: its fields by the names of the columns, and what was typed as `AppOptions`.

Each group and scope is a field of its own, because no field may be sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from flask import request
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    RadioField,
    SelectChoice,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired

from ..domain import strict_json
from ..domain.app_refusals import KeysMalformed, MaxAgeMalformed, RuleMalformed
from ..domain.language import lazy, lazy_pgettext
from ..domain.path_rules import parse_rule
from ..domain.refusals import Refusal
from ..models.registered_apps import (
    ALGORITHMS,
    GUARDED,
    KEY,
    PAIRWISE,
    PASSWORD,
    PUBLIC,
    PUBLIC_SUBJECT,
    SCOPES,
    TWO_FACTOR,
    WEB,
)
from ..services.operators.app_options import OF_KIND, AppOptions, fingerprint
from . import words
from .forms import Form

GROUP, SCOPE = "group-", "scope-"
"""With a name after it: the name of its field."""
LINES = ("redirect_uris", "post_logout_redirect_uris", "private_addresses", "origins", "resources", "rules")
"""Fields with one value a line."""
ADDRESSES = ("host", "backchannel_logout_uri", "jwks_uri")
"""Fields that may be empty."""
FLAGS = ("pkce_demanded", "dpop_demanded", "device_allowed", "trusted", "authorization_allowed")
KINDS = [
    SelectChoice(WEB, lazy("Web application")),
    SelectChoice(PUBLIC, lazy("Browser or phone app")),
    SelectChoice(GUARDED, lazy("Guarded host")),
]
PROOFS = [
    SelectChoice(PASSWORD, lazy("Password")),
    SelectChoice(TWO_FACTOR, lazy("Any second factor")),
    SelectChoice(KEY, lazy("Security key or passkey")),
]
SUBJECTS = [
    SelectChoice(PAIRWISE, lazy("A different ID in each app")),
    SelectChoice(PUBLIC_SUBJECT, lazy("The same ID in all apps")),
]
ONE = [InputRequired(lazy("Choose one of these."))]


def rules_by_line(_form: Form, field: Field) -> None:
    """Tells every line that is no rule. The service refuses the first of them."""
    for line, text in enumerate(_lines(field), 1):
        try:
            parse_rule(text, line) if text.strip() else None
        except RuleMalformed as refusal:
            field.errors.append(words.say(refusal))


def read_by(read: Callable[[str], object]) -> Callable[[Form, Field], None]:
    """A validator: tells what `read` refuses."""

    def validate(_form: Form, field: Field) -> None:
        try:
            read(field.data or "")
        except Refusal as refusal:
            raise ValidationError(words.say(refusal)) from None

    return validate


def seconds(typed: str) -> int | None:
    """Raises `MaxAgeMalformed`."""
    typed = typed.strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit()) or len(typed) > 9:
        raise MaxAgeMalformed()
    return int(typed)


def keys(typed: str) -> Any:
    """Raises `KeysMalformed`."""
    try:
        return strict_json.read(typed) if typed.strip() else None
    except ValueError:
        raise KeysMalformed() from None


class NewAppForm(Form):
    """What is asked when an app is added; `groups` are its further fields."""

    client_id = HiddenField()
    """Drawn with the page, so that a form that is sent twice adds one app."""
    name = StringField(
        lazy_pgettext("app or group", "Name"), [InputRequired(lazy_pgettext("app or group", "Enter a name."))]
    )
    kind = RadioField(lazy("Kind"), [InputRequired(lazy("Choose the kind of app."))], choices=KINDS, default=WEB)
    redirect_uris = TextAreaField(lazy("Redirect addresses"))
    post_logout_redirect_uris = TextAreaField(lazy("Addresses after logging out"))
    host = StringField(lazy("Host"))
    proof = RadioField(lazy("Proof"), ONE, choices=PROOFS, default=PASSWORD)
    sector = StringField(lazy("Sector"))


class AppForm(Form):
    """Every option. What its kind of app does not have is deleted from the form."""

    as_read = HiddenField()
    """The `fingerprint` of the options that the page showed."""
    name = StringField(
        lazy_pgettext("app or group", "Name"), [InputRequired(lazy_pgettext("app or group", "Enter a name."))]
    )
    host = StringField(lazy("Host"))
    proof = RadioField(lazy("Proof"), ONE, choices=PROOFS)
    max_age = StringField(lazy("Maximum age of the proof in seconds"), [read_by(seconds)])
    device_allowed = BooleanField(lazy("Allow devices without a browser"))
    rules = TextAreaField(lazy("Rules by path"), [rules_by_line])
    authorization_allowed = BooleanField(lazy("Allow temporary passwords and app tokens"))
    subject_type = RadioField(lazy("How the app knows people"), ONE, choices=SUBJECTS)
    trusted = BooleanField(lazy("Don't ask people for consent"))
    redirect_uris = TextAreaField(lazy("Redirect addresses"))
    post_logout_redirect_uris = TextAreaField(lazy("Addresses after logging out"))
    backchannel_logout_uri = StringField(lazy("Back-channel logout address"))
    private_addresses = TextAreaField(lazy("Private networks"))
    origins = TextAreaField(lazy("Web origins"))
    resources = TextAreaField(lazy("Resource servers"))
    pkce_demanded = BooleanField(lazy("Require PKCE"))
    dpop_demanded = BooleanField(lazy("Require DPoP"))
    signing_algorithm = RadioField(
        lazy("Signing algorithm"), ONE, choices=[SelectChoice(name, name) for name in ALGORITHMS]
    )
    jwks = TextAreaField(lazy("Public keys of the app"), [read_by(keys)])
    jwks_uri = StringField(lazy("Address of the public keys"))


def new_app_form(client_id: str, groups: Iterable[str]) -> NewAppForm:
    """`client_id` is that of the new app, unless the form that was sent has one."""
    kind = type("NewAppForm", (NewAppForm,), _checkboxes(GROUP, _with_sent(groups)))
    form: NewAppForm = kind(data={"client_id": client_id})
    return form


def app_form(kind: str, options: AppOptions, groups: Iterable[str]) -> AppForm:
    """The form of a stored app, filled in. `groups` are all that there are."""
    scopes = SCOPES[1:] if "scopes" in OF_KIND[kind] else ()
    checkboxes = _checkboxes(GROUP, _with_sent(groups)) | _checkboxes(SCOPE, scopes)
    filled: dict[str, Any] = {name: "\n".join(getattr(options, name)) for name in LINES}
    filled |= {name: value for name in _single() if (value := getattr(options, name)) is not None}
    filled |= {f"{GROUP}{name}": True for name in options.groups} | {f"{SCOPE}{name}": True for name in options.scopes}
    filled["as_read"] = fingerprint(options)
    filled["max_age"] = "" if options.max_age is None else str(options.max_age)
    filled["jwks"] = "" if options.jwks is None else json.dumps(options.jwks, indent=2)
    form: AppForm = type("AppForm", (AppForm,), checkboxes)(data=filled)
    for name in {*LINES, *_single(), "jwks"} - OF_KIND[kind]:
        del form[name]
    return form


def new_options(form: NewAppForm) -> AppOptions:
    """What was typed. The addresses that the kind of app does not have are left out."""
    shared = {"groups": _checked(form, GROUP), "proof": form.proof.data, "sector": form.sector.data or ""}
    options = AppOptions(form.name.data, **shared)
    if form.kind.data == GUARDED:
        return replace(options, host=form.host.data)
    after_log_out = _lines(form.post_logout_redirect_uris)
    return replace(options, redirect_uris=_lines(form.redirect_uris), post_logout_redirect_uris=after_log_out)


def options_in(form: AppForm, stored: AppOptions) -> AppOptions:
    """`stored`, with what was typed, but for a field that cannot be read."""
    typed: dict[str, Any] = {name: _lines(form[name]) for name in LINES if name in form}
    typed |= {name: form[name].data for name in _single() if name in form and name != "max_age"}
    typed |= {name: (form[name].data or "").strip() or None for name in ADDRESSES if name in form}
    if not form.max_age.errors:
        typed["max_age"] = seconds(form.max_age.data or "")
    if "jwks" in form and not form.jwks.errors:
        typed["jwks"] = keys(form.jwks.data or "")
    if checkboxes_of(form, SCOPE):
        typed["scopes"] = ("openid", *_checked(form, SCOPE))
    return replace(stored, **typed, groups=_checked(form, GROUP))


def checkboxes_of(form: Form, prefix: str) -> Sequence[Field]:
    """The fields of the groups or scopes, for the template."""
    return [field for field in form if field.name.startswith(prefix)]


def _single() -> tuple[str, ...]:
    """The fields with one value."""
    return "name", "proof", "max_age", "subject_type", "signing_algorithm", *ADDRESSES, *FLAGS


def _with_sent(groups: Iterable[str]) -> Iterable[str]:
    """The groups, and those that were checked but are gone: the service refuses them. An app without a group is open to
    everyone."""
    sent = [name.removeprefix(GROUP) for name in request.form if name.startswith(GROUP)]
    return dict.fromkeys([*groups, *sent])


def _checkboxes(prefix: str, names: Iterable[str]) -> dict[str, BooleanField]:
    return {f"{prefix}{name}": BooleanField(name) for name in names}


def _checked(form: Form, prefix: str) -> tuple[str, ...]:
    return tuple(field.name.removeprefix(prefix) for field in checkboxes_of(form, prefix) if field.data)


def _lines(field: Field) -> tuple[str, ...]:
    return tuple((field.data or "").splitlines())
