"""A phone number is read in any spelling, and only numbers that get texts at an ordinary price are accepted."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from webapp.domain import phone_numbers
from webapp.domain.language import Language, speaking
from webapp.domain.phone_numbers import NO_COUNTRY, Country, PhoneNumber, countries, default_country, parse
from webapp.domain.refusals import CountryNotServed, PhoneMalformed, PhoneNotMobile, PhonePremium, Refusal

ROOT = Path(__file__).resolve().parents[2]
ALL: frozenset[str] = frozenset()
BRITISH = "+447400123456"

EXAMPLES = {
    region: number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE))
}
FORMATS = [
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
]
SCRIPTS = {
    "ASCII": "0123456789",
    "full-width": "０１２３４５６７８９",
    "Persian": "۰۱۲۳۴۵۶۷۸۹",
    "Arabic": "٠١٢٣٤٥٦٧٨٩",
    "Devanagari": "०१२३४५६७८९",
}
SEPARATORS = [" ", "-", ".", "/", "(", ")", "\u00a0", "\u2011", "\u2013", "−", "ー", "・", "（", "）", "\u200e", "\n"]
AROUND = ["", " ", "\u00a0", "\u200f", "\u202a", "\u202c", "\u2066", "\u2069", "\u200b", "\ufeff", "\u2028", "\t"]


def e164(region: str) -> str:
    return phonenumbers.format_number(EXAMPLES[region], PhoneNumberFormat.E164)


def in_script(text: str, script: str) -> str:
    return text.translate(str.maketrans("0123456789", SCRIPTS[script]))


def parsed(typed: str, country: str, allowed: frozenset[str]) -> PhoneNumber | Refusal:
    try:
        return parse(typed, country, allowed)
    except Refusal as refusal:
        return refusal


# -- Spellings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "+447400123456",
        "+44 7400 123456",
        "+44 (0)7400 123456",
        "(+44) 7400-123456",
        "07400 123456",
        "(07400) 123 456",
        "07400.123.456",
        "07400/123456",
        "7400123456",
        "447400123456",
        "0044 7400 123456",
        "+0044 7400 123456",
        "tel:+44-7400-123456",
        "TEL: 07400 123456",
        "\u202a+44\u00a07400\u00a0123456\u202c",
        "＋４４（０）７４００－１２３４５６",
        "+٤٤ ٧٤٠٠ ١٢٣٤٥٦",
        "۰۰۴۴۷۴۰۰۱۲۳۴۵۶",
        "०७४०० १२३४५६",
    ],
)
def test_every_spelling_of_a_number_is_the_same_number(typed: str) -> None:
    assert parse(typed, "GB", ALL) == PhoneNumber(BRITISH, "GB")
    assert parse(typed, "gb", ALL) == PhoneNumber(BRITISH, "GB")


@given(
    region=st.sampled_from(sorted(EXAMPLES)),
    style=st.sampled_from(FORMATS),
    script=st.sampled_from(sorted(SCRIPTS)),
    between=st.lists(st.sampled_from(SEPARATORS), max_size=8),
    before=st.sampled_from(AROUND),
    after=st.sampled_from(AROUND),
)
def test_any_format_digits_and_separators_of_any_country_are_the_same_number(
    region: str, style: int, script: str, between: list[str], before: str, after: str
) -> None:
    typed = in_script(phonenumbers.format_number(EXAMPLES[region], style), script)
    start = len("tel:") if typed.startswith("tel:") else 0
    for place, separator in enumerate(between):
        cut = start + (place * 5) % (len(typed) + 1 - start)
        typed = typed[:cut] + separator + typed[cut:]
    assert parse(before + typed + after, region, ALL).e164 == e164(region)


@given(region=st.sampled_from(sorted(EXAMPLES)), chosen=st.sampled_from(sorted(EXAMPLES)))
def test_a_number_with_its_calling_code_is_the_same_whatever_country_is_chosen(region: str, chosen: str) -> None:
    number = parse(e164(region), chosen, ALL)
    assert number.e164 == e164(region)
    assert parse(number.e164, number.country, ALL) == number


@pytest.mark.parametrize("country", ["GB", "DE", "US", "AU", "JP", "KR", "BR", "RU", ""])
def test_00_is_read_as_a_plus_also_in_countries_with_another_prefix(country: str) -> None:
    assert parse("0044 7400 123456", country, ALL).e164 == BRITISH


@pytest.mark.parametrize(("country", "prefix"), [("US", "011"), ("AU", "0011"), ("JP", "010"), ("HK", "001")])
def test_the_international_prefix_of_a_country_is_read_as_a_plus(country: str, prefix: str) -> None:
    assert parse(f"{prefix} 44 7400 123456", country, ALL).e164 == BRITISH


@pytest.mark.parametrize("country", ["", "XX", "001", "a country", "İ", "\x00"])
def test_with_an_unknown_country_only_a_number_without_calling_code_is_refused(country: str) -> None:
    assert parse(BRITISH, country, ALL).country == "GB"
    with pytest.raises(PhoneMalformed):
        parse("07400 123456", country, ALL)


@pytest.mark.parametrize("typed", ["+52 1 55 1234 5678", "0052 1 55 1234 5678", "+521 5512345678", "+52 55 1234 5678"])
@pytest.mark.parametrize("country", ["MX", "US"])
def test_the_1_of_mexican_mobile_numbers_fell_away_in_2019(typed: str, country: str) -> None:
    assert parse(typed, country, ALL) == PhoneNumber("+525512345678", "MX")


@pytest.mark.parametrize(
    "typed", ["+52 1 55 1234 567", "+52 1 55 1234 56789", "+521", "+52 2 55 1234 5678", "521 55 1234 5678 1"]
)
def test_no_other_digit_of_a_mexican_number_falls_away(typed: str) -> None:
    with pytest.raises(PhoneMalformed):
        parse(typed, "MX", ALL)


# -- What is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "+",
        "   ",
        "0",
        "00",
        "112",
        "0740012345",
        "074001234567",
        "+44 7400 123456 ext. 5",
        "tel:+447400123456;ext=5",
        "tel:7400123456;phone-context=+44",
        "07400 FLOWER",
        "Call 07400 123456",
        "07400 123456 07400 123457",
        "07400 123456, 07400 123457",
        "07400+123456",
        "07400 12345½",
        "07400 12345\u20e3",
        "+999 7400 123456",
        "me@example.org",
    ],
)
def test_what_is_not_exactly_one_number_is_malformed(typed: str) -> None:
    with pytest.raises(PhoneMalformed):
        parse(typed, "GB", ALL)


@pytest.mark.parametrize("typed", ["+44 7700 900123", "07700 900999", "+1 202 000 0100"])
def test_a_vanity_number_of_films_is_malformed(typed: str) -> None:
    with pytest.raises(PhoneMalformed):
        parse(typed, "GB", ALL)


def test_an_overlong_input_is_refused_before_it_is_parsed() -> None:
    room = phone_numbers.LONGEST_TYPED - len(BRITISH)
    assert parse(" " * room + BRITISH, "GB", ALL).e164 == BRITISH
    with pytest.raises(PhoneMalformed):
        parse(" " * (room + 1) + BRITISH, "GB", ALL)


@pytest.mark.parametrize("typed", ["," * 100_000, "," * 50_000 + "1" * 50_000, ",1" * 50_000])
def test_pauses_between_numbers_are_found_in_linear_time(typed: str) -> None:
    began = time.thread_time()
    assert phone_numbers.without_pauses(f"{typed}{BRITISH},;12*#") == f"{typed}{BRITISH}"
    assert time.thread_time() - began < 1


REFUSED = {
    PhoneNumberType.FIXED_LINE: (PhoneNotMobile, "+441212345678"),
    PhoneNumberType.TOLL_FREE: (PhoneNotMobile, "+18002345678"),
    PhoneNumberType.VOIP: (PhoneNotMobile, "+445612345678"),
    PhoneNumberType.PAGER: (PhoneNotMobile, "+447640123456"),
    PhoneNumberType.UAN: (PhoneNotMobile, "+445512345678"),
    PhoneNumberType.VOICEMAIL: (PhoneNotMobile, "+49177991234567"),
    PhoneNumberType.PERSONAL_NUMBER: (PhonePremium, "+447012345678"),
    PhoneNumberType.PREMIUM_RATE: (PhonePremium, "+449012345678"),
    PhoneNumberType.SHARED_COST: (PhonePremium, "+4918012345"),
}


@pytest.mark.parametrize("kind", REFUSED, ids=PhoneNumberType.to_string)
def test_a_number_that_gets_no_texts_or_costs_extra_is_refused(kind: int) -> None:
    refusal, typed = REFUSED[kind]
    assert phonenumbers.number_type(phonenumbers.parse(typed)) == kind
    with pytest.raises(refusal):
        parse(typed, "GB", ALL)


def test_every_type_of_number_in_the_library_is_handled() -> None:
    """Only these two types are accepted; a type that a new release adds fails here."""
    refused = set(phone_numbers._refused_types())
    assert refused == set(REFUSED) | {PhoneNumberType.UNKNOWN}
    assert set(PhoneNumberType.values()) - refused == {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}


def test_where_fixed_lines_and_mobiles_share_a_numbering_plan_both_are_accepted() -> None:
    assert parse("(201) 555-0123", "US", ALL) == PhoneNumber("+12015550123", "US")


@pytest.mark.parametrize(
    ("typed", "country"),
    [(BRITISH, "GB"), ("+447797712345", "JE"), ("+12015550123", "US"), ("+15062345678", "CA"), ("+77710009998", "KZ")],
)
def test_only_a_listed_country_is_served_even_when_it_shares_a_calling_code(typed: str, country: str) -> None:
    assert parse(typed, "GB", ALL).country == country
    assert parse(typed, "GB", frozenset({"DE", country})).country == country
    with pytest.raises(CountryNotServed):
        parse(typed, country, frozenset({"GB", "US", "RU"} - {country}))


def test_a_country_that_is_not_served_is_reported_before_the_type_of_the_number() -> None:
    with pytest.raises(CountryNotServed):
        parse("+449012345678", "GB", frozenset({"DE"}))


def test_a_network_without_a_country_is_premium_unless_the_list_names_it() -> None:
    satellite = "+881612345678"
    with pytest.raises(PhonePremium):
        parse(satellite, "GB", ALL)
    with pytest.raises(CountryNotServed):
        parse(satellite, "GB", frozenset({"GB"}))
    assert parse(satellite, "GB", frozenset({NO_COUNTRY})) == PhoneNumber(satellite, NO_COUNTRY)
    with pytest.raises(PhonePremium):
        parse("+979123456789", "GB", frozenset({NO_COUNTRY}))


@given(
    typed=st.text(max_size=2000)
    | st.text("+0123456789 ()-.x;tel:", max_size=120)
    | st.text("+0123456789", max_size=20),
    country=st.sampled_from([*sorted(EXAMPLES), "", "001"]) | st.text(max_size=5),
    allowed=st.frozensets(st.sampled_from(["GB", "US", "DE", "001", "XX"])),
)
def test_every_text_is_a_number_that_may_be_texted_or_a_refusal(
    typed: str, country: str, allowed: frozenset[str]
) -> None:
    outcome = parsed(typed, country, allowed)
    if isinstance(outcome, PhoneNumber):
        assert outcome.country in allowed or not allowed
        assert parse(outcome.e164, "", allowed) == outcome
    else:
        assert type(outcome) in {PhoneMalformed, PhoneNotMobile, PhonePremium, CountryNotServed}
        assert outcome.field == "phone"
        assert outcome.__context__ is None, "an error of the library would bring what was typed into a log"


# -- Display and rate limits -------------------------------------------------------------------------


def test_a_number_has_digits_a_prefix_and_a_hint() -> None:
    number = parse(BRITISH, "GB", ALL)
    assert number.digits == "447400123456"
    assert number.prefix == "+44740012"
    assert number.hint == "...56"


def test_the_repr_of_a_number_does_not_show_it() -> None:
    assert repr(parse(BRITISH, "GB", ALL)) == "PhoneNumber(country='GB')"


# -- Countries ---------------------------------------------------------------------------------------


def test_countries_are_sorted_by_name_in_the_language_of_the_context() -> None:
    served = frozenset({"AT", "DE", "GB", "AX"})
    assert countries(served) == [
        Country("AX", "Åland Islands", "+358"),
        Country("AT", "Austria", "+43"),
        Country("DE", "Germany", "+49"),
        Country("GB", "United Kingdom", "+44"),
    ]
    with speaking(Language("de", "Deutsch")):
        assert [country.name for country in countries(served)] == [
            "Ålandinseln",
            "Deutschland",
            "Österreich",
            "Vereinigtes Königreich",
        ]


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("zh-Hant", "德國"),
        ("zh_Hans", "德国"),
        ("fa_AF", "آلمان"),
        ("nb", "Tyskland"),
        ("ar-XB", "ألمانيا"),
        ("eo", "Germanujo"),
    ],  # no other test reads the last one, so that its data are read here
)
def test_a_language_is_recognized_by_any_of_its_tags(language: str, name: str) -> None:
    with speaking(Language(language, "")):
        assert [country.name for country in countries(frozenset({"DE"}))] == [name]


@pytest.mark.parametrize("language", ["qq", "en-XA", "", "not a language", "../de", "x-private"])
def test_countries_have_english_names_in_an_unknown_language(language: str) -> None:
    with speaking(Language(language, "")):
        assert [country.name for country in countries(frozenset({"DE"}))] == ["Germany"]


def test_an_empty_list_serves_every_country_once() -> None:
    listed = countries(ALL)
    assert {country.code for country in listed} == phonenumbers.SUPPORTED_REGIONS
    assert len(listed) == len(phonenumbers.SUPPORTED_REGIONS)
    assert all(country.name != country.code for country in listed)
    for country in listed:
        assert country.calling_code == f"+{phonenumbers.country_code_for_region(country.code)}"


def test_unknown_country_codes_are_not_listed() -> None:
    assert countries(frozenset({"XX", NO_COUNTRY})) == []


@pytest.mark.parametrize(
    ("header", "country"),
    [
        ("en-GB", "GB"),
        ("en-GB,en;q=0.9,de-DE;q=0.8", "GB"),
        ("en;q=0.9, fr-ca;q=0.8", "CA"),
        ("de-AT;q=0.5, de-CH;q=0.7", "CH"),
        ("de-AT;q=0, de-CH ; Q = 0.1", "CH"),
        ("zh-Hans-CN", "CN"),
        ("sr-Cyrl-BA", "BA"),
        ("ca-ES-valencia", "ES"),
        ("zh-yue-HK", "HK"),
        ("en_IE", "IE"),
        ("en-XX, es-419, pt-PT", "PT"),
    ],
)
def test_the_region_of_the_browser_language_selects_the_country(header: str, country: str) -> None:
    assert default_country("en", header, ALL) == country


@pytest.mark.parametrize(
    "header", ["", "*", "en", "en;q=1", "es-419", "de-u-co-phonebk", "en-XX", ",;,=", "en-GBR", "x" * 9000, "\x00-\x00"]
)
def test_without_a_region_the_country_with_most_speakers_is_selected(header: str) -> None:
    assert default_country("ja", header, ALL) == "JP"


@pytest.mark.parametrize(
    ("language", "country"),
    [
        ("en", "US"),
        ("pt-BR", "BR"),
        ("pt-PT", "PT"),
        ("zh-Hant", "TW"),
        ("zh_Hans", "CN"),
        ("fa_AF", "AF"),
        ("nb", "NO"),
    ],
)
def test_a_language_has_a_likely_country(language: str, country: str) -> None:
    assert default_country(language, "", ALL) == country


def test_a_country_that_is_not_served_is_skipped() -> None:
    served = frozenset({"AT", "FR"})
    assert default_country("fr", "de-DE, de-AT;q=0.5", served) == "AT"
    assert default_country("fr", "de-DE", served) == "FR"
    assert default_country("ja", "de-DE", served) == "AT"
    assert default_country("qq", "", served) == "AT"
    assert default_country("fr", "", frozenset({"AT", "DE"})) == "DE"  # Allemagne is sorted before Autriche
    assert default_country("en", "en-GB", frozenset({NO_COUNTRY})) == NO_COUNTRY


@given(
    language=st.text(max_size=12), header=st.text(max_size=1000), allowed=st.frozensets(st.sampled_from(["GB", "IT"]))
)
def test_every_header_and_language_select_a_country_that_is_served(
    language: str, header: str, allowed: frozenset[str]
) -> None:
    assert default_country(language, header, allowed) in {country.code for country in countries(allowed)}


# -- Memory ------------------------------------------------------------------------------------------


def test_no_large_part_of_the_library_is_imported() -> None:
    program = """
import sys
from webapp.domain import phone_numbers
phone_numbers.parse("+447400123456", "GB", frozenset())
heavy = {"phonenumbers.geocoder", "phonenumbers.carrier", "phonenumbers.timezone"}
assert not heavy & set(sys.modules), "too heavy"
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
