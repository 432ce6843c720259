"""The rules of docs/architecture.md that import-linter cannot see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest
from jinja2.lexer import Lexer
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).resolve().parent.parent
WEBAPP = ROOT / "webapp"
TEMPLATES = ROOT / "templates"
MODULES = sorted(WEBAPP.rglob("*.py"))
HTML = sorted(TEMPLATES.rglob("*.html"))

LONGEST_MODULE = 300
LONGEST_BOOTSTRAP = 150
LONGEST_SCREEN = 40
NO_SCREENS = {"layouts", "parts", "email", "sms"}

LAYOUTS = {"desktop", "mobile", "DESKTOP", "MOBILE"}
MAY_NAME_A_LAYOUT = {
    "webapp/web/layouts.py",  # the copy table, and where the two are mounted
    "webapp/settings/__init__.py",  # NIGHTLATCH_MOBILE_SUBDOMAIN
}

HOST_SETTINGS = {"mobile_host", "mobile_url"}  # of `Settings`, read where the site is wired

CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "os.urandom"}
RANDOMNESS = {"random", "secrets"}
PRIVATE_NAMES = {  # of libraries, as docs/decisions/private-names.md explains
    ("webapp/adapters/smtp.py", "_get_socket"),
    ("webapp/adapters/vonage_client.py", "_session"),
    ("webapp/adapters/single_send.py", "_new_conn"),
}
DOCUMENTED = {"_get_current_object", "_asdict"}  # werkzeug.local.LocalProxy, typing.NamedTuple

MAY_USE_RANDOMNESS = {"webapp/keys.py"}  # generates the keys of a new site, before an application exists

METHODS = {
    path.stem.replace("_", "-"): path
    for path in sorted((WEBAPP / "methods").glob("*.py"))
    if path.stem not in ("__init__", "catalogue")
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), name(path))


def prose(module: ast.Module) -> set[int]:
    """The ids of the strings that are statements: docstrings of modules, functions and attributes."""
    return {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}


def literals(module: ast.Module) -> Iterator[tuple[int, str]]:
    skipped = prose(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def identifiers(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        for field in ("id", "attr", "arg", "name", "module", "asname"):
            word = getattr(node, field, None)
            if isinstance(word, str):
                yield getattr(node, "lineno", 0), word


def names_a_layout(text: str) -> bool:
    """True for desktop.home, mobile_url or MOBILE; false for a sentence with the word, and for Sec-CH-UA-Mobile."""
    return bool(re.fullmatch(r"[\w./-]+", text)) and not LAYOUTS.isdisjoint(re.split(r"[./_-]", text))


def private_names(path: Path) -> Iterator[str]:
    """Private names used of objects other than self, and overrides of private functions of a library's class."""
    module = tree(path)
    own = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=word):
                yield word
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                pass
            case ast.Attribute(attr=word) if word not in own:
                yield word
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(word)), *_]):
                yield word
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for kind in vars(import_module(dotted)).values():
        if isinstance(kind, type) and kind.__module__ == dotted:
            theirs = [base for base in kind.__mro__[1:] if not base.__module__.startswith("webapp")]
            yield from (
                w
                for w, what in vars(kind).items()
                if isinstance(what, FunctionType) and any(hasattr(b, w) for b in theirs)
            )


def within(path: Path, *folders: str) -> bool:
    return any(path.is_relative_to(ROOT / folder) for folder in folders)


def test_no_module_is_too_long() -> None:
    long = {name(path): lines for path in MODULES if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE}
    assert not long


def test_bootstrap_is_one_short_list() -> None:
    assert len((WEBAPP / "bootstrap.py").read_text().splitlines()) <= LONGEST_BOOTSTRAP


def test_no_screen_template_is_too_long() -> None:
    screens = [path for path in HTML if path.relative_to(TEMPLATES).parts[0] not in NO_SCREENS]
    long = {name(path): lines for path in screens if (lines := len(path.read_text().splitlines())) > LONGEST_SCREEN}
    assert not long


def test_private_names_of_libraries_have_a_decision_record() -> None:
    found = {
        (name(path), word)
        for path in MODULES
        for word in private_names(path)
        if re.match("_[^_]", word) and word not in DOCUMENTED
    }
    assert found == PRIVATE_NAMES


def test_only_render_reads_the_headers_of_htmx() -> None:
    readers = {name(path) for path in [*MODULES, *HTML] if "HX-" in path.read_text()}
    assert readers <= {"webapp/web/render.py"}


def test_only_the_layouts_name_a_layout_in_python() -> None:
    found = [
        f"{name(path)}:{line} {word}"
        for path in MODULES
        if name(path) not in MAY_NAME_A_LAYOUT
        for words in (literals, identifiers)
        for line, word in words(tree(path))
        if names_a_layout(word) and word not in HOST_SETTINGS
    ]
    assert not found


def test_only_the_layouts_name_a_layout_in_templates() -> None:
    lexer = Lexer(SandboxedEnvironment())
    found = []
    for path in HTML:
        if within(path, "templates/layouts"):
            continue
        for line, kind, text in lexer.tokeniter(path.read_text(), name(path)):
            if kind == "data":
                words = re.findall(r"""\s(?:class|id|data-[\w-]+)=["']([^"']*)""", text)
                words = [word for value in words for word in value.split()]
            elif kind in ("name", "string"):
                words = [text.strip("'\"")]
            else:
                words = []
            found += [f"{name(path)}:{line} {word}" for word in words if names_a_layout(word)]
    assert not found


def test_time_and_randomness_come_from_the_adapters() -> None:
    found = []
    for path in MODULES:
        if within(path, "webapp/adapters"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute):
                used = {f"{ast.unparse(node.value).rpartition('.')[2]}.{node.attr}"} & CLOCKS
            elif isinstance(node, ast.ImportFrom):
                used = {f"{node.module}.{alias.name}" for alias in node.names} & CLOCKS
                used |= {node.module} & RANDOMNESS if not node.level else set()
            elif isinstance(node, ast.Import):
                used = {alias.name for alias in node.names} & RANDOMNESS
            else:
                used = set()
            if name(path) in MAY_USE_RANDOMNESS:
                used -= RANDOMNESS
            found += [f"{name(path)}:{node.lineno} {word}" for word in used]
    assert not found


def test_files_are_read_as_utf8_whatever_the_locale_of_the_machine() -> None:
    """With LANG=de_DE, which is ISO 8859-1, style sheets and the names of security keys were read as that."""
    assert not [path.name for path in MODULES if ".read_text()" in path.read_text("utf-8")]


def test_there_are_methods() -> None:
    assert METHODS


@pytest.mark.parametrize("slug", METHODS)
def test_a_method_is_named_in_its_own_file_only(slug: str) -> None:
    """The catalogue imports it, and its templates and the tests name it; routes, services and layouts do not."""
    assert any(slug == word for _, word in literals(tree(METHODS[slug]))), "its slug is its file's name"
    named = re.compile(rf"(?<![\w-]){slug}(?![\w-])")
    found = [
        f"{name(path)}:{line} {word}"
        for path in MODULES
        if path not in (METHODS[slug], WEBAPP / "methods" / "catalogue.py")
        for line, word in literals(tree(path))
        if named.search(word)
    ]
    scripts = [*(ROOT / "static/js").glob("*.js"), *(ROOT / "static/css").glob("*.css")]
    found += [name(path) for path in scripts if named.search(path.read_text())]
    assert not found
