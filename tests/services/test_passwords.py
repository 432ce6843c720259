"""Rules for passwords (NIST SP 800-63B-4): long, not common, not the user's own words, typed on any keyboard."""

from __future__ import annotations

import time
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from tests.doubles import START, CheapHasher, core
from webapp.domain.refusals import (
    PasswordIsOneOfYourWords,
    PasswordTooCommon,
    PasswordTooEasy,
    PasswordTooLong,
    PasswordTooShort,
)
from webapp.models.accounts import Account
from webapp.models.base import Table
from webapp.models.database import Database
from webapp.policy import Policy
from webapp.services.passwords import BLOCKLIST, Passwords, looks_temporary

ADA = ("Ada Lovelace", "countess.ada", "ada.lovelace@analytical.example")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    path: Path = tmp_path_factory.mktemp("passwords")
    db = Database(f"sqlite:///{path}/nightlatch.sqlite")
    Table.metadata.create_all(db.engine)
    return db


def passwords(db: Database, hasher: CheapHasher | None = None, site: str = "Nightlatch", **policy: int) -> Passwords:
    return Passwords(core(db, policy=Policy(**policy)), hasher or CheapHasher(), site)  # type: ignore[arg-type]


def account(sealed: str) -> Account:
    return Account(
        created_at=START, name="Ada", username="ada", username_key="ada", password_hash=sealed, language="en"
    )


def test_fifteen_characters_are_accepted_and_fourteen_refused(db: Database) -> None:
    assert passwords(db).seal("vivid owl jumps", *ADA)
    with pytest.raises(PasswordTooShort) as refused:
        passwords(db).seal("vivid owl jump", *ADA)
    assert refused.value.minimum == 15


def test_an_operator_may_require_more_or_as_few_as_eight(db: Database) -> None:
    assert passwords(db, password_minimum=8).seal("vqz8klmxwtj", *ADA)
    with pytest.raises(PasswordTooShort):
        passwords(db, password_minimum=20).seal("vivid owl jumps", *ADA)
    assert passwords(db, password_minimum=20).minimum == 20


def test_no_character_is_required_or_forbidden(db: Database) -> None:
    assert passwords(db).seal("only lowercase words", *ADA)
    assert passwords(db).seal("🦉 und Fähren überall", *ADA)
    assert passwords(db).seal("8052917364490183", *ADA)


def test_256_characters_are_accepted_and_257_refused(db: Database) -> None:
    long = "mist over seven harbours " * 10 + "kq9Z!x"
    assert len(long) == 256
    assert passwords(db).seal("!x" + long[2:], *ADA)
    with pytest.raises(PasswordTooLong) as refused:
        passwords(db).seal("!x" + long[1:], *ADA)
    assert refused.value.maximum == 256


def test_the_estimate_of_a_long_password_takes_as_long_as_that_of_a_short_one(db: Database) -> None:
    symbols = "".join("4@8({[</36!1|0$5+7%2x"[n * n * 7919 % 6007 % 21] for n in range(256))

    def takes(password: str, *words: str) -> float:
        began = time.thread_time()
        passwords(db).demand_good(password, *words)
        return time.thread_time() - began

    passwords(db).demand_good(symbols)  # reads the lists
    short = min(takes(symbols[:50]) for _ in range(3))
    long = min(takes(symbols, " ".join(f"word{n}" for n in range(8_000))) for _ in range(3))
    assert long < 3 * short


def test_the_users_own_address_is_estimated_as_one_word(db: Database) -> None:
    with pytest.raises(PasswordTooEasy):
        passwords(db).demand_good(f"{ADA[2]}20262026", *ADA)


@pytest.mark.parametrize("row", ["!@#$%^&*()_+asd", "wsx+_)(*&^%$#@!", "asd!@#$%^&*()2026"])
def test_a_row_of_keys_is_easy_to_guess_with_shift_too(db: Database, row: str) -> None:
    with pytest.raises(PasswordTooEasy):
        passwords(db).demand_good(row)


