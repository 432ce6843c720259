"""Every catalogue is free of the mistakes that a program can find, and each check finds its mistake."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog

from tests.catalogues.checks import Checks, check, is_begun
from tests.catalogues.terms import English, Glossary
from tests.catalogues.update import forms, is_translated, locales, merge, missing, new, path_of, read


def found(locale: str, id: str | tuple[str, str], text: str | tuple[str, ...], context: str | None = None) -> set[str]:
    """The checks that find a mistake in a translation; "Resend code" and "Sessions" are beside it."""
    catalog, glossary = new(locale), Glossary(locale)
    for label in ("Resend code", "Sessions"):
        catalog.add(label, glossary.exact[label]["translation"])
    catalog.add(id, text, context=context)
    return {problem.check for problem in Checks(locale, catalog, glossary, English(catalog)).problems()}


@pytest.mark.parametrize("locale", locales())
def test_a_catalogue_that_is_begun_is_complete_and_has_no_mistake(locale: str) -> None:
    catalog = read(path_of(locale), locale)
    if is_begun(catalog):
        assert not [(problem.check, problem.text) for problem in check(locale, catalog)]


@pytest.mark.parametrize(
    ("locale", "id", "text"),
    [
        ("de", "Too many attempts. Try again in %(wait)s.", "Zu viele Versuche. Versuchen Sie es in %(wait)s erneut."),
        ("de", "Then choose Resend code.", "Wählen Sie dann „Code erneut senden“."),
        ("fr", "Wasn't you?", "Ce n’était pas vous\u202f?"),
        ("fr", "Use <b>%(name)s</b>: yes", "Utilisez «\u202f<b>%(name)s</b>\u202f»\u202f: oui"),
        ("el", "Wasn't you?", "Δεν ήσασταν εσείς;"),
        ("es", "Wasn't you?", "¿No fue usted?"),
        ("hi", "Wrong password. Try again.", "पासवर्ड गलत है। फिर से कोशिश करें।"),
        ("ti", "Wrong code.", "ጌጋ ኮድ።"),
        ("ar", "Wasn't you?", "ألم يكن هذا أنت؟"),
        ("th", "Wrong code. Try again.", "รหัสไม่ถูกต้อง โปรดลองอีกครั้ง"),
        ("ja", "Enter the six-digit code.", "6 桁のコードを入力してください。"),
        ("zh_Hans", "Enter the six-digit code.", "请输入 6 位验证码。"),
        ("ru", ("%(num)s day", "%(num)s days"), ("%(num)s день", "%(num)s дня", "%(num)s дней")),
        ("he", ("%(num)s hour", "%(num)s hours"), ("שעה אחת", "שעתיים", "%(num)s שעות")),
        ("tr", "Off", "Kapalı"),
    ],
)  # fmt: skip
def test_a_translation_without_a_mistake_passes(locale: str, id: str, text: str) -> None:
    assert not found(locale, id, text)


@pytest.mark.parametrize(
    ("name", "locale", "id", "text"),
    [
        ("missing", "de", "Wrong code.", ""),
        ("missing", "ru", ("%(num)s day", "%(num)s days"), ("%(num)s день", "%(num)s дня", "")),
        ("nplurals", "he", ("%(num)s day", "%(num)s days"), ("%(num)s יום", "%(num)s ימים")),
        ("msgfmt", "de", "Hi %(name)s,", "Hallo %(name)d,"),
        ("urls", "de", "See https://nightlatch.example/help", "Siehe https://nightlatch.example/hilfe"),
        ("placeholders", "de", "Hi %(name)s,", "Hallo,"),
        ("placeholders", "de", "Hi %(name)s,", "Hallo %(nam)s,"),
        ("placeholders", "de", "Half is used.", "50 % sind verbraucht."),
        ("placeholders", "de", "Your name is @%(username)s.", "Ihr Name ist %(username)s."),
        ("digits", "fa", "Every %(num)s days, 30 times", "هر %(num)s روز، ۳۰ بار"),
        ("direction", "he", "Your name is @%(username)s.", "שמך הוא @%(username)s."),
        ("tags", "de", "Keep <b>%(name)s</b>", "%(name)s behalten"),
        ("spaces", "de", "Wrong code.", "Falscher Code. "),
        ("lines", "de", "Wrong code.", "Falscher\nCode."),
        ("ends", "de", "Wrong code.", "Falscher Code"),
        ("ends", "el", "Wasn't you?", "Δεν ήσασταν εσείς."),
        ("typography", "fr", "Wasn't you?", "Ce n’était pas vous ?"),
        ("typography", "es", "Wasn't you?", "No fue usted?"),
        ("typography", "hi", "Wrong code.", "गलत कोड."),
        ("typography", "ar", "Wrong code, sorry.", "رمز خاطئ, عذرًا."),
        ("typography", "fa", "Wrong code.", "كد نادرست است."),
        ("typography", "ja", "Wrong code.", "コードが違います."),
        ("typography", "ti", "Wrong code.", "ጌጋ ኮድ."),
        ("typography", "ro", "Wrong code.", "Cod greşit."),
        ("typography", "mr", "Wrong code.", "चुकीचा कोड।"),
        ("typography", "de", "Wrong code.", "Falscher Code ."),
        ("quotes", "de", "Choose More", 'Wählen Sie "Mehr"'),
        ("numbers", "de", "Wait 30 seconds.", "Warten Sie 20 Sekunden."),
        ("doublewords", "de", "Wrong code.", "Das ist ist falsch."),
        ("length", "de", "Continue", "Jetzt mit dem nächsten Schritt fortfahren"),
        ("unchanged", "de", "Wrong number", "Wrong number"),
        ("unchanged", "ru", "Wrong number", "Nevernyj nomer"),
        ("glossary", "de", "Got it", "Alles klar"),
        ("forbidden", "de", "Use your backup code.", "Nutzen Sie Ihren Ersatzcode."),
        ("names", "de", "Wait a minute, then choose Resend code.", "Warten Sie eine Minute und wählen Sie Senden."),
    ],
)
def test_each_check_finds_its_mistake(name: str, locale: str, id: str, text: str) -> None:
    assert name in found(locale, id, text)


def test_a_text_message_that_fits_in_no_form_is_found() -> None:
    catalog, glossary = new("ru"), Glossary("ru")
    for variant in (
        "%(code)s is your %(site)s code. Never share it.",
        "%(code)s is your %(site)s code.",
        "%(code)s is your code.",
    ):
        catalog.add(variant, "%(code)s — это ваш личный код для входа на сайт.")
    assert "segment" in {problem.check for problem in Checks("ru", catalog, glossary, English(catalog)).problems()}


@pytest.mark.parametrize(("spoken", "is_found"), [("%(device)s vergessen", False), ("%(device)s entfernen", True)])
def test_the_spoken_name_of_a_button_has_what_is_printed_on_it(spoken: str, is_found: bool) -> None:
    catalog, glossary = new("de"), Glossary("de")
    catalog.add("Forget", "Vergessen")
    catalog.add("Forget %(device)s", spoken)
    names = {problem.check for problem in Checks("de", catalog, glossary, English(catalog)).problems()}
    assert ("spoken" in names) == is_found


def test_a_comment_of_the_translator_lets_a_translation_pass() -> None:
    catalog, glossary = new("nl"), Glossary("nl")
    catalog.add("Apps", "Apps", user_comments=["passes: unchanged (the word is the same)"])
    assert not list(Checks("nl", catalog, glossary, English(catalog)).problems())
    catalog["Apps"].string = "Diensten"
    assert [problem.check for problem in Checks("nl", catalog, glossary, English(catalog)).problems()] == ["passes"]


def test_an_update_drops_and_guesses_nothing() -> None:
    before, now = new("de"), Catalog()
    before.add("Gone", "Weg")
    before.add("Never translated", "")
    before.add("Kept", "Behalten", user_comments=["a remark"])
    now.add("Kept")
    now.add("Gones")
    merge(before, now)
    assert {message.id: forms(message) for message in before if message.id} == {"Kept": ["Behalten"], "Gones": [""]}
    assert [message.id for message in missing(before)] == ["Gones"]
    assert list(before.obsolete) == ["Gone"]
    now.add("Gone")
    merge(before, now)
    assert before["Gone"].string == "Weg"
    assert is_translated(before["Gone"])
    assert before["Kept"].user_comments == ["a remark"]
    assert not before.obsolete
