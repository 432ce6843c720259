"""Writes the database of a version of this site, with people who use it, for the next version's test of its upgrade.

`python -m tests.upgrade.version_before` in a checkout of the version that is released writes version_before.json: every
row that this version's own pages and commands made, the cookies of each browser, and what their owners keep. The keys
of the site are derived from public text, so nothing in the file protects anything.
"""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, select

from tests.apps import App
from tests.conftest import Site
from tests.doubles import FakeClock
from tests.people import ANDROID, Owner, Person
from webapp import create_app
from webapp.models.migrate import migrate
from webapp.settings import Settings

FILE = Path(__file__).with_name("version_before.json")
OTHER_PHONE = "+447400123457"


def environment(url: str) -> dict[str, str]:
    """The settings of the site, before and after its upgrade."""
    sealing = b64encode(sha256(b"sealing key of the version before").digest()).decode()
    return {
        "NIGHTLATCH_DATABASE_URL": url,
        "NIGHTLATCH_SECRET_KEY": sha256(b"signing key of the version before").hexdigest(),
        "NIGHTLATCH_ENCRYPTION_KEYS": f"k1:{sealing}",
    }


def browser_of(person: Person) -> dict[str, Any]:
    """What this browser keeps: its cookies, and what its owner wrote down."""
    cookies = person.client._cookies.values()
    # values in their parts: as one they look like tokens of another service to the scan for secrets
    kept = {"cookies": [[cookie.domain, cookie.path, cookie.key, cookie.value.split(".")] for cookie in cookies]}
    if isinstance(person, Owner):
        kept |= {"secret": person.secret, "kept_code": person.kept_code}
        if person.key is not None:
            (credential,) = person.key.credentials
            number = credential.private_key.private_numbers().private_value  # type: ignore[union-attr]
            kept |= {"key": [credential.id.hex(), number, credential.user_handle.hex(), credential.sign_count]}
    return kept


def settle(site: Site) -> dict[str, Any]:
    """People sign up, turn on methods and log in, each in another way; returns what their browsers and apps keep."""
    people: dict[str, Any] = {}
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.press("Got it")
    returning = ada.other_browser()
    returning.log_in(keep="y")
    returning.press("Verify", code=returning.next_code(), remember="y")
    people["ada"] = browser_of(returning)

    grace = Owner.signed_up(site, "grace", address="192.0.2.2")
    grace.turn_on_texts()
    grace.press("Got it")
    grace.open("/settings/privacy/contacts")
    grace.press("Upload contacts", numbers=OTHER_PHONE)
    people["grace"] = browser_of(grace)

    vera = Owner.signed_up(site, "vera", address="192.0.2.3")
    vera.turn_on_key()
    vera.press("Got it")
    people["vera"] = browser_of(vera)

    nora = Owner.signed_up(site, "nora", layout=ANDROID, address="192.0.2.4")
    nora.turn_on_requests()
    nora.press("Got it")
    people["nora"] = browser_of(nora)

    bob = Owner.signed_up(site, "bob", address="192.0.2.5")
    people["bob"] = {**browser_of(bob), "token": App(site).token("bob", bob.password)}

    eve = Owner.signed_up(site, "eve", address="192.0.2.6", confirm_email=False)
    eve.press("Next", email=eve.email)
    people["eve"] = {**browser_of(eve), "token": App(site).token("eve", eve.password)}

    waiting = ada.log_in_elsewhere(address="192.0.2.7")
    people["waiting"] = browser_of(waiting)
    reader = Person(site.app, address="192.0.2.8")
    reader.open("/forgot-password")
    reader.press("Send link", email=bob.email)
    people["reset"] = {"path": site.emailed_path(bob.email, "/reset-password/")}

    for name, options in (("olga", ()), ("otto", ("--email-confirmed", "--phone", OTHER_PHONE))):
        command = ["accounts", "create", "--username", name, "--email", f"{name}@example.org", "--name", name, *options]
        made = site.app.test_cli_runner().invoke(args=command, input=f"{ada.password}\n")
        assert made.exit_code == 0, made.output
    site.emails()
    return people


def main() -> None:
    clock = FakeClock()
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/site.sqlite3"
        migrate(url)
        instance = Path(folder) / "instance"
        instance.mkdir()
        app = create_app(Settings.read({**environment(url), "NIGHTLATCH_LEGACY_ACCESS": "on"}, instance), clock=clock)
        people = settle(Site(app, app.extensions["nightlatch"], clock))
        app.extensions["nightlatch"].db.engine.dispose()
        engine = create_engine(url)
        with engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
            there = MetaData()
            there.reflect(connection)
            rows = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in there.sorted_tables
                if table.name != "alembic_version"
            }
        engine.dispose()
    written = {"revision": revision, "now": clock.now(), "people": people, "rows": rows}
    FILE.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
