"""Says which share of the core's mutants the tests notice, by a random sample of them.

`python -m tests.mutation.generated 400` mutates webapp/domain, methods and services by the operators of Cosmic Ray, in
400 places chosen at random; `... 40 path_rules` in 40 places of the modules whose path contains the word; without a
number in all. `--seed=7` draws the sample of that number again. Like `python -m tests.mutation` it works in a copy.
Ctrl+C ends it early, with the score of what was tried until then: in a random order, that is a sample too.

A mutant is given the tests that execute its line, in the order of how few lines each executes, until that is
`MOST_LINES`. Which do is recorded by a first run of the tests without a browser, in `RECORD`; `--record` does it anew,
which is needed after changes. What these tests do not notice counts as survived, so the score is a lower bound. Noticed
is also what cannot be imported or never ends; a test that fails without the mutant too notices nothing.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import unified_diff
from functools import cached_property
from importlib.util import cache_from_source
from itertools import zip_longest
from math import sqrt
from pathlib import Path
from random import Random, randrange
from tempfile import TemporaryDirectory

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from coverage import CoverageData

from tests.mutation.__main__ import NO_TESTS, NOTICED, ROOT, SURVIVED, TIMED_OUT, copy_tree, preload, run, say

CORE = ("webapp/domain", "webapp/methods", "webapp/services")
RECORD = ROOT / ".coverage-by-test"
TESTS = (
    *("adapters", "attacks", "domain", "enrollment", "journeys", "methods", "models", "openid", "services", "toys"),
    *("web", "test_cli.py", "test_cli_apps.py", "test_cli_signing_keys.py", "test_cli_why.py", "test_policy.py"),
    *("test_settings.py", "test_locks.py", "test_one_segment.py", "test_app_guides.py"),
)
"""Those of which lines are counted: neither browsers nor server processes."""
MOST_LINES = 60_000
"""How many lines of the core the tests of one mutant execute, together: those of 100 to 600 tests."""
LINES_OF_A_TEST = 50
"""Added for each test, because the shortest takes time too."""
AT_ONCE = 40
"""How many tests are run again at once."""
IN_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where databases are, because each commit waits for the disk."""
SECONDS = 120
"""After that a mutant is stopped. It counts as noticed if its tests end in time without it."""
COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot", "IsNot_Is")
ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul", "Div_Mul", "Mod_Mul")
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISONS),
    *(f"core/ReplaceBinaryOperator_{name}" for name in ARITHMETIC),
    *("core/ReplaceUnaryOperator_Delete_Not", "core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd"),
    *("core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue", "core/NumberReplacer", "core/ZeroIterationForLoop"),
    *("core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak", "core/ExceptionReplacer"),
)
"""Those whose mutants are rarely the same program. None deletes a decorator, which almost any test notices."""
TARGET = 0.85


@dataclass(frozen=True)
class Mutant:
    module: str
    line: int
    operator: str
    place: int
    """How many places of the module the operator changes before this one."""

    def applied(self, text: str) -> str:
        """The text of the module with the one change. Raises `SyntaxError` when that is no Python: an operator takes
        the star of *names for a product."""
        changed = str(mutate_code(text, get_operator(self.operator)(), self.place))
        compile(changed, self.module, "exec")
        return changed


def is_same_program(node: ast.AST) -> Iterator[ast.expr | None]:
    """The parts of a statement whose mutants are the same program: types, which nothing reads when the site runs; the
    options of a dataclass, without which no right use of it changes; how many results a function keeps."""
    if isinstance(node, (ast.arg, ast.AnnAssign)):
        yield node.annotation
    elif isinstance(node, ast.FunctionDef):
        yield node.returns
        yield from (one for one in node.decorator_list if "lru_cache" in ast.unparse(one))
    elif isinstance(node, ast.ClassDef):
        yield from (one for one in node.decorator_list if "dataclass" in ast.unparse(one))
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        yield node.test


@dataclass
class Module:
    path: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    def mutants(self) -> Iterator[Mutant]:
        same = [part for node in ast.walk(self.tree) for part in is_same_program(node) if part]
        spans = [((one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)) for one in same]
        nodes = list(ast_nodes(get_ast(self.text)))
        for name in OPERATORS:
            operator = get_operator(name)()
            positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
            for place, position in enumerate(positions):
                if not any(start <= position < end for start, end in spans):
                    yield Mutant(self.path, position[0], name, place)

    def statement(self, line: int) -> ast.stmt:
        """The innermost that the line is in."""
        statements = [one for one in ast.walk(self.tree) if isinstance(one, ast.stmt)]
        return [one for one in statements if first_line(one) <= line <= (one.end_lineno or 0)][-1]


