"""A form that a browser sends twice, as after a double click: the second time leads where the first one did.

For a proof of identity, which is accepted once. Known by the form cookie that the first answer brought, so it says
nothing to a browser that did not get that answer.
"""

from __future__ import annotations

from hashlib import sha256

from flask import request, session
from flask.wrappers import Response

from . import render

ANSWERED = "answered"
"""In the form session: the hash of the last form that proved an identity, and where its answer led."""
LONGEST = 500  # characters of a path: browsers drop a cookie of more than 4096 bytes


def this_form() -> str:
    """The hash of the form of this request, with its CSRF token, which every page has anew."""
    return sha256(request.full_path.encode() + b"\n" + request.get_data()).hexdigest()


def note(form: str, to: str | None) -> None:
    if to is not None and len(to) <= LONGEST:
        session[ANSWERED] = [form, to]


def answer() -> Response | None:
    """Before each form is read: the redirect of the first answer, if this is the same form again."""
    form, to = session.get(ANSWERED, ("", "")) if request.method == "POST" else ("", "")
    return render.go(to, whole=True) if form and form == this_form() else None
