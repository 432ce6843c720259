"""Finds every sentence of the site, with what translators must know about it.

A note comes from a comment that begins with `Translators:` beside the sentence, from placeholders.tsv (what is
inserted), from labels.tsv (what a short label is), and from the glossary.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir

ROOT = Path(__file__).resolve().parents[2]
TRANSLATIONS = ROOT / "webapp" / "translations"
TEMPLATE = TRANSLATIONS / "messages.pot"
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "lazy": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "lazy_pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
TAG = "Translators:"
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
HEAD = """\
# The sentences of Nightlatch, made by `make translations`. Translators edit the files of their languages.
#"""


class Found(NamedTuple):
    file: str
    line: int
    id: str | tuple[str, ...]
    context: str | None
    comments: list[str]

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.id,) if isinstance(self.id, str) else self.id

    @property
    def placeholders(self) -> list[str]:
        return list(dict.fromkeys(name for text in self.texts for name in PLACEHOLDER.findall(text)))


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a tab-separated file; lines that begin with "# " are left out."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("# ")]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def sentences() -> Iterator[Found]:
    """Every use of a sentence, in the order of files and lines."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {mapping.pop("pattern"): mapping for mapping in mappings}
    found = extract_from_dir(str(ROOT), methods, options, keywords=KEYWORDS, comment_tags=[TAG])
    for file, line, id, comments, context in sorted(found, key=lambda one: one[:2]):
        comment = " ".join(comments).removeprefix(TAG).strip()  # Jinja's extraction leaves the tag out
        yield Found(file, line, id, context, [comment] if comment else [])


def template() -> Catalog:
    """The catalogue without translations."""
    catalog = Catalog(header_comment=HEAD, project="Nightlatch", version="1", fuzzy=False)
    notes = Notes()
    for found in sentences():
        comments = [*found.comments, *notes.of(found)]
        catalog.add(found.id, locations=[(found.file, found.line)], auto_comments=comments, context=found.context)
    return catalog


class Notes:
    def __init__(self) -> None:
        self.placeholders = table(TRANSLATIONS / "placeholders.tsv")
        self.labels = {row["english"]: row["note"] for row in table(TRANSLATIONS / "labels.tsv")}
        self.terms = {row["english"].lower(): row for row in table(TRANSLATIONS / "glossary" / "en.tsv")}

    def of(self, found: Found) -> list[str]:
        first = found.texts[0]
        term = self.terms.get(first.lower())
        notes = []
        if first in self.labels:
            notes.append(self.labels[first])
        elif term is not None:
            notes.append(term["part"] + (f": {term['note']}" if term["note"] else ""))
        meanings = {name: self.placeholders[self.row(name, first)]["note"] for name in found.placeholders}
        return notes + [f"%({name})s: {meaning}" for name, meaning in meanings.items()]

    def row(self, placeholder: str, sentence: str) -> int:
        """Of placeholders.tsv: the first that fits. Raises `KeyError` for a placeholder that is not explained."""
        for number, row in enumerate(self.placeholders):
            if row["placeholder"] == placeholder and row["in"] in sentence:
                return number
        raise KeyError(f"placeholders.tsv does not explain %({placeholder})s of {sentence!r}")
