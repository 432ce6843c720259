"""Phone numbers: parsed from any usual spelling, and refused when a text would not arrive or would cost extra.

The ranges are those of the `phonenumbers` library, the names of countries those of Babel's CLDR. A number that was
allocated after the library's release is refused as malformed until the library is updated.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

import phonenumbers
from babel.core import get_global
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberType

from . import cldr, codes
from .collation import sort_key
from .language import spoken
from .language_tags import by_weight
from .refusals import CountryNotServed, PhoneMalformed, PhoneNotMobile, PhonePremium, Refusal

LONGEST_TYPED = 100  # room for any grouping and for invisible marks; longer input is refused unread
NO_COUNTRY = "001"  # "world" in UN M.49: satellite and other networks that belong to no country

_PUNCTUATION = str.maketrans("", "", "()[]/\\~−ー・\u2028\u2029")  # beyond what `codes.tidy_digits` drops
_BEFORE = re.compile(r"^\s*[*#]+[0-9]+#")
_AFTER = re.compile(r"(?<=[0-9])\s*(?:[,;#pwx]|ext).*", re.IGNORECASE | re.DOTALL)
_PAUSES = re.compile(r"(?<![,;])[,;]+[0-9*]+#")
_MEXICO_BEFORE_2019 = re.compile(r"^\+521(?=[0-9]{10}$)")
_DIALLED = re.compile(r"\+?[0-9]+")
_REGION = re.compile(r"[a-z]{2,8}(?:[-_][a-z]{3}){0,3}(?:[-_][a-z]{4})?[-_]([a-z]{2})(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """`country` is an ISO 3166 code or `NO_COUNTRY`. The number is left out of the repr, which may reach a log."""

    e164: str = field(repr=False)
    country: str

    @property
    def digits(self) -> str:
        """E.164 without the plus sign, as the gateway expects it."""
        return self.e164.removeprefix("+")

    @property
    def prefix(self) -> str:
        """Without the last four digits. Numbers bought in bulk share it, so texts to one prefix are limited."""
        return self.e164[:-4]

    @property
    def hint(self) -> str:
        """The last two digits: the owner recognizes the number, and others do not learn it."""
        return f"...{self.e164[-2:]}"


@dataclass(frozen=True, slots=True)
class Country:
    """An option of the country select; `calling_code` is written as "+44"."""

    code: str
    name: str
    calling_code: str


def parse(typed: str, country: str, allowed: frozenset[str]) -> PhoneNumber:
    """The number that was typed, as one of `country` unless it has a calling code.

    `allowed` are the ISO 3166 codes of the countries served. Empty means every country but not `NO_COUNTRY`: its
    networks are satellites and resellers at premium prices, and are served only when listed as "001".
    Raises `PhoneMalformed`, `CountryNotServed`, `PhoneNotMobile` or `PhonePremium`.
    """
    number = _valid(typed, country)
    region = phonenumbers.region_code_for_number(number) or NO_COUNTRY
    if allowed and region not in allowed:
        raise CountryNotServed
    refusal = _refused_types().get(phonenumbers.number_type(number))
    if refusal is not None:
        raise refusal
    if region == NO_COUNTRY and not allowed:
        raise PhonePremium
    return PhoneNumber(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), region)


def without_dialing(entry: str) -> str:
    """A contact's number without what a phone dials before and after it: *31#, pauses, an extension, a code."""
    return _AFTER.sub("", _BEFORE.sub("", entry))


def without_pauses(typed: str) -> str:
    """Several contacts' numbers without pauses that look like the commas and semicolons between numbers."""
    return _PAUSES.sub("", typed)


