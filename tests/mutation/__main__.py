"""Changes one line that security depends on at a time, and runs the tests that must notice it.

`python -m tests.mutation` runs every mutation of mutations.txt, `python -m tests.mutation sessions.py` those whose file
or lines contain a word. It takes some seconds for each, so it is no part of `make test`. Everything happens in a copy
of the tree; the tree itself is never changed. The status is 1 when a mutation without a note survives, or when a block
of the list no longer fits the code.
"""

from __future__ import annotations

import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutations.txt")
LIBRARIES = [
    *("alembic.command", "babel.core", "bs4", "cbor2", "cryptography.hazmat.primitives.asymmetric.ec", "flask"),
    *("flask_login", "flask_wtf", "htmx_flask", "hypothesis", "limits", "lxml.etree", "phonenumbers", "pyotp", "segno"),
    *("sqlalchemy.orm", "structlog", "webauthn", "whitenoise", "zxcvbn_rs_py"),
]
"""What the site and its tests import."""
POSTGRESQL = "NIGHTLATCH_TEST_POSTGRES_URL"
"""With this variable set, the tests run on PostgreSQL too."""
NOTICED, SURVIVED, NO_TESTS, FAILED = 1, 0, 5, 3  # statuses of pytest
TIMED_OUT = -signal.SIGALRM
MOST = 600
"""Seconds for the tests of one mutation, because some never end."""
MEMORY = 4 << 30
"""Bytes that a run may have, because some mutants never end and keep what they make."""


@dataclass
class Mutation:
    file: str
    after: str = ""
    """A part of an earlier line, where the old line is in the file more than once: the first one after it is meant."""
    old: str = ""
    new: str = ""
    tests: list[str] = field(default_factory=list)
    note: str = ""

    def __str__(self) -> str:
        return f"{self.file}\n  - {self.old}\n  + {self.new}"


def read_list(text: str) -> list[Mutation]:
    """The blocks of the list, which are separated by empty lines; lines that begin with # are comments."""
    mutations = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line and not line.startswith("#")]
        if not lines:
            continue
        mutation = Mutation(lines[0])
        for line in lines[1:]:
            sign, _, rest = line.partition(" ")
            if sign == "?":
                mutation.tests = shlex.split(rest)
            else:
                setattr(mutation, {"@": "after", "-": "old", "+": "new", "note:": "note"}[sign], rest)
        mutations.append(mutation)
    return mutations


def mutated(text: str, mutation: Mutation) -> str:
    """The text of the file with the one line changed. Raises `ValueError` when it is not known which line is meant."""
    lines = text.splitlines()
    start = next((place for place, line in enumerate(lines) if mutation.after in line), len(lines))
    places = [place for place, line in enumerate(lines) if line.strip() == mutation.old and place >= start]
    if not places or (len(places) > 1 and not mutation.after):
        raise ValueError(f"the line is there {len(places)} times")
    place = places[0]
    indentation = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indentation + mutation.new
    changed = "\n".join(lines) + "\n"
    compile(changed, mutation.file, "exec")  # a SyntaxError would be noticed by every test
    return changed


def copy_tree(to: Path) -> None:
    """Copies what git knows or would add, as it is in the tree, and the compiled catalogues."""
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, text=True)
    compiled = [str(path.relative_to(ROOT)) for path in ROOT.glob("webapp/translations/*/LC_MESSAGES/*.mo")]
    for name in [*listed.split("\0"), *compiled]:
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def preload() -> None:
    """Imports pytest, its plugins and the libraries once: each run is a fork of this process, which has them."""
    pytest.main(["--version", "-q"])
    for name in LIBRARIES:
        import_module(name)


def run(tree: Path, arguments: list[str], seconds: int = 0) -> tuple[int, str]:
    """The status and output of pytest in the copy, until the first failure; `TIMED_OUT` after the seconds, 0 is no
    limit."""
    with TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(output.fileno(), stream.fileno())
            ended = FAILED
            signal.alarm(seconds)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            try:
                ended = _in_child(tree, arguments)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(ended)  # nothing of the parent's is cleaned up here
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        return status, output.read().decode(errors="replace")


def _in_child(tree: Path, arguments: list[str]) -> int:
    for name in [name for name in os.environ if name.startswith("NIGHTLATCH_") and name != POSTGRESQL]:
        del os.environ[name]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "webapp")]:
        del sys.modules[name]  # they are to be those of the copy
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path and Path(path).resolve() != ROOT)]
    options = ["-n0", "-q", "-x", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    preloaded = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    status = int(pytest.main([*options, *preloaded, *arguments]))
    sys.stdout.flush()
    return status


def attempt(tree: Path, mutation: Mutation) -> str:
    """What became of the mutation, in a word or two; the file of the copy is restored in any case."""
    path = tree / mutation.file
    before = path.read_text()
    compiled = Path(cache_from_source(str(path)))
    try:
        path.write_text(mutated(before, mutation))
        compiled.unlink(missing_ok=True)
        status, output = run(tree, mutation.tests, seconds=MOST)
    except (ValueError, SyntaxError) as error:
        return f"STALE: {error}"
    finally:
        path.write_text(before)
        compiled.unlink(missing_ok=True)
    if status == NOTICED:
        return "noticed"
    if status == SURVIVED:
        return "survived, see its note" if mutation.note else "SURVIVED"
    return "STALE: no such test" if status == NO_TESTS else f"STALE: pytest ended with {status}\n{output[-2000:]}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    every = read_list(LIST.read_text())
    chosen = [one for one in every if all(word in f"{one.file} {one.old} {one.new}" for word in words)]
    if not chosen:
        say(f"{__doc__}\nNo mutation has all of these words: {' '.join(words)}")
        return 2
    wrong = 0
    preload()
    with TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for number, mutation in enumerate(chosen, 1):
            began = time.monotonic()
            outcome = attempt(tree, mutation)
            wrong += outcome.isupper() or outcome.startswith("STALE")
            say(f"{number}/{len(chosen)} {time.monotonic() - began:.1f} s {outcome}: {mutation}")
    say(f"{len(chosen)} mutations, {wrong} of them survived without a note or no longer fit the code.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
