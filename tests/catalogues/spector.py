"""Runs i18nspector over the catalogues, where it is installed: it is a package of Debian and not of PyPI.

`python -m tests.catalogues.spector` prints what it finds and exits with 1, or says that it is not installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from .extraction import TEMPLATE
from .update import locales, path_of

ACCEPTED = {
    "no-report-msgid-bugs-to-header-field": "the site has no address for reports",
    "no-plural-forms-header-field": "the template has no language",
    "no-language-header-field": "the template has no language",
    "invalid-last-translator": "a language model has no address",
    "invalid-language": "zh_Hans and zh_Hant, which it does not know",
    "unable-to-determine-language": "the same",
    "unusual-plural-forms": "CLDR has other forms for some languages than its table",
    "python-format-string-missing-argument": "the form for one thing may leave out the number",
    "One thing needs your attention.": "its form for 1, 21 and 31 has the number",
}


def found() -> list[str]:
    files = [TEMPLATE, *map(path_of, locales())]
    said = subprocess.run(["i18nspector", "--jobs=2", *map(str, files)], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    return [line for line in lines if not any(tag in line for tag in ACCEPTED)]


def main() -> None:
    if shutil.which("i18nspector") is None:
        print("i18nspector is not installed, so its checks are left out; on Debian: apt-get install i18nspector")
        return
    problems = found()
    print(*problems, sep="\n", end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
