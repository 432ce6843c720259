"""How to use two-factor authentication: each instruction names the controls in the very words of the screens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from ...domain.language import Sentence
from ...services.method import Method
from .. import current, layouts, render

bp = Blueprint("help", __name__, url_prefix="/help")


@bp.get("/two-factor-authentication")
def two_factor() -> Any:
    """For the device that reads it, or the one chosen in the tabs."""
    chosen = next((d for d in layouts.DEVICES if d.name == request.args.get("device")), layouts.device())
    here = layouts.to("help.two_factor")
    offered = [method for method in current.services().methods if method.is_offered]
    return render.page(
        "help/two_factor.html",
        told=chosen.copy,
        devices=[(str(d.label), f"{here}?device={d.name}", d is chosen) for d in layouts.DEVICES],
        methods=[_told(method, chosen.copy) for method in offered],
    )


def _told(method: Method, copy: layouts.Copy) -> tuple[Method, Sentence, str, str]:
    """The method, its overview's button, the template of its instructions, and where its setup begins."""
    start = layouts.to("enrollment.start", method=method.slug)
    return method, copy.pick(method.overview.button), f"help/methods/{method.slug}.html", start
