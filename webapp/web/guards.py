"""Checks that run before the code of a page. Templates must never decide what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from flask import abort, current_app, g, request
from flask.wrappers import Response
from flask_login import login_required

from ..domain.language import gettext as _
from ..domain.names import is_stream_safe
from ..models.accounts import OPERATOR
from . import cookies, csrf, current, kept_acts, layouts, render

View = Callable[..., Any]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FILE_FIELD, TOO_LARGE = "file_field", "too_large"
DRAINED_AT_ONCE = 64 * 1024
DRAINED = 8 * 1024 * 1024  # bytes: a contacts file with photos
MACHINE, LEGACY, OPENID = "machine", "legacy", "openid"
"""Blueprints for programs: they have no forms, and no CSRF check."""
GUARDED = "guarded_pages"
"""That of the pages at guarded hosts, which check the origin of their one form themselves."""
LEGACY_VERIFY, LEGACY_TOKEN = f"{LEGACY}.verify", f"{LEGACY}.token"


# -- Before every request --------------------------------------------------------------------------


def clean_input() -> None:
    """400 for malformed UTF-8, NUL, a long row of combining marks, a repeated field or an unexpected file; 413 for a
    body that is too long.

    A body that may have a file has a higher limit; the text beside the file has not, because it is judged here for
    everyone, also without a session.
    """
    raw = request.environ.get("QUERY_STRING", "").encode("latin-1"), request.path.encode("utf-8", "surrogatepass")
    bodies = [*raw]
    policy = current.services().settings.policy
    if _view_marked(FILE_FIELD) is not None and request.mimetype == "multipart/form-data":
        most = policy.upload_bytes
        request.max_content_length = request.max_form_memory_size = most  # the parser's buffer counts as form memory
    has_form = request.method not in SAFE and request.endpoint != LEGACY_VERIFY  # that one leaves its body unread
    if has_form and request.mimetype == "application/x-www-form-urlencoded":
        bodies.append(request.get_data(cache=True))
        if request.environ.get("wsgi.input_terminated") and request.environ["wsgi.input"].read(1):
            abort(413)  # Werkzeug truncates a chunked body at the limit without an error
    if not all(_is_clean(unquote_to_bytes(body) if b"%" in body else body) for body in bodies):
        abort(400)
    if request.method not in SAFE and not _is_machine():
        if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data", ""):
            abort(400)
        if any(len(values) > 1 or name.endswith("]") for name, values in request.form.lists()):
            abort(400)
        if not _has_clean_files():
            abort(400)
        if sum(map(len, request.form.values())) > policy.body_bytes:
            abort(413)
        if not all(_is_clean(value.encode("utf-8", "surrogatepass")) for value in request.form.values()):
            abort(400)


def takes_file(field: str, too_large: View) -> Callable[[View], View]:
    """Decorates a view that accepts a file in `field`. `clean_input` does not check the content of the file.

    `too_large` answers a logged-in user whose body is over the limit, in place of the error page. It must not read the
    form.
    """

    def marked(view: View) -> View:
        setattr(view, FILE_FIELD, field)
        setattr(view, TOO_LARGE, too_large)
        return view

    return marked


def too_large() -> Response | None:
    """The page of a view for a file that is too large, or None. Reads the rest first, else browsers show no page."""
    answer, announced = _view_marked(TOO_LARGE), request.content_length or DRAINED
    is_of_file = answer is not None and announced > current.services().settings.policy.upload_bytes
    if not is_of_file or current.user_or_none() is None:
        return None
    left = min(announced, DRAINED)  # the development server waits for more than was announced
    while left > 0 and (chunk := request.environ["wsgi.input"].read(min(left, DRAINED_AT_ONCE))):
        left -= len(chunk)
    response: Response = answer()
    return response


def _view_marked(mark: str) -> Any:
    return getattr(current_app.view_functions.get(request.endpoint or ""), mark, None)


def _has_clean_files() -> bool:
    """True unless a file is in another field than the view's, is sent twice or as text too, or has NUL in its name."""
    if not request.files:
        return True
    taken = _view_marked(FILE_FIELD)
    return all(
        name == taken and name not in request.form and len(files) == 1 and "\0" not in (files[0].filename or "")
        for name, files in request.files.lists()
    )


