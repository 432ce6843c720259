"""Documentation, comments and sentences are plain English: no archaisms, no riddles, no metaphors of this project.

tests/unclear_words.toml lists the words with what to write instead. Spelling is codespell's part, in `make check`.
"""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from jinja2.lexer import Lexer
from jinja2.sandbox import SandboxedEnvironment

from tests.catalogues.extraction import sentences as sentences_of_the_site

ROOT = Path(__file__).resolve().parent.parent
LIST = tomllib.loads((ROOT / "tests/unclear_words.toml").read_text())
WORDS = [(re.compile(rf"(?<![\w-])(?:{word['pattern']})(?![\w-])", re.IGNORECASE), word) for word in LIST["word"]]
KEPT = {(kept["file"], kept["text"]): kept["reason"] for kept in LIST.get("kept", [])}
Prose = Iterator[tuple[int, str]]
"""Pieces of text, each with the number of its first line."""


def markdown(source: str) -> Prose:
    """Everything except code blocks."""
    yield 1, re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), source, flags=re.MULTILINE | re.DOTALL)


def python(source: str) -> Prose:
    """Comments, and strings that are statements: docstrings of modules, classes, functions and attributes."""
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def script(source: str) -> Prose:
    """The comments of JavaScript and CSS."""
    for comment in re.finditer(r"/\*.*?\*/|(?:^|\s)//[^\n]*", source, re.DOTALL):
        yield source.count("\n", 0, comment.start()) + 1, comment[0]


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []

    def handle_data(self, data: str) -> None:
        self.found.append((self.getpos()[0], data))

    def handle_comment(self, data: str) -> None:
        self.found.append((self.getpos()[0], data))


def template(source: str) -> Prose:
    """Text and comments without tags and expressions. Sentences inside `_()` are read from the translations."""
    lexer, html = Lexer(SandboxedEnvironment()), Text()
    for line, kind, text in lexer.tokeniter(source, None):
        if kind == "data":
            html.feed(text)
        else:
            html.feed("\n" * text.count("\n"))
        if kind == "comment":
            yield line, text
    html.close()
    yield from html.found


READERS: dict[str, Callable[[str], Prose]] = {
    "**/*.md": markdown,
    "webapp/**/*.py": python,
    "tests/**/*.py": python,
    "bench/**/*.py": python,
    "templates/**/*.html": template,
    "templates/**/*.txt": template,
    "static/js/*.js": script,
    "static/css/**/*.css": script,
}
NOT_OURS = re.compile(r"/\.|\.min\.js$|node_modules")


def unclear(line: int, text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the word found there, and what to write instead."""
    for pattern, word in WORDS:
        for match in pattern.finditer(text):
            yield line + text.count("\n", 0, match.start()), match[0], word["instead"]


def files(pattern: str) -> list[Path]:
    found = [path for path in sorted(ROOT.glob(pattern)) if not NOT_OURS.search(f"/{path.relative_to(ROOT)}")]
    assert found, f"{pattern} finds no file"
    return found


@pytest.mark.parametrize("pattern", READERS)
def test_prose_is_plain(pattern: str) -> None:
    found = []
    for path in files(pattern):
        name, source = path.relative_to(ROOT).as_posix(), path.read_text()
        for start, text in READERS[pattern](source):
            for line, written, instead in unclear(start, text):
                if (name, written.lower()) not in KEPT:
                    found.append(f"{name}:{line} {written!r}: write {instead}")
    assert not found, "\n" + "\n".join(found)


def test_sentences_are_plain() -> None:
    found = [
        f"{one.file}:{one.line} {written!r} in {text!r}: write {instead}"
        for one in sentences_of_the_site()
        for text in one.texts
        for _, written, instead in unclear(one.line, text)
        if (one.file, written.lower()) not in KEPT
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_recorded_exception_is_still_used() -> None:
    for (file, text), reason in KEPT.items():
        assert reason
        assert re.search(rf"(?<!\w){re.escape(text)}(?!\w)", (ROOT / file).read_text(), re.IGNORECASE), (file, text)


@pytest.mark.parametrize(
    ("reader", "source", "lines"),
    [
        (markdown, "Whoever.\n```\nwhoever\n```\nwhoever", [1, 5]),
        (python, '"""Whoever."""\nx = "whoever"  # whoever\ny = 1\n"""Of y: whoever."""\n', [1, 2, 4]),
        (script, "/* a\n whoever */\nlet whoever = 'https://whoever'; // whoever", [2, 3]),
        (template, '{# whoever #}\n<p class="whoever">\n{{ whoever }}\nWhoever</p><!-- whoever -->', [1, 4, 4]),
    ],
)
def test_an_unclear_word_is_found_in_prose_only(reader: Callable[[str], Prose], source: str, lines: list[int]) -> None:
    found = [line for start, text in reader(source) for line, written, _ in unclear(start, text) if written]
    assert sorted(found) == lines


def test_parts_of_words_are_not_matched() -> None:
    assert not list(unclear(1, "indeed, warehouse, outdoors, upheld, household"))
