"""Rules that every method of the catalogue follows."""

from __future__ import annotations

from tests.conftest import Site, one_database


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
