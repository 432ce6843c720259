"""Kills processes of the site with SIGKILL at random moments of enrollments and log-ins, and looks at what they left.

`python -m tests.faults.killed DATABASE_URL FOLDER KILLS SEED` prints how far the killed processes had come. It is a
program, because processes are forked from one that has no threads. `tests/attacks/test_faults.py` runs it with few
kills, and `kills.py` with many.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from tests.conftest import Site
from tests.doubles import CheapHasher, FakeClock
from tests.people import Owner
from webapp import create_app
from webapp.models.migrate import migrate
from webapp.policy import HOUR
from webapp.settings import Settings

STEP = 30  # seconds of a TOTP time step (RFC 6238)
Fact = dict[str, str]

HALVES = {
    "a factor without a backup code, or the reverse": """
        SELECT count(*) FROM accounts WHERE (backup_code_hash IS NOT NULL)
        <> EXISTS (SELECT 1 FROM factors WHERE factors.account_id = accounts.id)""",
    "a factor without its event, or the reverse": """
        SELECT count(*) FROM accounts WHERE EXISTS (SELECT 1 FROM factors WHERE factors.account_id = accounts.id)
        <> EXISTS (SELECT 1 FROM activity WHERE activity.account_id = accounts.id AND kind = 'factor-on')""",
    "a session without its event, or the reverse": """
        SELECT count(*) FROM accounts WHERE (SELECT count(*) FROM sessions WHERE sessions.account_id = accounts.id)
        <> (SELECT count(*) FROM activity WHERE activity.account_id = accounts.id
            AND kind IN ('signed-up', 'logged-in'))""",
}
"""Counts of what is only ever written together: each must be 0."""


def live(site: Site, name: str, before: list[Fact], say: Callable[[Fact], object], log_ins: int) -> None:
    """A person signs up, enrolls and logs in. Says what an answer confirmed, and tries earlier codes again."""
    for used in before:
        again = Owner(site, used["name"])
        again.log_in()
        again.press("Verify", code=used["code"])
        assert again.page is not None
        assert again.page.problems, f"{used} was accepted twice"
    person = Owner.signed_up(site, name)
    say({"did": "sign-up", "name": name})
    person.turn_on_app()
    say({"did": "enrollment", "name": name})
    for _ in range(log_ins):
        person.log_out()
        site.clock.pass_(2 * STEP)
        code, step = person.code(), site.clock.now() // STEP
        person.log_in()
        assert person.press("Verify", code=code).h1 == "Welcome, Ada Lovelace"
        say({"did": "log-in", "name": name, "code": code, "step": str(step)})


def killed(site: Site, name: str, before: list[Fact], seconds: float) -> list[Fact]:
    """Runs `live` in a process of its own, kills it after that time, and returns what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            live(site, name, before, lambda fact: os.write(writing, f"{json.dumps(fact)}\n".encode()), 100)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        facts = [json.loads(line) for line in said if line.endswith("\n")]
    assert ended == -signal.SIGKILL, "it failed before it was killed"
    return facts


def examine(site: Site, facts: list[Fact]) -> None:
    with site.services.db.engine.connect() as connection:
        if site.services.db.is_sqlite:
            assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        for half, query in HALVES.items():
            assert connection.execute(text(query)).scalar_one() == 0, half
        for fact in facts:
            at = {"name": fact["name"], "step": int(fact.get("step", 0))}
            found = {
                "sign-up": "SELECT count(*) FROM accounts WHERE username = :name",
                "enrollment": "SELECT count(*) FROM accounts JOIN factors ON factors.account_id = accounts.id"
                " WHERE username = :name",
                "log-in": "SELECT count(*) FROM accounts JOIN factors ON factors.account_id = accounts.id"
                " WHERE username = :name AND counter >= :step",
            }[fact["did"]]
            assert connection.execute(text(found), at).scalar_one() == 1, f"{fact} was confirmed, and is lost"
    site.services.db.engine.dispose()  # or the next process would inherit the connection


def main(url: str, folder: str, kills: str, seed: str) -> None:
    migrate(url)
    chance, clock = random.Random(seed), FakeClock()
    environ = {"NIGHTLATCH_DATABASE_URL": url, "NIGHTLATCH_LOG_LEVEL": "ERROR"}
    app = create_app(Settings.read(environ, Path(folder) / "instance"), clock=clock, hasher=CheapHasher())
    site, used, done = Site(app, app.extensions["nightlatch"], clock), list[Fact](), Counter[str]()
    for name in ("first", "second"):  # the first loads templates and more, which all others then have
        begun = time.monotonic()
        live(site, name, [], lambda _: None, 1)
    longest = 2.5 * (time.monotonic() - begun)  # on this machine, with what else it does
    for number in range(int(kills)):
        site.services.db.engine.dispose()
        clock.pass_(HOUR)  # so that no limit on sign-ups is reached
        facts = killed(site, f"person-{number}", used[-1:], chance.uniform(0, longest))
        examine(site, facts)
        used = [fact for fact in facts if fact["did"] == "log-in"] or used
        done[facts[-1]["did"] if facts else "nothing"] += 1
    print(json.dumps(done))


if __name__ == "__main__":
    main(*sys.argv[1:])
