"""`python -m tests.catalogues LOCALE`: prints the mistakes in the catalogue of a language, and exits with 1 for any."""

from __future__ import annotations

import argparse
import sys

from .checks import check, summary
from .update import first_of, forms, locales, path_of

SHOWN = 20
"""More sentences that are missing are counted only."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.catalogues", description=__doc__)
    parser.add_argument("locale", choices=locales(), metavar="LOCALE")
    parser.add_argument("--missing", type=int, default=SHOWN, help="how many missing sentences are listed")
    parser.add_argument("--only", help="the name of one check")
    arguments = parser.parse_args()
    problems = check(arguments.locale)
    missing = 0
    for problem in problems:
        if arguments.only and problem.check != arguments.only:
            continue
        missing += problem.check == "missing"
        if problem.check == "missing" and missing > arguments.missing:
            continue
        message = problem.message
        if message is None:
            print(f"{problem.check}: {problem.text}")
            continue
        context = f"[{message.context}] " if message.context else ""
        print(f"{path_of(arguments.locale).name}:{message.lineno}: {problem.check}: {problem.text}")
        print(f"    {context}{first_of(message)}")
        if problem.check != "missing":
            print(*(f"    {text}" for text in forms(message)), sep="\n")
    print(f"{arguments.locale}: {summary(problems) or 'no mistake was found'}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