def first_line(statement: ast.stmt) -> int:
    return min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", []))])


def body_lines(statement: ast.stmt) -> range:
    """Those of what it does under its condition, for each or when it is called; none of a simple statement."""
    body = getattr(statement, "body", None)
    after = (body[-1] if body else statement).end_lineno + 1
    return range(body[0].lineno if body else after, after)


class Record:
    """Which tests execute which lines of the core."""

    def __init__(self, modules: dict[str, Module]) -> None:
        self.modules = modules
        data = CoverageData(str(RECORD))
        data.read()
        self.tests: dict[str, dict[int, set[str]]] = {}
        self.executed = Counter[str]()
        for path in modules:
            by_line = data.contexts_by_lineno(str(ROOT / path))
            # a context is the id of a test and its phase, and empty for what runs when a module is imported
            lines = {line: {one.rpartition("|")[0] for one in contexts if one} for line, contexts in by_line.items()}
            self.tests[path] = lines
            for tests in lines.values():
                self.executed.update(tests)

    def of_lines(self, path: str, lines: Iterable[int]) -> set[str]:
        return {test for line in lines for test in self.tests[path].get(line, ())}

    def of(self, mutant: Mutant) -> list[str]:
        """The tests of the mutant, best first, until they execute `MOST_LINES`."""
        found = self.of_lines(mutant.module, [mutant.line]) or self._around(mutant)
        statement = self.modules[mutant.module].statement(mutant.line)
        inside = found & self.of_lines(mutant.module, body_lines(statement))
        by_turns = zip_longest(self._ranked(inside), self._ranked(found - inside))  # a condition has two outcomes
        chosen, lines = list[str](), 0
        for test in (test for turn in by_turns for test in turn if test):
            lines += self.executed[test] + LINES_OF_A_TEST
            if lines > MOST_LINES:
                break
            chosen.append(test)
        return chosen

    def _ranked(self, tests: set[str]) -> list[str]:
        """Those that execute few lines first. The tenth variant of a function counts as ten times its lines, because
        the others did nearly the same."""
        variants = Counter[str]()
        ranked = []
        for test in sorted(tests, key=lambda test: (self.executed[test], test)):
            variants[function := test.partition("[")[0]] += 1
            ranked.append(((self.executed[test] + LINES_OF_A_TEST) * variants[function], test))
        return [test for _, test in sorted(ranked)]

    def _around(self, mutant: Mutant) -> set[str]:
        """Those of the whole statement; if it runs when the module is imported, those of lines that need what it
        defines."""
        module = self.modules[mutant.module]
        statement = module.statement(mutant.line)
        body = body_lines(statement)
        lines = range(first_line(statement), body.start if body else body.stop)
        if found := self.of_lines(module.path, lines):
            return found
        if isinstance(statement, ast.FunctionDef):
            return self.of_lines(module.path, body)
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        names = [one.id for one in targets if isinstance(one, ast.Name)]
        word = re.compile(rf"\b({'|'.join(names)})\b") if names else None
        for path, other in self.modules.items() if word else ():
            lines = [number for number, line in enumerate(other.text.splitlines(), 1) if word.search(line)]
            found |= self.of_lines(path, lines)
        return found or self.of_lines(module.path, self.tests[module.path])


def record() -> None:
    """Runs the tests and keeps which lines each executes. Raises `CalledProcessError` when one fails."""
    memory = {"PYTEST_DEBUG_TEMPROOT": str(IN_MEMORY)} if IN_MEMORY else {}
    options = ["-n2", "-q", "-m", "not no_cover", "--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{name}" for name in TESTS)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTLATCH_")}
    subprocess.run(command, cwd=ROOT, env={**kept, **memory, "COVERAGE_FILE": str(RECORD)}, check=True)


def sample(every: list[Mutant], modules: dict[str, Module], random: Random, most: int | None) -> list[Mutant]:
    """At most so many of them at random; those that are no Python are left out."""
    chosen = list[Mutant]()
    for mutant in random.sample(every, len(every)):
        with suppress(SyntaxError):
            mutant.applied(modules[mutant.module].text)
            chosen.append(mutant)
        if len(chosen) == most:
            break
    return chosen


