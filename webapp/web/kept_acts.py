"""A form that was submitted when the session was not fresh: kept for its page, and submitted once after step-up.

Cancel, another page, or a step-up for another page drops it: a proof must never carry out anything but what the user
has just asked for. A form with an expired CSRF token is shown again with what was typed, and not carried out.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import after_this_request, current_app, g, request, session
from flask.wrappers import Response
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.test import EnvironBuilder

from ..models.user import SessionToken, User
from ..services.kept_acts import Act
from . import cookies, current, layouts, render, sent_twice

KEY = "act"
"""In the form session: the key of the kept form of this browser."""
STAYS_WITH = frozenset({"site.delivery", "site.language", "site.cookie_notice"})
"""Pages that a step-up page requests, or that redirect back to it."""


def keep(user: User, path: str) -> None:
    """Keeps the form of this request, without its CSRF token, but with whether that is valid."""
    form = [(name, value) for name, value in request.form.items() if name != "csrf_token"]
    session[KEY] = current.services().kept_acts.keep(user, Act(path, form, g.csrf_valid))


def drop_elsewhere(page: str | None) -> None:
    """Before each request: drops the kept form, unless the page belongs to step-up."""
    if page is None or page in STAYS_WITH or page in layouts.STAYS or page.startswith("step_up."):
        return
    if KEY in session and "kept_act" not in g:
        del session[KEY]


def do(act: Act, token: SessionToken | None) -> Response:
    """The response of the page to the kept form, in a request context of its own with the headers of this request."""
    parts = urlsplit(act.path)
    builder = EnvironBuilder(
        path=parts.path,
        base_url=request.host_url,
        query_string=parts.query,
        method="POST",
        headers=Headers(request.headers),
        data=MultiDict(act.form),
        content_type="application/x-www-form-urlencoded",
        environ_base={"REMOTE_ADDR": request.environ.get("REMOTE_ADDR", "")},
    )
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # as documented
    proof = sent_twice.this_form()

    def note(response: Response) -> Response:
        sent_twice.note(proof, render.leads_to(response) or act.path)
        return response

    with app.request_context(builder.get_environ()):
        after_this_request(note)
        g.kept_act = act
        session.pop(KEY, None)
        if token is not None:
            current.use_new_token(token.token)
        response: Response = app.full_dispatch_request()
        name = f"{cookies.name_of(cookies.SESSION)}="
        has_newer = any(cookie.startswith(name) for cookie in response.headers.getlist("Set-Cookie"))
    return response if has_newer or token is None else render.logged_in_as(response, token)
