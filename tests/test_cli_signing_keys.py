"""The commands about the keys that sign the tokens for apps."""

from __future__ import annotations

import re

from tests.conftest import Site


def test_keys_are_rotated_once_a_day_or_at_once_and_listed(site: Site) -> None:
    run = site.app.test_cli_runner().invoke
    assert run(args=["signing-keys", "rotate"]).output == "The next keys sign from 2027-01-16 08:00 UTC.\n"
    refused = run(args=["signing-keys", "rotate"])
    assert refused.exit_code == 1
    assert refused.output == (
        "Error: The keys were rotated within a day; the newest sign from 2027-01-16 08:00 UTC."
        " Use --now to rotate all the same, or --withdraw if a key may be known to others.\n"
    )
    assert run(args=["signing-keys", "rotate", "--now"]).output == "The next keys sign from 2027-01-15 08:00 UTC.\n"
    listed = run(args=["signing-keys", "list"]).output
    states = re.findall(r"^[A-Za-z0-9_-]{43} (\S+ \S+ from .*)$", listed, re.MULTILINE)
    assert states == [
        "RS256 present from 2027-01-15 08:00 UTC",
        "ES256 present from 2027-01-15 08:00 UTC",
        "RS256 previous from 2027-01-15 08:00 UTC until 2027-01-15 08:00 UTC",
        "ES256 previous from 2027-01-15 08:00 UTC until 2027-01-15 08:00 UTC",
    ]
    withdrawn = run(args=["signing-keys", "rotate", "--withdraw"])
    assert withdrawn.output == "The next keys sign from 2027-01-15 08:00 UTC.\n"
    assert run(args=["signing-keys", "list"]).output.count("\n") == 2, "no earlier key is listed"
