"""Writing e-mails from templates/email/<name>/{subject.txt,body.txt,body.html} in the language now spoken.

Text is never escaped and HTML always is. A fact that a template names and nobody gave is an error, not a blank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ..domain.devices import device
from ..domain.language import ENGLISH, gettext, speaking, spoken
from ..domain.moments import moment
from ..domain.ports import RenderedEmail
from ..domain.segments import segments

# what mail programs make a link of
LINKED = re.compile(r"[^\s.]\.[^\s.]|[/\\@:]|www", re.IGNORECASE)


class TemplateRenderer:
    def __init__(
        self, templates: Path | Sequence[Path], site_name: str, main_url: str, *, reload: bool = False
    ) -> None:
        """`templates` is a folder, or several that are searched in order; `reload` is for development.

        `main_url` is the main host's, from the settings and never from a request.
        """
        folders = [templates] if isinstance(templates, Path) else templates
        # every template is compiled once: one letter must cost a request less than a millisecond
        self._renderer = self._environment([folder / "email" for folder in folders], reload, site_name, main_url)
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
        # newstyle: Jinja itself puts the facts in, escaped where the template is HTML
        env.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
            gettext, _plural, newstyle=True
        )
        env.filters.update(moment=moment, device=device)
        env.globals.update(hello=hello, site=site_name, main_url=main_url.rstrip("/"))
        return env

    def render_email(self, template: str, /, **facts: object) -> RenderedEmail:
        """Raises `jinja2.TemplateError` when there is no such letter or it lacks a fact."""
        known: dict[str, object] = {**facts, "language": spoken()}
        subject = " ".join(self._render(f"{template}/subject.txt", known).split())
        text = self._render(f"{template}/body.txt", known).strip() + "\n"
        html = self._render(f"{template}/body.html", {**known, "subject": subject}).strip() + "\n"
        return RenderedEmail(subject, text, html)

    def render_text_message(self, template: str, /, **facts: object) -> str:
        """A text message, from templates/sms/<name>.txt. Raises as `write` does.

        A second segment costs as much as the first, and may come alone: where the spoken language would need one,
        which has 70 characters outside the default alphabet, the text is in English.
        """
        text = self._text(template, facts)
        if segments(text) > 1:
            with speaking(ENGLISH):
                text = self._text(template, facts)
        return text

    def _text(self, template: str, facts: Mapping[str, object]) -> str:
        return self._texts.get_template(f"{template}.txt").render(facts).strip()

    def _render(self, path: str, facts: Mapping[str, Any]) -> str:
        return self._renderer.get_template(path).render(facts)


def hello(name: str) -> str:
    """The salutation, without the name when it would carry a link into a stranger's inbox: anybody may
    sign up with somebody else's address and call themselves `win at example.com/prize`."""
    tidy = " ".join(name.split())
    return gettext("Hello,") if not tidy or LINKED.search(tidy) else gettext("Hello %(name)s,", name=tidy)


def _plural(singular: str, plural: str, number: int) -> str:
    # not the domain's ngettext, which puts the facts in itself: newstyle templates do that afterwards
    return spoken().translations.ngettext(singular, plural, number)
