"""Puts the pages, guards, templates and headers into the Flask application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.wrappers import Response
from flask_login import LoginManager, UserMixin
from htmx_flask import Htmx
from itsdangerous import URLSafeTimedSerializer
from werkzeug.routing import BaseConverter

from ..bootstrap import Services
from ..models.user import User
from . import assets, current, errors, flood_limit, guards, headers, languages, layouts, row_ids, templates
from .pages import (
    activity,
    challenge,
    contacts,
    enrollment,
    entrance,
    help,
    home,
    legacy,
    machine,
    named_factors,
    not_you,
    outbox,
    requests,
    sessions,
    settings,
    site,
    step_up,
    temporary_passwords,
    two_factor,
    web_app,
)

PAGES = (
    *(entrance, not_you, challenge, home, settings, sessions, activity, contacts),
    *(two_factor, named_factors, temporary_passwords, enrollment, step_up, requests),
    *(help, web_app, site, assets),
)


class Slug(BaseConverter):
    """Lower-case words and dashes."""

    regex = "[a-z0-9]+(?:-[a-z0-9]+)*"
    part_isolating = True


class SignedIn(UserMixin):  # type: ignore[misc]  # flask-login ships no types
    """Who Flask-Login says is there: always from our own session, never from a cookie of its own."""

    def __init__(self, user: User) -> None:
        self.id = user.account.id
        self.user = user


class SignedIns(LoginManager):  # type: ignore[misc]  # the same
    """Flask-Login without a cookie of its own, which it would look after at every answer."""

    def _update_remember_cookie(self, response: Response) -> Response:
        return response


class FormSessions(SecureCookieSessionInterface):
    """What forms keep in the browser. The keys never change while the site runs, so one serializer does for all."""

    _serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer


class Site(Flask):
    jinja_environment = templates.Templates

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.session_interface = FormSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view here is a coroutine; Flask looks at each function of a request to see whether one is."""
        return func


def install(app: Flask, services: Services) -> None:
    app.extensions[current.EXTENSION] = services
    app.url_map.converters |= {"slug": Slug, "id": row_ids.RowId}
    Htmx(app)
    assets.install(app, services.settings.instance)
    _log_in(app)
    templates.install(app, services)
    _before(app)
    flood_limit.install(app, services.settings)
    errors.install(app)
    pages = [page.bp for page in PAGES]
    if services.settings.shows_outbox:
        pages.append(outbox.bp)
    layouts.mount(app, pages, services.settings)
    app.register_blueprint(machine.bp)
    app.register_blueprint(legacy.bp)
    app.after_request(headers.add)
    app.wsgi_app = machine.AnyHost(app.wsgi_app, services.settings.main_host)  # type: ignore[method-assign]  # as Flask's docs do it


def _log_in(app: Flask) -> None:
    manager = SignedIns(app, add_context_processor=False)  # templates ask for `presence`
    manager.session_protection = None

    @manager.request_loader  # type: ignore[untyped-decorator]  # the same
    def load(_request: Any) -> SignedIn | None:
        user = current.user_or_none()
        return SignedIn(user) if user is not None else None


def _before(app: Flask) -> None:
    for step in (languages.choose, guards.clean_input, guards.same_site, guards.phone_layout):
        app.before_request(step)
    app.teardown_request(languages.forget)
