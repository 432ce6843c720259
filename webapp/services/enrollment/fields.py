"""The form fields that steps and challenges share. The web layer adds the CSRF token."""

from __future__ import annotations

from wtforms import BooleanField, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from ...domain.language import lazy


class PasswordFields:
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Enter your password."))])


class EmailFields:
    email = StringField(lazy("Email address"), [InputRequired(lazy("Enter your email address."))])


class ConfirmationCodeFields:
    code = StringField(lazy("Confirmation code"), [InputRequired(lazy("Enter the confirmation code."))])


class DiscoverableFields:
    discoverable = BooleanField(lazy("Let existing contacts find me"), default=True)


class PhoneFields(DiscoverableFields):
    phone = StringField(lazy("Phone number"), [InputRequired(lazy("Enter your phone number."))])
    country = SelectField(lazy("Country"), choices=[], validate_choice=False)


class CodeFields:
    code = StringField(lazy("Code"), [InputRequired(lazy("Enter the code."))])
