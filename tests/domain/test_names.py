"""Names keep the joiners that letters and emoji need, and lose every other invisible mark."""

from __future__ import annotations

import pytest

from webapp.domain.account_refusals import NameMalformed
from webapp.domain.labels import tidy_name
from webapp.domain.names import LONGEST_TYPED, is_stream_safe, key_of, login_key

ALI = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
FAMILY = "\U0001f469\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f468"
KSHA = "\u0915\u094d\u200d\u0937"


@pytest.mark.parametrize("name", [ALI, FAMILY, KSHA, "Ada"])
def test_joiners_stay_where_letters_or_emoji_need_them(name: str) -> None:
    assert tidy_name(name, 60) == name


@pytest.mark.parametrize("typed", ["\u200cAda", "Ada\u200d", "A\u200cda", "\u200bA\u00adda\ufeff", "\u2067Ada\u2069"])
def test_other_invisible_marks_are_dropped(typed: str) -> None:
    assert tidy_name(typed, 60) == "Ada"


@pytest.mark.parametrize("typed", ["", "\u200b", "\u200c\u200d", "a" * 61, "A\x07da"])
def test_a_name_that_shows_nothing_is_refused(typed: str) -> None:
    with pytest.raises(NameMalformed):
        tidy_name(typed, 60)


@pytest.mark.parametrize("typed", ["a\u200c" * 600, "\ufb2c\u200d" * 150, "Ada" + "\u200b" * LONGEST_TYPED])
def test_a_name_of_too_many_characters_is_refused_unread(typed: str) -> None:
    with pytest.raises(NameMalformed):
        tidy_name(typed, 60)


def test_a_joiner_in_the_longest_name_that_is_read_is_judged() -> None:
    typed = "\u0915\u094d\u200d" + "\U0001d160" * (LONGEST_TYPED - 3)  # NFC makes three of each
    with pytest.raises(NameMalformed):
        tidy_name(typed, 60)


def test_the_key_of_a_long_name_is_that_of_its_beginning() -> None:
    assert key_of("\ufdfa" * 20_000) == key_of("\ufdfa" * LONGEST_TYPED)
    assert key_of(f"ada@{'x' * 250}") == f"ada@{'x' * 250}"


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("@ada", "ada"),
        ("\u200b@Ada\u200e ", "ada"),
        ("\uff20\uff21da", "ada"),
        ("Ada@example.org", "ada@example.org"),
        ("@ada@example.org", "@ada@example.org"),
        ("IRINA", "irina"),
        ("@\u0130rina", "irina"),
        ("\u0131rina", "\u0131rina"),
        ("\u0130rina@example.org", "i\u0307rina@example.org"),
    ],
)
def test_a_username_may_be_typed_with_its_at_sign_to_log_in(typed: str, key: str) -> None:
    assert login_key(typed) == key


def test_keys_ignore_marks_that_nobody_sees() -> None:
    assert key_of("a\u200bda@example.org\u2060") == "ada@example.org"


@pytest.mark.parametrize(
    "text", [ALI, FAMILY, "\u00e9" * 40, "e\u0301" * 40, "a" + "\u0301" * 30, "\u0301" * 30, "\uac01" * 40]
)
def test_text_that_people_write_is_stream_safe(text: str) -> None:
    assert is_stream_safe(text)


@pytest.mark.parametrize(
    "row", ["\u0315\u0300\u05ae", "\uff9e\u0334", "\u0344", "\u0f73\u0315", "\u0315\u200b\u0334\u00ad"]
)
def test_a_long_row_of_combining_marks_is_not_stream_safe(row: str) -> None:
    assert not is_stream_safe(f"a{row * 31}")
