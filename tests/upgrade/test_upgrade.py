"""A site of the version before is upgraded by the migrations alone, and its people notice nothing but what changed.

version_before.json is the database of that version (commit 6b6088f); version_before.py says how it was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import MetaData, insert, text

from tests.apps import App
from tests.authenticator import ES256, Credential
from tests.conftest import Site
from tests.doubles import FakeClock
from tests.models.test_migrations import url as url  # the fixture
from tests.people import ANDROID, HOST, PHONE, REQUESTS, TWO_FACTOR, Owner, Person
from tests.upgrade.version_before import FILE, environment
from webapp import create_app
from webapp.models.accounts import Account
from webapp.models.database import Database
from webapp.models.migrate import alembic_config, migrate, trouble, writing
from webapp.policy import DAY
from webapp.settings import Settings

BEFORE = json.loads(FILE.read_text())
PEOPLE: dict[str, dict[str, Any]] = BEFORE["people"]
NEW = "seven brass wheels turning"


def write_before(url: str) -> None:
    """Makes the database of the version before."""
    with writing(url) as connection:
        command.upgrade(alembic_config(connection), BEFORE["revision"])
    with writing(url) as connection:
        there = MetaData()
        there.reflect(connection)
        for table in there.sorted_tables:
            if rows := BEFORE["rows"].get(table.name):
                connection.execute(insert(table), rows)
                if connection.dialect.name == "postgresql" and "id" in table.c:
                    after = f"SELECT setval('{table.name}_id_seq', (SELECT max(id) FROM {table.name}))"
                    connection.execute(text(after))


@pytest.fixture
def upgraded(url: str) -> str:
    write_before(url)
    assert trouble(url)
    migrate(url)
    assert trouble(url) is None
    return url


@pytest.fixture
def environ(upgraded: str) -> dict[str, str]:
    return environment(upgraded)


@pytest.fixture
def site(environ: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    """A minute after the last request to the version before."""
    instance = tmp_path / "instance"
    instance.mkdir()
    settings, clock = Settings.read(environ, instance), FakeClock(BEFORE["now"] + 60)
    db = Database(settings.database_url)
    app = create_app(settings, db=db, clock=clock)
    yield Site(app, app.extensions["nightlatch"], clock)
    db.engine.dispose()


def back(site: Site, name: str, username: str = "", **options: Any) -> Owner:
    """The user at the browser that they used before the upgrade."""
    kept, owner = PEOPLE[name], Owner(site, username or name, **options)
    for domain, path, key, parts in kept["cookies"]:
        owner.client.set_cookie(key, ".".join(parts), domain=domain, path=path)
    owner.secret, owner.kept_code = kept["secret"], kept["kept_code"]
    if "key" in kept:
        identity, number, handle, count = kept["key"]
        owner.key = owner.new_key()
        private = ec.derive_private_key(number, ec.SECP256R1())
        credential = Credential(
            bytes.fromhex(identity), private, ES256, bytes.fromhex(handle), HOST.split(":")[0], False, count
        )
        owner.key.credentials.append(credential)
    return owner


@pytest.mark.parametrize("name", ["ada", "grace", "vera", "nora", "bob", "eve"])
def test_every_browser_stays_logged_in(site: Site, name: str) -> None:
    owner = back(site, name, layout=ANDROID if name == "nora" else "desktop")
    assert owner.open("/").h1 == "Welcome, Ada Lovelace"
    for path in ("/settings/account", TWO_FACTOR, "/settings/security/sessions", "/settings/security/activity"):
        assert owner.open(path).status == 200


def test_each_method_and_the_backup_code_log_in_as_before(site: Site) -> None:
    ada = back(site, "ada").other_browser()
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"
    grace = back(site, "grace").other_browser()
    assert grace.log_in().h1 == "Enter your code"
    assert grace.press("Verify", code=site.texted_code(PHONE)).path == "/"
    vera = back(site, "vera").other_browser()
    assert vera.log_in().h1 == "Use your security key"
    assert vera.use_key().path == "/"
    phone = back(site, "nora", layout=ANDROID)
    nora = phone.other_browser(layout="desktop")
    number = nora.log_in().number
    phone.open(REQUESTS)
    phone.answer(number)
    assert nora.post("/log-in/waiting").path == "/"
    other = back(site, "ada").other_browser()
    other.log_in()
    page = other.post("/log-in/backup-code", code=other.kept_code)
    assert page.h1 == "Save your new backup code"
    assert page.backup_code != other.kept_code
    assert back(site, "bob").other_browser().log_in().path == "/"


def test_remembered_and_known_browsers_stay_so(site: Site) -> None:
    ada = back(site, "ada")
    ada.log_out()
    mails = len(site.emails(ada.email))
    assert ada.log_in().h1 == "Welcome, Ada Lovelace", "without a code"
    assert len(site.emails(ada.email)) == mails, "and without a mail about a new browser"


def test_a_login_that_waited_for_its_code_is_finished(site: Site) -> None:
    waiting = back(site, "waiting", "ada", address="192.0.2.7")
    waiting.secret = PEOPLE["ada"]["secret"]
    waiting.open("/log-in/verify")
    assert waiting.press("Verify", code=waiting.next_code()).h1 == "Welcome, Ada Lovelace"


def test_a_link_that_was_mailed_before_still_works(site: Site) -> None:
    reader = Person(site.app)
    reader.open(PEOPLE["reset"]["path"])
    assert reader.press("Save password", password=NEW).path == "/log-in"
    assert back(site, "bob").other_browser().log_in(NEW).path == "/"


def test_legacy_access_is_off_until_the_operator_turns_it_on(site: Site) -> None:
    app = App(site)
    assert app.verify("bob", back(site, "bob").password).status == 404
    assert app.with_token(PEOPLE["bob"]["token"]).status == 404
    assert app.exchange("bob", "any password").status == 404


class TestWithLegacyAccess:
    @pytest.fixture
    def environ(self, upgraded: str) -> dict[str, str]:
        return {**environment(upgraded), "NIGHTLATCH_LEGACY_ACCESS": "on"}

    def test_it_lets_in_those_with_a_confirmed_address_only(self, site: Site) -> None:
        app, password = App(site), back(site, "bob").password
        for name, status in (("bob", 200), ("eve", 401)):
            assert app.verify(name, password).status == status
            assert app.with_token(PEOPLE[name]["token"]).status == status
        assert app.verify("ada", password).status == 401, "with a second factor only a temporary password"
        eve = back(site, "eve")
        eve.open("/sign-up/email")
        eve.press("Next", email=eve.email)
        eve.press("Verify", code=site.emailed_code(eve.email))
        assert app.verify("eve", password).status == 200


def test_accounts_are_purged_thirty_days_after_the_upgrade_unless_confirmed_or_made_by_the_operator(site: Site) -> None:
    with site.services.db.read() as tx:
        accounts = list(tx.objects.query(Account).order_by(Account.id))
    assert {account.username for account in accounts if account.made_by_operator} == {"olga", "otto"}
    latest = max(accounts[0].used_at, BEFORE["now"])  # the migration has the system's clock, the site that of the tests
    site.clock.pass_(latest + 30 * DAY - 1 - site.clock.now())
    assert purged(site) == set()
    site.clock.pass_(DAY)
    assert purged(site) == {"eve"}
    assert site.services.accounts.named("olga").email is None


def purged(site: Site) -> set[str]:
    before = {account.username for account in site.services.accounts.all()}
    site.services.maintenance.purge()
    return before - {account.username for account in site.services.accounts.all()}


def test_contacts_and_numbers_match_as_before(site: Site) -> None:
    otto, grace = Owner(site, "otto"), back(site, "grace")
    otto.log_in()
    otto.open("/settings/privacy/contacts")
    otto.press("Save", discoverable="y")
    otto.press("Upload contacts", numbers=PHONE)
    assert otto.page is not None
    assert grace.open("/settings/privacy/contacts").says("otto")


def test_an_address_that_was_claimed_before_gets_its_link(site: Site) -> None:
    reader = Person(site.app)
    reader.open("/forgot-password")
    reader.press("Send link", email="eve@example.org")
    reader.open(site.emailed_path("eve@example.org", "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"
    assert site.services.accounts.named("eve").email == "eve@example.org"


def test_a_name_that_is_deleted_after_the_upgrade_stays_taken(site: Site) -> None:
    site.services.accounts.delete("bob")
    stranger = Owner(site, "BOB")
    stranger.open("/sign-up")
    page = stranger.press("Sign up", name="Bob", username="BOB", password=NEW)
    assert (page.status, page.problems) == (422, ["That username is taken. Try another."])
