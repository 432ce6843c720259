"""Every sentence reaches the translators complete: Babel can extract it, and it is the same at run time."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS: dict[str, Any] = {"_": None, "_l": None, "gettext": None, "lazy": None, "ngettext": (1, 2)}
PLURALS = {"ngettext": 2}
JINJA = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)


GLOSSARIES = ROOT / "webapp" / "translations" / "glossary"
DECIDED = (
    *("language", "address", "buttons", "headings", "quotation marks", "punctuation", "plurals", "not translated"),
    *("made", "sources"),
)
"""What the first lines of each glossary say."""


def extracted() -> list[tuple[str, int, tuple[str, ...]]]:
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    options = {mapping.pop("pattern"): {key: str(value) for key, value in mapping.items()} for mapping in mappings}
    found = extract_from_dir(str(ROOT), methods, options, keywords=KEYWORDS)
    return [
        (file, line, (sentence,) if isinstance(sentence, str) else sentence) for file, line, sentence, _, _ in found
    ]


def computed_in_python(source: str) -> Iterator[int]:
    """The lines where a sentence is formatted before it is looked up, so that translators never see it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in KEYWORDS and any(
                isinstance(argument, (ast.JoinedStr, ast.BinOp))
                or (isinstance(argument, ast.Call) and getattr(argument.func, "attr", "") == "format")
                for argument in node.args[: PLURALS.get(function, 1)]
            ):
                yield node.lineno


def computed_in_jinja(source: str) -> Iterator[int]:
    """The same in templates; also a sentence that a template stores in a variable, which Babel cannot extract."""
    for call in JINJA.parse(source).find_all(nodes.Call):
        function = getattr(call.node, "name", "")
        if function in KEYWORDS and not all(
            isinstance(argument, nodes.Const) for argument in call.args[: PLURALS.get(function, 1)]
        ):
            yield call.lineno


def test_sentences_are_extracted_without_stray_spaces() -> None:
    sentences = extracted()
    assert {file.partition("/")[0] for file, _, _ in sentences} == {"webapp", "templates"}
    stray = [(file, line, text) for file, line, texts in sentences for text in texts if text != text.strip()]
    assert not stray


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


@pytest.mark.parametrize("source", ['_(f"Hello {name}")', '_("Hello %s" % name)', 'gettext("{}".format(name))'])
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
