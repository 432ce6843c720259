"""Turning a method on: one view for every step of every method, in both layouts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone, NotFound, NotFresh, Refusal, StepClosed
from ...enrollment import progress
from ...enrollment.method import Method, Step
from ...enrollment.visit import Visit
from ...methods.catalogue import method_named
from ...services.email_addresses import masked
from .. import backup_card, cookies, current, guards, layouts, render, words
from ..forms import Form, form_of, offer_countries

bp = Blueprint("enrollment", __name__, url_prefix="/settings/security/two-factor/<slug:method>")


@bp.get("")
@login_required
def start(method: str) -> Any:
    """To the step that is open, wherever that is."""
    visit = _visit(method)
    return _go_to(visit, progress.open_step(visit))


@bp.route("/<slug:step>", methods=["GET", "POST"])
@login_required
def step(method: str, step: str) -> Any:
    visit = _visit(method, step)
    if visit.method.phones_only is not None and not layouts.copy().phone:
        return render.go(layouts.to("two_factor.methods"))  # which says where
    wanted = visit.method.step(step)
    if wanted is None:
        raise NotFound()
    if not progress.may_show(visit, wanted):
        if request.method == "POST" and wanted.closed is not None and not progress.is_finished(visit):
            render.problem(words.say(wanted.closed()))
        return _go_to(visit, progress.open_step(visit))
    form = _form(wanted)
    if request.method == "POST":
        earlier = {factor.external_id for factor in visit.factors}
        response = _submit(visit, wanted, form)
        if response is not None:
            if visit.proved is not None and visit.keeps is not None:
                cookies.put_own(response, visit.keeps, earlier)
            return render.logged_in_as(response, visit.opened) if visit.opened else response
    if progress.is_step_up_due(visit, wanted):
        return guards.step_up()
    return _show(visit, wanted, form)


def _submit(visit: Visit, step: Step, form: Form) -> Any:
    """Where to go next, or None to show the same step with what is wrong."""
    act = next((name for name in step.acts if name in request.form), None)
    if not (form.trusted() if act else form.submitted()):
        return None
    answers = {name: "on" if v is True else v for name, v in form.data.items() if v is True or isinstance(v, str)}
    try:
        current.services().enrollment.submit(visit, step, answers, act)
    except NotFresh:
        proved_password = visit.opened is not None
        return guards.step_up(layouts.to("enrollment.start", method=visit.method.slug) if proved_password else None)
    except (StepClosed, AlreadyDone) as refusal:
        render.problem(words.say(refusal))
        return render.go(layouts.to("two_factor.methods"))
    except Refusal as refusal:
        words.place(refusal, form)
        return None
    if visit.hindrance is not None:
        render.problem(words.say(visit.hindrance))
    return _onward(visit, step, act)


def _onward(visit: Visit, step: Step, act: str | None) -> Any:
    if act is not None and progress.may_show(visit, step):
        open_now = progress.open_step(visit)
        return _go_to(visit, step if _is_before(visit, step, open_now) else open_now)
    if step.slug == visit.method.steps[-1].slug:
        return _go_home(visit)
    if visit.proved is not None:
        title, email = _name_of(visit) or str(visit.method.title), masked(visit.account.email or "")
        render.changed(_("%(method)s is on, just now. We e-mailed %(email)s about it.", method=title, email=email))
        return _go_to(visit, visit.method.steps[-1]) if progress.is_last_needed(visit) else _go_home(visit)
    steps = progress.needed_steps(visit)
    later = steps[[s.slug for s in steps].index(step.slug) + 1 :]
    after = next(s for s in later if not (s.passed_over and s.done(visit)))
    return _go_to(visit, after if progress.may_show(visit, after) else progress.open_step(visit))


def _name_of(visit: Visit) -> str:
    """What was turned on has a name where it is one among several that are told apart by it."""
    several = visit.method.several
    return visit.proved.label if visit.proved is not None and several is not None and several.is_here is None else ""


def _go_home(visit: Visit) -> Any:
    """Where what was turned on is listed."""
    if visit.method.several is not None and visit.method.several.is_here is None:
        return render.go(layouts.to("named_factors.listed", method=visit.method.slug))
    return render.go(layouts.to("two_factor.methods"))


def _is_before(visit: Visit, one: Step, other: Step) -> bool:
    slugs = [s.slug for s in progress.needed_steps(visit)]
    return slugs.index(one.slug) <= slugs.index(other.slug)


def _show(visit: Visit, step: Step, form: Form) -> Any:
    try:
        context = step.show(visit)
    except StepClosed:
        return _go_to(visit, progress.open_step(visit))
    for name, text in context.pop("suggested", {}).items():
        form[name].data = form[name].data or text
    if "asked" in context:
        asked = context.pop("asked")
        context.update(render.sent(asked, 0 if asked else current.services().phone_numbers.wait(visit.account)))
        different = context.pop("different")
        context["different_url"] = layouts.to("enrollment.step", method=visit.method.slug, step=different)
    code = current.services().enrollment.backup_code(visit)
    return render.page(
        step.template,
        form,
        method=visit.method,
        button=layouts.copy().pick(visit.method.overview.button),
        card=backup_card.card(visit.account, code) if code else None,
        step_marker=progress.marker(visit, step),
        cancel_url=layouts.to("two_factor.methods"),
        **context,
    )


def _form(step: Step) -> Form:
    form = form_of(step.fields)() if step.fields is not None else Form()
    offer_countries(form)
    return form


def _go_to(visit: Visit, step: Step) -> Any:
    return render.go(layouts.to("enrollment.step", method=visit.method.slug, step=step.slug))


def _visit(slug: str, step: str | None = None) -> Visit:
    method: Method | None = method_named(slug)
    if method is None or not current.services().offers(method):
        raise NotFound()
    return current.services().enrollment.visit(current.user(), method, current.origin(), step)
