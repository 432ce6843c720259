"""Jinja for the pages: what every template knows, and how it calls it."""

from __future__ import annotations

from collections.abc import Callable
from gettext import NullTranslations
from types import FunctionType
from typing import Any

from flask import Flask, g, request
from flask.templating import Environment
from flask_wtf.csrf import generate_csrf
from jinja2.runtime import Context, Macro
from markupsafe import Markup

from ..bootstrap import Services
from ..domain.devices import device
from ..domain.language import gettext, plural_form, spoken
from ..domain.moments import machine, minute
from . import assets, cookies, current, forms, layouts
from .places import place_of


class Names(Context):
    """What a template knows. Functions and macros are called at once: Jinja looks four times at what each may want."""

    def call(self, obj: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
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


def install(app: Flask, services: Services) -> None:
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_callables(gettext, plural_form, newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    env.filters.update(device=device, place=place_of, minute=minute, machine=machine)
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
        "user": current.user_or_none(),
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
