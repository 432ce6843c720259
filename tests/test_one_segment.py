"""Texts are billed by the segment: each of ours fits into one, in every language and with the longest facts."""

from __future__ import annotations

import pytest

from tests.pseudo import LANGUAGES, accented, arabic
from webapp.adapters.catalogues import offered
from webapp.adapters.template_renderer import TemplateRenderer
from webapp.domain.language import speaking
from webapp.domain.segments import segments
from webapp.settings import ROOT

TEMPLATES = sorted(path.stem for path in (ROOT / "templates" / "sms").glob("*.txt"))
FACTS = {"code": "000000", "host": "mobile.nightlatch.example", "password": "AAAA-AAAA-AAAA-AAAA"}


def test_there_are_text_templates() -> None:
    assert {"code", "number-changed", "temporary-password"} <= set(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_text_fits_into_one_segment_in_every_language(template: str) -> None:
    renderer = TemplateRenderer(ROOT / "templates", "Nightlatch", "https://nightlatch.example")
    for language in (*offered().values(), *LANGUAGES.values()):
        with speaking(language):
            text = renderer.render_text_message(template, **FACTS)
        assert segments(text) == 1, f"{language.code}: {len(text)} characters: {text!r}"


def test_a_text_that_does_not_fit_loses_its_advice_then_the_name_of_the_site_then_its_language() -> None:
    renderer = TemplateRenderer(ROOT / "templates", "Nightlatch", "https://nightlatch.example")
    english = renderer.render_text_message("code", **FACTS)
    assert english == "000000 is your Nightlatch code. Never share it.\n\n@mobile.nightlatch.example #000000"
    full, no_advice, no_site = (
        "%(code)s is your %(site)s code. Never share it.",
        "%(code)s is your %(site)s code.",
        "%(code)s is your code.",
    )
    for language, host, said in (
        ("ar-XB", "m.io", arabic(full)),
        ("ar-XB", "nightlatch.example", arabic(no_advice)),
        ("ar-XB", "mobile.nightlatch.example", arabic(no_advice)),
        ("en-XA", "m.io", accented(no_advice)),
        ("en-XA", "nightlatch.example", accented(no_site)),
        ("en-XA", "a.very.long.subdomain.nightlatch.example", full),
    ):
        with speaking(LANGUAGES[language]):
            text = renderer.render_text_message("code", code="000000", host=host)
        assert text == said % {"code": "000000", "site": "Nightlatch"} + f"\n\n@{host} #000000"
