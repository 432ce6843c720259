"""Factors of which an account may have several: their list, renaming one and deleting one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, session
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone, NotFound
from ...services.method_kinds import Methods, OutOfBand, Several
from .. import current, factor_rows, guards, layouts, method_rows, render, words
from ..forms import Form, form_of

REMOVAL_HINTS = "gone"
"""In the form session: what the next page tells the browser about a deleted passkey (WebAuthn signal methods)."""


def blueprint(methods: Methods) -> Blueprint:
    """The URL rules. Each method defines the path of its list."""
    bp = Blueprint("named_factors", __name__, url_prefix="/settings/security/two-factor")
    for method in methods.several:
        path, given, both = f"/{method.path}", {"method": method.slug}, ["GET", "POST"]
        bp.add_url_rule(path, "listed", listed, defaults=given)
        bp.add_url_rule(f"{path}/<id:factor>/rename", "rename", rename, defaults=given, methods=both)
        bp.add_url_rule(f"{path}/<id:factor>/delete", "delete", delete, defaults=given, methods=both)
    return bp


@login_required
def listed(method: str) -> Any:
    kind = _kind(method)
    services, user = current.services(), current.user()
    factors = services.named_factors.of(user, kind)
    return render.page(
        kind.list_template,
        rows=[factor_rows.row_of(kind, factor) for factor in factors],
        another_url=layouts.page_url("enrollment.step", method=method, step=kind.first_step),
        first_url=layouts.page_url("enrollment.start", method=method),
        is_sole=len(factors) == len(user.factors),
        tell_browser=kind.browser_hints(user.account, factors) | session.pop(REMOVAL_HINTS, {}),
    )


@login_required
@guards.fresh
def rename(method: str, factor: int) -> Any:
    kind = _kind(method)
    services, user = current.services(), current.user()
    wanted = services.named_factors.one(user, kind, factor)
    form = form_of(kind.label_fields)(name=wanted.label)
    list_url = method_rows.list_url(method)
    if form.submitted():
        with words.placing(form):
            name = services.named_factors.rename(user, kind, factor, form.name.data, current.origin())
            render.changed(_("Renamed to %(name)s.", name=name))
            return render.go(list_url)
    return render.page("two_factor/rename.html", form, name=wanted.label, cancel_url=list_url)


@login_required
@guards.fresh
def delete(method: str, factor: int) -> Any:
    kind = _kind(method)
    services, user, form = current.services(), current.user(), Form()
    list_url = method_rows.list_url(method)
    if form.submitted():
        try:
            gone = services.named_factors.delete(user, kind, factor, current.origin())
        except NotFound:
            return render.go_on(list_url, AlreadyDone())
        session[REMOVAL_HINTS] = kind.removal_hints(gone)
        render.changed(_("%(name)s was deleted. We sent you a confirmation email.", name=gone.label))
        return render.go(list_url)
    wanted = services.named_factors.one(user, kind, factor)
    last = services.named_factors.is_last(user)
    approves = isinstance(kind, OutOfBand)
    return render.page(
        "two_factor/delete.html", form, name=wanted.label, last=last, approves=approves, cancel_url=list_url
    )


def _kind(slug: str) -> Several:
    method = current.services().methods.named(slug)
    if not isinstance(method, Several):
        raise NotFound()
    return method
