"""Rules that every method of the catalogue follows."""

from __future__ import annotations

import re

from tests.conftest import Site, one_database
from webapp.services.method_kinds import Several
from webapp.web.site import Slug


@one_database
def test_every_method_begins_with_the_common_steps_and_ends_with_done(site: Site) -> None:
    for method in site.services.methods:
        slugs = [step.slug for step in method.steps()]
        assert len(set(slugs)) == len(slugs)
        assert {"overview", "password", "email", "email-code", "done"} <= set(slugs)
        assert slugs[-1] == "done"
        assert method.step("no such step") is None
        for slug in slugs:
            step = method.step(slug)
            assert step is not None
            assert step.slug == slug


@one_database
def test_no_two_methods_share_a_slug(site: Site) -> None:
    methods = site.services.methods
    slugs = [method.slug for method in methods]
    assert len(set(slugs)) == len(slugs)
    assert all(methods.named(method.slug) is method for method in methods)
    assert methods.named("carrier-pigeon") is None


@one_database
def test_every_method_has_its_screens_and_its_help(site: Site) -> None:
    for method in site.services.methods:
        named = {method.template, f"help/methods/{method.slug}.html", *(step.template for step in method.steps())}
        if isinstance(method, Several):
            named.add(method.list_template)
        for name in sorted(named):
            assert site.app.jinja_env.get_template(name).name == name


@one_database
def test_the_slug_of_every_method_fits_its_route_and_column(site: Site) -> None:
    for method in site.services.methods:
        assert re.fullmatch(Slug.regex, method.slug), "it stands in addresses"
        assert len(method.slug) <= 32, "and in a column"
