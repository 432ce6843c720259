"""Responses: whole page or fragment, redirect or HTMX redirect. No other module may read or set an HX- header."""

from __future__ import annotations

import json
from typing import Any

from flask import current_app, flash, get_flashed_messages, make_response, redirect, render_template
from flask.wrappers import Response
from htmx_flask import request
from itsdangerous import BadSignature, URLSafeSerializer

from ..domain.channels import Sent
from ..domain.language import Sentence, bidi_isolate
from ..domain.refusals import NotFound, Refusal
from ..models.user import SessionToken
from . import cookies, current, languages, layouts, shown_once, words
from .forms import Form

VARY = "HX-Request", *languages.VARY
RECEIPT, CHANGE, WARNING, PROBLEM = "receipt", "change", "warning", "problem"


def page(template: str, form: Form | None = None, status: int | None = None, **context: Any) -> Response:
    """A page: the template in the layout of this request, or as a fragment for HTMX.

    Without `status`: that of the form's refusal, 422 for errors of fields, else 200.
    """
    if is_fragment() and request.method == "GET" and languages.differs_from_page():
        return go(current.path(), whole=True)  # before anything that is shown once is read
    shown_once.leave_others()
    wait = form.refusal.wait if form is not None and form.refusal is not None else None
    if status is None:
        status = _status_of(form)
    flashed = dict.fromkeys(get_flashed_messages(with_categories=True))  # once, for a form that was sent twice
    problems = [sentence for kind, sentence in flashed if kind == PROBLEM]
    if form is not None:
        problems = [*problems, *form.form_errors]
    fragment, layout = is_fragment(), layouts.template()
    html = render_template(
        template,
        layout="layouts/fragment.html" if fragment else layout,
        whole_layout=layout,
        form=form,
        status=status,
        problems=problems,
        receipts=[(kind, sentence) for kind, sentence in flashed if kind != PROBLEM],
        **context,
    )
    response = make_response(html, status)
    response.vary.update(VARY)
    if fragment and request.method == "GET":
        response.headers["HX-Push-Url"] = current.path()
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def is_fragment() -> bool:
    """True when HTMX requests the page without its layout."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def go(url: str, *, whole: bool = False) -> Response:
    """A redirect with status 303. `whole`: HTMX must load the whole page, because its layout changes too."""
    if whole and request.htmx:
        response = make_response("", 200)
        response.headers["HX-Redirect"] = url
        return response
    return make_response(redirect(url, 303))


def leads_to(response: Response) -> str | None:
    """The URL of a redirect that `go` made."""
    return response.location or response.headers.get("HX-Redirect")


def go_on(url: str, refusal: Refusal | None, *, whole: bool = False) -> Response:
    """A redirect, after which the page shows the refusal, if there is one."""
    if refusal is not None:
        problem(words.say(refusal))
    return go(url, whole=whole)


def receipt(sentence: str) -> None:
    """Shows the sentence in the status region of the next page."""
    flash(sentence, RECEIPT)


def changed(sentence: str) -> None:
    """As `receipt`, for a change of how the account is protected: followed by the link "Not you?"."""
    flash(sentence, CHANGE)


def warning(sentence: str) -> None:
    """As `receipt`, for what was not done although the rest was: without the drawing of a tick."""
    flash(sentence, WARNING)


def problem(sentence: str) -> None:
    """Shows the sentence in the error summary of the next page."""
    flash(sentence, PROBLEM)


def logged_in_as(response: Response, opened: SessionToken) -> Response:
    """Sets the session cookie to a new token."""
    cookies.put_session(response, opened, current.services().settings.policy.kept_session_total)
    current.use_new_token(opened.token)
    return response


def _status_of(form: Form | None) -> int:
    if form is None:
        return 200
    if form.refusal is not None:
        return form.refusal.status
    return 422 if form.errors else 200


def signed(message_id: int, failed: Sentence) -> str:
    """The id of a message and the sentence for its failure, signed: a page asks for its own message only."""
    return URLSafeSerializer(str(current_app.secret_key), salt="delivery").dumps([message_id, failed.msgid])


def unsigned(token: str) -> tuple[int, Sentence]:
    """What `signed` was given. Raises `NotFound` for a wrong signature."""
    try:
        message_id, failed = URLSafeSerializer(str(current_app.secret_key), salt="delivery").loads(token)
    except BadSignature:
        raise NotFound() from None
    return message_id, Sentence(failed)


def problem_details(refusal: Refusal) -> Response:
    """The refusal as problem details (RFC 9457), for a script."""
    sentence = words.say_plainly(refusal)
    details = {"type": "about:blank", "title": sentence, "status": refusal.status, "detail": sentence}
    response = make_response(json.dumps(details), refusal.status)
    response.mimetype = "application/problem+json"
    return response


def part(template: str, **context: Any) -> Response:
    """A part of a page, requested by HTMX only."""
    response = make_response(render_template(template, **context))
    response.vary.update(VARY)
    return response


def sent(code: Sent | None, wait: int = 0) -> dict[str, Any]:
    """The context of a page about a code: recipient, channel, delivery, and seconds until another can be sent.

    `code` is None when none was sent; then `wait` is the number of seconds until one can be sent.
    """
    services = current.services()
    if code is None:
        return {"wait": wait, "unsent": wait > 0}
    states = {"owed": "on its way", "sent": "sent", "failed": "failed"}
    state = services.delivery.state(code.message_id or 0)
    return {
        "address": bidi_isolate(code.address),
        "channel": code.channel,
        "earlier": code.earlier,
        "delivery": states.get(state or ""),
        "delivery_url": layouts.page_url("site.delivery", message=signed(code.message_id or 0, code.channel.failed)),
        "wait": max(0, code.resend_at - services.clock.now()),
    }
