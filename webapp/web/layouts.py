"""The two layouts, desktop and mobile, and all that differs between them: host, outer template, and a few words.

Page blueprints are nested in both: `page_url("settings.security")` is a path in the layout of the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Flask, current_app, g, request, url_for

from ..domain import devices
from ..domain.language import Sentence, gettext, lazy
from ..services.method import ByDevice
from ..settings import Settings
from . import cookies
from .current import path as own_path
from .current import services

PATHS = "paths"
"""In the extensions of the application: the path of each page without arguments, the same in both layouts."""
IN_QUERY = "!$'()*,/:;?@"
"""Characters that need no encoding in a query (RFC 3986, section 3.4) and that browsers leave as they are."""
DESKTOP = "desktop"
MOBILE = "mobile"
CHOICES = {DESKTOP: "choose_desktop", MOBILE: "choose_mobile"}
"""The pages in `pages/site.py` that choose a layout."""
WITHOUT_LAYOUT = "assets.static", "web_app.manifest", "web_app.service_worker", "web_app.offline"
STAYS = frozenset({*(f"site.{page}" for page in CHOICES.values()), *WITHOUT_LAYOUT})
"""From these a phone is not redirected to the other host, and a kept form is not dropped."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs between computers, phones and iPhones: labels, and how turning a factor off is confirmed."""

    menu: Sentence
    two_factor_path: tuple[Sentence, ...]
    is_phone: bool
    is_iphone: bool
    names_browsers: bool
    turn_off_presses: int
    """How often "Turn off" is pressed to turn off a factor that is not the last one."""
    last_turn_off_presses: int

    def pick(self, label: ByDevice) -> Sentence:
        if not self.is_phone:
            return label.computer
        return label.iphone if self.is_iphone else label.phone


SETTINGS = lazy("Settings and privacy")
TWO_FACTOR = lazy("Two-factor authentication")

COMPUTER = Variant(
    menu=lazy("More"),
    two_factor_path=(SETTINGS, lazy("Security and account access"), lazy("Security"), TWO_FACTOR),
    is_phone=False,
    is_iphone=False,
    names_browsers=True,
    turn_off_presses=0,
    last_turn_off_presses=1,
)
PHONE = Variant(
    menu=lazy("Profile"),
    two_factor_path=(SETTINGS, lazy("Account"), lazy("Security"), TWO_FACTOR),
    is_phone=True,
    is_iphone=False,
    names_browsers=False,
    turn_off_presses=1,
    last_turn_off_presses=1,
)
IPHONE = replace(PHONE, is_iphone=True, turn_off_presses=2, last_turn_off_presses=2)


class Device(NamedTuple):
    """A kind of device that the help page explains."""

    name: str
    label: Sentence
    variant: Variant


DEVICES = (
    Device("ios", lazy("iOS"), IPHONE),
    Device("android", lazy("Android"), PHONE),
    Device("desktop", lazy("Desktop"), COMPUTER),
)


def mount(app: Flask, pages: list[Blueprint], settings: Settings) -> None:
    """Registers every page blueprint in both layouts, each with its host."""
    for name, subdomain in ((DESKTOP, None), (MOBILE, settings.mobile_subdomain)):
        layout = Blueprint(name, __name__, subdomain=subdomain)
        for page in pages:
            layout.register_blueprint(page)
        app.register_blueprint(layout)
    # A settings page has 20 links to such paths, and looking them up saves a tenth of its CPU time.
    prefix = f"{DESKTOP}."
    rules = [r for r in app.url_map.iter_rules() if not r.arguments and r.endpoint.startswith(prefix)]
    app.extensions[PATHS] = {r.endpoint.removeprefix(prefix): r.rule for r in rules}


def choose() -> None:
    """Before each request: the host determines the layout."""
    g.layout = MOBILE if request.host == services().settings.mobile_host else DESKTOP


def current() -> str:
    layout: str = g.layout
    return layout


def url() -> str:
    """The URL of the host of this layout, without a path."""
    return services().settings.mobile_url if current() == MOBILE else services().settings.main_url


def url_for_phone(page: str | None) -> str | None:
    """The URL of `page`, this one, at the mobile host, for a phone that has not chosen the desktop site; else None."""
    if request.method not in ("GET", "HEAD") or page is None or page in STAYS or current() != DESKTOP:
        return None
    if cookies.get(cookies.SITE_CHOICE) == DESKTOP or not is_phone():
        return None
    return f"{services().settings.mobile_url}{own_path()}"


class OtherSite(NamedTuple):
    label: str
    url: str


def other_site(here: str) -> OtherSite:
    """The link to this page, `here`, in the other layout, through the main host, which stores the choice in a cookie.

    With its query: a log-in on the way to an app leads there in the other layout too.
    """
    there = DESKTOP if current() == MOBILE else MOBILE
    path = page_url(f"site.{CHOICES[there]}", next=here)
    label = gettext("Desktop site") if there == DESKTOP else gettext("Mobile site")
    return OtherSite(label, f"{services().settings.main_url}{path}")


def chosen(layout: str, path: str) -> tuple[str, str | None]:
    """The URL of `path` in the chosen layout, and the value of the cookie: None for mobile, which needs no cookie."""
    if layout == DESKTOP:
        return f"{services().settings.main_url}{path}", DESKTOP
    return f"{services().settings.mobile_url}{path}", None


def template() -> str:
    return f"layouts/{current()}.html"


def variant() -> Variant:
    if current() == DESKTOP:
        return COMPUTER
    return IPHONE if re.search(r"iPhone|iPod|iPad", request.user_agent.string) else PHONE


def device() -> Device:
    """The kind of device that sent this request."""
    return next(device for device in DEVICES if device.variant is variant())


def page_url(endpoint: str, **values: Any) -> str:
    """The path of a page in the layout of this request. `endpoint` has no layout in front: "settings.security".

    As in `url_for`, values that are not a part of the path are the query, without those that are None.
    """
    return url_among(current_app.extensions[PATHS], endpoint, **values)


def url_among(paths: Mapping[str, str], endpoint: str, **values: Any) -> str:
    """`page_url`, where `paths` are known: a template calls it often, and `current_app` takes a third of its time."""
    fixed = paths.get(endpoint)
    if fixed is None:
        return url_for(f"{current()}.{endpoint}", **values)
    if not values:
        return fixed
    query = {name: value for name, value in values.items() if value is not None}
    return f"{fixed}?{urlencode(query, safe=IN_QUERY)}" if query else fixed


def is_phone() -> bool:
    """By the client hint Sec-CH-UA-Mobile, else by the User-Agent header."""
    hint = request.headers.get("Sec-CH-UA-Mobile")
    if hint in ("?0", "?1"):
        return hint == "?1"
    return devices.is_phone(request.user_agent.string)


def endpoint() -> str | None:
    """The endpoint of this request without its layout; None for an unknown path or an endpoint outside the layouts."""
    layout, _, page = (request.endpoint or "").partition(".")
    return page if layout in (DESKTOP, MOBILE) else None
