"""The operator's pages: their overview, and groups with their members."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import gettext as _
from ...domain.language import ngettext
from .. import guards, layouts, operators, render, words
from ..forms import Form, GroupForm, MemberForm, untrusted

REMOVE = "remove"
"""The name of the buttons that remove a member."""

bp = Blueprint("operator", __name__, url_prefix="/operator")


@bp.get("")
@guards.operator
def overview() -> Any:
    rows = [
        (_("Apps"), _("What people can log in to with their account here"), layouts.page_url("operator_apps.listed")),
        (_("Accounts"), _("Find, invite, log out, or lock people"), layouts.page_url("operator_accounts.listed")),
        (_("Messages"), _("What was sent, what failed, and a test"), layouts.page_url("operator_messages.listed")),
        (_("Groups"), _("Who can use an app that isn't open to everyone"), layouts.page_url("operator.groups")),
    ]
    return render.page("operator/overview.html", rows=rows)


@bp.route("/groups", methods=["GET", "POST"])
@guards.operator
def groups() -> Any:
    form, service = GroupForm(), operators.services().groups
    if form.submitted():
        with words.placing(form):
            name = service.create(form.name.data, operators.actor())
            render.receipt(_("You added the group %(group)s.", group=name))
            return render.go(layouts.page_url("operator.group", group_name=name))
    counted = [(row, ngettext("%(num)s member", "%(num)s members", row.members)) for row in service.all()]
    rows = [(row.name, members, layouts.page_url("operator.group", group_name=row.name)) for row, members in counted]
    return render.page("operator/groups.html", form, rows=rows)


@bp.route("/groups/<group_name>", methods=["GET", "POST"])
@guards.operator
def group(group_name: str) -> Any:
    form, page = MemberForm(), operators.services().groups.members(group_name, operators.after())
    if operators.after() and not page.accounts:  # its last member left
        return render.go(layouts.page_url("operator.group", group_name=group_name))
    if REMOVE in request.form:
        return _remove(group_name, request.form[REMOVE])
    if form.submitted():
        with words.placing(form):
            added = operators.services().groups.add(group_name, form.username.data, operators.actor())
            if added is not None:
                facts = {"username": added.username, "group": group_name}
                render.receipt(_("You added @%(username)s to the group %(group)s.", **facts))
            return render.go(layouts.page_url("operator.group", group_name=group_name))
    return render.page(
        "operator/group.html",
        form,
        name=group_name,
        members=page.accounts,
        delete_url=layouts.page_url("operator.delete_group", group_name=group_name),
        paging=operators.paging(page, "operator.group", group_name=group_name),
    )


def _remove(group_name: str, username: str) -> Any:
    group_url = layouts.page_url("operator.group", group_name=group_name, after=operators.after())
    if not Form().submitted():
        return render.go_on(group_url, untrusted())
    if operators.services().groups.remove(group_name, username, operators.actor()):
        render.receipt(_("You removed @%(username)s from the group %(group)s.", username=username, group=group_name))
    return render.go(group_url)


@bp.route("/groups/<group_name>/delete", methods=["GET", "POST"])
@guards.operator
def delete_group(group_name: str) -> Any:
    form, number = Form(), operators.services().groups.size(group_name)
    if form.submitted():
        with words.placing(form):
            operators.services().groups.delete(group_name, operators.actor())
            render.receipt(_("You deleted the group %(group)s.", group=group_name))
            return render.go(layouts.page_url("operator.groups"))
    cancel_url = layouts.page_url("operator.group", group_name=group_name)
    return render.page("operator/delete_group.html", form, name=group_name, number=number, cancel_url=cancel_url)