def country_of(e164: str) -> str:
    """The country of a number that `parse` has accepted, as in `PhoneNumber.country`."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(e164)) or NO_COUNTRY


def countries(allowed: frozenset[str]) -> list[Country]:
    """The countries served, sorted by their names in the current language."""
    return [country for country in _countries_in(spoken().code) if not allowed or country.code in allowed]


def default_country(language_code: str, accept_language_header: str, allowed: frozenset[str]) -> str:
    """The country to preselect: the region in the Accept-Language header, else the likely region of the page's
    language (CLDR), else the first of the list.

    Returns only a country that is served, or `NO_COUNTRY` when the list has none.
    """
    served = {code for code in _calling_codes() if not allowed or code in allowed}
    for tag in by_weight(accept_language_header):
        if (region := _region(tag)) in served:
            return region
    if (region := _region(language_code) or _likely_region(language_code)) in served:
        return region
    return next((country.code for country in _countries_in(language_code) if country.code in served), NO_COUNTRY)


def _readings(typed: str) -> list[str]:
    """The digits with an optional plus sign, as dialled in the country; then the same with 00 read as a plus sign.

    00 is not the prefix for calls abroad in every country, but is written everywhere. The country's own reading goes
    first. The last reading drops the 1 of Mexican mobile numbers, which ended in 2019. Raises `PhoneMalformed`.
    """
    if len(typed) > LONGEST_TYPED:
        raise PhoneMalformed
    wide = unicodedata.normalize("NFKC", typed)  # a full-width plus or bracket is the same as any other
    bare = codes.tidy_digits(wide).translate(_PUNCTUATION).lower().removeprefix("tel:")
    # Stricter than the library, which drops extensions, reads letters as digits and finds numbers inside sentences: a
    # code must not go to a number that the user did not mean.
    if not _DIALLED.fullmatch(bare):
        raise PhoneMalformed
    abroad = re.sub(r"^\+?00", "+", bare)
    return list(dict.fromkeys([bare, abroad, _MEXICO_BEFORE_2019.sub("+52", abroad)]))


def _valid(typed: str, country: str) -> phonenumbers.PhoneNumber:
    for reading in _readings(typed):
        try:
            number = phonenumbers.parse(reading, country.upper())
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return number
    raise PhoneMalformed


@lru_cache(maxsize=1)
def _refused_types() -> dict[int, type[Refusal]]:
    """The types of number that get no codes. The others are mobile numbers, and those of countries whose mobile and
    fixed numbers look alike.

    A test demands that every other type of the library is listed here.
    """
    return {
        PhoneNumberType.FIXED_LINE: PhoneNotMobile,
        PhoneNumberType.TOLL_FREE: PhoneNotMobile,
        PhoneNumberType.PAGER: PhoneNotMobile,
        PhoneNumberType.UAN: PhoneNotMobile,
        PhoneNumberType.VOICEMAIL: PhoneNotMobile,
        # Belongs to an online account, not to a device that the user has, so it is no second factor (NIST
        # SP 800-63B-4 section 3.1.3). Most such ranges get no texts anyway.
        PhoneNumberType.VOIP: PhoneNotMobile,
        # Follow-me numbers such as +44 70 forward to any destination, and the caller pays.
        PhoneNumberType.PERSONAL_NUMBER: PhonePremium,
        PhoneNumberType.PREMIUM_RATE: PhonePremium,
        PhoneNumberType.SHARED_COST: PhonePremium,
        PhoneNumberType.UNKNOWN: PhonePremium,
    }


@lru_cache(maxsize=1)
def _calling_codes() -> dict[str, str]:
    # From the library's table: asking for each country would load the number ranges of all of them.
    return {
        region: f"+{calling_code}"
        for calling_code, regions in COUNTRY_CODE_TO_REGION_CODE.items()
        for region in regions
        if region != NO_COUNTRY
    }


@lru_cache(maxsize=64)  # languages, some 40 KB each
def _countries_in(language_code: str) -> tuple[Country, ...]:
    names = _territories("en") | _territories(language_code)  # English where a language has no name of its own
    listed = [Country(code, names[code], calling_code) for code, calling_code in _calling_codes().items()]
    return tuple(sorted(listed, key=lambda country: (sort_key(country.name, language_code), country.code)))


def _territories(language_code: str) -> dict[str, str]:
    """The names of the listed countries in one language; empty when CLDR does not know the language."""
    tag = language_code.replace("_", "-")
    known = [locale for code in (tag.partition("-")[0], tag) if (locale := cldr.known(code)) is not None]
    return {
        code: locale.territories[code] for locale in known for code in _calling_codes() if code in locale.territories
    }


def _region(tag: str) -> str:
    """GB of en-GB, CN of zh-Hans-CN; empty when the tag has none."""
    found = _REGION.match(tag)
    return found[1].upper() if found else ""


def _likely_region(language_code: str) -> str:
    likely = get_global("likely_subtags")
    language, _, script = language_code.replace("-", "_").partition("_")
    tag = likely.get(f"{language}_{script}") or likely.get(language) or ""
    return tag.rpartition("_")[2]
