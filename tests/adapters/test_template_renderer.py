"""E-mails are complete, escaped and in the reader's language."""

from __future__ import annotations

import re
from functools import partial
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from statistics import median

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from tests.pace import least_cost
from webapp.adapters.template_renderer import TemplateRenderer, device, hello, moment
from webapp.domain.language import Language, speaking
from webapp.domain.origin import Origin

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
FACTS: dict[str, dict[str, object]] = {
    "code": {"code": "012345", "minutes": 60, "name": "Anna", "username": "anna"},
    "address-in-use": {"name": "Anna", "username": "anna", "url": "https://login.example.org/forgot-password"},
    "reset-link": {"name": "Anna", "username": "anna", "url": "https://login.example.org/r/f00", "minutes": 60},
    "log-in-link": {"name": "Anna", "username": "anna", "url": "https://login.example.org/l/f00", "minutes": 60},
    "test": {"name": "Anna", "username": "anna"},
    "invitation": {"name": "Anna", "username": "anna", "url": "https://login.example.org/invite/f00", "hours": 72},
    "notice": {
        "name": "Anna",
        "username": "anna",
        "subject": "Your password was changed.",
        "what": "Your password was changed.",
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
        "not_you_url": "https://login.example.org/not-you/f00",
    },
    "email-undo": {
        "name": "Anna",
        "username": "anna",
        "earlier": "a...@example.org",
        "until": 1_800_086_400,
        "changed": 1_799_900_000,
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
        "url": "https://login.example.org/settings/account/email/undo",
    },
    "address-notice": {
        "name": "Anna",
        "username": "anna",
        "what": "Your email address was changed back to a...@example.org.",
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
    },
    "email-changed": {
        "name": "Anna",
        "username": "anna",
        "address": "a...@example.net",
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
        "undo_url": "https://login.example.org/undo-email/f00",
        "days": 7,
    },
    "username-change": {
        "name": "Anna",
        "username": "anna",
        "new_username": "annabel",
        "until": 1_800_086_400,
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
        "stop_url": "https://login.example.org/keep-username/f00",
    },
    "recovery": {
        "name": "Anna",
        "username": "anna",
        "subject": "Your two-factor authentication will be turned off",
        "what": "An administrator asked to turn off your two-factor authentication.",
        "at": 1_800_000_000,
        "stop_url": "https://login.example.org/stop-recovery/f00",
    },
    "account-deletion": {
        "name": "Anna",
        "username": "anna",
        "until": 1_802_592_000,
        "at": 1_800_000_000,
        "origin": Origin("203.0.113.5", FIREFOX),
        "login_url": "https://login.example.org/log-in",
        "not_you_url": "https://login.example.org/not-you/f00",
    },
    "account-deleted": {"name": "Anna", "username": "anna", "by_operator": False},
    "text-budget": {"name": "Anna", "share": 80, "spent": 800, "budget": 1000},
}


