"""Temporary passwords, app sessions and the worker's part in them, as far as no page shows it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import insert, select

from tests.apps import App, live_apps
from tests.conftest import Site
from tests.doubles import CheapHasher, FakeClock, core
from tests.people import PHONE, Owner
from webapp import create_app
from webapp.adapters.embedded import NoTexts
from webapp.adapters.heartbeat import FileHeartbeat
from webapp.domain.origin import Origin
from webapp.domain.phone_numbers import PhoneNumber
from webapp.domain.refusals import NotFound, NotFresh, TooManyTemporaryPasswords, WrongLogin
from webapp.models.accounts import Account
from webapp.models.apps import AppSession, RefusedAccess, TemporaryPassword
from webapp.models.user import User
from webapp.policy import Policy
from webapp.services.apps.legacy_access import Caller, CallerCache
from webapp.services.apps.refused_accesses import RefusedAccesses
from webapp.services.phone_numbers import PhoneNumbers

HERE = Origin("192.0.2.1", "Firefox", "nightlatch.localhost")
DAY = 86400


def heartbeat(site: Site) -> FileHeartbeat:
    return FileHeartbeat(site.services.settings.instance, site.services.settings.database_url)


@pytest.fixture
def tess(site: Site) -> Owner:
    """With text messages, logged in."""
    tess = Owner.signed_up(site, "tess")
    tess.turn_on_texts()
    site.clock.pass_(61)
    return tess


def account(site: Site) -> Account:
    return site.services.accounts.named("tess")


def user_of(site: Site, owner: Owner) -> User:
    token = owner.cookie("session")
    assert token is not None
    found = site.services.sessions.find(token.split(".")[0])
    assert found is not None
    return found


# -- Generating and using --------------------------------------------------------------------------


def test_only_a_fresh_session_with_a_factor_generates_one(site: Site, tess: Owner) -> None:
    make, user = site.services.temporary_passwords.make, user_of(site, tess)
    assert make(user, HERE)
    site.clock.pass_(600)
    with pytest.raises(NotFresh):
        make(user, HERE)
    without = Owner.signed_up(site, "bob")
    with pytest.raises(NotFound):
        make(user_of(site, without), HERE)


def test_a_temporary_password_that_ended_between_check_and_use_is_refused(site: Site, tess: Owner) -> None:
    services = site.services
    passwords, owner = services.temporary_passwords, account(site)
    code = passwords.make(user_of(site, tess), HERE)
    found = passwords.find(owner, code)
    assert found is not None
    assert passwords.end(owner, found.id, HERE)
    assert not passwords.end(owner, found.id, HERE)
    for action in (passwords.use, passwords.consume):
        with pytest.raises(WrongLogin), services.db.write() as tx:
            action(tx, found, HERE)


def test_the_first_use_is_an_activity_event_and_later_uses_are_not(site: Site, tess: Owner) -> None:
    services = site.services
    passwords = services.temporary_passwords
    code = passwords.make(user_of(site, tess), HERE)
    found = passwords.find(account(site), code)
    assert found is not None
    for _ in range(3):
        with services.db.write() as tx:
            passwords.use(tx, found, HERE)
    with services.db.engine.connect() as connection:
        query = "SELECT count(*) FROM activity WHERE kind = 'temporary-password-used'"
        assert connection.exec_driver_sql(query).scalar_one() == 1


def test_a_text_is_neither_counted_nor_sent_when_the_daily_limit_is_reached(site: Site, tess: Owner) -> None:
    passwords, owner = site.services.temporary_passwords, account(site)
    for _ in range(5):
        passwords.make(user_of(site, tess), HERE)
    passwords.end(owner, passwords.live(owner.id)[0].id, HERE)
    texts = len(site.texts(PHONE))
    with pytest.raises(TooManyTemporaryPasswords):
        passwords.text(owner, HERE)
    App(site).verify("tess", tess.password)
    assert len(site.texts(PHONE)) == texts


# -- The worker ------------------------------------------------------------------------------------


def add_refused_access(site: Site, whose: int | None, at: int) -> None:
    with site.services.db.write() as tx:
        tx.execute(insert(RefusedAccess).values(account_id=whose, at=at, address="192.0.2.1", device=""))


def test_a_password_that_its_owner_makes_while_a_text_is_counted_stays_valid(site: Site, tess: Owner) -> None:
    """It is on the owner's screen."""
    passwords, user = site.services.temporary_passwords, user_of(site, tess)
    made: list[str] = []

    class Slow(PhoneNumbers):
        def count_text(self, account: Account, challenge: str, origin: Origin) -> PhoneNumber:
            made.append(passwords.make(user, HERE))
            return super().count_text(account, challenge, origin)

    phones = Slow(*(getattr(passwords.phones, one.name) for one in fields(PhoneNumbers)))
    replace(passwords, phones=phones).text(user.account, HERE)
    assert passwords.find(user.account, made[0]) is not None
    assert not any("temporary password" in text.text for text in site.texts(PHONE))


