"""What templates must not write, and the filters that they use."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from tests.conftest import Site
from webapp.domain.language import Language, speaking
from webapp.settings import ROOT
from webapp.web.icons import DRAWN, icon
from webapp.web.places import place_of
from webapp.web.templates import HYPHENATED, alone, gap, whole_words
from webapp.web.times import on, sentence

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
JINJA = re.compile(r"\{%.*?%\}", re.DOTALL)
GET_FORM = re.compile(r'<form[^>]*method="get".*?</form>', re.DOTALL)


def test_no_get_takes_the_token_of_a_form_into_the_address() -> None:
    """ASVS V14.2.1: addresses are in histories and in the logs of proxies."""
    for path in TEMPLATES:
        text = path.read_text()
        for tag in re.findall(r"<[^>]*data-hx-get[^>]*", text):
            branch = next(part for part in JINJA.split(tag) if "data-hx-get" in part)
            assert "include" not in branch, path
        for form in GET_FORM.findall(text):
            assert "csrf_token" not in form, path
            assert "hidden(" not in form, path
            assert "post_form(" not in form, path


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Two-factor authentication", '<span><span class="whole">Two-factor</span> authentication</span>'),
        ("a new six-digit code.", '<span>a new <span class="whole">six-digit</span> code.</span>'),
        ("Approve this log-in?", '<span>Approve this <span class="whole">log-in?</span></span>'),
        ("Rename <b>&-co", "Rename &lt;b&gt;&amp;-co"),
        ("Delete key-of-the-office", "Delete key-of-the-office"),
        ("Delete " + "a" * 30 + "-b", "Delete " + "a" * 30 + "-b"),
    ],
)
def test_a_short_word_with_a_hyphen_stays_whole(text: str, html: str) -> None:
    assert str(whole_words(text)) == html


def test_a_date_with_a_full_stop_ends_a_sentence_once() -> None:
    with speaking(Language("sr", "српски")):
        assert str(sentence("Направљен %(date)s.", date=on(0))).endswith("1. јануар 1970</time>.")
        assert "1970.</time> ту" in str(sentence("Направљен %(date)s ту.", date=on(0)))


def test_a_long_ipv6_address_is_broken_after_a_colon(site: Site) -> None:
    with site.app.test_request_context():
        assert ":2345:<wbr>6789" in place_of("2001:db8:1:2:3:4:2345:6789").replace(":<wbr>2345", ":2345")
        assert isinstance(place_of("192.0.2.1"), Markup)


@pytest.mark.parametrize(("code", "between"), [("en", " "), ("ja", ""), ("zh-Hant", ""), ("ko", " ")])
def test_there_is_no_space_after_a_wide_full_stop(code: str, between: str) -> None:
    with speaking(Language(code, code)):
        assert gap() == between


def test_each_icon_is_drawn_and_an_unknown_one_is_an_error() -> None:
    named = {name for path in TEMPLATES for name in re.findall(r'"(\w+)"\|icon', path.read_text())}
    assert len(named) > 10
    assert named <= set(DRAWN)
    assert str(icon("leave")).startswith('<svg class="icon" data-turns aria-hidden="true" ')
    with pytest.raises(KeyError):
        icon("mammoth")


def test_links_and_leads_break_no_word_at_its_hyphen() -> None:
    """WebKit ends their lines early, and does so at a hyphen too."""
    found = re.compile(r'(?:<a [^>]*>|class="lead">)\{\{ _\("([^"]*)"\)(\|whole_words)? \}\}')
    for path in TEMPLATES:
        for words, filtered in found.findall(path.read_text()):
            assert bool(filtered) is bool(HYPHENATED.search(words)), f"{path}: {words}"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("an unknown device", "An unknown device"),
        ("near Zurich", "Near Zurich"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("@ada", "@ada"),
        ("Firefox on Mac", "Firefox on Mac"),
        ("", ""),
    ],
)
def test_only_common_words_get_a_capital_letter_outside_a_sentence(name: str, shown: str) -> None:
    assert alone(name) == shown
    styles = (path.read_text() for path in (ROOT / "static" / "css").rglob("*.css"))
    assert not any("first-letter" in style for style in styles)
