"""The list of settings, and of the operator's pages, in the side menu of the desktop layout: with the pages of the
present section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from ..domain.language import gettext
from ..models.accounts import OPERATOR
from . import current, layouts

SECURITY = ("settings.security_and_access", "settings.security")
"""The pages that are themselves the list of the pages about security."""


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    url: str
    is_current: bool
    """It is this page, or this page is below it."""
    pages: Sequence[Place] = ()


def here() -> list[Place] | None:
    """None on pages without the list."""
    path = _path()
    if layouts.variant().is_phone or not path.startswith(("/settings", "/operator")):
        return None
    in_security = path.startswith("/settings/security")
    user = current.user_or_none()  # a phone answers login requests while it is logged out
    return [
        _place(path, gettext("Account"), "settings.account"),
        Place(
            gettext("Security and account access"),
            layouts.page_url("settings.security_and_access"),
            in_security,
            _security(path) if in_security and layouts.endpoint() not in SECURITY else (),
        ),
        _place(path, gettext("Privacy"), "settings.privacy"),
        _place(path, gettext("Language"), "settings.language"),
        _place(path, gettext("Display"), "settings.display"),
        *(_operator(path) if user is not None and user.account.role == OPERATOR else ()),
    ]


def _operator(path: str) -> list[Place]:
    url, is_here = layouts.page_url("operator.overview"), path.startswith("/operator")
    pages = (
        _place(path, gettext("Apps"), "operator_apps.listed"),
        _place(path, gettext("Accounts"), "operator_accounts.listed"),
        _place(path, gettext("Messages"), "operator_messages.listed"),
        _place(path, gettext("Groups"), "operator.groups"),
    )
    return [Place(gettext("Operator"), url, is_here, pages if is_here and path != url else ())]


def _security(path: str) -> list[Place]:
    return [
        _place(path, gettext("Two-factor authentication"), "two_factor.methods"),
        *(
            _place(path, str(method.requests_title), "requests.listed", method=method.slug)
            for method in current.services().methods.out_of_band
        ),
        _place(path, gettext("Sessions"), "sessions.sessions"),
        _place(path, gettext("Connected apps"), "connected_apps.apps"),
        _place(path, gettext("Activity"), "activity.activity"),
        _place(path, gettext("Password"), "settings.password"),
    ]


def _place(path: str, label: str, page: str, **values: str) -> Place:
    url = layouts.page_url(page, **values)
    return Place(label, url, path.startswith(url))


def _path() -> str:
    """That of this page, or of the page that step-up comes back to, so that the list stays meanwhile."""
    return request.args.get("next", "") if request.path.startswith("/step-up/") else request.path
