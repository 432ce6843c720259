"""Finds mistakes in the catalogue of a language. Nothing here needs a network or writes a file.

A translation that is right although a check finds something has a translator's comment with the name of the check and
the reason: `# passes: unchanged (the word is the same in Dutch)`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from webapp.domain.segments import segments

from . import typography
from .extraction import PLACEHOLDER, TEMPLATE, TRANSLATIONS, table
from .update import first_of, forms, new, path_of, read

TAG = re.compile(r"<[^>]*>")
NUMBER = re.compile(r"\d+")
PASSES = re.compile(r"^passes: ([\w, ]+)")
SUBJECT = re.compile(r"templates/email/.*/subject\.txt")
LABEL = 30  # characters of an English label; a translation may be as long, or 2.2 times as long as the English
TITLE = 60
DEFAULT_NAMES = {"site": "Nightlatch", "code": "123456", "password": "AAAA-BBBB-CCCC-DDDD"}
CODE_LINE = "\n\n@nightlatch.example #123456"
NOT_NAMED = frozenset(("Home", "Name", "Code", "Account", "Start", "Time", "Main", "Change", "Copy", "Site", "Status"))
"""Labels that are also words of sentences."""
PARTS = ("button", "link", "title", "checkbox", "noun")


class Problem(NamedTuple):
    check: str
    text: str
    message: Message | None = None


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
        """Words that are not translated."""
        return {word.lower() for word in re.findall(r"[\w-]+", self.rules["not translated"])}

    @cached_property
    def quotes(self) -> set[str]:
        rule = self.rules["quotation marks"].partition(";")[0]
        return {c for c in rule if c in typography.QUOTES} | {"’"}


class Checks:
    def __init__(self, locale: str, catalog: Catalog, glossary: Glossary, template: Catalog) -> None:
        self.locale, self.catalog, self.glossary, self.template = locale, catalog, glossary, template
        self.by_id = {first_of(m): forms(m)[0] for m in catalog if m.id}

    def problems(self) -> Iterator[Problem]:
        yield from self.of_the_catalogue()
        for message in self.catalog:
            if not message.id:
                continue
            if not all(forms(message)):
                yield Problem("missing", "not translated", message)
                continue
            if message.fuzzy:
                yield Problem("fuzzy", "marked as uncertain", message)
            passed = {name.strip() for comment in message.user_comments for name in _passes(comment)}
            yield from (p for p in self.of_a_message(message) if p.check not in passed)

    def of_the_catalogue(self) -> Iterator[Problem]:
        expected = new(self.locale)
        if self.catalog.plural_forms.replace(" ", "") != expected.plural_forms.replace(" ", ""):
            yield Problem("header", f"Plural-Forms is {self.catalog.plural_forms}, not {expected.plural_forms}")
        if self.catalog.fuzzy:
            yield Problem("fuzzy", "the header is marked as uncertain")
        here = {(first_of(m), m.context) for m in self.catalog if m.id}
        there = {(first_of(m), m.context) for m in self.template if m.id}
        if here != there:
            yield Problem(
                "sentences",
                f"{len(there - here)} sentences are not in it, {len(here - there)} are old: run make translations",
            )
        yield from self.text_messages()

    def text_messages(self) -> Iterator[Problem]:
        for name, rest, variants in (
            (
                "code",
                CODE_LINE,
                (
                    "%(code)s is your %(site)s code. Never share it.",
                    "%(code)s is your %(site)s code.",
                    "%(code)s is your code.",
                ),
            ),
            (
                "number-changed",
                "",
                (
                    "The phone number on your %(site)s account was changed. Not you? Check your email.",
                    "The phone number on your account was changed. Not you? Check your email.",
                    "Your phone number was changed. Not you? Check your email.",
                ),
            ),
            (
                "temporary-password",
                "",
                (
                    "%(password)s is your %(site)s temporary password for one hour.",
                    "%(password)s is your temporary password for one hour.",
                ),
            ),
        ):
            texts = [self.by_id.get(variant, "") for variant in variants]
            if not all(texts) or any("%" in PLACEHOLDER.sub("", text) for text in texts):
                continue
            filled = [text % DEFAULT_NAMES + rest for text in texts]
            if all(segments(text) > 1 for text in filled):
                yield Problem(
                    "segment",
                    f"no form of the text message {name} fits: {len(filled[-1])} characters in {filled[-1]!r}",
                )

    def of_a_message(self, message: Message) -> Iterator[Problem]:
        found = ((check, said) for text in forms(message) for check, said in self.of_a_text(message, text))
        yield from (Problem(check, said, message) for check, said in dict.fromkeys(found))

    def english_of(self, message: Message, text: str) -> str:
        if isinstance(message.id, str):
            return message.id
        return message.id[0] if text == forms(message)[0] and len(forms(message)) > 1 else message.id[1]

    def of_a_text(self, message: Message, text: str) -> Iterator[tuple[str, str]]:
        english = self.english_of(message, text)
        yield from self.placeholders(message, text)
        if sorted(TAG.findall(english)) != sorted(TAG.findall(text)):
            yield "tags", f"the tags are {' '.join(TAG.findall(english))}"
        if text != text.strip():
            yield "spaces", "a space at the beginning or the end"
        if text.count("\n") != english.count("\n"):
            yield "lines", "a line break"
        if english.count("@") != text.count("@"):
            yield "placeholders", "@ stands before a username"
        plain_english, plain = _plain(english), _plain(text)
        yield from self.ends(plain_english, plain)
        yield from (("typography", found) for found in typography.wrong(plain, self.locale))
        used = {c for c in plain if c in typography.QUOTES}
        if used - self.glossary.quotes:
            yield "quotes", f"{' '.join(used - self.glossary.quotes)} is not a quotation mark of the glossary"
        if sorted(NUMBER.findall(plain_english)) != sorted(NUMBER.findall(_latin(plain))):
            yield "numbers", f"the numbers are {' '.join(NUMBER.findall(plain_english)) or 'none'}"
        if self.locale not in typography.NO_DOUBLES and (
            twice := re.search(r"\b([^\W\d]+) \1\b", plain, re.IGNORECASE)
        ):
            yield "doublewords", f"{twice.group()!r}"
        yield from self.length(message, english, plain)
        yield from self.unchanged(english, text)
        yield from self.terms(message, english, text)
        yield from self.names(english, text)

    def placeholders(self, message: Message, text: str) -> Iterator[tuple[str, str]]:
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        wanted, found = set(PLACEHOLDER.findall(" ".join(ids))), set(PLACEHOLDER.findall(text))
        optional = {"num"} if len(ids) > 1 else set()  # "one day" may say no number
        if not wanted - optional <= found or not found <= wanted:
            yield "placeholders", f"the placeholders are {' '.join(f'%({name})s' for name in sorted(wanted)) or 'none'}"
        elif "%" in PLACEHOLDER.sub("", text).replace("%%" if wanted else "", ""):
            yield "placeholders", "a percent sign that begins no placeholder is written %%"

    def ends(self, english: str, text: str) -> Iterator[tuple[str, str]]:
        wanted, found = typography.wanted_end(english, self.locale), typography.end_of(text)
        if found == ";" and self.locale != "el":
            found = ""
        if wanted != found:
            yield "ends", f"ends with {found or 'no mark'}, not with {wanted or 'none'}"

    def length(self, message: Message, english: str, text: str) -> Iterator[tuple[str, str]]:
        if any(SUBJECT.match(file) for file, _ in message.locations) and len(text) > 100:
            yield "length", f"a subject has at most 100 characters, this has {len(text)}"
        if typography.end_of(english):
            return
        if len(english) <= LABEL:
            limit = max(LABEL, int(len(english) * 2.2))
        elif len(english) <= TITLE:
            limit = max(TITLE, int(len(english) * 1.8))
        else:
            return
        if len(text) > limit:
            yield "length", f"{len(text)} characters, at most {limit}"

    def unchanged(self, english: str, text: str) -> Iterator[tuple[str, str]]:
        bare = PLACEHOLDER.sub("", TAG.sub("", text))
        words = re.findall(r"[^\W\d_][\w-]*", bare)
        if not words:
            return
        row = self.glossary.row(english)
        same = row is not None and row["translation"].lower() == english.lower()
        if text == english and not same and not all(word.lower() in self.glossary.kept for word in words):
            yield "unchanged", "the same as in English"
        elif text != english and not same and not typography.is_in_script(bare, self.locale):
            yield "unchanged", "no letter of the language's script"

    def terms(self, message: Message, english: str, text: str) -> Iterator[tuple[str, str]]:
        row = self.glossary.row(english)
        if row is not None and message.context is None and any(part in row["part"] for part in PARTS):
            if _lower(text, self.locale) != _lower(row["translation"], self.locale):
                yield "glossary", f"the glossary has {row['translation']!r}"
            return
        right = [
            row["translation"].lower() for row in self.glossary.rows if _has(english.lower(), row["english"].lower())
        ]
        for row in self.glossary.rows:
            if "adjective" in row["part"] or not _has(english.lower(), row["english"].lower()):
                continue
            for wrong in filter(None, row["forbidden"].split(" | ")):
                at_fault = wrong.lower()
                if any(at_fault in term for term in right):
                    continue
                if self.has_word(
                    text, wrong, exact="button" in row["part"] or "title" in row["part"] or "link" in row["part"]
                ):
                    yield "forbidden", f"{wrong!r} is forbidden for {row['english']!r}: {row['translation']!r}"

    def has_word(self, text: str, word: str, exact: bool) -> bool:
        """Whole words; of labels only as they are written, because their words have other uses in sentences."""
        if self.locale in ("ja", "zh_Hans", "zh_Hant", "th"):
            return word in text and not exact
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, 0 if exact else re.IGNORECASE) is not None

    def names(self, english: str, text: str) -> Iterator[tuple[str, str]]:
        """The names of buttons and pages that a sentence mentions."""
        for label in self.mentioned(english):
            translation = self.by_id.get(label, "")
            if translation and translation.casefold() not in text.casefold():
                yield "names", f"{label!r} is named {translation!r} on its page"

    def mentioned(self, english: str) -> Iterator[str]:
        rest = english
        for label in self.labels:
            pattern = rf"(?<=[a-z,>:] ){re.escape(label)}(?![\w-]| Screen)"
            if label != english and re.search(pattern, rest):
                rest = re.sub(pattern, "", rest)
                yield label

    @cached_property
    def labels(self) -> list[str]:
        """The longest first."""
        found = (
            label
            for label in self.by_id
            if label not in NOT_NAMED
            and len(label) <= TITLE
            and label[:1].isupper()
            and "%" not in label
            and not typography.end_of(label)
            and len(label) > 2
        )
        return sorted(found, key=len, reverse=True)


def _passes(comment: str) -> list[str]:
    found = PASSES.match(comment)
    return found.group(1).split(",") if found else []


def _plain(text: str) -> str:
    """Without tags, and with one letter for each placeholder."""
    return PLACEHOLDER.sub("X", TAG.sub("", text)).replace("%%", "%")


def _latin(text: str) -> str:
    return text.translate({0x6F0 + digit: str(digit) for digit in range(10)})


def _lower(text: str, locale: str) -> str:
    return text.translate({ord("İ"): "i", ord("I"): "ı"}).lower() if locale == "tr" else text.lower()


def _has(english: str, term: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", english) is not None


def check(locale: str, path: Path | None = None) -> list[Problem]:
    catalog = read(path or path_of(locale), locale)
    with TEMPLATE.open("rb") as file:
        template = read_po(file)
    return list(Checks(locale, catalog, Glossary(locale), template).problems())


def is_begun(catalog: Catalog) -> bool:
    return any(any(forms(message)) for message in catalog if message.id)


def summary(problems: list[Problem]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(p.check for p in problems).items()))
