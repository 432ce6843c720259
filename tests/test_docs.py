"""Files and link targets that the documentation names exist, and each target of the Makefile is defined once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_prose import markdown

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
FOLDERS = ("webapp/", "tests/", "docs/", "templates/", "static/", "bench/", "deploy/", "migrations/", ".ci/")
FILE = re.compile(r"[\w.-]+(/[\w.-]+)+\.(py|html|txt|css|js|md|toml)")
ABOVE = (ROOT, ROOT / "webapp", ROOT / "static", ROOT / "docs")
"""The folders in which a path of a page may begin."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
EXAMPLES = {
    "webapp/web/pages/data.py",
    "templates/settings/data.html",
    "webapp/methods/emailed_code.py",
    "templates/enrollment/emailed-code/code.html",
    "templates/help/methods/emailed-code.html",
    "templates/email/emailed-code/",
}
"""Files that docs/how-to/add-a-page.md and add-a-method.md tell their reader to write."""
NOT_OURS = re.compile(r"NAME|your[_-]method|^instance/|^\.")
"""Examples, files that a running site writes, and imports of JavaScript."""


def named_files(text: str) -> Iterator[str]:
    """Paths in backquotes: in a folder of the repository, or of a file. What follows a colon or a space is no path."""
    for code in re.findall(r"`([^`\n]+)`", text):
        path = re.split(r"[:\s]", code)[0]
        is_path = path.startswith(FOLDERS) or FILE.fullmatch(path)
        if is_path and path not in EXAMPLES and not NOT_OURS.search(path):
            yield path


def exists(path: str) -> bool:
    return any(list(folder.glob(path.rstrip("/"))) for folder in ABOVE)


def anchors(text: str) -> set[str]:
    """The anchors that the headings of a page get."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def text_of(page: Path) -> str:
    return "".join(text for _, text in markdown(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_names_exist(page: Path) -> None:
    missing = [path for path in named_files(text_of(page)) if not exists(path)]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_targets_of_links_exist(page: Path) -> None:
    dead = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            dead.append(link)
    assert not dead


def targets(makefile: str) -> list[str]:
    """What its rules make, as it is written; of two rules for one target, make runs the second only."""
    rules = re.findall(r"^([^\s#:=][^:=\n]*):(?!=)", makefile, re.MULTILINE)
    return [target for rule in rules for target in rule.split() if target != ".PHONY"]


def test_no_target_of_the_makefile_is_defined_twice() -> None:
    found = targets((ROOT / "Makefile").read_text())
    assert {"test", "test-apps", "$(DEV)"} <= set(found)
    assert len(found) == len(set(found))
    assert targets("a: b\n\tc: d\nA := b\na c:  ## e\n") == ["a", "a", "c"]


def test_a_path_in_backquotes_is_found() -> None:
    text = (
        "`webapp/no.py: name`, `models/no.py`, `webapp/web/pages/data.py`, `docs/how-to/`, `Sessions.find`, `/healthz`"
    )
    assert list(named_files(text)) == ["webapp/no.py", "models/no.py", "docs/how-to/"]
    assert not exists("webapp/no.py")
    assert exists("models/base.py")
