"""Formats Unix seconds as dates and times of the current language, always in UTC (the long forms of CLDR)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_time

from . import cldr

DATES_OF_OUR_OWN = {"ti": "d MMMM y"}
"""Where the long date of CLDR ends in a year behind a comma, as in English, and a time would follow it."""
JOINED_BY_US = {"ps": "{1}، {0}", "ti": "{1}፣ {0}"}
"""Date and time, where CLDR has only a space between two numbers."""
HALF_OF_DAY = re.compile(r"\ba\b")
"""The field for AM or PM in a pattern of CLDR."""


def day(seconds: int) -> str:
    """A date."""
    locale = cldr.current()
    return format_date(_utc(seconds), DATES_OF_OUR_OWN.get(locale.language, "long"), locale=locale)


def moment(seconds: int) -> str:
    """A date, a time to the second, and "UTC"."""
    locale = cldr.current()
    return _written(seconds, locale.time_formats["long"].pattern, locale)


def minute(seconds: int) -> str:
    """A date, a time to the minute, and "UTC"."""
    locale = cldr.current()
    hours = "hmv" if "a" in locale.time_formats["short"].pattern else "Hmv"
    pattern = locale.datetime_skeletons[hours].pattern.replace("v", "z")  # "v" prints "GMT", "z" prints "UTC"
    return _written(seconds, pattern, locale)


def machine(seconds: int) -> str:
    """ISO 8601, for the datetime attribute of a <time>."""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _written(seconds: int, pattern: str, locale: Locale) -> str:
    if "pm" in locale.day_periods["format"].get("wide", {}):  # the short form of Korean is the English PM
        pattern = HALF_OF_DAY.sub("aaaa", pattern)
    joined = JOINED_BY_US.get(locale.language) or str(locale.datetime_formats["long"]).replace("'", "")
    return _plain(joined.format(format_time(_utc(seconds), pattern, locale=locale), day(seconds)))


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)  # int() of an undefined template variable names it


def _plain(text: str) -> str:
    # CLDR puts narrow no-break spaces before AM and PM, which older mail programs show as boxes
    return text.replace("\u202f", "\u00a0")
