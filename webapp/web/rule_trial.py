"""What the stored rules of a guarded host ask for a request that an operator has in mind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import request
from wtforms import StringField

from ..domain.language import gettext as _
from ..domain.language import lazy
from ..domain.path_rules import DENY, action_for, is_canonical, matching_rule, rule_text
from ..models.registered_apps import RegisteredApp
from .app_form import PROOFS
from .forms import Form

ORIGIN = re.compile("https?://[^/?#]*", re.IGNORECASE)
"""What an address that was pasted begins with."""


class TrialForm(Form):
    method = StringField(lazy("Method"))
    path = StringField(lazy("Path"))


@dataclass(frozen=True, slots=True)
class Trial:
    """`asks` is empty until there is a path; `why` says why no rule decides."""

    form: TrialForm
    asks: str = ""
    rule: str = ""
    why: str = ""


def trial(app: RegisteredApp) -> Trial:
    """By the query of the present request. It changes nothing."""
    method = request.args.get("method", "").strip().upper() or "GET"
    path = ORIGIN.sub("", request.args.get("path", "").strip(), count=1)
    form = TrialForm(formdata=None, data={"method": method, "path": path})
    if not path:
        return Trial(form)
    target = path.encode(errors="replace").decode("latin-1")  # as WSGI hands over what a browser sends
    rule = matching_rule(app.rules, method, target, app.proof)
    asks = _asks(action_for(app.rules, app.proof, method, target))
    if rule is not None:
        return Trial(form, asks, rule_text(rule))
    if is_canonical(target):
        return Trial(form, asks, why=_("No rule matches, so the proof of the app counts."))
    return Trial(
        form, asks, why=_("This path can be read in several ways, so the strictest proof of all rules counts.")
    )


def _asks(action: str) -> str:
    proofs = {choice.value: str(choice.label) for choice in PROOFS}
    return proofs.get(action) or (
        _("Nothing: access is denied") if action == DENY else _("Nothing: everyone may enter")
    )
