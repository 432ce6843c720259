"""Times and devices in the language of the context."""

from __future__ import annotations

import re

import pytest

from tests.domain.test_language_tags import CODES
from webapp.domain.devices import device
from webapp.domain.language import Language, speaking
from webapp.domain.lists import all_of, at_the_beginning, one_of
from webapp.domain.moments import day, machine, minute, moment

NOW = 1_800_000_005


@pytest.mark.parametrize(
    ("code", "to_the_minute", "date"),
    [
        ("en", "January 15, 2027, 8:00 AM UTC", "January 15, 2027"),
        ("de", "15. Januar 2027, 08:00 UTC", "15. Januar 2027"),
        ("fr-CA", "15 janvier 2027, 08 h 00 TU", "15 janvier 2027"),
        ("zh_Hans", "2027年1月15日 UTC 08:00", "2027年1月15日"),
        ("fa", "15 ژانویهٔ 2027، ساعت 8:00 UTC", "15 ژانویهٔ 2027"),
        ("ko", "2027년 1월 15일 오전 8:00 UTC", "2027년 1월 15일"),
        ("ps", "2027 جنوري 15، 08:00 UTC", "2027 جنوري 15"),
        ("ti", "15 ጥሪ 2027፣ 8:00 ቅ.ቀ. UTC", "15 ጥሪ 2027"),
        ("ar-XB", "January 15, 2027, 8:00 AM UTC", "January 15, 2027"),
        ("nonsense", "January 15, 2027, 8:00 AM UTC", "January 15, 2027"),
    ],
)
def test_a_time_is_written_in_its_language(code: str, to_the_minute: str, date: str) -> None:
    with speaking(Language(code, code)):
        assert minute(NOW).replace("\u00a0", " ") == to_the_minute
        assert day(NOW) == date
        assert "\u202f" not in moment(NOW)
    assert moment(NOW).replace("\u00a0", " ") == "January 15, 2027, 8:00:05 AM UTC"


@pytest.mark.parametrize("code", [code for code in CODES if code not in ("en", "fil")])
def test_no_date_and_no_list_of_a_language_has_english_words(code: str) -> None:
    with speaking(Language(code, code)):
        texts = minute(NOW), moment(NOW), day(NOW), one_of(["1", "2"]), one_of(["1", "2", "3"]), all_of(["1", "2"])
    for text in texts:
        assert not re.search(r"\b(January|Jan|M01|at|or|and)\b", text), text
        assert not re.search(r"(?![0-9])\d", text), f"digits are Latin: {text}"


@pytest.mark.parametrize(("code", "list_"), [("om", "A, B yookiin C"), ("ps", "A، B یا C")])
def test_a_list_that_cldr_lacks_has_every_word_once(code: str, list_: str) -> None:
    with speaking(Language(code, code)):
        assert one_of(["A", "B", "C"]) == list_


def test_the_machine_readable_time_is_the_same_in_every_language() -> None:
    with speaking(Language("ar", "ar", "rtl")):
        assert machine(NOW) == "2027-01-15T08:00:05Z"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        ("Something/1.0 (Linux)", "Linux"),
        ("Firefox/140.0", "Firefox"),
        ("curl/8.5.0", "an unknown device"),
        ("", "an unknown device"),
    ],
)
def test_a_device_is_named_by_browser_and_system(user_agent: str, words: str) -> None:
    assert device(user_agent) == words


@pytest.mark.parametrize(
    ("code", "words", "shown"),
    [
        ("en", "if", "If"),
        ("tr", "internet", "İnternet"),
        ("tr", "ılık", "Ilık"),
        ("hr", "ǆep", "ǅep"),
        ("ja", "電話", "電話"),
    ],
)
def test_a_sentence_begins_with_the_capital_of_its_language(code: str, words: str, shown: str) -> None:
    with speaking(Language(code, code)):
        assert at_the_beginning(words) == shown
