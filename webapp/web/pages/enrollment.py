"""Enrollment: one view for every step of every method, in both layouts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_login import login_required

from ...domain.language import gettext as _
from ...domain.refusals import AlreadyDone, NotFound, NotFresh, PageTooOld, Refusal, StepClosed
from ...services.email_addresses import masked
from ...services.enrollment import progress
from ...services.method import Method, Step, Visit
from ...services.method_kinds import Several
from .. import (
    after_enrollment,
    backup_card,
    cookies,
    current,
    forecast_rows,
    guards,
    layouts,
    method_rows,
    render,
    words,
)
from ..forms import Form, form_of

bp = Blueprint("enrollment", __name__, url_prefix="/settings/security/two-factor/<slug:method>")


@bp.get("")
@login_required
def start(method: str) -> Any:
    """The page of a method that is on; else, and before Got it, a redirect to the open step of its enrollment.

    With `next`, the end of the enrollment leads there.
    """
    wanted = current.services().methods.named(method)
    if wanted is None:
        raise NotFound()
    after_enrollment.keep(method, guards.local_path(request.args.get("next")))
    if method_rows.all_of(wanted) and (method_rows.has_list(wanted) or method_rows.is_elsewhere(wanted)):
        return render.go(method_rows.list_url(method))
    is_on = bool(method_rows.shown(wanted))
    if is_on and not wanted.is_offered:
        return _own_page(wanted)
    visit = _visit(method)
    if is_on and not progress.is_finished(visit):
        return _own_page(wanted)
    return _go_to(visit, progress.open_step(visit))


def _own_page(method: Method) -> Any:
    overview = layouts.page_url("enrollment.step", method=method.slug, step=method.steps()[0].slug)
    links = [(str(method.replace_label), overview)] if method.is_offered else []
    if isinstance(method, Several):
        links = [(str(method.list_title), method_rows.list_url(method.slug))]
    return render.page(
        "two_factor/method.html",
        heading=str(method.title),
        what=str(method.overview.later),
        facts=method_rows.facts_of(method, method_rows.shown(method)),
        links=links,
        drawn=method.icon,
        forecast=forecast_rows.rows_of(current.user(), method),
        turn_off_url=layouts.page_url("two_factor.turn_off", method=method.slug),
    )


@bp.route("/<slug:step>", methods=["GET", "POST"])
@login_required
def step(method: str, step: str) -> Any:
    visit = _visit(method, step)
    if visit.method.only_on_phones is not None and not layouts.variant().is_phone:
        return render.go(layouts.page_url("two_factor.methods"))  # that page says where to turn it on
    wanted = visit.method.step(step)
    if wanted is None:
        raise NotFound()
    if not progress.may_show(visit, wanted):
        if request.method == "POST" and not progress.is_finished(visit):
            if wanted.closed is None and visit.draft is None and visit.factors and _is_over(visit, wanted):
                return _go_to_list(visit)
            render.problem(words.say((wanted.closed or PageTooOld)()))
        return _go_to(visit, progress.open_step(visit))
    form = form_of(wanted.fields)() if wanted.fields is not None else Form()
    response = _submit(visit, wanted, form) if request.method == "POST" else None
    if response is not None:
        return response
    if progress.is_step_up_due(visit, wanted):
        return guards.step_up()
    return _show(visit, wanted, form)


def _is_over(visit: Visit, step: Step) -> bool:
    """For a form of an enrollment without a draft: it was sent twice, or it is Got it after a long time."""
    return visit.is_fresh or step.slug == progress.last_step(visit).slug


def _submit(visit: Visit, step: Step, form: Form) -> Any:
    """The redirect after the step, or None to show the step again with its errors."""
    act = next((name for name in step.acts if name in request.form), None)
    if not (form.trusted() if act else form.submitted()):
        return None
    answers = {name: "on" if v is True else v for name, v in form.data.items() if v is True or isinstance(v, str)}
    earlier = {factor.external_id for factor in visit.factors}
    try:
        hindrance = current.services().enrollment.submit(visit, step, answers, act)
    except NotFresh:
        after = _url(visit, progress.last_step(visit)) if visit.token is not None else None  # leads to the open step
        response = guards.step_up(after)
    except (StepClosed, AlreadyDone) as refusal:
        response = render.go_on(layouts.page_url("two_factor.methods"), refusal)
    except Refusal as refusal:
        words.place(refusal, form)
        return None
    else:
        response = _next_page(visit, step, act, hindrance)
        if visit.browser_token is not None:
            cookies.put_device(response, visit.browser_token, earlier)
    return render.logged_in_as(response, visit.token) if visit.token else response


def _next_page(visit: Visit, step: Step, act: str | None, hindrance: Refusal | None) -> Any:
    if hindrance is not None:
        render.problem(words.say(hindrance))
    if act is not None and progress.may_show(visit, step):
        open_now = progress.open_step(visit)
        return _go_to(visit, step if progress.is_at_or_before(visit, step, open_now) else open_now)
    if step.slug == progress.last_step(visit).slug:
        return _go_to_list(visit)
    if visit.new_factor is not None:
        render.changed(_receipt(visit, masked(visit.account.email or "")))
        return _go_to(visit, progress.last_step(visit)) if progress.is_last_needed(visit) else _go_to_list(visit)
    return _go_to(visit, progress.after(visit, step))


def _receipt(visit: Visit, email: str) -> str:
    name = visit.new_factor.label if visit.new_factor is not None and method_rows.has_list(visit.method) else ""
    if name:
        return _("%(name)s was added. We sent a confirmation to %(email)s.", name=name, email=email)
    return _("%(method)s is now on. We sent a confirmation to %(email)s.", method=visit.method.title, email=email)


def _go_to_list(visit: Visit) -> Any:
    """Redirects to the page that led to the enrollment, else to the list that shows the new factor."""
    path = after_enrollment.take(visit.method.slug)
    if path is not None:
        return render.go(path)
    if method_rows.has_list(visit.method):
        return render.go(method_rows.list_url(visit.method.slug))
    return render.go(layouts.page_url("two_factor.methods"))


def _show(visit: Visit, step: Step, form: Form) -> Any:
    try:
        context = step.show(visit)
    except StepClosed:
        return _go_to(visit, progress.open_step(visit))
    for name, choices in context.pop("choices", {}).items():
        form[name].choices = choices
    for name, value in context.pop("suggested", {}).items():
        if form[name].raw_data is None:  # what was sent stays, even when it is empty
            form[name].data = value
    if "sent" in context:
        context.update(render.sent(context.pop("sent"), context.pop("wait", 0)))
    if "different" in context:
        different = context.pop("different")
        context["different_url"] = layouts.page_url("enrollment.step", method=visit.method.slug, step=different)
    code = current.services().enrollment.backup_code(visit)
    is_under_way = visit.new_factor is None and not progress.is_finished(visit)
    return render.page(
        step.template,
        form,
        method=visit.method,
        browser_needs=visit.method.browser_needs if is_under_way else None,
        button=layouts.variant().pick(visit.method.overview.button),
        card=backup_card.card(visit.account, code) if code else None,
        **_list_of(visit.method),
        step_marker=progress.marker(visit, step),
        cancel_url=after_enrollment.kept(visit.method.slug) or layouts.page_url("two_factor.methods"),
        **context,
    )


def _list_of(method: Method) -> dict[str, Any]:
    """The link to the list of the method's factors, if it has one and is on."""
    if not isinstance(method, Several) or not method_rows.has_list(method) or not method_rows.all_of(method):
        return {"list_url": ""}
    return {"list_url": method_rows.list_url(method.slug), "list_title": str(method.list_title)}


def _go_to(visit: Visit, step: Step) -> Any:
    return render.go(_url(visit, step))


def _url(visit: Visit, step: Step) -> str:
    return layouts.page_url("enrollment.step", method=visit.method.slug, step=step.slug)


def _visit(slug: str, step: str | None = None) -> Visit:
    services = current.services()
    method = services.methods.named(slug)
    if method is None or not method.is_offered:
        raise NotFound()
    return services.enrollment.visit(current.user(), method, current.origin(), step)
