"""Finds mistakes in the catalogue of a language. Nothing here needs a network or writes a file.

A translation that is right although a check finds something has a translator's comment with the name of the check and
the reason: `# passes: unchanged (the word is the same in Dutch)`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message

from webapp.adapters.catalogues import known
from webapp.domain.segments import segments

from . import typography
from .extraction import PLACEHOLDER
from .pofilter import Pofilter
from .terms import English, Glossary, english
from .update import first_of, forms, path_of, plural_forms, read

TAG = re.compile(r"<[^>]*>")
NUMBER = re.compile(r"\d+")
PASSES = re.compile(r"^passes: ([\w, ]+)")
SUBJECT = re.compile(r"templates/email/.*/subject\.txt")
RIGHT_TO_LEFT = frozenset(locale for locale, language in known() if language.direction == "rtl")
NOT_ISOLATED = re.compile("(?<![\u2066\u200e>])@%")  # in an element of its own it is
LABEL = 30  # characters of an English label; a translation may be as long, or 2.2 times as long as the English
TITLE = 60
DEFAULT_NAMES = {"site": "Nightlatch", "code": "123456", "password": "AAAA-BBBB-CCCC-DDDD"}
CODE_LINE = "\n\n@nightlatch.example #123456"
NUMBERS = {
    **{
        word: n
        for n, word in enumerate(("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1)
    },
    **dict.fromkeys(
        ("a", "an", "another", "each", "every", "once", "first", "per", "single", "only", "last", "none"), 1
    ),
    **dict.fromkeys(("second", "both"), 2),
}
SPOKEN = {
    "Rename %(name)s": (None, "Rename"),
    "Delete %(name)s": (None, "Delete"),
    "Log out %(device)s": ("a device", "Log out"),
    "Forget %(device)s": (None, "Forget"),
}
"""Names of buttons for screen readers, and what is printed on them (context and sentence)."""
SYSTEMS = frozenset(("iOS", "Android"))
SALUTATIONS = frozenset(("Hi,", "Hi %(name)s,"))
"""Their last mark differs between languages."""
BEFORE_VALUES = frozenset(("From", "Logged in", "Last seen", "Remembered", "Last used", "Added", "Since", "Locked"))
"""Labels in one line with their values. Languages in which the two would read as a sentence have a colon between."""
LABELS = frozenset(("button", "link", "title", "checkbox", "noun"))
"""The parts of terms that stand alone on the screen, where they are translated exactly as the glossary says."""
IN_SENTENCES = frozenset(("noun", "verb"))
"""The parts of terms whose forbidden words are forbidden in sentences too."""


class Problem(NamedTuple):
    check: str
    text: str
    message: Message | None = None


class Checks:
    def __init__(self, locale: str, catalog: Catalog, glossary: Glossary, english: English) -> None:
        self.locale, self.catalog, self.glossary, self.english = locale, catalog, glossary, english
        self.pofilter = Pofilter(locale)
        self.in_context = {(m.context, first_of(m)): forms(m)[0] for m in catalog if m.id}
        self.by_id = {id: text for (context, id), text in self.in_context.items() if context is None}

    def problems(self) -> Iterator[Problem]:
        yield from self.of_the_catalogue()
        for message in self.catalog:
            if not message.id:
                continue
            if not all(forms(message)):
                yield Problem("missing", "not translated", message)
                continue
            yield from (Problem("msgfmt", str(error), message) for error in message.check(self.catalog))
            if not isinstance(message.id, str) and len(forms(message)) != self.catalog.num_plurals:
                yield Problem("nplurals", f"{self.catalog.num_plurals} forms are needed", message)
            if message.fuzzy:
                yield Problem("fuzzy", "marked as uncertain", message)
            passed = {name.strip() for comment in message.user_comments for name in _passes(comment)}
            problems = list(self.of_a_message(message))
            yield from (problem for problem in problems if problem.check not in passed)
            for name in sorted(passed - {problem.check for problem in problems}):
                yield Problem("passes", f"{name} finds nothing, so the comment has no use", message)

    def of_the_catalogue(self) -> Iterator[Problem]:
        plurals = plural_forms(self.locale)
        if self.catalog.plural_forms.replace(" ", "") != plurals.replace(" ", ""):
            yield Problem("header", f"Plural-Forms is {self.catalog.plural_forms}, not {plurals}")
        if self.catalog.fuzzy:
            yield Problem("fuzzy", "the header is marked as uncertain")
        here = {(first_of(m), m.context) for m in self.catalog if m.id}
        there = self.english.ids
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
        found = dict.fromkeys(one for text in forms(message) for one in self.of_a_text(message, text))
        ours = {check for check, _ in found}
        first = first_of(message)
        ends_otherwise = first in SALUTATIONS | BEFORE_VALUES or self.is_term(first, forms(message)[0])
        leave_out = {"endpunc"} if ends_otherwise else set()
        theirs = (one for one in self.pofilter.found(message) if one[0] not in ours | leave_out)
        yield from (Problem(check, said, message) for check, said in (*found, *theirs))

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
        if self.locale in RIGHT_TO_LEFT and NOT_ISOLATED.search(text):
            yield "direction", "@ is shown on the wrong side unless U+2066 or U+200E is before it (UAX 9)"
        if any(character.isdigit() and not character.isascii() for character in text):
            yield "digits", "those of numbers that are inserted are ASCII, and a page has one kind of digits"
        plain_english, plain = _plain(english), _plain(text)
        if not self.is_term(english, text):
            yield from self.length(message, english, plain)
            if english not in SALUTATIONS:
                yield from self.ends(plain_english, plain.rstrip(":፦") if english in BEFORE_VALUES else plain)
        yield from (("typography", found) for found in typography.wrong(plain, self.locale))
        used = {c for c in plain if c in typography.QUOTES}
        if used - self.glossary.quotes:
            yield "quotes", f"{' '.join(used - self.glossary.quotes)} is not a quotation mark of the glossary"
        yield from self.numbers(plain_english, _latin(plain))
        if self.locale not in typography.NO_DOUBLES and (
            twice := re.search(r"\b([^\W\d]+) \1\b", plain, re.IGNORECASE)
        ):
            yield "doublewords", f"{twice.group()!r}"
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

    def numbers(self, english: str, text: str) -> Iterator[tuple[str, str]]:
        """A word such as "six" may be a digit in another language."""
        wanted, found = Counter(NUMBER.findall(english)), Counter(NUMBER.findall(text))
        words = {str(NUMBERS[word]) for word in re.findall(r"[a-z]+", english.lower()) if word in NUMBERS}
        if wanted - found or (found - wanted).keys() - words:
            yield "numbers", f"the numbers are {' '.join(wanted.elements()) or 'none'}"

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
        if english in SYSTEMS or self.is_term(english, text):
            return
        if text == english and not all(word.lower() in self.glossary.kept for word in words):
            yield "unchanged", "the same as in English"
        elif text != english and not typography.is_in_script(bare, self.locale):
            yield "unchanged", "no letter of the language's script"

    def terms(self, message: Message, english: str, text: str) -> Iterator[tuple[str, str]]:
        row = self.glossary.row(english)
        if row is not None and message.context is None and LABELS & set(row["part"].split(", ")):
            if not self.is_term(english, text):
                yield "glossary", f"the glossary has {row['translation']!r}"
            return
        here = [self.glossary.exact[term] for term in self.english.terms_in(english, self.glossary.exact)]
        right = [row["translation"].lower() for row in here]
        for row in here:
            if not IN_SENTENCES & set(row["part"].split(", ")):
                continue
            for wrong in filter(None, row["forbidden"].split(" | ")):
                if any(wrong.lower() in term for term in right):
                    continue
                if self.has_word(_plain(text), wrong):
                    yield "forbidden", f"{wrong!r} is forbidden for {row['english']!r}: {row['translation']!r}"

    def is_term(self, english: str, text: str) -> bool:
        """Both are a term of the glossary, which says how it ends and how long it is."""
        row = self.glossary.row(english)
        return row is not None and _lower(text, self.locale) == _lower(row["translation"], self.locale)

    def has_word(self, text: str, word: str) -> bool:
        if self.locale in ("ja", "zh_Hans", "zh_Hant", "th"):
            return word in text
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None

    def names(self, english: str, text: str) -> Iterator[tuple[str, str]]:
        """The names of buttons and pages that a sentence mentions."""
        for label in self.english.mentioned(english):
            translation = self.by_id.get(label, "")
            if translation and translation.casefold() not in text.casefold():
                yield "names", f"{label!r} is named {translation!r} on its page"
        printed = self.in_context.get(SPOKEN.get(english, (None, "")), "")
        if _lower(printed, self.locale) not in _lower(text, self.locale):
            yield "spoken", f"lacks what is printed on the button, {printed!r} (WCAG 2.2, 2.5.3)"


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


def check(locale: str, catalog: Catalog | None = None) -> list[Problem]:
    catalog = catalog or read(path_of(locale), locale)
    return list(Checks(locale, catalog, Glossary(locale), english()).problems())


def is_begun(catalog: Catalog) -> bool:
    return any(any(forms(message)) for message in catalog if message.id)


def summary(problems: list[Problem]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(Counter(p.check for p in problems).items()))
