"""Does what docs/how-to/connect-an-app.md tells an operator to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from flask import Flask

from tests.test_app_guides import CONNECT, facts

NOTHING: Mapping[str, str] = {}


def block(heading: str, language: str) -> str:
    """The only block of this language in the part of the guide under the heading."""
    part = CONNECT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    return str(found)


def follow(app: Flask, heading: str, language: str, *more: str, replaced: Mapping[str, str] = NOTHING) -> str:
    """Registers the app by the command of its part, and returns its configuration with id and secret.

    `more` are further options of the command. Each of the texts `replaced` is in the command or the configuration.
    """
    command, text = block(heading, "sh"), block(heading, language)
    for old, new in replaced.items():
        assert old in command + text, old
        command, text = command.replace(old, new), text.replace(old, new)
    result = app.test_cli_runner().invoke(args=[*shlex.split(command)[1:], *more])
    assert result.exit_code == 0, result.output
    made = facts(result.stdout)
    return text.replace("CLIENT_ID", made["client_id"]).replace("CLIENT_SECRET", made["client_secret"])
