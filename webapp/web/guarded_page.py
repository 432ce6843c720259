"""A page at a guarded host, where nothing of the site can be loaded. Its style is in the page, allowed by its hash."""

from __future__ import annotations

from collections.abc import Sequence

from flask import make_response, render_template
from flask.wrappers import Response

from ..domain.language import gettext as _
from ..domain.language import spoken
from ..models.registered_apps import RegisteredApp
from . import guarded_hosts, headers

Link = tuple[str, str]
"""Label and address."""


def forbidden(app: RegisteredApp) -> Response:
    """The page for who may not use the app, or not this part of it."""
    sentence = _("Your account doesn't have access to this app. If you need it, ask the people who run this site.")
    log_out = (_("Log out"), guarded_hosts.url(str(app.host), "/.nightlatch/log-out"))
    return page(_("You can't use %(app)s", app=app.name), sentence, links=[log_out], status=403)


def page(heading: str, sentence: str = "", *, button: str = "", links: Sequence[Link], status: int = 200) -> Response:
    style = render_template("guarded/style.css")
    headers.allow_style(style)
    facts = {"heading": heading, "sentence": sentence, "button": button, "links": links, "language": spoken()}
    return make_response(render_template("guarded/page.html", style=style, **facts), status)
