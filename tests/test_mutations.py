"""The list of mutations fits the code: each changes one line that is there, and names tests that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.__main__ import LIST, Mutation, main, mutated, read_list

ROOT = Path(__file__).resolve().parent.parent
EVERY = read_list(LIST.read_text("utf-8"))


@pytest.mark.parametrize("file", sorted({one.file for one in EVERY}))
def test_the_lines_to_change_are_in_the_file(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    for mutation in (one for one in EVERY if one.file == file):
        try:
            mutated(text, mutation)
        except (ValueError, SyntaxError) as error:
            pytest.fail(f"{error}: {mutation}")


def test_the_named_tests_are_there() -> None:
    named = {word for one in EVERY for word in one.tests if word.startswith("tests/")}
    assert named
    assert not [name for name in sorted(named) if not (ROOT / name.partition("::")[0]).exists()]
    assert not [str(one) for one in EVERY if not one.tests]


def test_a_line_that_is_not_there_or_there_twice_is_reported() -> None:
    for old in ("gone = 1", "twice = 1"):
        with pytest.raises(ValueError, match="the line is there"):
            mutated("twice = 1\ntwice = 1\n", Mutation("a.py", old=old, new="pass"))


def test_a_word_that_no_mutation_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 2
    assert "No mutation has all of these words: --help" in capsys.readouterr().out
