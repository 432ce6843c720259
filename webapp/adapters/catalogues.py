"""The languages of the site: those of languages.tsv that have a compiled catalogue.

A catalogue is compiled only when it is complete (catalogue_compiler.py), so that no page is in two languages. It is
read when its language is used for the first time.
"""

from __future__ import annotations

import csv
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from ..domain.language import ENGLISH, Language, Languages

FOLDER = Path(__file__).resolve().parents[1] / "translations"


class Catalogue(NullTranslations):
    """Reads the file at the first sentence; the methods of what it read then take the place of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def gettext(self, message: str) -> str:
        return self._read().gettext(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self._read().ngettext(msgid1, msgid2, n)

    def pgettext(self, context: str, message: str) -> str:
        return self._read().pgettext(context, message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return self._read().npgettext(context, msgid1, msgid2, n)

    def _read(self) -> GNUTranslations:
        with self._path.open("rb") as file:
            read = GNUTranslations(file)
        # two threads may read it at the same time: they read the same
        vars(self).update(
            gettext=read.gettext, ngettext=read.ngettext, pgettext=read.pgettext, npgettext=read.npgettext
        )
        return read


def compiled(locale: str, folder: Path = FOLDER) -> Path:
    """`locale` as in languages.tsv, such as zh_Hans."""
    return folder / locale / "LC_MESSAGES" / "messages.mo"


def known(folder: Path = FOLDER) -> list[tuple[str, Language]]:
    """Each language of languages.tsv with its locale, in the order of that file. English is the first."""
    with (folder / "languages.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(row["locale"], _language(row, folder)) for row in rows]


def offered(folder: Path = FOLDER) -> Languages:
    """English, and each language that has a compiled catalogue, by code (BCP 47)."""
    return {
        language.code: language
        for locale, language in known(folder)
        if language.code == ENGLISH.code or compiled(locale, folder).exists()
    }


def _language(row: dict[str, str], folder: Path) -> Language:
    if row["locale"] == ENGLISH.code:
        return ENGLISH
    code = row["locale"].replace("_", "-")
    return Language(code, row["autonym"], row["direction"], Catalogue(compiled(row["locale"], folder)))
