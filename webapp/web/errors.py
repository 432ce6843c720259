"""Error pages, in the language and layout of the request. They must never show a detail of an exception."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, current_app, g, make_response, request
from werkzeug.exceptions import HTTPException

from ..domain.language import ENGLISH, Sentence, gettext, lazy, speak
from ..domain.ports import KeyMissing
from ..domain.refusals import DatabaseUnavailable, LinkInvalid, NotFresh, Refusal
from ..policy import MINUTE
from . import current, guarded_hosts, guarded_page, guards, layouts, render, waiting_requests, words

log = structlog.get_logger()

PAGES: dict[int, tuple[Sentence, Sentence]] = {
    400: (
        lazy("Bad request"),
        lazy("We couldn't read that request. Go back, reload the page, and try again."),
    ),
    403: (lazy("Not allowed"), lazy("We blocked this request because it came from another site.")),
    404: (
        lazy("Page not found"),
        lazy("We can't find that page. It may have moved, or you may not have access to it."),
    ),
    405: (lazy("That didn't work"), lazy("That action isn't available here. Go back and try again from the page.")),
    413: (lazy("Too large"), lazy("What you sent is too large. Shorten it and try again.")),
    422: (lazy("Check the form"), lazy("Something in the form isn't right. Go back and check it.")),
    429: (lazy("Too many attempts"), lazy("Please wait a moment and try again.")),
    500: (
        lazy("Something went wrong"),
        lazy("Sorry, that's our fault. Nothing was changed. Try again in a moment."),
    ),
    503: (
        lazy("Not available right now"),
        lazy("The site is temporarily unavailable. Nothing was changed. Try again soon."),
    ),
}


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(LinkInvalid, _link_invalid)
    app.register_error_handler(KeyMissing, _key_missing)
    app.register_error_handler(Exception, _bug)


def of_http(error: HTTPException) -> Any:
    """The page for an error that Flask or Werkzeug raised."""
    cause = getattr(error, "original_exception", None)  # of a 500: what a handler of another error raised
    if isinstance(cause, DatabaseUnavailable):
        return _refusal(cause)
    if error.response is not None or error.code is None or error.code < 400:
        return error
    response = (guards.too_large() if error.code == 413 else None) or page(error.code)
    if error.code == 405 and "Allow" in error.get_response().headers:
        response.headers["Allow"] = error.get_response().headers["Allow"]
    wait = getattr(error, "retry_after", None)
    if wait:
        response.headers["Retry-After"] = str(wait)
    return response


def _refusal(refusal: Refusal) -> Any:
    if isinstance(refusal, NotFresh) and current.user_or_none() is not None:
        return guards.step_up()
    response = page(refusal.status, words.say(refusal))
    if refusal.wait is not None:
        response.headers["Retry-After"] = str(refusal.wait)
    return response


def _link_invalid(_refusal: LinkInvalid) -> Any:
    return render.page("entrance/link_dead.html", status=404)


def _key_missing(error: KeyMissing) -> Any:
    """Nothing is lost: it can be opened again once the operator has put the key back."""
    tell_of_key(error)
    response = page(503)
    response.headers["Retry-After"] = str(MINUTE)
    return response


def tell_of_key(error: KeyMissing) -> None:
    """Names the key in the log."""
    log.error("key_missing", error=str(error), rule=str(request.url_rule))


def _bug(error: Exception) -> Any:
    log.error("bug", rule=str(request.url_rule), exc_info=error)  # not the path, which may contain the token of a link
    return page(500)


def page(code: int, sentence: str | None = None, number: str | None = None) -> Any:
    """The page for an HTTP status; `number` is an error id.

    From 500 on it does not read the user: the database may be unavailable.
    """
    heading, default = PAGES.get(code) or PAGES[500 if code >= 500 else 400]
    if not _host_is_ours():
        return _bare(code, heading, default)
    if code >= 500:
        g.user = None
        waiting_requests.none_here()
    try:
        if guarded_hosts.HOST in request.environ:  # a page of the site has its own address, with the secret of the host
            return guarded_page.page(str(heading), sentence or str(default), number=number, status=code)
        actions = [(gettext("Go to the home page"), layouts.page_url("home.home"))]
        return render.page(
            "errors/error.html",
            status=code,
            heading=str(heading),
            sentence=sentence or str(default),
            actions=actions,
            number=number,
        )
    except Exception as error:  # show the plain page instead of a second error
        log.error("error_page", code=code, exc_info=error)
        return _bare(code, heading, default)


def _host_is_ours() -> bool:
    try:
        return bool(request.host)
    except HTTPException:
        return False


def _bare(code: int, heading: Sentence, sentence: Sentence) -> Any:
    speak(ENGLISH)
    # not render_template: its context processors read the host and the user, which may be the cause of the error
    template = current_app.jinja_env.get_template("errors/bare.html")
    return make_response(template.render(heading=str(heading), sentence=str(sentence)), code)
