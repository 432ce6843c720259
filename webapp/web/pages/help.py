"""The help page. Its instructions must name buttons, links and fields exactly as the pages do; a test follows them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import Sentence
from ...domain.language import gettext as _
from ...services.method import Method
from .. import current, layouts, legacy_credentials, render

bp = Blueprint("help", __name__, url_prefix="/help")


@bp.get("/two-factor-authentication")
def two_factor() -> Any:
    """Instructions for the device of this request, or for the one chosen in the tabs."""
    chosen = next((d for d in layouts.DEVICES if d.name == request.args.get("device")), layouts.device())
    here = layouts.page_url("help.two_factor")
    offered = [method for method in current.services().methods if method.is_offered]
    return render.page(
        "help/two_factor.html",
        chosen=chosen.variant,
        has_apps=legacy_credentials.are_taken(),
        devices=[(str(d.label), f"{here}?device={d.name}", d is chosen) for d in layouts.DEVICES],
        methods=[_instructions(method, chosen.variant) for method in offered],
        contents=[
            *(("lost-phone", _("I lost my phone")), ("no-code", _("No code arrives"))),
            *(("wrong-code", _("My code is wrong")), ("new-phone", _("New phone")), ("way", _("Where to find it"))),
            *((method.slug, str(_title(method, chosen.variant))) for method in offered),
            *(("log-in", _("Log in")), ("turn-off", _("Turn off a method"))),
            ("apps", _("Apps that only accept a password")),
        ],
    )


@bp.get("/cannot-log-in")
def cannot_log_in() -> Any:
    """What to do about each thing that can be lost, and whom to ask."""
    return render.page("help/cannot_log_in.html")


def _instructions(method: Method, variant: layouts.Variant) -> tuple[Method, Sentence, Sentence, str, str]:
    """The method, its title, the label of its button, the template of its instructions, the URL of its enrollment."""
    start = layouts.page_url("enrollment.start", method=method.slug)
    button = variant.pick(method.overview.button)
    return method, _title(method, variant), button, f"help/methods/{method.slug}.html", start


def _title(method: Method, variant: layouts.Variant) -> Sentence:
    """The method's name on the chosen device: a computer has no "this phone"."""
    return method.title if variant.is_phone else method.general_title
