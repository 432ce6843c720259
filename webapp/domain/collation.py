"""Sorts names by the alphabet of a language. Babel has no collation, and the order of code points puts letters such as
the Ukrainian I or the Persian P behind all others.

The alphabets are the index exemplars of CLDR (UTS 35, part 2). Letters that an alphabet does not list are sorted by the
letter below their accents, so Österreich is under O in German.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

ARABIC = "اآبتثجحخدذرزسشصضطظعغفقكلمنهةوىي"
PERSIAN = "آاءئبپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"
SCANDINAVIAN = "abcdefghijklmnopqrstuvwxyzæøå"
SWEDISH = "abcdefghijklmnopqrstuvwxyzåäö"
CH = "\ue000"
"""Stands for ch, which is one letter behind h in Czech and Slovak."""
ALPHABETS = {
    "ar": ARABIC,
    "cs": f"abcčdefgh{CH}ijklmnopqrřsštuvwxyzž",
    "da": SCANDINAVIAN,
    "es": "abcdefghijklmnñopqrstuvwxyz",
    "fa": PERSIAN,
    "fi": SWEDISH,
    "fil": "abcdefghijklmnñopqrstuvwxyz",
    "hr": "abcčćdđefghijklmnopqrsštuvwxyzž",
    "nb": SCANDINAVIAN,
    "pl": "aąbcćdeęfghijklłmnńoóprsśtuvwxyzźż",
    "ps": "آابپتټثجځچڅحخدډذرړزژږسشښصضطظعغفقکګگلمنڼهويیېۍئ",
    "ro": "aăâbcdefghiîjklmnopqrsștțuvwxyz",
    "sk": f"aäbcčdefgh{CH}ijklmnoôpqrsštuvwxyzž",
    "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "sv": SWEDISH,
    "tr": "abcçdefgğhıijklmnoöprsştuüvyz",
    "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "vi": "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz",
}
VOWEL_IN_FRONT = re.compile("([เแโใไ])(.)")
FIRST = 0x110000  # above every code point, so spaces and punctuation come before letters


def sort_key(name: str, language_code: str) -> tuple[int, ...]:
    """A key by which names in one language are in alphabetical order. Case makes no difference."""
    language = re.split("[-_]", language_code)[0]
    if language == "tr":
        name = name.replace("İ", "i").replace("I", "ı")
    lower = name.casefold()
    if language in ("cs", "sk"):
        lower = lower.replace("ch", CH)
    if language == "th":  # a vowel that is written in front of its consonant comes after it
        lower = VOWEL_IN_FRONT.sub(r"\2\1", lower)
    places = _places(language)
    letters = (found for letter in unicodedata.normalize("NFC", lower) for found in _known(letter, places))
    return tuple(places.get(letter, ord(letter)) for letter in letters)


def _known(letter: str, places: Mapping[str, int]) -> str:
    """The letter of the alphabet without further accents, such as â for ấ in Vietnamese; a for â elsewhere."""
    if letter in places:
        return letter
    bases = ""
    for part in unicodedata.normalize("NFKD", letter):
        if not unicodedata.combining(part):
            bases += part
        elif (marked := unicodedata.normalize("NFC", bases[-1:] + part)) in places:
            bases = bases[:-1] + marked
    return "".join(c for c in bases if unicodedata.category(c) != "Cf")


@lru_cache(maxsize=64)
def _places(language: str) -> Mapping[str, int]:
    return {letter: FIRST + place for place, letter in enumerate(ALPHABETS.get(language, ""))}