def same_site() -> None:
    """Protects against CSRF (ASVS V3.5): 403 for a request from another site, 400 without a token.

    With an expired or wrong token `Form.trusted` is False: the page is shown again with what was typed, and nothing is
    changed. `CSRFProtect` would answer 400, and WTForms' own check fails where a page has several forms.
    """
    if request.method in SAFE or _is_machine():
        return
    if "kept_act" in g:  # its CSRF token was checked before it was kept
        g.csrf_valid = g.kept_act.trusted
        return
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none") or (origin is not None and not _is_ours(origin)):
        abort(403)
    token = request.form.get("csrf_token")
    if not token:
        abort(400)
    g.csrf_valid = csrf.is_valid(token)


def phone_layout(page: str | None) -> Response | None:
    """Redirects a phone that requests a page of the main host to the same page of the mobile host."""
    url = None if render.is_fragment() else layouts.url_for_phone(page)
    if url is None:
        return None
    response = render.go(url)
    response.vary.update(("Sec-CH-UA-Mobile", "User-Agent"))
    return response


# -- On single pages -------------------------------------------------------------------------------


def log_in_first() -> Response:
    """What `login_required` answers without a session: a redirect to the log-in page, with this page as `next`, unless
    it only takes forms.

    A browser whose session has ended is told so, once.
    """
    rule = request.url_rule
    target = current.path() if rule is not None and rule.methods is not None and "GET" in rule.methods else None
    response = render.go(layouts.page_url("entrance.log_in", next=target), whole=True)
    if cookies.session_token() is not None:
        render.warning(_("You've been logged out."))
        cookies.drop(response, cookies.SESSION)
    return response


def fresh(view: View) -> View:
    """Decorates a view below `login_required`: redirects to step-up unless the session is fresh (ASVS V7.5.1)."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        user = current.user()
        if current.services().sessions.is_fresh(user):
            return view(*args, **kwargs)
        return step_up()

    return guarded


def operator(view: View) -> View:
    """Decorates a view, in place of `login_required`: 404 unless the account is an operator's, as for no page.

    An operator proves their security key itself, within ten minutes before each act. Without one, a page leads to its
    enrollment.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        user, key_proof = current.user(), current.services().operators.key_proof
        if user.account.role != OPERATOR:
            abort(404)
        method = current.services().methods.passwordless
        if method is None or not key_proof.has_key(user):
            page, here = "enrollment.start", current.path()
            start_url = layouts.page_url(page, method=method.slug, next=here) if method is not None else None
            return render.page("operator/no_key.html", status=403, start_url=start_url)
        if key_proof.is_fresh(user):
            return view(*args, **kwargs)
        return step_up(method=method.slug)

    return login_required(guarded)  # type: ignore[no-any-return]


def step_up(path: str | None = None, method: str | None = None) -> Response:
    """A redirect to step-up, and then to `path` (this page). Keeps a submitted form, which is sent again then.

    `method` is the slug of the one that must be proved, although another one may have been.
    """
    user = current.user()
    path = path or current.path()
    if request.method not in SAFE and path == current.path():
        if not is_from_a_page_of_this_browser():
            abort(400)
        kept_acts.keep(user, path)
    proved = current.services().sessions.password_is_fresh(user)
    page = "step_up.verify" if proved and user.factors else "step_up.password"
    return render.go(layouts.page_url(page, method=method, next=path))


def is_from_a_page_of_this_browser() -> bool:
    """True for a form whose CSRF token is valid, or was before it expired."""
    if g.csrf_valid or "kept_act" in g:
        return True
    return csrf.is_valid(request.form["csrf_token"], current.services().settings.policy.kept_session_total)


def local_path(text: str | None) -> str | None:
    """`text` if it is a path of this host, else None: browsers read // and \\\\ as the start of another host."""
    if not text or not text.startswith("/") or text.startswith("//") or len(text) > 2000:
        return None
    if "\\" in text or any(ord(c) <= 32 or ord(c) == 127 for c in text) or not text.isprintable():
        return None
    parts = urlsplit(text)
    if parts.scheme or parts.netloc:
        return None
    return text


def _is_machine() -> bool:
    return request.blueprint in (MACHINE, LEGACY, OPENID, GUARDED)


def _is_clean(raw: bytes) -> bool:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return "\0" not in text and (text.isascii() or is_stream_safe(text))


def _is_ours(origin: str) -> bool:
    scheme = current_app.config["PREFERRED_URL_SCHEME"]
    return origin == f"{scheme}://{request.host}"
