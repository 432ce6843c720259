"""Sentences missing from the translations, found with pseudo-languages in which untranslated text stands out."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from tests.browser import screens
from tests.browser.conftest import Visits, Walks
from tests.browser.live import LAYOUTS, LiveSite, Visitor
from tests.pseudo import ACCENTS, RIGHT_TO_LEFT

everywhere = pytest.mark.parametrize("layout", LAYOUTS)
LETTERS = re.compile(r"[^\W\d_]{2,}")
WRITTEN_BY_BABEL_OR_A_PERSON = re.compile(r"\S+@example\.org|(January|February|March|April|May|June|July|August"
                                          r"|September|October|November|December) \d+, \d{4}"
                                          r"|(?<=, )or(?= *$)", re.MULTILINE)  # fmt: skip

# What a user typed, what is copied unchanged, names, and what Babel writes. Any other text outside ⟦…⟧ is missing from
# the translations.
PEOPLES_NAMES = (
    "Nightlatch",
    "Ada Lovelace",
    "YubiKey 5 Series with NFC",
    "Pixel 9",
    "Wiki",
    "Files",
    "staff",
    "RS256",
    "ES256",
)
NOT_TRANSLATED = "bdi, time, option, textarea, .brand, .who, .secret, svg, script, style, article.sent"
LEFT_OUT = """theirs => {
  const parts = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest(theirs)) parts.push(walker.currentNode.data);
  const ceremony = ["data-waiting", "data-again", "data-known", "data-cancelled", "data-failed"];
  const said = ["data-said", "data-texted", "data-offline", ...ceremony];
  const spoken = ["title", "aria-label", "placeholder", "alt", "content", "value", ...said];
  for (const name of spoken)
    for (const element of document.querySelectorAll(`[${name}]`))
      if (!element.matches("meta, input, option, button, " + theirs) || ["aria-label", "placeholder"].includes(name))
        parts.push(element.getAttribute(name));
  return parts;
}"""


def outside(text: str) -> str:
    """The text of a page without its translated sentences."""
    depth, rest = 0, []
    for character in text:
        depth += {"⟦": 1, "⟧": -1}.get(character, 0)
        if depth == 0:
            rest.append(character)
    return "".join(rest).replace("⟧", " ")


def left_out(parts: list[str], known: tuple[str, ...]) -> list[str]:
    text = WRITTEN_BY_BABEL_OR_A_PERSON.sub("", outside("\n".join(parts)))
    for word in known:
        text = text.replace(word, "")
    return [line.strip() for line in text.splitlines() if LETTERS.search(line)]


def test_an_untranslated_sentence_is_found() -> None:
    assert left_out(["⟦Ļöĝ ⟦îñ⟧⟧", "⟦a", "b⟧ Forgotten", "Nightlatch"], ("Nightlatch",)) == ["Forgotten"]


def faults_in_accents(visitor: Visitor) -> list[str]:
    wide = visitor.page.evaluate("Math.max(0, document.documentElement.scrollWidth - innerWidth)")
    too_wide = [f"a language a third longer is {wide} px too wide"] if wide else []
    return [*too_wide, *left_out(visitor.page.evaluate(LEFT_OUT, NOT_TRANSLATED), PEOPLES_NAMES)]


@everywhere
def test_every_sentence_is_translated_and_a_longer_language_fits(walk: Walks, layout: str) -> None:
    """At rest and, on a screen with fields, with errors."""
    stage, faults = walk(layout, viewport={"width": 320, "height": 640}), []
    stage.visitor.speak(ACCENTS.code)
    for screen in screens.walk(stage):
        faults += [f"{screen.name}: {fault}" for fault in faults_in_accents(stage.visitor)]
        if screen.has_fields:
            stage.send_empty()
            faults += [f"{screen.name}, with errors: {fault}" for fault in faults_in_accents(stage.visitor)]
    assert not faults, "\n".join(faults)


TURNED = r"""() => {
  const faults = [];
  const root = document.documentElement;
  if (root.dir !== "rtl" || root.lang !== "ar-XB") faults.push(`dir=${root.dir} lang=${root.lang}`);
  if (getComputedStyle(document.querySelector("main h1")).direction !== "rtl") faults.push("an h1 from the left");
  if (root.scrollWidth > root.clientWidth) faults.push(`${root.scrollWidth} px wide`);
  for (const secret of document.querySelectorAll(".secret")) {
    const code = secret.querySelector("bdi");
    if (getComputedStyle(code).direction !== "ltr") faults.push("a code from the right");
    const groups = [...code.querySelectorAll("span")].map(span => span.getBoundingClientRect());
    const turned = groups.some((box, i) => i && box.top === groups[i - 1].top && box.left < groups[i - 1].left);
    if (turned) faults.push("groups of a code in the wrong order");
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (/(?<!\u2066)(\+|\.\.\.)\d/.test(data) && !parentElement.closest("[dir=ltr], .sent, script"))
      faults.push(`a number turned round: ${data}`);
  }
  for (const field of document.querySelectorAll("main :is([data-code], [type=password], [name=email], [name=phone])"))
    if (getComputedStyle(field).direction !== "ltr") faults.push(`${field.name} is typed from the right`);
  return faults;
}"""


@everywhere
def test_right_to_left_mirrors_the_page_and_no_code(walk: Walks, layout: str) -> None:
    stage, faults = walk(layout), []
    stage.visitor.speak(RIGHT_TO_LEFT.code)
    for screen in screens.walk(stage, twins=False):
        faults += [f"{screen.name}: {fault}" for fault in stage.visitor.page.evaluate(TURNED)]
    assert not faults, "\n".join(faults)


def test_the_language_chosen_in_the_footer_of_a_page_is_kept(site: LiveSite, visit: Visits) -> None:
    ada = visit()
    ada.open("/about")
    ada.tab_to(ada.page.get_by_role("combobox", name="Language"))
    ada.page.keyboard.type("Flip")
    ada.press("Change language")
    ada.page.wait_for_url("**/about")
    root = ada.page.locator("html[dir=rtl][lang=ar-XB]")
    root.wait_for()
    ada.open("/log-in")
    root.wait_for()
    assert ada.page.get_by_role("combobox").input_value() == RIGHT_TO_LEFT.code


def test_every_sentence_of_an_email_is_translated(site: LiveSite) -> None:
    ada = site.person("ada")
    ada.sign_up()
    site.services.accounts.set_language(site.services.accounts.named("ada"), ACCENTS.code)
    ada.client.set_cookie("language", ACCENTS.code, domain=ada.host.partition(":")[0])
    ada.post("/settings/account/password", password="a loom of one's own words")
    ada.post("/settings/account/email", email="lovelace@example.org")
    code = re.search(r"\d{6}", site.emails("lovelace@example.org")[0].subject)
    assert code
    ada.post("/settings/account/email/code", code=code[0])
    ada.post("/forgot-password", email="lovelace@example.org")
    mails = [mail for mail in site.emails() if "⟦" in mail.subject]
    assert len(mails) >= 4
    faults = []
    for mail in mails:
        html = BeautifulSoup(mail.html, "lxml")
        text = re.sub(r"https?://\S+", "", f"{mail.subject}\n{mail.text}\n{html.get_text(' ')}")
        faults += [f"{mail.subject}: {line}" for line in left_out([text], ("Nightlatch", "Ada Lovelace", "ada"))]
    assert not faults, "\n".join(faults)


def test_a_page_changes_whole_when_its_language_is_changed_elsewhere(site: LiveSite, visit: Visits) -> None:
    visitor, ada = visit(), site.person("ada")
    ada.sign_up()
    visitor.become(ada)
    visitor.open("/settings/account/name")
    visitor.page.fill("main [name=name]", "Ada King")
    site.services.accounts.set_language(site.services.accounts.named("ada"), RIGHT_TO_LEFT.code)
    visitor.page.click("main button.primary")
    visitor.page.locator("html[dir=rtl][lang=ar-XB]").wait_for()
    assert "Ada King" in visitor.page.locator("#status").inner_text()
