"""A sentence is said in the language spoken at that moment, and only there."""

from __future__ import annotations

from gettext import NullTranslations
from threading import Thread

import pytest
from markupsafe import escape

from webapp.domain.language import (
    ENGLISH,
    Language,
    gettext,
    lazy,
    ngettext,
    plural_form,
    speak,
    speaking,
    spoken,
)


class Latin(NullTranslations):
    def gettext(self, message: str) -> str:
        return {"Hello %(name)s": "Salve %(name)s", "Log in": "Intra <nunc>"}.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return "%(num)s hora" if n == 1 else "%(num)s horae"


LATIN = Language("la", "Latina", translations=Latin())


def test_a_sentence_is_english_until_another_language_is_spoken() -> None:
    assert spoken() is ENGLISH
    assert gettext("Hello %(name)s", name="Ada") == "Hello Ada"
    with speaking(LATIN):
        assert spoken() is LATIN
        assert gettext("Hello %(name)s", name="Ada") == "Salve Ada"
        with speaking(ENGLISH):
            assert gettext("Log in") == "Log in"
        assert gettext("Log in") == "Intra <nunc>"
    assert spoken() is ENGLISH


def test_a_language_ends_with_its_block_even_when_that_fails() -> None:
    def fail() -> None:
        with speaking(LATIN):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert spoken() is ENGLISH


def test_what_one_thread_speaks_another_does_not() -> None:
    heard = []

    def other() -> None:
        speak(LATIN)
        heard.append(spoken())

    thread = Thread(target=other)
    thread.start()
    thread.join()
    assert heard == [LATIN]
    assert spoken() is ENGLISH


def test_a_number_chooses_the_form() -> None:
    assert ngettext("%(num)s hour", "%(num)s hours", 1) == "1 hour"
    assert ngettext("%(num)s hour in %(place)s", "%(num)s hours in %(place)s", 2, place="Turin") == "2 hours in Turin"
    with speaking(LATIN):
        assert ngettext("%(num)s hour", "%(num)s hours", 3) == "3 horae"
        assert plural_form("%(num)s hour", "%(num)s hours", 1) == "%(num)s hora"


def test_a_lazy_sentence_is_said_when_it_is_shown() -> None:
    sentence, greeting = lazy("Log in"), lazy("Hello %(name)s")
    assert str(sentence) == "Log in"
    with speaking(LATIN):
        assert str(sentence) == "Intra <nunc>"
        assert escape(sentence) == "Intra &lt;nunc&gt;"
        assert greeting % {"name": "Ada"} == "Salve Ada"


def test_the_same_words_are_the_same_sentence() -> None:
    assert lazy("Log in") == lazy("Log in")
    assert lazy("Log in") != lazy("Log out")
    assert lazy("Log in") != "Log in"
    assert len({lazy("Log in"), lazy("Log in"), lazy("Log out")}) == 2
