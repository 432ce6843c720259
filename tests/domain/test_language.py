"""A sentence is translated into the language of its context, and only inside that context."""

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


def test_a_sentence_is_english_outside_of_a_language_context() -> None:
    assert spoken() is ENGLISH
    assert gettext("Hello %(name)s", name="Ada") == "Hello Ada"
    with speaking(LATIN):
        assert spoken() is LATIN
        assert gettext("Hello %(name)s", name="Ada") == "Salve Ada"
        with speaking(ENGLISH):
            assert gettext("Log in") == "Log in"
        assert gettext("Log in") == "Intra <nunc>"
    assert spoken() is ENGLISH


def test_a_language_context_ends_even_when_its_block_raises() -> None:
    def fail() -> None:
        with speaking(LATIN):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert spoken() is ENGLISH


def test_the_language_of_one_thread_does_not_affect_another() -> None:
    heard = []

    def other() -> None:
        speak(LATIN)
        heard.append(spoken())

    thread = Thread(target=other)
    thread.start()
    thread.join()
    assert heard == [LATIN]
    assert spoken() is ENGLISH


def test_a_number_selects_the_plural_form() -> None:
    assert ngettext("%(num)s hour", "%(num)s hours", 1) == "1 hour"
    assert ngettext("%(num)s hour in %(place)s", "%(num)s hours in %(place)s", 2, place="Turin") == "2 hours in Turin"
    with speaking(LATIN):
        assert ngettext("%(num)s hour", "%(num)s hours", 3) == "3 horae"
        assert plural_form("%(num)s hour", "%(num)s hours", 1) == "%(num)s hora"


def test_a_lazy_sentence_is_translated_when_it_is_shown() -> None:
    sentence, greeting = lazy("Log in"), lazy("Hello %(name)s")
    assert str(sentence) == "Log in"
    with speaking(LATIN):
        assert str(sentence) == "Intra <nunc>"
        assert escape(sentence) == "Intra &lt;nunc&gt;"
        assert greeting % {"name": "Ada"} == "Salve Ada"


def test_equal_lazy_sentences_compare_equal() -> None:
    assert lazy("Log in") == lazy("Log in")
    assert lazy("Log in") != lazy("Log out")
    assert lazy("Log in") != "Log in"
    assert len({lazy("Log in"), lazy("Log in"), lazy("Log out")}) == 2
