"""Names are in the order of an alphabet: letters where readers look for them, in each language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.collation import ALPHABETS, sort_key


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", ["Åland Islands", "Austria", "Côte d’Ivoire", "Cuba", "Zimbabwe"]),
        ("de", ["Deutschland", "Oman", "Österreich", "Ungarn", "Zypern"]),
        ("sv", ["Albanien", "Zimbabwe", "Åland", "Österrike"]),
        ("nb", ["Albania", "Zimbabwe", "Østerrike", "Åland"]),
        ("cs", ["Čad", "Hongkong", "Chile", "Chorvatsko", "Indie", "Řecko", "Spojené státy", "Španělsko"]),
        ("pl", ["Lesotho", "Luksemburg", "Łotwa", "Malta"]),
        ("tr", ["Irak", "İran", "İsviçre", "Japonya"]),
        ("es", ["España", "Namibia", "Níger", "Ñame", "Omán"]),
        ("vi", ["Albania", "Áo", "Ấn Độ", "Bỉ", "Đan Mạch", "Đức", "Ecuador", "Hoa Kỳ"]),
        ("uk", ["Замбія", "Ізраїль", "Італія", "Йорданія", "Казахстан", "Японія"]),
        ("sr", ["Израел", "Јапан", "Кина", "Швајцарска"]),
        ("ru", ["Австрия", "Йемен", "Япония"]),
        ("el", ["Άγιος Μαρίνος", "Αίγυπτος", "Ωμάν"]),
        ("fa", ["آلمان", "ایران", "پاکستان", "چین", "کانادا", "گرجستان", "یمن"]),
        ("fa-AF", ["آلمان", "پاکستان", "تاجیکستان", "یمن"]),
        ("ar", ["إثيوبيا", "ألمانيا", "بلجيكا", "هولندا"]),
        ("th", ["กรีซ", "เกาหลีใต้", "ไทย", "ยูเครน", "เยอรมนี"]),
        ("ko", ["가나", "독일", "한국"]),
    ],
)
def test_names_are_sorted_by_the_alphabet_of_the_language(language: str, names: list[str]) -> None:
    assert sorted(names, key=lambda name: sort_key(name, language)) == names


@given(name=st.text(max_size=30), language=st.sampled_from([*ALPHABETS, "en", "xx", ""]))
def test_any_text_has_a_key_that_ignores_case(name: str, language: str) -> None:
    key = sort_key(name, language)
    if language != "tr":
        assert sort_key(name.casefold(), language) == key