class UpperCase(NullTranslations):
    """Translates every sentence into capitals and keeps its placeholders."""

    def gettext(self, message: str) -> str:
        return re.sub(r"%\(\w+\)s|[^%]", lambda m: m[0] if m[0].startswith("%") else m[0].upper(), message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


HEBREW = Language("he", "עברית", "rtl", UpperCase())


class Outline(HTMLParser):
    """Attributes of the html element, and whether every opened element was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: dict[str, str | None] = {}
        self.open: list[str] = []
        self.links: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "html":
            self.attributes = dict(attrs)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag not in ("meta", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def renderer() -> TemplateRenderer:
    return TemplateRenderer(TEMPLATES, "Night & Latch", "https://login.example.org/")


def test_every_template_has_its_facts_here() -> None:
    assert {path.name for path in (TEMPLATES / "email").iterdir() if path.is_dir()} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_an_email_has_a_one_line_subject_a_text_and_an_html_page(renderer: TemplateRenderer, name: str) -> None:
    email = renderer.render_email(name, **FACTS[name])
    assert email.subject
    assert "\n" not in email.subject
    assert email.text.startswith("Hi Anna,\n")
    assert "Night & Latch" in email.text
    assert "&amp;" not in email.text
    outline = Outline(email.html)
    assert not outline.open
    assert outline.attributes == {"lang": "en", "dir": "ltr"}
    assert "Night &amp; Latch" in email.html
    assert "<table" not in email.html
    assert "<img" not in email.html


@pytest.mark.parametrize("name", sorted(set(FACTS) - {"text-budget"}))
def test_an_email_about_an_account_names_it_and_its_subject_has_no_period(
    renderer: TemplateRenderer, name: str
) -> None:
    """One inbox may have mail of several accounts."""
    email = renderer.render_email(name, **FACTS[name])
    assert "anna" in email.text
    assert "anna" in email.html
    assert not email.subject.endswith(".")


def test_a_code_does_not_carry_a_username_that_is_a_link(renderer: TemplateRenderer) -> None:
    """Anyone can sign up as such and enter the address of another person."""
    for username in ("win.example", "ada/prize", "www1"):
        email = renderer.render_email("code", **{**FACTS["code"], "username": username})
        assert username not in email.text + email.html


@pytest.mark.parametrize("name", FACTS)
def test_the_text_and_the_html_of_an_email_have_the_same_links(renderer: TemplateRenderer, name: str) -> None:
    email = renderer.render_email(name, **FACTS[name])
    assert set(re.findall(r"https://\S+", email.text)) == set(Outline(email.html).links)


@pytest.mark.filterwarnings("ignore:Plural value must be an integer")  # Python 3.13 warns, and then fails alike
@pytest.mark.parametrize("name", FACTS)
def test_a_missing_fact_is_an_error(renderer: TemplateRenderer, name: str) -> None:
    for fact in FACTS[name]:
        with pytest.raises(UndefinedError):
            renderer.render_email(name, **{key: value for key, value in FACTS[name].items() if key != fact})


def test_an_unknown_email_is_an_error(renderer: TemplateRenderer) -> None:
    with pytest.raises(TemplateNotFound):
        renderer.render_email("love")


def test_a_code_begins_the_subject_and_is_alone_on_its_line(renderer: TemplateRenderer) -> None:
    email = renderer.render_email("code", **FACTS["code"])
    assert email.subject == "012345 is your Night & Latch code"
    assert email.text.splitlines().count("012345") == 1
    assert "It expires in 60 minutes and can be used once." in email.text
    assert "Never share this code" in email.text
    assert "Never share this code" in email.html


def test_one_minute_is_written_in_the_singular(renderer: TemplateRenderer) -> None:
    assert "in 1 minute and can be used once" in renderer.render_email("code", **{**FACTS["code"], "minutes": 1}).text


def test_a_notice_says_what_happened_when_and_from_which_device_and_address(renderer: TemplateRenderer) -> None:
    email = renderer.render_email("notice", **FACTS["notice"])
    assert email.subject == "Your password was changed (Night & Latch)"
    assert "Your password was changed." in email.text
    assert "January 15, 2027" in email.text
    assert "UTC" in email.text
    assert "Firefox on Windows, IP address 203.0.113.5" in email.text
    assert "Account: anna" in email.text
    assert "Account: anna" in email.html
    assert "Not you?" in email.text


def test_facts_are_escaped_in_html_and_not_in_text(renderer: TemplateRenderer) -> None:
    email = renderer.render_email("notice", **{**FACTS["notice"], "what": "<script>100 % & %(site)s</script>"})
    assert "&lt;script&gt;100 % &amp; %(site)s&lt;/script&gt;" in email.html
    assert "<script>" not in email.html
    assert "<script>100 % & %(site)s</script>" in email.text


def test_an_email_is_in_the_language_of_its_context(renderer: TemplateRenderer) -> None:
    with speaking(HEBREW):
        email = renderer.render_email("code", **FACTS["code"])
        notice = renderer.render_email("notice", **FACTS["notice"])
    assert email.subject == "012345 IS YOUR Night & Latch CODE"
    assert "HI Anna," in email.text
    assert "IT EXPIRES IN 60 MINUTES AND CAN BE USED ONCE." in email.text
    assert Outline(email.html).attributes == {"lang": "he", "dir": "rtl"}
    assert '<p class="code" dir="ltr"' in email.html
    assert "בינואר" in notice.text


@pytest.mark.parametrize("name", ["win at example.com", "see https://example.com", "a@b", "/x", "WWW prize", " \n "])
def test_a_name_that_contains_a_link_is_not_greeted(name: str) -> None:
    assert hello(name) == "Hi,"


@pytest.mark.parametrize("name", ["Anna", "J. R. R. Tolkien", "Jean-Luc O'Neill", "Зоя", "Dr. Wu Jr."])
def test_ordinary_names_are_greeted(name: str) -> None:
    assert hello(name) == f"Hi {name},"


def test_a_name_with_line_breaks_is_written_on_one_line(renderer: TemplateRenderer) -> None:
    assert renderer.render_email("code", **{**FACTS["code"], "name": "An\r\n\nna"}).text.startswith(
        "Hi An na,\n\nEnter"
    )


@pytest.mark.parametrize(
    ("user_agent", "named"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/26.0 Safari/605.1", "Safari on Mac"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0) AppleWebKit/605 Version/26.0 Mobile Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/150.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/150.0 Safari/537.36 Edg/150.0", "Edge on Windows"),
        ("curl/8 (Linux)", "Linux"),
        ("Your account is closed, call 555-0100", "an unknown device"),
        ("", "an unknown device"),
    ],
)
def test_a_device_is_named_without_quoting_its_user_agent(user_agent: str, named: str) -> None:
    assert device(user_agent) == named


def test_a_time_is_written_in_every_language() -> None:
    assert moment(1_800_000_000).replace("\u00a0", " ") == "January 15, 2027, 8:00:00 AM UTC"
    with speaking(Language("zh-Hant", "繁體中文")):
        assert moment(1_800_000_000) == "2027年1月15日 上午8:00:00 [UTC]"
    for unknown in ("xx", "not a language"):
        with speaking(Language(unknown, "?")):
            assert "January 15, 2027" in moment(1_800_000_000)


@pytest.mark.no_cover
def test_rendering_an_email_takes_less_than_a_millisecond(renderer: TemplateRenderer) -> None:
    costs = [least_cost(partial(renderer.render_email, name, **facts), turns=3) for name, facts in FACTS.items()]
    assert median(costs) < 0.001


def test_an_ip_address_is_not_turned_round_from_right_to_left() -> None:
    renderer = TemplateRenderer(TEMPLATES, "Nightlatch", "https://login.example.org")
    facts = {**FACTS["notice"], "origin": Origin("2001:db8::1", FIREFOX)}
    with speaking(Language("ar", "العربية", "rtl")):
        email = renderer.render_email("notice", **facts)
    assert "\u20662001:db8::1\u2069" in email.text
    assert "\u20662001:db8::1\u2069" in email.html
