"""`make translations`: writes messages.pot, updates the catalogue of each language, and prints what is missing.

It must never drop or guess a translation: that of a sentence which is gone is kept as a comment (#~) and returns with
the sentence, and no translation is taken over from a similar sentence.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from .extraction import TEMPLATE, TRANSLATIONS, table, template

DOMAIN = "messages"
# Where CLDR counts otherwise than Babel's table for gettext; 0 and 1 have the same form where the rule is n > 1.
PLURALS = {
    "he": "nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);",
    "hi": "nplurals=2; plural=(n > 1);",
    "id": "nplurals=1; plural=0;",
    "kn": "nplurals=2; plural=(n > 1);",
    "ms": "nplurals=1; plural=0;",
    "pt": "nplurals=2; plural=(n > 1);",
    "ti": "nplurals=2; plural=(n > 1);",
}
HEAD = """\
# {language} translation of Nightlatch.
# Made by a language model from the terms and rules in ../../glossary/{locale}.tsv, a language at a time.
# A review by native speakers is welcome: docs/how-to/translate.md says how.
#"""


def locales() -> list[str]:
    """Those of languages.tsv, without English, which is the language of the sentences."""
    return [row["locale"] for row in table(TRANSLATIONS / "languages.tsv") if row["locale"] != "en"]


def path_of(locale: str, folder: Path = TRANSLATIONS) -> Path:
    return folder / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(path: Path, locale: str) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def new(locale: str) -> Catalog:
    language = next(row["autonym"] for row in table(TRANSLATIONS / "languages.tsv") if row["locale"] == locale)
    catalog = Catalog(
        locale=locale,
        header_comment=HEAD.format(language=language, locale=locale),
        project="Nightlatch",
        version="1",
        fuzzy=False,
        creation_date=template_date(),
        revision_date=datetime.now(UTC),
        last_translator="a language model",
        language_team=language,
    )
    catalog.mime_headers = [*catalog.mime_headers, ("Plural-Forms", plural_forms(locale))]
    return catalog


def plural_forms(locale: str) -> str:
    return PLURALS.get(locale, Catalog(locale=locale).plural_forms)


def template_date() -> datetime:
    with TEMPLATE.open("rb") as file:
        date = read_po(file).creation_date
    assert isinstance(date, datetime)
    return date


def merge(catalog: Catalog, sentences: Catalog) -> None:
    """Updates `catalog` to the sentences of today. What was translated and is no longer used becomes obsolete."""
    for key, message in list(catalog.obsolete.items()):
        if sentences.get(first_of(message), message.context) is not None:
            catalog[message.id] = catalog.obsolete.pop(key)
    catalog.update(sentences, no_fuzzy_matching=True, update_creation_date=False)
    for key, message in list(catalog.obsolete.items()):
        if not any(forms(message)):
            del catalog.obsolete[key]


def first_of(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def forms(message: Message) -> list[str]:
    """The translations: one, or one for each form of the plural. An empty one is missing."""
    return [message.string or ""] if isinstance(message.id, str) else list(message.string or [""])


def is_translated(message: Message) -> bool:
    """Every form is there, and none is marked as uncertain."""
    return not message.fuzzy and all(forms(message))


def missing(catalog: Catalog) -> Iterator[Message]:
    return (message for message in catalog if message.id and not is_translated(message))


def text_of(catalog: Catalog) -> bytes:
    written = io.BytesIO()
    # in the order of template(); Babel wraps comments at width 0, and drops a line that is the same as another
    write_po(written, catalog, width=10_000, include_lineno=False)
    return written.getvalue()


def update_template() -> Catalog:
    """The date stays unless a sentence or a note changed, so that a file without changes is not written."""
    catalog = template()
    catalog.msgid_bugs_address = ""
    if TEMPLATE.exists():
        catalog.creation_date = template_date()
        if text_of(catalog) == TEMPLATE.read_bytes():
            return catalog
    catalog.creation_date = datetime.now(UTC)
    TEMPLATE.write_bytes(text_of(catalog))
    return catalog


def update(locale: str, sentences: Catalog) -> Catalog:
    path = path_of(locale)
    catalog = read(path, locale) if path.exists() else new(locale)
    merge(catalog, sentences)
    catalog.msgid_bugs_address = ""  # the site has none; Babel would write an example
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text_of(catalog))
    return catalog


def report(locale: str, catalog: Catalog) -> Iterator[str]:
    left = list(missing(catalog))
    yield f"{locale}: {len(catalog) - len(left)} of {len(catalog)} sentences are translated"
    if len(left) == len(catalog):
        return  # not begun
    for message in left:
        context = f" ({message.context})" if message.context else ""
        yield f"  {message.locations[0][0] if message.locations else ''}: {first_of(message)!r}{context}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.catalogues.update", description=__doc__)
    parser.add_argument("locales", nargs="*", help="all of languages.tsv when none is named")
    chosen = parser.parse_args().locales
    sentences = update_template()
    for locale in chosen or locales():
        print(*report(locale, update(locale, sentences)), sep="\n")


if __name__ == "__main__":
    main()
