"""Typed codes are normalized to the code that was meant, and never to another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import ScriptedEntropy
from webapp.adapters.system import SystemEntropy
from webapp.domain import codes
from webapp.domain.refusals import CodeMalformed

SCRIPTS = {
    "ASCII": "0123456789",
    "full-width": "０１２３４５６７８９",
    "Persian": "۰۱۲۳۴۵۶۷۸۹",
    "Arabic": "٠١٢٣٤٥٦٧٨٩",
    "Devanagari": "०१२३४५६७८९",
    "Thai": "๐๑๒๓๔๕๖๗๘๙",
    "Tamil": "௦௧௨௩௪௫௬௭௮௯",
    "Kannada": "೦೧೨೩೪೫೬೭೮೯",
}
SEPARATORS = [" ", "-", "\u2013", "\u00a0", "\u2009", ".", "·", "_", "\u200f", "\u200b", "\t", "\n", "\u2011"]

six_digits = st.text("0123456789", min_size=6, max_size=6)
sixteen_letters = st.text(codes.BASE32, min_size=16, max_size=16)


@given(code=six_digits, script=st.sampled_from(sorted(SCRIPTS)), between=st.lists(st.sampled_from(SEPARATORS)))
def test_digits_of_any_script_with_any_separators_are_the_code(code: str, script: str, between: list[str]) -> None:
    typed = "".join(SCRIPTS[script][int(digit)] for digit in code)
    for place, separator in enumerate(between):
        cut = (place * 5) % (len(typed) + 1)
        typed = typed[:cut] + separator + typed[cut:]
    assert codes.tidy_digits(typed) == code
    assert codes.is_digits(codes.tidy_digits(typed))


@given(typed=st.text())
def test_normalizing_digits_is_idempotent_and_never_turns_a_letter_into_a_digit(typed: str) -> None:
    once = codes.tidy_digits(typed)
    assert codes.tidy_digits(once) == once
    letters = [c for c in typed if c.isalpha()]
    assert all(letter in once for letter in letters)


@given(code=sixteen_letters, between=st.lists(st.sampled_from(SEPARATORS)))
def test_a_backup_code_is_read_in_any_case_width_and_grouping(code: str, between: list[str]) -> None:
    typed = codes.grouped(code).lower()
    for place, separator in enumerate(between):
        cut = (place * 7) % (len(typed) + 1)
        typed = typed[:cut] + separator + typed[cut:]
    assert codes.tidy_base32(typed) == code
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code)
    assert codes.tidy_base32(wide) == code
    assert codes.is_base32(codes.tidy_base32(typed))
    for digits in SCRIPTS.values():
        assert codes.tidy_base32(code.translate(str.maketrans("0123456789", digits))) == code
    assert codes.tidy_base32(code.lower().replace("i", "ı")) == codes.tidy_base32(code.replace("I", "İ")) == code


@given(code=sixteen_letters)
def test_digits_that_look_like_letters_of_a_backup_code_are_read_as_those_letters(code: str) -> None:
    assert codes.tidy_base32(code.translate(str.maketrans("OIB", "018"))) == code


@given(code=st.text(codes.BASE32, max_size=40), size=st.integers(1, 9))
def test_grouping_loses_no_character(code: str, size: int) -> None:
    assert "".join(codes.groups(code, size)) == code
    assert all(len(group) == size for group in codes.groups(code, size)[:-1])


def test_a_code_is_shown_in_groups_of_four() -> None:
    assert codes.grouped("ABCDEFGHIJKLMNOP") == "ABCD-EFGH-IJKL-MNOP"


@pytest.mark.parametrize("typed", ["12345", "1234567", "12345a", "", "½23456", "12345²x"])
def test_what_is_not_six_digits_is_not_a_code(typed: str) -> None:
    assert not codes.is_digits(codes.tidy_digits(typed))


@pytest.mark.parametrize(
    "typed", ["ABCD-EFGH-IJKL-MNO", "ABCD-EFGH-IJKL-MNOP-Q", "ABCD-EFGH-IJKL-MNO9", "ABCD-EFGH-IJKL-MNOÄ"]
)
def test_what_is_not_sixteen_letters_of_base32_is_not_a_backup_code(typed: str) -> None:
    assert not codes.is_base32(codes.tidy_base32(typed))


def test_what_is_far_longer_than_a_code_is_none() -> None:
    code = "ABCD-EFGH-IJKL-MNOP"
    assert codes.is_base32(codes.tidy_base32(code.center(300)))
    for typed in (code.center(301), "\ufdfa" * 20_000):
        assert not codes.tidy_base32(typed)


@pytest.mark.parametrize(
    "message",
    [
        "123456 is your Nightlatch code. Never share it.\n\n@mobile.nightlatch.example #123456",
        "123456 is your Nightlatch code. Never share it.@mobile.nightlatch.example #123456",  # in a field of one line
        "Enter this code to confirm your email address:123456It expires in 60 minutes and can be used once.",
        "Nightlatchコードは123456です。",
        "رمز Nightlatch هو \u2066۱۲۳۴۵۶\u2069.",
    ],
)
def test_the_code_of_a_pasted_message_is_found(message: str) -> None:
    assert codes.read_digits(message) == "123456"


@pytest.mark.parametrize(
    "typed",
    ["123456 7", "123 456 7 is your code", "1234567 is your code", "123456 or 654321", "12345 is your code", "is your"],
)
def test_no_code_is_guessed_from_what_has_none_or_two(typed: str) -> None:
    with pytest.raises(CodeMalformed):
        codes.read_digits(typed)


def test_a_small_number_is_padded_to_six_digits() -> None:
    assert codes.draw_digits(ScriptedEntropy(7)) == "000007"
    assert codes.draw_digits(ScriptedEntropy(999_999)) == "999999"


def test_every_letter_of_a_generated_code_has_five_bits() -> None:
    drawn = [codes.draw_base32(ScriptedEntropy(*letters)) for letters in (range(16), range(16, 32))]
    assert "".join(drawn) == codes.BASE32
    assert len(codes.draw_base32(SystemEntropy())) == 16


def test_a_token_has_256_bits() -> None:
    assert len(bytes.fromhex(codes.draw_token(SystemEntropy()))) == 32
    assert codes.draw_token(SystemEntropy()) != codes.draw_token(SystemEntropy())
