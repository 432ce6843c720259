"""Puts the pages, guards, templates and headers into the Flask application."""

from __future__ import annotations

from collections.abc import Callable
from gettext import NullTranslations
from types import FunctionType
from typing import Any

from flask import Flask, g, request
from flask.sessions import SecureCookieSessionInterface
from flask.templating import Environment
from flask.wrappers import Response
from flask_login import LoginManager, UserMixin
from flask_wtf.csrf import generate_csrf
from htmx_flask import Htmx
from itsdangerous import URLSafeTimedSerializer
from jinja2.runtime import Context, Macro
from markupsafe import Markup
from werkzeug.routing import BaseConverter

from ..bootstrap import Services
from ..domain.devices import device
from ..domain.language import gettext, plural_form, spoken
from ..domain.moments import machine as machine_time
from ..domain.moments import minute
from ..models.presence import Presence
from ..settings import ROOT
from . import assets, cookies, current, errors, floods, forms, guards, headers, languages, layouts, row_ids
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
from .places import place_of

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

    def __init__(self, presence: Presence) -> None:
        self.id = presence.account.id
        self.presence = presence


class Names(Context):
    """What a template knows. Functions and macros are called at once: Jinja looks four times at what each may want."""

    def call(self, obj: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_macro = type(obj) is Macro
        if not is_macro and (type(obj) is not FunctionType or hasattr(obj, "jinja_pass_arg")):
            return super().call(obj, *args, **kwargs)
        kwargs.pop("_loop_vars", None)  # what Jinja adds for functions that ask for the context
        kwargs.pop("_block_vars", None)
        return obj(self.eval_ctx, *args, **kwargs) if is_macro else obj(*args, **kwargs)


class Templates(Environment):
    """Jinja with the globals in one dict: a ChainMap is searched link by link, at every import and every name."""

    context_class = Names

    def make_globals(self, d: Any) -> Any:
        return {**self.globals, **(d or {})}


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
    jinja_environment = Templates

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
    assets.install(app, ROOT / "static")
    _log_in(app)
    _templates(app, services)
    _before(app)
    floods.install(app, services.settings)
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
        presence = current.presence()
        return SignedIn(presence) if presence is not None else None


def _before(app: Flask) -> None:
    for step in (languages.choose, guards.clean_input, guards.same_site, guards.phone_layout):
        app.before_request(step)
    app.teardown_request(languages.forget)


def _templates(app: Flask, services: Services) -> None:
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_callables(gettext, plural_form, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    env.filters.update(device=device, place=place_of, minute=minute, machine=machine_time)
    env.globals.update(
        _=_said,
        site_name=services.settings.site_name,
        asset=assets.url,
        to=layouts.to,
        csrf_token=_csrf_token,
        here=current.here,
        described=forms.described,
        languages=[(language.code, language.autonym) for language in services.languages.values()],
    )
    app.context_processor(_context)


SAID: dict[tuple[NullTranslations, str], Markup] = {}
"""As many as templates have, in each language."""


def _said(sentence: str, **facts: Any) -> Markup:
    """What the extension's own `_` says, without its detour over the context, twenty times a page."""
    key = spoken().translations, sentence
    text = SAID.get(key)
    if text is None:
        text = SAID[key] = Markup(gettext(sentence))  # noqa: S704  # sentences are ours or their translators'
    return text % facts if facts or "%" in text else text


def _csrf_token() -> str:
    """One for all forms of a page. Flask-WTF looks into four places before it says again what it said."""
    token: str = g.get("csrf_token") or generate_csrf()
    return token


def _context() -> dict[str, Any]:
    """What every screen knows without being told."""
    return {
        "language": spoken(),
        "copy": layouts.copy(),
        "presence": current.presence(),
        "show_cookie_notice": cookies.get(cookies.NOTICE_SEEN) is None,
        "other_site": layouts.other_site(),
        "outbox_url": layouts.to("outbox.messages") if current.services().settings.shows_outbox else None,
        "settings_list": _settings_list(),
    }


def _settings_list() -> list[tuple[str, str, bool]] | None:
    """Beside the settings pages, where there is room."""
    if layouts.copy().phone or not request.path.startswith("/settings"):
        return None
    places = (
        (gettext("Account"), layouts.to("settings.account")),
        (gettext("Security and account access"), layouts.to("settings.security_and_access")),
        (gettext("Privacy"), layouts.to("settings.privacy")),
        (gettext("Language"), layouts.to("settings.language")),
        (gettext("Display"), layouts.to("settings.display")),
    )
    security = layouts.to("settings.security")
    return [
        (label, url, request.path.startswith(url) or (place == 1 and request.path.startswith(security)))
        for place, (label, url) in enumerate(places)
    ]
