"""Formats Unix seconds as dates and times of the current language, always in UTC (the long forms of CLDR)."""

from __future__ import annotations

from datetime import UTC, datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time

from .language import spoken


def day(seconds: int) -> str:
    """A date."""
    return format_date(_utc(seconds), "long", locale=cldr_locale())


def moment(seconds: int) -> str:
    """A date, a time to the second, and "UTC"."""
    return _plain(format_datetime(_utc(seconds), "long", locale=cldr_locale()))


def minute(seconds: int) -> str:
    """A date, a time to the minute, and "UTC"."""
    locale, at = cldr_locale(), _utc(seconds)
    hours = "hmv" if "a" in locale.time_formats["short"].pattern else "Hmv"
    pattern = locale.datetime_skeletons[hours].pattern.replace("v", "z")  # "v" prints "GMT", "z" prints "UTC"
    time, date = format_time(at, pattern, locale=locale), format_date(at, "long", locale=locale)
    return _plain(str(locale.datetime_formats["long"]).replace("'", "").format(time, date))


def machine(seconds: int) -> str:
    """ISO 8601, for the datetime attribute of a <time>."""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def cldr_locale() -> Locale:
    """The locale of the current language in CLDR; English for a language that CLDR does not know."""
    try:
        return Locale.parse(spoken().code.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)  # int() of an undefined template variable names it


def _plain(text: str) -> str:
    # CLDR puts narrow no-break spaces before AM and PM, which older mail programs show as boxes
    return text.replace("\u202f", "\u00a0")
