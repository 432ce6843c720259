"""Renders e-mails and text messages in the current language, from templates/email and templates/sms.

An e-mail has the templates <name>/{subject.txt,body.txt,body.html}. Values are escaped in HTML and never in text. A
missing value must never render as nothing: it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ..domain.devices import device
from ..domain.language import (
    ENGLISH,
    bidi_isolate,
    gettext,
    pgettext,
    plural_form,
    plural_form_in_context,
    speaking,
    spoken,
)
from ..domain.moments import minute, moment
from ..domain.ports import RenderedEmail
from ..domain.segments import segments

# text that mail programs turn into a link
LINKED = re.compile(r"[^\s.]\.[^\s.]|[/\\@:]|www", re.IGNORECASE)


SHORTENED = 2
"""A template of a text reads `shorter`, which says how often it is made shorter, from 0 to this."""


class TemplateRenderer:
    def __init__(
        self, templates: Path | Sequence[Path], site_name: str, main_url: str, *, reload: bool = False
    ) -> None:
        """`templates` is a folder, or several that are searched in order.

        `reload` reads changed templates, in development.

        `main_url` is that of the settings, never of a request.
        """
        folders = [templates] if isinstance(templates, Path) else templates
        # one environment for each kind, so that each template is compiled once
        self._emails = self._environment([folder / "email" for folder in folders], reload, site_name, main_url)
        self._texts = self._environment([folder / "sms" for folder in folders], reload, site_name, main_url)

    def _environment(self, folders: Sequence[Path], reload: bool, site_name: str, main_url: str) -> Environment:
        env = Environment(
            loader=FileSystemLoader(folders),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=reload,
        )
        # newstyle: Jinja inserts the values, escaped in HTML templates
        env.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
            gettext, plural_form, newstyle=True, pgettext=pgettext, npgettext=plural_form_in_context
        )
        env.filters.update(minute=minute, device=device, isolated=bidi_isolate)
        env.tests["linked"] = lambda text: LINKED.search(text) is not None
        env.globals["_"] = env.globals["gettext"]  # the extension's own `_` resolves gettext at each call
        env.globals.update(hello=hello, site=site_name, main_url=main_url.rstrip("/"))
        return env

    def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
        """Raises `jinja2.TemplateError` for an unknown template or a missing value.

        Templates have the Unix seconds of `at` as the words `when`.
        """
        known: dict[str, object] = {**facts, "language": spoken()}
        if "at" in facts:
            known["when"] = moment(cast(int, facts["at"]))  # once for text and HTML: it is a third of an email's time
        subject = " ".join(self._render(f"{template}/subject.txt", known).split())
        text = self._render(f"{template}/body.txt", known).strip() + "\n"
        html = self._render(f"{template}/body.html", {**known, "subject": subject}).strip() + "\n"
        return RenderedEmail(subject, text, html)

    def render_text_message(self, template: str, /, **facts: object) -> str:
        """Raises as `render_email` does.

        The first that fits one segment: the whole text, the text without its advice, the text without the site's name,
        the same three in English. A second segment costs as much as the first, and may arrive without it. A segment
        has 160 characters, or 70 outside the GSM alphabet.
        """
        for language in (spoken(), ENGLISH):
            with speaking(language):
                for shorter in range(SHORTENED + 1):
                    text = self._texts.get_template(f"{template}.txt").render(facts, shorter=shorter).strip()
                    if segments(text) == 1:
                        return text
        return text

    def _render(self, path: str, facts: Mapping[str, Any]) -> str:
        return self._emails.get_template(path).render(facts)


def hello(name: str) -> str:
    """The salutation, without a name that mail programs would turn into a link.

    Anyone can sign up with another person's address and a name such as `win at example.com/prize`.
    """
    tidy = " ".join(name.split())
    return gettext("Hi,") if not tidy or LINKED.search(tidy) else gettext("Hi %(name)s,", name=tidy)
