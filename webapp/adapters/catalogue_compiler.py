"""Compiles the catalogues that are complete, and removes what was compiled of others.

The Makefile runs it as a program when a catalogue is newer than what was compiled. A catalogue with a sentence that is
missing or marked as uncertain is not compiled, and its language is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from ..domain.language import ENGLISH
from .catalogues import FOLDER, compiled, known


def is_translated(message: Message) -> bool:
    """Every form is there, and none is marked as uncertain."""
    forms = [message.string] if isinstance(message.string, str) else message.string
    return not message.fuzzy and bool(forms) and all(forms or ())


def missing(catalog: Catalog, sentences: Catalog) -> Iterator[Message]:
    """The messages of the template that `catalog` does not translate."""
    for message in sentences:
        first = message.id if isinstance(message.id, str) else message.id[0]
        translated = catalog.get(first, message.context)
        if message.id and (translated is None or not is_translated(translated)):
            yield message


def compile_all(folder: Path = FOLDER) -> Iterator[str]:
    """Yields the locale of each language that is offered then. What is newer than its catalogue is left as it is."""
    template = folder / "messages.pot"
    with template.open("rb") as file:
        sentences = read_po(file)
    for locale, language in known(folder):
        written, source = compiled(locale, folder), compiled(locale, folder).with_suffix(".po")
        if language.code == ENGLISH.code or not source.exists():
            continue
        if written.exists() and written.stat().st_mtime > max(source.stat().st_mtime, template.stat().st_mtime):
            yield locale
            continue
        with source.open("rb") as file:
            catalog = read_po(file, locale=locale)
        if any(missing(catalog, sentences)):
            written.unlink(missing_ok=True)
            continue
        catalog.update(sentences, no_fuzzy_matching=True)  # without what is no longer used
        replacement = written.with_suffix(".mo.new")  # a process may read the old one meanwhile
        with replacement.open("wb") as file:
            write_mo(file, catalog)
        replacement.replace(written)
        yield locale


if __name__ == "__main__":
    print("Languages: en", *compile_all())
