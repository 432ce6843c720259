"""Mutates each line of some modules by the operators of Cosmic Ray, and says which share of the mutants tests notice.

`python -m tests.mutation.generated` takes every module of modules.tsv, `... path_rules 40` those whose path contains
the word, and at most 40 mutants of each, chosen at random. Like `python -m tests.mutation` it works in a copy.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from difflib import unified_diff
from importlib.util import cache_from_source
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

from tests.mutation.__main__ import NOTICED, SURVIVED, copy_tree, preload, run, say

MODULES = Path(__file__).with_name("modules.tsv")
"""A module in each line, and the tests that must notice its mutants (arguments of pytest)."""
COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot", "IsNot_Is")
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{name}" for name in COMPARISONS),
    *(
        "core/ReplaceBinaryOperator_Add_Sub",
        "core/ReplaceBinaryOperator_Sub_Add",
        "core/ReplaceUnaryOperator_Delete_Not",
    ),
    *("core/AddNot", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd", "core/ReplaceTrueWithFalse"),
    *("core/ReplaceFalseWithTrue", "core/NumberReplacer", "core/ZeroIterationForLoop", "core/ReplaceBreakWithContinue"),
    *("core/ReplaceContinueWithBreak", "core/ExceptionReplacer"),
)
"""Those whose mutants are rarely the same program: none changes the | of a type."""
TARGET = 0.85


def mutants(text: str) -> Iterator[str]:
    for name in OPERATORS:
        place = 0
        while (mutant := mutate_code(text, get_operator(name)(), place)) is not None:
            yield mutant
            place += 1


def changed_lines(before: str, after: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return " ".join(line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---"))


def score(tree: Path, module: str, tests: list[str], most: int | None) -> float:
    """The share of the mutants that the tests notice."""
    path = tree / module
    before, compiled = path.read_text(), Path(cache_from_source(str(path)))
    status, output = run(tree, tests)
    if status != SURVIVED:
        raise ValueError(f"the tests of {module} fail without a mutant: {output[-2000:]}")
    # without its options a dataclass does the same
    every = sorted(mutant for mutant in set(mutants(before)) if "@dataclass" not in changed_lines(before, mutant))
    chosen = every if most is None else Random(module).sample(every, min(most, len(every)))
    noticed = 0
    for mutant in chosen:
        path.write_text(mutant)
        compiled.unlink(missing_ok=True)
        status, _ = run(tree, tests)
        noticed += status != SURVIVED
        if status == SURVIVED:
            say(f"  SURVIVED {module}: {changed_lines(before, mutant)}")
        elif status != NOTICED:
            say(f"  pytest ended with {status} {module}: {changed_lines(before, mutant)}")
    path.write_text(before)
    compiled.unlink(missing_ok=True)
    share = noticed / len(chosen) if chosen else 1.0
    say(f"{share:.0%} {module}: {noticed} of {len(chosen)} mutants noticed, of {len(every)}")
    return share


def main(words: list[str]) -> int:
    most = next((int(word) for word in words if word.isdigit()), None)
    names = [word for word in words if not word.isdigit()]
    listed = (line.split("\t") for line in MODULES.read_text().splitlines())
    preload()
    with TemporaryDirectory() as folder:
        copy_tree(Path(folder))
        scores = [
            score(Path(folder), module, shlex.split(tests), most)
            for module, tests in listed
            if all(name in module for name in names)
        ]
    return int(min(scores, default=0) < TARGET)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
