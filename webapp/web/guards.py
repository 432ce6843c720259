"""Checks that run before a page's own code. Templates never decide what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from flask import abort, current_app, g, request
from flask.wrappers import Response
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

from . import current, kept_acts, layouts, render

View = Callable[..., Any]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FILE_FIELD = "file_field"
MACHINE, LEGACY = "machine", "legacy"
"""The blueprints without forms: no browser posts there."""


# -- Before every request --------------------------------------------------------------------------


def clean_input() -> None:
    """400 for malformed UTF-8, NUL, a repeated field or an unexpected file."""
    raw = request.environ.get("QUERY_STRING", "").encode("latin-1"), request.path.encode("utf-8", "surrogatepass")
    bodies = [*raw]
    if request.method not in SAFE and request.mimetype == "application/x-www-form-urlencoded":
        bodies.append(request.get_data(cache=True))
        if request.environ.get("wsgi.input_terminated") and request.environ["wsgi.input"].read(1):
            abort(413)  # Werkzeug cuts a chunked body off at the limit and says nothing
    if not all(_is_clean(unquote_to_bytes(body) if b"%" in body else body) for body in bodies):
        abort(400)
    if request.method not in SAFE and not _is_machine():
        if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data", ""):
            abort(400)
        if any(len(values) > 1 or name.endswith("]") for name, values in request.form.lists()):
            abort(400)
        if not _has_clean_files():
            abort(400)
        if not all(_is_clean(value.encode("utf-8", "surrogatepass")) for value in request.form.values()):
            abort(400)


def takes_file(field: str) -> Callable[[View], View]:
    """On a view: this field may be a file. Its bytes are not checked here, so the view must not trust them."""

    def marked(view: View) -> View:
        setattr(view, FILE_FIELD, field)
        return view

    return marked


def _has_clean_files() -> bool:
    """True when each file is in the view's file field, once, without a text of that name, and its name has no NUL."""
    if not request.files:
        return True
    taken = getattr(current_app.view_functions.get(request.endpoint or ""), FILE_FIELD, None)
    return all(
        name == taken and name not in request.form and len(files) == 1 and "\0" not in (files[0].filename or "")
        for name, files in request.files.lists()
    )


def same_site() -> None:
    """CSRF: 403 for a request that the browser says comes from another site, 400 without a token.

    A token that is old or wrong is left to the form: the page comes again with what was typed, and nothing is done.
    `CSRFProtect` would answer 400, and the forms' own tokens cannot be checked where a page has several forms.
    """
    if request.method in SAFE or _is_machine():
        return
    if g.get("kept_act", False):
        g.csrf_valid = True
        return
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and not _is_ours(origin)):
        abort(403)
    token = request.form.get("csrf_token")
    if not token:
        abort(400)
    try:
        validate_csrf(token)
    except ValidationError:
        g.csrf_valid = False
    else:
        g.csrf_valid = True


def phone_layout() -> Response | None:
    """A phone that opens a page at the main host is sent to the same page at the mobile host."""
    url = None if render.is_fragment() else layouts.url_for_phone()
    if url is None:
        return None
    response = render.go(url)
    response.vary.update(("Sec-CH-UA-Mobile", "User-Agent"))
    return response


# -- On single pages -------------------------------------------------------------------------------


def log_in_first() -> Response:
    """Flask-Login's answer where `login_required` refuses: to the log-in page, and back to this page afterwards."""
    target = current.here() if request.method in SAFE else None
    return render.go(layouts.to("entrance.log_in", next=target), whole=True)


def fresh(view: View) -> View:
    """Under `login_required`: a session that is not fresh steps up first, then goes on to the page asked for."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        user = current.user()
        if current.services().sessions.is_fresh(user):
            return view(*args, **kwargs)
        return step_up()

    return guarded


def step_up(path: str | None = None) -> Response:
    """To the step-up pages; a form that was sent is kept sealed and sent again afterwards."""
    user = current.user()
    path = path or current.here()
    if request.method not in SAFE and path == current.here():
        if not g.get("csrf_valid", False):
            abort(400)
        kept_acts.keep(user, path)
    proved = current.services().sessions.password_is_fresh(user)
    page = "step_up.verify" if proved and user.factors else "step_up.password"
    return render.go(layouts.to(page, next=path), whole=False)


def local_path(text: str | None) -> str | None:
    """`text` when it is a path of this host, else None: no scheme, no host, no slashes that browsers read as one."""
    if not text or not text.startswith("/") or text.startswith("//") or len(text) > 2000:
        return None
    if "\\" in text or any(ord(c) <= 32 or ord(c) == 127 for c in text) or not text.isprintable():
        return None
    parts = urlsplit(text)
    if parts.scheme or parts.netloc:
        return None
    return text


def _is_machine() -> bool:
    return request.blueprint in (MACHINE, LEGACY)


def _is_clean(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in raw


def _is_ours(origin: str) -> bool:
    scheme = current_app.config["PREFERRED_URL_SCHEME"]
    return origin == f"{scheme}://{request.host}"
