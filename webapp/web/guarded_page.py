"""A page at a guarded host, where nothing of the site can be loaded but its style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from flask import current_app, make_response
from flask.wrappers import Response

from ..domain.language import gettext as _
from ..domain.language import spoken
from ..models.registered_apps import RegisteredApp
from . import assets, guarded_hosts

Link = tuple[str, str]
"""Label and address."""


def forbidden(app: RegisteredApp, number: str | None) -> Response:
    """The page for who may not use the app, or not this part of it. `number` is the error id, if it is known."""
    sentence = _("Your account doesn't have access to this app. If you need it, ask the people who run this site.")
    log_out = (_("Log out"), guarded_hosts.url(str(app.host), "/.nightlatch/log-out"))
    return page(_("You can't use %(app)s", app=app.name), sentence, links=[log_out], number=number, status=403)


def page(
    heading: str,
    sentence: str = "",
    *,
    button: str = "",
    links: Sequence[Link] = (),
    number: str | None = None,
    status: int = 200,
) -> Response:
    """`button` is that of a form that is sent to the page itself, and `number` an error id."""
    style = f"{guarded_hosts.STYLE}?v={assets.current_assets().version}" if guarded_hosts.style() else None
    facts = {"heading": heading, "sentence": sentence, "button": button, "links": links, "number": number}
    # not render_template: its context processors read the user, and the database may be unavailable
    template = current_app.jinja_env.get_template("guarded/page.html")
    return make_response(template.render(**facts, language=spoken(), style=style), status)
