"""Contacts files of every version, complete or broken: readable numbers are read, and nothing raises."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain import vcards

NUMBER = "+44 7400 123456"


def read(*lines: str, end: str = "\r\n") -> vcards.Cards:
    return vcards.read("".join(line + end for line in lines).encode())


def card(*lines: str, version: str = "3.0") -> tuple[str, ...]:
    return ("BEGIN:VCARD", f"VERSION:{version}", "FN:Grace Hopper", *lines, "END:VCARD")


@pytest.mark.parametrize(
    "line",
    [
        f"TEL:{NUMBER}",
        f"tel;type=cell:{NUMBER}",
        f"TEL;TYPE=CELL,VOICE;PREF=1:{NUMBER}",
        f'TEL;TYPE="cell,voice":{NUMBER}',
        f"item1.TEL;type=pref:{NUMBER}",
        f"TEL;CELL;VOICE:{NUMBER}",
        f"TEL;X-ABLabel=Mobil: {NUMBER} ",
        "TEL;VALUE=uri;TYPE=cell:tel:+44%207400%20123456;ext=5",
        "TEL;CELL;ENCODING=QUOTED-PRINTABLE:=2B44 7400=20123456",
        "TEL;CELL;quoted-printable:=2B44 7400=20123456",
        "TEL;CELL;CHARSET=ISO-8859-1;ENCODING=quoted-printable:=2B44 7400=20123456",
        f"TEL;X-CUSTOM(CHARSET=UTF-8,ENCODING=QUOTED-PRINTABLE,=42=C3=BC=72=6F=20=32):{NUMBER}",
        f"TEL;X=a:b;c:{NUMBER}",
        f"TEL;=:{NUMBER}",
        f"TEL;CHARSET=rot13;QUOTED-PRINTABLE:{NUMBER}",
        "TEL;" + "A" * 5_000 + f":{NUMBER}",
    ],
)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"], ids=repr)
def test_a_number_is_read_in_every_form_of_the_property(line: str, end: str) -> None:
    found = read(*card(line), end=end)
    assert ([number.removeprefix("tel:") for number in found.numbers], found.unread) == ([NUMBER], 0)


def test_folded_lines_are_joined() -> None:
    assert read(*card("TEL;TYPE=CE", " LL:+44 7400", "\t 123456")).numbers == [NUMBER]
    soft = card(
        "NOTE;ENCODING=QUOTED-PRINTABLE:one=", "TEL:two", "TEL;ENCODING=QUOTED-PRINTABLE:=2B44 7400=", " 123456"
    )
    assert read(*soft).numbers == [NUMBER]
    assert read(*card("TEL;ENCODING=QUOTED-PRINTABLE:=2B44 7400=", " 12=", "3456")).numbers == [NUMBER]


@pytest.mark.parametrize(
    "before",
    [("PHOTO;ENCODING=BASE64:iVBORw0KGgo=",), ("NOTE;ENCODING=QUOTED-PRINTABLE:one=", ""), ("NOTE:one", " ")],
    ids=["an equals sign of base64", "an empty line", "a blank line"],
)
def test_a_line_that_nothing_continues_ends_there(before: tuple[str, ...]) -> None:
    assert read(*card(*before, f"TEL:{NUMBER}")) == vcards.Cards([NUMBER], 0)


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_several_cards_with_several_numbers_each_are_all_read(version: str) -> None:
    cards = (*card("TEL:1", "EMAIL:g@example.org", "TEL:2", version=version), *card("TEL:3", version=version))
    assert read(*cards) == vcards.Cards(["1", "2", "3"], 0)


def test_broken_cards_do_not_affect_the_others_and_only_telephone_lines_are_counted() -> None:
    lines = ["BEGIN:VCARD", "TEL:1", "nonsense", "BEGIN:VCARD", "END:VEVENT", "TEL:2", "END:VCARD", ":", "TEL:"]
    assert read(*lines, "TEL:4", "TEL;CHARSET=x;QUOTED-PRINTABLE:6") == vcards.Cards(["1", "2", "4", "6"], 1)


def test_a_photo_that_is_not_indented_is_no_complaint() -> None:
    photo = ["PHOTO;TYPE=JPEG;ENCODING=BASE64:", *["/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgK"] * 20, ""]
    assert read(*card(*photo, f"TEL;CELL:{NUMBER}")) == vcards.Cards([NUMBER], 0)


@pytest.mark.parametrize(
    ("file", "is_list"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", False),
        (b"Dear diary,\nI met Grace today.", False),
        (b"begin:vcard\nFN:Grace\nend:vcard", True),
        (b"TEL:1", True),
        (b"", True),
    ],
)
def test_a_file_without_cards_and_telephone_lines_is_no_contact_list(file: bytes, is_list: bool) -> None:
    assert vcards.read(file).is_list is is_list


@pytest.mark.parametrize("file", [b"", b"\r\n\r\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_numbers(file: bytes) -> None:
    assert vcards.read(file) == vcards.Cards([], 0)


def test_numbers_are_read_in_every_character_encoding() -> None:
    text = "BEGIN:VCARD\r\nN:Müller\r\nTEL:123\r\nEND:VCARD\r\n"
    for table in ("utf-8", "utf-8-sig", "latin-1", "utf-16"):
        assert vcards.read(text.encode(table)) == vcards.Cards(["123"], 0), table


def test_a_line_with_a_null_byte_is_skipped_and_the_others_are_read() -> None:
    assert vcards.read(b"TEL:1\nTEL:2\0\nN\0:x\nTEL:3\n") == vcards.Cards(["1", "3"], 1)


@pytest.mark.parametrize(
    "line",
    [
        "TEL;X=" + "1," * 30_000,
        "TEL" + ";X=" * 20_000,
        "TEL;X=" + '"",' * 20_000 + ":1",
        "TEL:" + "1" * 60_000,
        "TEL;" + "A" * 60_000 + ":1",
        "\n ".join(["TEL:", *["="] * 20_000]),
        "\n ".join(["TEL;QUOTED-PRINTABLE:=", *["="] * 20_000]),
        "\n".join(["TEL:1"] * 10_000),
        '"' * 60_000,
        "a." * 30_000,
        "TEL;QUOTED-PRINTABLE:" + "=\n" * 500_000,
        "TEL;QUOTED-PRINTABLE:" + "quoted-printable=\n" * 60_000,
        "NOTE:" + "\n a" * 340_000,
    ],
    ids=lambda line: line[:12],
)
def test_no_file_takes_long_to_read(line: str) -> None:
    """The last ones are as large as an upload may be."""
    began = time.thread_time()
    read(*card(line))
    assert time.thread_time() - began < 2


def test_no_content_of_a_file_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        read("TEL:+447400123456", "+447400123456", "TEL;CHARSET=x;QUOTED-PRINTABLE:+447400123456")
    assert caplog.records == []


KEYWORDS = (
    "TEL item1. BEGIN:VCARD END:VCARD VERSION:2.1 ENCODING= QUOTED-PRINTABLE quoted-printable CHARSET= =2B44 tel:+44"
)
TABLES = "utf-16 idna hex unicode_escape punycode b +447400123456 %2B %"
MARKS = (
    ";",
    ":",
    "=",
    ",",
    '"',
    "\\",
    "\r\n",
    "\n",
    "\r",
    "=\r\n",
    " ",
    "\t",
    "\0",
    "\x85",
    "\u2028",
    "\x1c",
    "ü",
    "\ufeff",
)
PIECES = st.sampled_from([*KEYWORDS.split(), *TABLES.split(), *MARKS])


@given(file=st.binary(max_size=300))
def test_no_bytes_raise(file: bytes) -> None:
    vcards.read(file)


@given(pieces=st.lists(PIECES, max_size=40), table=st.sampled_from(["utf-8", "utf-16", "latin-1"]))
def test_nothing_in_the_shape_of_a_card_raises(pieces: list[str], table: str) -> None:
    found = vcards.read("".join(pieces).encode(table, "replace"))
    assert all(number for number in found.numbers)
