"""The memory that the data of CLDR takes: a process may use all languages."""

from __future__ import annotations

import subprocess
import sys

from webapp.adapters.catalogues import known
from webapp.domain import cldr
from webapp.settings import ROOT

IN_EVERY_LANGUAGE = """
from pathlib import Path
from webapp.adapters.catalogues import known
from webapp.domain import lists, moments, phone_numbers
from webapp.domain.language import speaking

def resident():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024

before = resident()
for _, language in known():
    with speaking(language):
        moments.moment(1_790_000_000), moments.minute(1_790_000_000), lists.one_of(["a", "b", "c"])
        assert phone_numbers.countries(frozenset())
print(resident() - before)
"""


def test_dates_lists_and_countries_in_all_languages_take_little_memory() -> None:
    told = subprocess.run([sys.executable, "-c", IN_EVERY_LANGUAGE], cwd=ROOT, check=True, capture_output=True)
    assert float(told.stdout) < 14, "MiB; with all parts of CLDR they are 55"


def test_cldr_knows_every_language_of_the_site() -> None:
    assert [language.code for _, language in known() if cldr.known(language.code) is None] == []


def test_a_language_that_cldr_does_not_know_is_none() -> None:
    assert cldr.known("") is None
    assert cldr.known("xx-private") is None
