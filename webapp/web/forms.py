"""Forms: the fields of pages, and the result of the CSRF check. Forms never decide what is allowed; services do."""

from __future__ import annotations

from functools import cache
from typing import Literal

from flask import g, request
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    Field,
    HiddenField,
    PasswordField,
    RadioField,
    SelectChoice,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired

from ..domain.language import lazy, lazy_pgettext
from ..domain.refusals import CookiesOff, PageTooOld, Refusal
from ..services.enrollment.fields import (
    ConfirmationCodeFields,
    DiscoverableFields,
    EmailFields,
    PasswordFields,
    PhoneFields,
)
from . import themes, words


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """Base class of all forms. Used directly for a form that is only a button."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # the same
        csrf = False  # `guards.same_site` checks the token once in a request, because a page may have several forms

    refusal: Refusal | None = None

    def submitted(self) -> bool:
        """True for a POST with a valid CSRF token and valid fields."""
        valid: bool = self.validate_on_submit()
        return _is_trusted(self) and valid

    def trusted(self) -> bool:
        """True for a POST with a valid CSRF token, whether or not its fields are valid."""
        return _is_trusted(self)


def _is_trusted(form: Form) -> bool:
    # not a method, which a field of the same name would hide
    if not form.is_submitted():
        return False
    valid: bool = g.get("csrf_valid", False)
    if not valid:
        form.form_errors.append(words.say(untrusted()))
    return valid


def untrusted() -> Refusal:
    """Why the CSRF token of this request is not valid: its cookie is old, or the browser sends none at all."""
    return PageTooOld() if request.cookies else CookiesOff()


def described(field: Field, hint: str | None) -> str | Literal[False]:
    """The value of `aria-describedby`: the ids of the hint and the error; False leaves the attribute out."""
    ids = [f"{field.id}-hint"] if hint else []
    if field.errors:
        ids.append(f"{field.id}-error")
    return " ".join(ids) or False


def invalid(field: Field) -> str | Literal[False]:
    """The value of `aria-invalid`; False leaves the attribute out."""
    return "true" if field.errors else False


class SignUpForm(Form):
    name = StringField(lazy("Name"), [InputRequired(lazy("Enter your name."))])
    username = StringField(lazy("Username"), [InputRequired(lazy("Choose a username."))])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Choose a password."))])


class InvitationForm(Form):
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Choose a password."))])


class LogInForm(Form):
    username = StringField(lazy("Username"), [InputRequired(lazy("Enter your username or email."))])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password."))])
    keep = BooleanField(lazy("Keep me logged in"))
    next = HiddenField()


class LoginLinkForm(Form):
    username = HiddenField(validators=[InputRequired()])


class PasskeyForm(Form):
    keep = BooleanField()
    next = HiddenField()


class EmailForm(Form, EmailFields):
    pass


class ConfirmationCodeForm(Form, ConfirmationCodeFields):
    pass


class PasswordForm(Form, PasswordFields):
    pass


class NewPasswordForm(Form):
    password = PasswordField(lazy("New password"), [InputRequired(lazy("Enter a new password."))])


class NameForm(Form):
    name = StringField(lazy("Name"), [InputRequired(lazy("Enter your name."))])


class UsernameForm(Form):
    username = StringField(lazy("New username"), [InputRequired(lazy("Enter a new username."))])


class PhoneForm(Form, PhoneFields):
    pass


class DiscoverableForm(Form, DiscoverableFields):
    pass


THEMES = [SelectChoice(value, label) for value, label in themes.LABELS.items()]


class ThemeForm(Form):
    theme = RadioField(lazy("Theme"), [InputRequired(lazy("Choose a theme."))], choices=THEMES)


class ContactsForm(Form):
    file = FileField(lazy("Contacts file (.vcf)"))
    numbers = TextAreaField(lazy("Phone numbers"))


class ForgetForm(Form):
    forget = BooleanField(lazy("Also remove remembered browsers"))


class GroupForm(Form):
    name = StringField(
        lazy_pgettext("app or group", "Name"), [InputRequired(lazy_pgettext("app or group", "Enter a name."))]
    )


class DeviceForm(Form):
    code = StringField(lazy("Code from your device"), [InputRequired(lazy("Enter the code."))])


class MemberForm(Form):
    username = StringField(lazy("Username"), [InputRequired(lazy("Enter a username."))])


class FindAccountForm(Form):
    username = StringField(lazy("Username or email"), [InputRequired(lazy("Enter a username or email."))])


class ReasonForm(Form):
    why = StringField(lazy("Reason"))


class InviteForm(Form):
    email = StringField(lazy("Email"), [InputRequired(lazy("Enter an email address."))])
    username = StringField(lazy("Username (optional)"))
    name = StringField(lazy("Name (optional)"))


class BackupCodeForm(Form):
    code = StringField(lazy("Backup code"))


class NumberForm(Form):
    number = StringField(lazy("Number on your other screen"))


class RememberFields:
    remember = BooleanField(lazy("Remember this browser for 30 days"))


@cache
def form_of(*fields: type) -> type[Form]:
    """The form class of a step or a challenge, from the classes that define its fields."""
    bases = (Form, *(f for f in fields if f is not None))
    return type("StepForm", bases, {})