def test_words_are_easy_to_guess_with_symbols_for_letters(db: Database) -> None:
    with pytest.raises(PasswordTooEasy):
        passwords(db).demand_good("ch@r|e$tonh@rbor", *ADA)


def test_symbols_that_stand_for_letters_take_no_longer_than_letters(db: Database) -> None:
    def takes(password: str) -> float:
        began = time.thread_time()
        with suppress(PasswordTooEasy):
            passwords(db).demand_good(password)
        return time.thread_time() - began

    letters = "atiieaaoswpatosllaliaodoerranaoirdeasdwdlaalpatsso"
    takes(letters)  # reads the lists
    symbols = "21((4(<(i%847i38+$(3%i+9|z@2@{63$<44!$5+@67055$%%["
    assert min(takes(symbols) for _ in range(3)) < 20 * min(takes(letters) for _ in range(3))


def test_fifty_characters_of_a_password_are_estimated(db: Database) -> None:
    runs = "abcdefgh abcdefgh abcdefg "
    assert passwords(db).seal(f"{runs}qwertyuiop asdfghjkl zxc", *ADA)
    with pytest.raises(PasswordTooEasy):
        passwords(db).seal("a" * 50 + " mist over seven harbours", *ADA)


def test_a_word_of_four_letters_is_one_of_the_users_words(db: Database) -> None:
    with pytest.raises(PasswordIsOneOfYourWords):
        passwords(db).seal("ottohainhainotto", "Otto Hain")
    assert passwords(db).seal("ottohainhainotto", "Ott Hai")


def test_words_are_read_as_far_as_an_address_may_be_long(db: Database) -> None:
    """254 characters (RFC 5321 section 4.5.3.1)."""
    word = "lampenfieberhaft"
    with pytest.raises(PasswordIsOneOfYourWords):
        passwords(db).seal(word, f"{'a' * 237}.{word}")
    assert passwords(db).seal(word, f"{'a' * 250}.{word}")


def test_1024_bytes_are_accepted_and_more_refused(db: Database) -> None:
    owls = "".join(chr(0x1F980 + n % 20) for n in range(255)) + "🦉"
    with pytest.raises(
        PasswordTooCommon
    ):  # 1,024 bytes are not too many, but a password without letters and digits is refused
        passwords(db).seal(owls, *ADA)
    with pytest.raises(PasswordTooLong):
        passwords(db).seal("ﷺ" * 20 + "a" * 100, *ADA)  # one character that NFKC expands to eighteen


def test_the_blocklist_has_at_least_three_thousand_entries() -> None:
    entries = {line for line in BLOCKLIST.read_text().splitlines() if line}
    assert len(entries) >= 3000


@pytest.mark.parametrize(
    "typed",
    [
        "Password12345678",
        "p a s s w o r d 1 2 3 4 5 6 7 8",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "abbabaabbaababba",
        "abcdefghijklmnop",
        "ponmlkjihgfedcba",
        "12345678901234567890",
        "98765432109876543210",
        "violetviolet violet",
        "violetviolet vio",
        "xq7mvk2p xq7mvk2p",
        "               ",
        "----------------",
    ],
)
def test_passwords_that_are_guessed_first_are_refused(db: Database, typed: str) -> None:
    with pytest.raises(PasswordTooCommon):
        passwords(db).seal(typed, *ADA)


def test_every_common_password_that_is_long_enough_is_refused_in_any_case_and_spacing(db: Database) -> None:
    long = [line for line in BLOCKLIST.read_text().splitlines() if len(line) >= 15]
    assert long
    for line in long[:200]:
        with pytest.raises(PasswordTooCommon):
            passwords(db).seal(" ".join(line.swapcase()), *ADA)


@pytest.mark.parametrize(
    "typed",
    [
        "password123456789",
        "Password1234567",
        "iloveyou1234567",
        "welcome123456789",
        "princessprincess1",
        "P@ssw0rd12345678",
        "$unsh1ne!2027!2027",
        "2027 12 31 dr4g0n!!",
        "jordanjordanjordan 23",
        "PR1NCE$$pr1nce$$",
        "--- Sunshine 98431 ---",
    ],
)
def test_a_common_word_is_refused_whatever_stands_around_it(db: Database, typed: str) -> None:
    with pytest.raises(PasswordTooCommon):
        passwords(db).seal(typed, *ADA)


