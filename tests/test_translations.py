"""Every sentence reaches the translators complete: Babel can extract it, and it is the same at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests.catalogues.extraction import KEYWORDS, ROOT, TEMPLATE, TRANSLATIONS, Notes, sentences
from tests.catalogues.update import text_of, update_template

LITERAL = {"ngettext": 2, "pgettext": 2, "lazy_pgettext": 2, "npgettext": 3}
"""How many arguments are looked up; one, where a function is not named."""
JINJA = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


GLOSSARIES = TRANSLATIONS / "glossary"
DECIDED = (
    *("language", "address", "buttons", "headings", "quotation marks", "punctuation", "plurals", "not translated"),
    *("made", "sources"),
)
"""What the first lines of each glossary say."""


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def computed_in_python(source: str) -> Iterator[int]:
    """The lines where a sentence is formatted before it is looked up, or is inside an f-string, where Babel finds none:
    translators would never see it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield from (
                part.lineno for part in ast.walk(node) if isinstance(part, ast.Call) and called(part) in KEYWORDS
            )
        if isinstance(node, ast.Call):
            function = called(node)
            if function in KEYWORDS and any(
                isinstance(argument, (ast.JoinedStr, ast.BinOp))
                or (isinstance(argument, ast.Call) and getattr(argument.func, "attr", "") == "format")
                for argument in node.args[: LITERAL.get(function, 1)]
            ):
                yield node.lineno


def computed_in_jinja(source: str) -> Iterator[int]:
    """The same in templates; also a sentence that a template stores in a variable, which Babel cannot extract."""
    for call in JINJA.parse(source).find_all(nodes.Call):
        function = getattr(call.node, "name", "")
        if function in KEYWORDS and not all(
            isinstance(argument, nodes.Const) for argument in call.args[: LITERAL.get(function, 1)]
        ):
            yield call.lineno


def test_sentences_are_extracted_without_stray_spaces() -> None:
    found = list(sentences())
    assert {one.file.partition("/")[0] for one in found} == {"webapp", "templates"}
    assert not [(one.file, one.line, text) for one in found for text in one.texts if text != text.strip()]


def test_the_template_has_the_sentences_of_today() -> None:
    before = TEMPLATE.read_bytes()
    try:
        assert text_of(update_template()) == before, "run make translations"
    finally:
        TEMPLATE.write_bytes(before)


def test_each_note_is_of_a_sentence() -> None:
    notes, found = Notes(), list(sentences())
    texts = {text for one in found for text in one.texts}
    assert not notes.labels.keys() - texts
    used = {notes.row(name, one.texts[0]) for one in found for name in one.placeholders}
    assert used == set(range(len(notes.placeholders)))


def test_no_sentence_is_formatted_before_it_is_looked_up() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder, pattern, computed in (
            ("webapp", "*.py", computed_in_python),
            ("templates", "*.html", computed_in_jinja),
            ("templates", "*.txt", computed_in_jinja),
        )
        for path in sorted((ROOT / folder).rglob(pattern))
        for line in computed(path.read_text())
    ]
    assert not found


@pytest.mark.parametrize(
    "source", ['_(f"Hello {name}")', '_("Hello %s" % name)', 'gettext("{}".format(name))', """f"{_('Hello')}!\""""]
)
def test_a_sentence_formatted_in_python_is_found(source: str) -> None:
    assert list(computed_in_python(source)) == [1]


@pytest.mark.parametrize("source", ['{{ _("Hello " ~ name) }}', '{{ _("Hello %s" % name) }}', "{{ _(heading) }}"])
def test_a_sentence_formatted_in_a_template_is_found(source: str) -> None:
    assert list(computed_in_jinja(source)) == [1]


@pytest.mark.parametrize("path", sorted(GLOSSARIES.glob("*.tsv")), ids=lambda path: path.stem)
def test_each_glossary_translates_every_term_once(path: Path) -> None:
    terms = [line.split("\t") for line in (GLOSSARIES / "en.tsv").read_text().splitlines()][1:]
    if path.stem == "en":
        assert all(len(term) == 3 for term in terms)
        return
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    columns, *rows = (line.split("\t") for line in lines[len(head) :])
    assert [line.removeprefix("# ").partition(": ")[0] for line in head] == list(DECIDED)
    assert columns == ["english", "part", "translation", "forbidden", "note"]
    assert [row[:2] for row in rows] == [term[:2] for term in terms]
    assert all(len(row) == 5 and row[2] and row[2] not in row[3].split(" | ") for row in rows)
