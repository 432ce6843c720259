"""How languages write: the ends of sentences, and characters that are wrong in a language. It reads no file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

ENDS = {
    ".": {"ja": "。", "zh_Hans": "。", "zh_Hant": "。", "hi": "।", "ti": "።", "th": ""},
    "?": {
        **dict.fromkeys(("ar", "fa", "fa_AF", "ps"), "؟"),
        **dict.fromkeys(("ja", "zh_Hans", "zh_Hant"), "？"),
        "el": ";",
        "th": "",
    },
    ":": {"ti": "፦", **dict.fromkeys(("ja", "zh_Hans", "zh_Hant"), "：")},
    ",": {"ti": "፣", **dict.fromkeys(("ar", "fa", "fa_AF", "ps"), "،"), "ja": "、", "zh_Hans": "，", "zh_Hant": "，"},
    "!": dict.fromkeys(("ja", "zh_Hans", "zh_Hant"), "！"),
    "…": {},
}
"""Where a language ends a sentence otherwise than English; empty where it writes nothing."""
EVERY_END = frozenset(".?:,!…") | {end for ends in ENDS.values() for end in ends.values() if end}

ARABIC_SCRIPT = ("ar", "fa", "fa_AF", "ps")
CJK = "\u2e80-\u9fff\uac00-\ud7a3\uff01-\uffee"
WRONG: dict[str, list[tuple[str, str]]] = {
    **{
        locale: [
            (r"(?<!\d)[,;?]", "the comma is ،, the semicolon ؛, the question mark ؟"),
            (r"\s[،؛؟]", "no space before ، ؛ ؟"),
        ]
        for locale in ARABIC_SCRIPT
    },
    **{
        locale: [
            (rf"[{CJK}][,.;:!?]", "full-width punctuation follows a character"),
            (rf"[{CJK}] [{CJK}]", "no space here"),
        ]
        for locale in ("ja", "zh_Hans", "zh_Hant")
    },
    "el": [(r"[?]", "the Greek question mark is ;")],
    "fr": [
        (r"[^\u202f][;:!?»](?!//)", "a narrow no-break space (U+202F) precedes ; : ! ? »"),
        (r"«[^\u202f]", "a narrow no-break space (U+202F) follows «"),
    ],
    "hi": [(r"[\u0900-\u0963\u0970-\u097f][.|](\s|$)", "a danda (।) ends a sentence"), (r"\s।", "no space before ।")],
    **{locale: [(r"।", "a period ends a sentence here, not a danda")] for locale in ("mr", "kn", "ta")},
    "ti": [
        (r"[\u1200-\u137c][.](\s|$)", "። ends a sentence"),
        (r"[\u1200-\u137c][,]", "the comma is ፣"),
        (r"[\u1200-\u137c][;]", "the semicolon is ፤"),
        (r"[\u1200-\u137c]:", "the colon is ፦"),
        (r"፡", "words are parted by a space"),
    ],
    "ro": [(r"[şŞţŢ]", "ș and ț have a comma below")],
    "th": [(r"[\u0e00-\u0e7f][.?!](\s|$)", "no full stop, question mark or exclamation mark")],
    "es": [(r"^[^¿]*\?", "¿ opens a question"), (r"^[^¡]*!", "¡ opens an exclamation")],
}
for _locale in ("fa", "fa_AF"):
    WRONG[_locale] = [*WRONG[_locale], (r"[يكى]", "the Persian letters are ی and ک")]
WRONG["ps"] = [*WRONG["ps"], (r"[كگۀ]|هٔ", "the Pashto letters are ک and ګ, and ه")]

DIGITS = {  # digits that are not Latin, where none may be; Persian ones may stand in fa, fa_AF and ps
    **dict.fromkeys(ARABIC_SCRIPT, r"[\u0660-\u0669]"),
    "ar": r"[\u0660-\u0669\u06f0-\u06f9]",
    "hi": r"[\u0966-\u096f]",
    "mr": r"[\u0966-\u096f]",
    "ta": r"[\u0be6-\u0bf2]",
    "kn": r"[\u0ce6-\u0cef]",
    "th": r"[\u0e50-\u0e59]",
    "ti": r"[\u1369-\u137c]",
}
SCRIPTS = {
    **dict.fromkeys(ARABIC_SCRIPT, "ARABIC"),
    **dict.fromkeys(("ru", "uk", "bg", "sr"), "CYRILLIC"),
    **dict.fromkeys(("hi", "mr"), "DEVANAGARI"),
    **dict.fromkeys(("zh_Hans", "zh_Hant"), "CJK"),
    "el": "GREEK",
    "he": "HEBREW",
    "ja": "",
    "ko": "HANGUL",
    "th": "THAI",
    "ta": "TAMIL",
    "kn": "KANNADA",
    "ti": "ETHIOPIC",
}
"""The script of a language that is not written in Latin letters, as names of characters begin in Unicode."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd\ufeff]")
QUOTES = "\"'«»“”„‚‘’‹›「」『』`´"
PAIRS = ("«»", "「」", "『』", "‹›", "()", "（）", "[]")
NO_DOUBLES = frozenset(
    ("id", "ms", "vi", "fil", "th", "ja", "zh_Hans", "zh_Hant", "hi", "mr", "ta", "kn", "ti", "om", "tr")
)
"""Languages where the same word twice is usual, or where words are not spaced."""


def end_of(text: str) -> str:
    """The mark at the end, before closing quotation marks, brackets and invisible marks; empty when there is none."""
    bare = text.rstrip("\"'»”’“」』)）\u2069\u200f\u200e ")
    return bare[-1:] if bare[-1:] in EVERY_END or bare[-1:] == ";" else ""


def wanted_end(english: str, locale: str) -> str:
    end = end_of(english)
    return ENDS[end].get(locale, end) if end in ENDS else ""


def wrong(text: str, locale: str) -> Iterator[str]:
    """What is written against the rules of the language. `text` has no markup and no placeholders with spaces."""
    for pattern, rule in WRONG.get(locale, []):
        for found in re.finditer(pattern, text):
            yield f"{found.group()!r}: {rule}"
    if locale in DIGITS and re.search(DIGITS[locale], text):
        yield "digits are Latin"
    if locale not in ("fr", *ARABIC_SCRIPT) and (found := re.search(r"\s[,;:!?.](?![\d\w.])", text)):
        yield f"{found.group()!r}: no space before it"
    if "..." in text:
        yield "the ellipsis is …"
    if "  " in text:
        yield "two spaces"
    if not unicodedata.is_normalized("NFC", text):
        yield "letters are not composed (NFC)"
    if CONTROL.search(text):
        yield "a control character"
    for opening, closing in PAIRS:
        if text.count(opening) != text.count(closing):
            yield f"{opening} and {closing} are not in pairs"


def is_in_script(text: str, locale: str) -> bool:
    """True when a letter of the language's script is in it."""
    script = SCRIPTS.get(locale)
    if script is None:
        return True
    names = ("HIRAGANA", "KATAKANA", "CJK") if locale == "ja" else (script,)
    return any(unicodedata.name(c, "").startswith(names) for c in text if c.isalpha())
