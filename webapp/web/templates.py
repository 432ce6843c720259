"""Configures Jinja for the pages: filters, globals and the context of every template."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from flask import Flask
from jinja2 import Environment
from markupsafe import Markup, escape

from ..bootstrap import Services
from ..domain.devices import device
from ..domain.language import gettext, pgettext, plural_form, plural_form_in_context, spoken
from ..domain.lists import at_the_beginning
from ..domain.moments import machine
from ..services.operation.restoration import RestoredLately
from . import (
    app_flow,
    cookies,
    csrf,
    current,
    forms,
    icons,
    languages,
    layouts,
    login_response,
    scope_words,
    settings_list,
    themes,
    times,
    waiting_requests,
)
from .assets import Assets
from .places import place_of

HYPHENATED = re.compile(r"(?<![\w-])\w{1,8}-\w{1,8}(?![\w-])[.,?!]*")
"""Short, so that it fits any page; a name with hyphens that its owner gave may be longer."""


def install(app: Flask, services: Services) -> None:
    env, settings = app.jinja_env, services.settings
    assets: Assets = app.extensions["assets"]
    support = {"text": settings.support, "url": settings.support_url} if settings.support else None
    env.trim_blocks = env.lstrip_blocks = True
    env.add_extension("jinja2.ext.i18n")
    env.policies["ext.i18n.trimmed"] = True
    env.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
        gettext, plural_form, newstyle=True, pgettext=pgettext, npgettext=plural_form_in_context
    )
    env.filters.update(device=device, place=place_of, machine=machine, minute=times.at, ago=times.ago, on=times.on)
    env.filters.update(whole_words=whole_words, alone=alone, capital=at_the_beginning, icon=icons.icon)
    env.globals.update(
        _=_sentence,
        site_name=settings.site_name,
        sign_up_open=settings.sign_up_open,
        support=support,
        asset=assets.url,
        same_everywhere=_same_everywhere(env, assets),
        page_url=partial(layouts.url_among, app.extensions[layouts.PATHS]),
        log_in_url=app_flow.log_in_url,
        pending_login_url=login_response.pending_login_url,
        csrf_token=csrf.token,
        restored_lately=RestoredLately(services.restoration),
        current_path=current.path,
        waiting_requests=waiting_requests.here,
        gap=gap,
        described=forms.described,
        invalid=forms.invalid,
        app_learns=scope_words.learns,
        languages=list(services.languages.values()),
        language_links=languages.links,
    )
    app.context_processor(_context)


def whole_words(text: object) -> Markup:
    """The text with each short word with a hyphen, such as "two-factor", in a part that is not broken at its end.

    All of it is one element then: in a flex container, text beside an element would lose the space between them.
    """
    escaped = str(escape(text))
    marked, count = HYPHENATED.subn(r'<span class="whole">\g<0></span>', escaped)
    return Markup(f"<span>{marked}</span>" if count else escaped)  # noqa: S704  # escaped before


def gap() -> str:
    """What stands after a sentence before the next one or a link: nothing in Chinese and Japanese, whose full stops are
    as wide as a letter.
    """
    return "" if spoken().code[:2] in ("ja", "zh") else " "


def alone(text: str) -> str:
    """The name of a device or a place outside a sentence: "An unknown device". "iPhone" and "@ada" stay as they are."""
    first = text.partition(" ")[0]
    return at_the_beginning(text) if first.isalpha() and first.islower() else text


def _same_everywhere(env: Environment, assets: Assets) -> Callable[..., Markup]:
    """A function for templates: a part that is the same on each page of a layout in a language, rendered once.

    `is_here` is all that a page can tell the part, which has no other variables than `language`.
    """

    @lru_cache(maxsize=1024)
    def rendered(name: str, is_here: bool, _layout: str, _language: str, _version: str) -> Markup:
        html = env.get_template(name).render(language=spoken(), is_here=is_here)
        return Markup(html.rstrip())  # noqa: S704  # escaped by the template

    def part(name: str, *, is_here: bool = False) -> Markup:
        return rendered(name, is_here, layouts.current(), spoken().code, assets.version)

    return part


def _sentence(msgid: str, **values: object) -> str:
    """`_` of templates. Most sentences have no values, and need no `Markup`: it makes the gettext of Jinja slower."""
    sentence = gettext(msgid)
    return times.sentence(sentence, **values) if values else sentence


def _context() -> dict[str, object]:
    """Variables of every template."""
    return {
        "language": spoken(),
        "variant": layouts.variant(),
        "user": current.user_or_none(),
        "is_home": layouts.endpoint() == "home.home",
        "theme": themes.here(),
        "show_cookie_notice": cookies.get(cookies.NOTICE_SEEN) is None,
        "other_site": layouts.other_site(languages.without_parameter(current.path())),
        "outbox_url": layouts.page_url("outbox.messages") if current.services().settings.shows_outbox else None,
        "settings_list": settings_list.here(),
    }
