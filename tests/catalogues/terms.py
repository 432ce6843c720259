"""The terms of the glossaries, and the names of buttons and pages in English sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, cached_property

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from . import typography
from .extraction import TEMPLATE, TRANSLATIONS, table
from .update import first_of

LONGEST_LABEL = 60
NOT_NAMED = frozenset(("Home", "Name", "Code", "Account", "Start", "Time", "Main", "Change", "Copy", "Site", "Status"))
"""Labels that are also words of sentences."""


class Glossary:
    def __init__(self, locale: str) -> None:
        path = TRANSLATIONS / "glossary" / f"{locale}.tsv"
        lines = [line[2:].partition(": ")[::2] for line in path.read_text().splitlines() if line.startswith("# ")]
        self.rules = dict(lines)
        self.rows = table(path)
        self.exact = {row["english"]: row for row in self.rows}
        self.any_case = {row["english"].lower(): row for row in reversed(self.rows)}

    def row(self, label: str) -> dict[str, str] | None:
        return self.exact.get(label) or self.any_case.get(label.lower())

    @cached_property
    def kept(self) -> set[str]:
        """Words that are not translated, or are the same in the language."""
        same = [row["english"] for row in self.rows if row["english"].lower() == row["translation"].lower()]
        return {word.lower() for word in re.findall(r"[\w-]+", " ".join([self.rules["not translated"], *same]))}

    @cached_property
    def quotes(self) -> set[str]:
        rule = self.rules["quotation marks"].partition(";")[0]
        return {c for c in rule if c in typography.QUOTES} | {"’"}


class English:
    """What the English sentences have in common for all languages."""

    def __init__(self, template: Catalog) -> None:
        self.template = template
        self.ids = {(first_of(message), message.context) for message in template if message.id}
        labels = sorted((first for first, _ in self.ids if _is_label(first)), key=len, reverse=True)
        self.named = re.compile(rf"(?<=[a-z,>:] )({'|'.join(map(re.escape, labels))})(?![\w-]| Screen)")
        self.terms: dict[str, list[str]] = {}

    def mentioned(self, sentence: str) -> list[str]:
        """The labels that a sentence mentions, such as "Resend code"."""
        return [label for label in self.named.findall(sentence) if label != sentence]

    def terms_in(self, sentence: str, terms: Iterable[str]) -> list[str]:
        if sentence not in self.terms:
            small = sentence.lower()
            self.terms[sentence] = [term for term in terms if term.lower() in small and _has(small, term.lower())]
        return self.terms[sentence]


def _is_label(sentence: str) -> bool:
    return (
        sentence not in NOT_NAMED
        and 2 < len(sentence) <= LONGEST_LABEL
        and sentence[0].isupper()
        and "%" not in sentence
        and not typography.end_of(sentence)
    )


def _has(english: str, term: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", english) is not None


@cache
def english() -> English:
    with TEMPLATE.open("rb") as file:
        return English(read_po(file))
