"""A site with two methods more than the real ones: each is one file, its screens' words and a line in a catalogue."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jinja2 import ChoiceLoader, FileSystemLoader

from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import DESKTOP, HOST, IPHONE, Owner
from tests.toys.catalogue import catalogue
from tests.toys.users import KINDS, MethodUser
from webapp.adapters.template_renderer import TemplateRenderer
from webapp.settings import ROOT

TEMPLATES = Path(__file__).parent / "templates"
WAYS = [(DESKTOP, False), (IPHONE, True), (DESKTOP, True), (IPHONE, False)]
every_way = pytest.mark.parametrize("ada", WAYS, indirect=True, ids=str)
"""For what is asked for in each layout both with HTMX and without."""


@cache
def renderer() -> TemplateRenderer:
    return TemplateRenderer([ROOT / "templates", TEMPLATES], "Nightlatch", f"http://{HOST}")


@pytest.fixture
def overrides() -> dict[str, Any]:
    return {"hasher": CheapHasher(), "methods": catalogue, "renderer": renderer()}


@pytest.fixture
def site(site: Site) -> Site:
    site.app.jinja_loader = ChoiceLoader([FileSystemLoader(ROOT / "templates"), FileSystemLoader(TEMPLATES)])
    return site


@pytest.fixture(params=WAYS[:2], ids=str)
def ada(site: Site, request: pytest.FixtureRequest) -> Owner:
    """In either layout, with HTMX and without."""
    layout, htmx = request.param
    return Owner(site, layout=layout, htmx=htmx)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.slug)
def mine(ada: Owner, request: pytest.FixtureRequest) -> MethodUser:
    """Ada with one of the methods in hand, and a confirmed address."""
    ada.sign_up()
    return request.param(ada)


@pytest.fixture
def on(mine: MethodUser) -> MethodUser:
    """The same with the method turned on, logged in."""
    mine.turn_on()
    mine.owner.press("Got it")
    return mine
