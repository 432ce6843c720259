"""The two layouts, and all in which they differ: the host, the template around a page, and a few words.

Page blueprints are nested in both, so that `to("settings.security")` stays in the present one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Blueprint, Flask, g, request, url_for

from ..domain.language import Sentence, gettext, lazy
from ..domain.refusals import NotFound
from ..services.method import ByDevice
from ..settings import Settings
from . import cookies
from .current import services

DESKTOP = "desktop"
MOBILE = "mobile"
STAYS = frozenset({"site.choose", "assets.static", "web_app.manifest", "web_app.service_worker", "web_app.offline"})
PHONE = re.compile(r"Mobi|iPhone|iPod|Android.*Mobile|Windows Phone|Opera Mini")


@dataclass(frozen=True, slots=True)
class Copy:
    """What is worded or confirmed differently in a layout."""

    menu: Sentence
    two_factor_path: tuple[Sentence, ...]
    phone: bool
    switch: bool
    names_browsers: bool
    turn_off_presses: int
    """How often Turn off is pressed for a factor that is not the last."""
    last_turn_off_presses: int

    def pick(self, label: ByDevice) -> Sentence:
        if not self.phone:
            return label.computer
        return label.iphone if self.switch else label.phone


SETTINGS = lazy("Settings and privacy")
TWO_FACTOR = lazy("Two-factor authentication")
PHONE_PATH = (SETTINGS, lazy("Account"), lazy("Security"), TWO_FACTOR)

COMPUTER_COPY = Copy(
    menu=lazy("More"),
    two_factor_path=(SETTINGS, lazy("Security and account access"), lazy("Security"), TWO_FACTOR),
    phone=False,
    switch=False,
    names_browsers=True,
    turn_off_presses=0,
    last_turn_off_presses=1,
)
PHONE_COPY = Copy(
    menu=lazy("Profile"),
    two_factor_path=PHONE_PATH,
    phone=True,
    switch=False,
    names_browsers=False,
    turn_off_presses=1,
    last_turn_off_presses=1,
)
IPHONE_COPY = Copy(
    menu=lazy("Profile"),
    two_factor_path=PHONE_PATH,
    phone=True,
    switch=True,
    names_browsers=False,
    turn_off_presses=2,
    last_turn_off_presses=2,
)


class Device(NamedTuple):
    """A kind of device, with the words that fit it."""

    name: str
    label: Sentence
    copy: Copy


DEVICES = (
    Device("ios", lazy("iOS"), IPHONE_COPY),
    Device("android", lazy("Android"), PHONE_COPY),
    Device("desktop", lazy("Desktop"), COMPUTER_COPY),
)


def mount(app: Flask, pages: list[Blueprint], settings: Settings) -> None:
    """Registers every page at both hosts."""
    for name, subdomain in ((DESKTOP, None), (MOBILE, settings.mobile_subdomain)):
        layout = Blueprint(name, __name__, subdomain=subdomain)
        for page in pages:
            layout.register_blueprint(page)
        app.register_blueprint(layout)


def choose() -> None:
    """Before each request: the layout is that of the host."""
    g.layout = MOBILE if request.host == services().settings.mobile_host else DESKTOP


def current() -> str:
    layout: str = g.layout
    return layout


def url_for_phone() -> str | None:
    """The same page at the mobile host for a phone that has not chosen the desktop site, else None."""
    page = endpoint()
    if request.method != "GET" or page is None or page in STAYS or current() != DESKTOP:
        return None
    if cookies.get(cookies.SITE_CHOICE) == DESKTOP or not is_phone():
        return None
    return f"{services().settings.mobile_url}{request.full_path.rstrip('?')}"


class OtherSite(NamedTuple):
    label: str
    url: str


def other_site() -> OtherSite:
    """The link to the same page in the other layout, by the main host, which keeps the choice in a cookie."""
    there = DESKTOP if current() == MOBILE else MOBILE
    path = to("site.choose", layout=there, next=request.path)
    label = gettext("Desktop site") if there == DESKTOP else gettext("Mobile site")
    return OtherSite(label, f"{services().settings.main_url}{path}")


def chosen(layout: str, path: str) -> tuple[str, str | None]:
    """The URL of the chosen layout and the value of its cookie; None where the layout is the default.

    Raises `NotFound` for an unknown layout.
    """
    if layout not in (DESKTOP, MOBILE):
        raise NotFound()
    if layout == DESKTOP:
        return f"{services().settings.main_url}{path}", DESKTOP
    return f"{services().settings.mobile_url}{path}", None


def template() -> str:
    return f"layouts/{current()}.html"


def copy() -> Copy:
    if current() == DESKTOP:
        return COMPUTER_COPY
    return IPHONE_COPY if re.search(r"iPhone|iPod|iPad", request.user_agent.string) else PHONE_COPY


def device() -> Device:
    """The device of this request."""
    return next(device for device in DEVICES if device.copy is copy())


def to(endpoint: str, **values: Any) -> str:
    """The path of a page in the present layout."""
    return url_for(f"{current()}.{endpoint}", **values)


def is_phone() -> bool:
    """By client hint, else by the User-Agent header."""
    hint = request.headers.get("Sec-CH-UA-Mobile")
    if hint in ("?0", "?1"):
        return hint == "?1"
    return PHONE.search(request.user_agent.string) is not None


def endpoint() -> str | None:
    """The endpoint without its layout; None for a page of neither layout or an unknown path."""
    layout, _, page = (request.endpoint or "").partition(".")
    return page if layout in (DESKTOP, MOBILE) else None