def test_a_refused_access_that_is_old_or_of_no_account_is_deleted(site: Site, tess: Owner) -> None:
    texts, now = len(site.texts(PHONE)), site.clock.now()
    add_refused_access(site, account(site).id, now - 600)
    add_refused_access(site, None, now)
    assert len(site.texts(PHONE)) == texts
    assert site.count(RefusedAccess) == 0
    add_refused_access(site, account(site).id, now - 599)
    assert len(site.texts(PHONE)) == texts + 1


def test_an_account_that_was_locked_since_the_refused_access_gets_no_text(site: Site, tess: Owner) -> None:
    texts = len(site.texts(PHONE))
    add_refused_access(site, account(site).id, site.clock.now())
    assert site.services.operators.roles.lock("tess")
    assert len(site.texts(PHONE)) == texts
    assert site.count(RefusedAccess) == 0


def test_a_refused_access_is_processed_by_one_worker(site: Site, tess: Owner) -> None:
    """Another worker that read the same rows finds them deleted."""
    texted: list[str] = []

    class Texting:
        """A second worker looks while the first one sends the text."""

        def text(self, owner: Account, _origin: Origin) -> None:
            texted.append(owner.username)
            if len(texted) == 1:
                worker.process()

    texting: Any = Texting()
    worker = RefusedAccesses(site.services.core, texting, can_text=True)
    for _ in range(2):
        add_refused_access(site, account(site).id, site.clock.now())
    worker.process()
    assert texted == ["tess", "tess"]
    assert site.count(RefusedAccess) == 0


def test_a_user_who_turned_the_factor_off_in_the_meantime_gets_no_text(site: Site, tess: Owner) -> None:
    texts = len(site.texts(PHONE))
    App(site).verify("tess", tess.password)
    tess.post("/settings/security/two-factor/text-message/turn-off")
    assert len(site.texts(PHONE)) == texts


def test_a_site_without_text_messages_sends_none(site: Site, tess: Owner) -> None:
    silent = create_app(site.services.settings, clock=site.clock, hasher=CheapHasher(), texts=NoTexts())
    services = silent.extensions["nightlatch"]
    made = site.count(TemporaryPassword)
    with pytest.raises(WrongLogin):
        services.legacy_access.by_password("tess", tess.password, HERE)
    services.delivery.deliver_due()
    assert site.count(RefusedAccess) == 0
    assert site.count(TemporaryPassword) == made
    services.db.engine.dispose()


# -- App sessions ----------------------------------------------------------------------------------


def test_the_last_use_of_an_app_session_is_recorded_once_a_minute(site: Site) -> None:
    bob, apps = Owner(site, "bob"), site.services.app_sessions
    bob.sign_up()
    first = App(site, agent="DAVx5/4.4").token("bob", bob.password)
    begun = site.clock.now()
    site.clock.pass_(59)
    assert apps.find(first) is not None
    assert [(session.device, session.seen_at) for session in live_apps(site, "bob")] == [("DAVx5/4.4", begun)]
    site.clock.pass_(1)
    assert apps.find(first) is not None
    assert [session.seen_at for session in live_apps(site, "bob")] == [begun + 60]
    assert apps.find("0" * 64) is None


