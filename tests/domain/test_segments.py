"""Segments of a text are counted as the gateway bills them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain import segments as s
from webapp.domain.segments import needs_unicode, segments

ONE_SEPTET = st.sampled_from(sorted(s.BASIC))
TWO_SEPTETS = st.sampled_from(sorted(s.EXTENSION))
GSM = st.text(ONE_SEPTET | TWO_SEPTETS, max_size=400)
ANY = GSM | st.text(max_size=200)
EMOJI = "🔑"


def test_the_alphabet_has_every_code_point_except_the_escape() -> None:
    assert len(s.BASIC) == 127
    assert len(s.EXTENSION) == 10
    assert not s.BASIC & s.EXTENSION


@pytest.mark.parametrize(
    "text",
    ["", "123456", "@host #123456\n", "Grüße, señor: à ò ù è é ì", "ÄÖÑÜ§ ß Ç Å Æ ø", "ΔΦΓΛΩΠΨΣΘΞ", "[€^{}\\~|]\f"],
)
def test_the_default_alphabet_needs_no_unicode(text: str) -> None:
    assert not needs_unicode(text)


@pytest.mark.parametrize(
    "character", ["ç", "á", "`", "’", "…", "—", "\u00a0", "\t", "\x1b", "\x00", "Α", "я", "ب", EMOJI]
)
def test_characters_that_only_look_like_the_default_alphabet_need_unicode(character: str) -> None:
    assert needs_unicode(character)
    assert needs_unicode(f"123456 {character}")


@given(text=st.text(ONE_SEPTET, min_size=160, max_size=160), more=ONE_SEPTET)
def test_160_characters_are_one_segment_and_161_are_two(text: str, more: str) -> None:
    assert segments(text) == 1
    assert segments(text + more) == 2


@pytest.mark.parametrize(
    ("length", "count"), [(0, 1), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3), (459, 3), (460, 4)]
)
def test_segments_of_a_longer_text_have_153_characters(length: int, count: int) -> None:
    assert segments("a" * length) == count


@pytest.mark.parametrize(("length", "count"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)])
def test_a_text_in_unicode_has_70_characters_and_its_segments_67(length: int, count: int) -> None:
    assert segments("ж" * length) == count
    assert segments("a" * (length - 1) + "ж") == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("€" * 80, 1),
        ("€" * 80 + "a", 2),
        ("a" * 158 + "€", 1),
        ("a" * 159 + "€", 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # 306 septets, but the escape must not be separated from its character
        ("a" * 151 + "€" + "a" * 153, 2),
    ],
)
def test_a_character_of_the_extension_counts_twice_and_is_not_split(text: str, count: int) -> None:
    assert not needs_unicode(text)
    assert segments(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (EMOJI * 35, 1),
        (EMOJI * 35 + "a", 2),
        ("a" * 68 + EMOJI, 1),
        ("a" * 69 + EMOJI, 2),
        ("a" * 66 + EMOJI + "a" * 66, 3),  # 134 units, but the surrogates must not be separated
        ("a" * 65 + EMOJI + "a" * 67, 2),
        (EMOJI * 66, 2),
        (EMOJI * 67, 3),
    ],
)
def test_a_character_beyond_the_basic_plane_counts_twice_and_is_not_split(text: str, count: int) -> None:
    assert segments(text) == count


def test_half_a_surrogate_pair_is_counted_without_an_error() -> None:
    assert segments("\ud83d" * 70) == 1


@given(text=ANY, more=ANY)
def test_a_longer_text_never_has_fewer_segments(text: str, more: str) -> None:
    assert segments(text) <= segments(text + more)


@given(text=ANY)
def test_the_number_of_segments_is_within_its_bounds(text: str) -> None:
    """Between plain division and segments that each lose one place."""
    unicode = needs_unicode(text)
    octets = len(text.encode("utf-16-be", "surrogatepass"))
    length = octets // 2 if unicode else sum(2 if c in s.EXTENSION else 1 for c in text)
    alone, of_a_part = (70, 67) if unicode else (160, 153)
    if length <= alone:
        assert segments(text) == 1
    else:
        assert -(-length // of_a_part) <= segments(text) <= -(-length // (of_a_part - 1))