def changed_lines(before: str, after: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return " ".join(line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---"))


def failures(output: str) -> set[str]:
    return set(re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", output, re.MULTILINE))


def tested(tree: Path, *arguments: str) -> tuple[int, str]:
    """The status and output of pytest in the copy, with temporary files that go before the next run."""
    return run(tree, ["-rfE", f"--basetemp={tree}.temporary", *arguments], SECONDS)


def attempt(tree: Path, mutant: Mutant, text: str, tests: list[str]) -> tuple[int, str]:
    """The status of the tests with the mutant in the copy, and their output."""
    path = tree / mutant.module
    compiled = Path(cache_from_source(str(path)))
    before = path.read_text()
    try:
        path.write_text(text)
        compiled.unlink(missing_ok=True)
        return tested(tree, *tests)
    finally:
        path.write_text(before)
        compiled.unlink(missing_ok=True)


def is_noticed(tree: Path, status: int, output: str, tests: list[str]) -> bool:
    """Whether the outcome is that of the mutant, and not of tests that cannot be chosen or take too long anyway."""
    if status == TIMED_OUT:
        return tested(tree, *tests)[0] != TIMED_OUT
    return status not in (SURVIVED, NO_TESTS) and "ERROR: not found: " not in output


def interval(noticed: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    z, share = 1.96, noticed / of
    middle = share + z * z / (2 * of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def say_score(name: str, outcomes: list[bool]) -> None:
    noticed, of = sum(outcomes), len(outcomes)
    low, high = interval(noticed, of)
    say(f"{name}: {noticed} of {of} noticed, {noticed / of:.1%} (95 % interval {low:.1%} to {high:.1%})")


def measured(chosen: list[Mutant], modules: dict[str, Module], known: Record) -> dict[Mutant, bool]:
    """Whether the tests notice each mutant. Says it of each meanwhile."""
    noticed: dict[Mutant, bool] = {}
    noticed_by: dict[str, list[Mutant]] = defaultdict(list)
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        tree = Path(folder, "tree")
        copy_tree(tree)
        with suppress(KeyboardInterrupt):
            for number, mutant in enumerate(chosen, 1):
                began = time.monotonic()
                before, tests = modules[mutant.module].text, known.of(mutant)
                text = mutant.applied(before)
                status, output = attempt(tree, mutant, text, tests) if tests else (SURVIVED, "")
                noticed[mutant] = is_noticed(tree, status, output, tests)
                for test in failures(output) if status == NOTICED else ():
                    noticed_by[test].append(mutant)
                word = f"noticed ({status})" if noticed[mutant] else f"SURVIVED {len(tests)} tests ({status})"
                place, took = f"{mutant.module}:{mutant.line}", time.monotonic() - began
                say(f"{number}/{len(chosen)} {took:.1f} s {word} {place}: {changed_lines(before, text)}")
        tests = list(noticed_by)
        for start in range(0, len(tests), AT_ONCE):
            for test in failures(tested(tree, "--maxfail=0", *tests[start : start + AT_ONCE])[1]):
                say(f"{test} fails without a mutant too, so it noticed none of {len(noticed_by[test])}")
                noticed.update(dict.fromkeys(noticed_by[test], False))
    return noticed


def main(words: list[str]) -> int:
    seed = next((int(word.partition("=")[2]) for word in words if word.startswith("--seed=")), randrange(10**6))
    most = next((int(word) for word in words if word.isdigit()), None)
    names = [word for word in words if not word.isdigit() and not word.startswith("--")]
    if "--record" in words or not RECORD.exists():
        record()
    paths = sorted(str(path.relative_to(ROOT)) for folder in CORE for path in (ROOT / folder).rglob("*.py"))
    modules = {path: Module(path) for path in paths}
    if newer := [path for path in paths if (ROOT / path).stat().st_mtime > RECORD.stat().st_mtime]:
        raise ValueError(f"these changed since {RECORD.name} was recorded, record it anew: {' '.join(newer)}")
    every = [one for path in paths if all(name in path for name in names) for one in modules[path].mutants()]
    chosen = sample(every, modules, Random(seed), most)
    say(f"{len(chosen)} of {len(every)} mutants, seed {seed}")
    preload()
    noticed = measured(chosen, modules, Record(modules))
    for part in CORE:
        if outcomes := [is_ for mutant, is_ in noticed.items() if mutant.module.startswith(part)]:
            say_score(part, outcomes)
    if noticed:
        say_score("all", list(noticed.values()))
    return int(sum(noticed.values()) < TARGET * len(noticed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
