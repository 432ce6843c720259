"""A designed page for everything that can go wrong, in the reader's language and layout."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, current_app, g, make_response, request
from werkzeug.exceptions import HTTPException

from ..domain.language import ENGLISH, Sentence, gettext, lazy, speak
from ..domain.refusals import NotFresh, Refusal
from . import current, guards, layouts, render, words

log = structlog.get_logger()

PAGES: dict[int, tuple[Sentence, Sentence]] = {
    400: (
        lazy("That request was garbled"),
        lazy("Something in it could not be read. Go back, reload the page and try again."),
    ),
    403: (lazy("Not allowed"), lazy("This request came from another site, so it was not carried out.")),
    404: (
        lazy("Page not found"),
        lazy("There is nothing at this address. It may have moved, or it belongs to somebody else."),
    ),
    405: (lazy("Not possible here"), lazy("This address does not do that. Go back and use the page's own buttons.")),
    413: (lazy("That was too much"), lazy("The form held more than we accept. Shorten it and try again.")),
    422: (lazy("That could not be used"), lazy("Something in the form does not fit. Go back and check it.")),
    429: (lazy("Too many tries"), lazy("Please wait a little before you try again.")),
    500: (
        lazy("Something went wrong"),
        lazy("That was our fault, and we have noted it. Nothing was changed. Try again in a moment."),
    ),
    503: (
        lazy("Not available right now"),
        lazy("We cannot answer at the moment. Nothing was changed. Try again shortly."),
    ),
}


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(Exception, _bug)


def _http(error: HTTPException) -> Any:
    if error.response is not None or error.code is None or error.code < 400:
        return error
    response = page(error.code)
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


def _bug(error: Exception) -> Any:
    log.error("bug", rule=str(request.url_rule), exc_info=error)  # the path itself may hold a link's token
    return page(500)


def page(code: int, sentence: str | None = None) -> Any:
    """Renders without a database and without knowing who is there, should that be what is broken."""
    heading, default = PAGES.get(code) or PAGES[500 if code >= 500 else 400]
    if not _host_is_ours():
        return _bare(code, heading, default)
    if code >= 500:
        g.user = None  # the database may be what is broken
    try:
        actions = [(gettext("Go to the start page"), layouts.to("home.home"))]
        return render.page(
            "errors/error.html",
            status=code,
            heading=str(heading),
            sentence=sentence or str(default),
            actions=actions,
        )
    except Exception as error:  # the page about the fault must not be a fault of its own
        log.error("error_page", code=code, exc_info=error)
        return _bare(code, heading, default)


def _host_is_ours() -> bool:
    try:
        return bool(request.host)
    except HTTPException:
        return False


def _bare(code: int, heading: Sentence, sentence: Sentence) -> Any:
    speak(ENGLISH)
    # past the context processors: they ask for the host, the account, and whatever else may be what is wrong
    template = current_app.jinja_env.get_template("errors/bare.html")
    return make_response(template.render(heading=str(heading), sentence=str(sentence)), code)