@pytest.mark.parametrize("typed", ["1q2w3e4r5t6y7u8i", "violet tractors", "abcdefgh tulips", "Christopher1987 smith"])
def test_what_is_found_in_few_guesses_is_refused(db: Database, typed: str) -> None:
    with pytest.raises(PasswordTooEasy):
        passwords(db).seal(typed, *ADA)


def test_words_of_the_site_and_the_user_count_as_guessed_first(db: Database) -> None:
    assert passwords(db).seal("wolverhampton quill", *ADA)
    with pytest.raises(PasswordTooEasy):
        passwords(db, site="Wolverhampton").seal("wolverhampton quill", *ADA)


@pytest.mark.parametrize(
    "typed",
    [
        "Nightlatch 2027!",
        "ada lovelace ada",
        "AdaLovelace 2027",
        "countess.ada.123",
        "ada.lovelace@analytical.example",
        "analytical-example",
    ],
)
def test_the_users_own_words_and_the_name_of_the_site_are_refused(db: Database, typed: str) -> None:
    with pytest.raises(PasswordIsOneOfYourWords):
        passwords(db).seal(typed, *ADA)


def test_a_users_own_word_among_others_is_accepted(db: Database) -> None:
    assert passwords(db).seal("lovelace keeps seven geese", *ADA)


def test_a_site_name_of_two_letters_forbids_no_password(db: Database) -> None:
    assert passwords(db, site="Ox").seal("oxoxoxen ploughs deeply", "Bo", None)


@given(typed=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=15, max_size=60))
def test_a_password_matches_in_every_unicode_composition(db: Database, typed: str) -> None:
    service = passwords(db)
    try:
        ada = account(service.seal(typed))
    except (PasswordTooCommon, PasswordTooEasy, PasswordTooShort, PasswordTooLong):
        return
    assert service.is_right(ada, unicodedata.normalize("NFD", typed))
    assert service.is_right(ada, unicodedata.normalize("NFC", typed))
    assert not service.is_right(ada, typed + "x")


def test_comparing_for_an_unknown_account_costs_a_hash_too(db: Database) -> None:
    hasher = CheapHasher()
    assert not passwords(db, hasher).is_right(None, "violet tractors")
    assert hasher.verified == [None]


def test_a_password_over_the_maximum_is_compared_like_a_short_one_and_never_matches(db: Database) -> None:
    hasher = CheapHasher()
    nobody = account(hasher.hash(""))
    assert not passwords(db, hasher).is_right(nobody, "x" * 10_000)
    assert len(hasher.verified) == 1


def test_a_hash_is_renewed_when_the_operator_raised_the_cost_and_only_then(db: Database) -> None:
    ada = account(CheapHasher(1).hash("violet tractors"))
    with db.write() as tx:
        tx.objects.add(ada)
    passwords(db, CheapHasher(1)).renew(ada, "violet tractors")
    assert _stored(db, ada).startswith("1:")
    passwords(db, CheapHasher(2)).renew(ada, "violet tractors")
    assert _stored(db, ada).startswith("2:")


@pytest.mark.parametrize(
    ("typed", "looks"),
    [
        ("ABCD-EFGH-IJKL-MNOP", True),
        (" abcdefghijklmnop ", True),
        ("ABCD-EFGH-IJKL-MNO1", False),
        ("violet tractors", False),
        ("ABCD-EFGH-IJKL-MNOP-QRST", False),
    ],
)
def test_a_temporary_password_is_recognized_by_its_format(typed: str, looks: bool) -> None:
    assert looks_temporary(typed) is looks


def _stored(db: Database, ada: Account) -> str:
    with db.read() as tx:
        return str(tx.scalar(select(Account.password_hash).where(Account.id == ada.id)))