def test_a_token_has_256_bits_and_is_stored_as_its_hash(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    token = App(site).token("bob", bob.password)
    assert len(bytes.fromhex(token)) == 32
    with site.services.db.read() as tx:
        assert tx.scalars(select(AppSession.token_hash)).one() != token


# -- Purging ---------------------------------------------------------------------------------------


def test_expired_rows_are_purged(site: Site, tess: Owner) -> None:
    bob = Owner.signed_up(site, "bob")
    App(site).token("bob", bob.password)
    site.services.temporary_passwords.make(user_of(site, tess), HERE)
    add_refused_access(site, None, site.clock.now())
    steps = ((3600, 1, 1, 0), (DAY, 1, 1, 0), (1, 1, 0, 0), (30 * DAY, 0, 0, 0))
    for seconds, sessions, passwords, refused_accesses in steps:
        site.clock.pass_(seconds)
        site.services.maintenance.purge()
        found = site.count(AppSession), site.count(TemporaryPassword), site.count(RefusedAccess)
        assert found == (sessions, passwords, refused_accesses), seconds


def test_after_a_restore_neither_temporary_passwords_nor_app_sessions_are_valid(site: Site, tess: Owner) -> None:
    app, passwords = App(site), site.services.temporary_passwords
    token = app.token("tess", passwords.make(user_of(site, tess), HERE))
    code = passwords.make(user_of(site, tess), HERE)
    site.services.restoration.count_heartbeat()
    heartbeat(site).keep(7)
    site.services.restoration.void_if_restored()
    assert app.with_token(token).status == 401
    assert app.verify("tess", code).status == 401


# -- The cache of credentials ----------------------------------------------------------------------


def named(name: str) -> Caller:
    return Caller(name, name.upper(), None)


def cache(clock: FakeClock, size: int) -> CallerCache:
    return CallerCache(core(clock=clock, policy=replace(Policy(), legacy_cache_size=size)))


class Asked:
    """A cache, and the credentials that were checked."""

    def __init__(self, size: int = 10) -> None:
        self.clock = FakeClock()
        self.cache = cache(self.clock, size)
        self.checked: list[str] = []

    def __call__(self, credentials: str, takes: int = 0, ends: int | None = None) -> Caller:
        def find() -> tuple[Caller, int | None]:
            self.checked.append(credentials)
            self.clock.pass_(takes)
            return named(credentials), ends

        return self.cache.get(credentials, find)


def test_an_answer_is_cached_for_its_seconds_from_the_start_of_the_check() -> None:
    ask = Asked()
    assert ask("ada", takes=1) == named("ada")
    for checks in (1, 1, 1, 2):
        assert ask("ada") == named("ada")
        assert len(ask.checked) == checks
        ask.clock.pass_(1)
    assert ask("Ada") == named("Ada")
    assert ask.checked[-1] == "Ada"


def test_credentials_that_expire_are_cached_no_longer_than_that() -> None:
    ask = Asked()
    ask("ada", ends=ask.clock.now() + 2)
    ask.clock.pass_(1)
    ask("ada", ends=0)
    assert len(ask.checked) == 1
    ask.clock.pass_(1)
    ask("ada")
    assert len(ask.checked) == 2


def test_credentials_that_expired_during_the_check_are_not_cached() -> None:
    ask = Asked()
    assert ask("ada", takes=2, ends=ask.clock.now() + 1) == named("ada")
    ask("ada")
    assert len(ask.checked) == 2


def test_the_cache_has_a_maximum_size_and_drops_the_oldest() -> None:
    ask = Asked(size=3)
    for credentials in ("a", "b", "c", "d"):
        ask(credentials)
    ask.checked.clear()
    for credentials in ("d", "c", "b", "a"):
        ask(credentials)
    assert ask.checked == ["a"]
    assert len(ask.cache._cache) == 3


def test_the_repr_of_the_cache_shows_no_credentials() -> None:
    ask = Asked()
    ask.cache.get("password\0ada\0analytical engine notes", lambda: (named("ada"), None))
    assert len(ask.cache._cache) == 1
    kept = repr(ask.cache._cache) + repr(vars(ask.cache))
    assert "analytical" not in kept


def test_equal_credentials_at_the_same_time_are_checked_once() -> None:
    callers = cache(FakeClock(), 3)
    begun, checked = Event(), []

    def find() -> tuple[Caller, None]:
        checked.append(1)
        begun.set()
        time.sleep(0.1)  # time for the other threads to arrive
        return named("ada"), None

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(callers.get, "ada", find)
        begun.wait(5)
        answers = [threads.submit(callers.get, "ada", find) for _ in range(7)]
    assert {answer.result() for answer in (first, *answers)} == {named("ada")}
    assert len(checked) == 1


def test_other_credentials_do_not_wait() -> None:
    ask, began, done = Asked(), Event(), Event()

    def slow() -> tuple[Caller, None]:
        began.set()
        assert done.wait(5)
        return named("ada"), None

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ask.cache.get, "ada", slow)
        assert began.wait(5)
        assert ask("bob") == named("bob")
        assert not waiting.done()
        done.set()
    assert waiting.result() == named("ada")


def test_a_refusal_is_not_cached() -> None:
    callers = cache(FakeClock(), 3)

    def find() -> tuple[Caller, None]:
        raise WrongLogin()

    for _ in range(2):
        with pytest.raises(WrongLogin):
            callers.get("ada", find)
    assert len(callers._cache) == 0
