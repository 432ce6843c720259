"""An account that an operator locked: every way in answers it like a wrong password."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.apps import App
from tests.attacks.test_enumeration import attempt_log_in, said
from tests.attacks.tools import is_in, live_sessions
from tests.conftest import Site
from tests.journeys.test_keys_and_passkeys import REFUSED, with_passkey
from tests.people import Owner, Person
from webapp.domain.app_refusals import LastOperator
from webapp.domain.origin import Origin
from webapp.domain.refusals import LinkInvalid, LoginExpired
from webapp.models.accounts import OPERATOR, share_account


@pytest.fixture
def bob(site: Site) -> Owner:
    """Without a second factor, and with a browser in which he logged in."""
    bob = Owner.signed_up(site, "bob")
    bob.log_out()
    return bob


def attempt_from(site: Site, bob: Owner) -> None:
    """Asks for a login link in an unknown browser."""
    stranger = Person(site.app, address="203.0.113.8")
    stranger.open("/log-in")
    stranger.press("Log in", username="bob", password="a wrong password")
    assert stranger.press("Email me a link to log in here").status == 200


def lock(site: Site, username: str) -> None:
    assert site.services.operators.roles.lock(username)


def test_a_right_password_gets_the_page_of_a_wrong_one(site: Site, bob: Owner) -> None:
    lock(site, "bob")
    wrong = attempt_log_in(site, "bob", "a wrong password", "198.51.100.1")
    right = attempt_log_in(site, "bob", bob.password, "203.0.113.1")
    assert said(right) == said(wrong)
    known_wrong = bob.log_in("a wrong password")
    assert said(bob.log_in()) == said(known_wrong)
    assert not is_in(bob)
    site.services.operators.roles.unlock("bob")
    assert bob.log_in().h1 == "Welcome, Ada Lovelace"


def test_a_login_that_began_before_ends_at_the_lock(site: Site, ada: Owner) -> None:
    other = ada.log_in_elsewhere()
    lock(site, "ada")
    assert other.press("Verify", code=ada.next_code()).path == "/log-in"
    assert not is_in(other)
    assert not is_in(ada)
    assert live_sessions(site) == 0


@pytest.mark.parametrize("username", ["bob", "ada"])
def test_a_lock_while_the_password_is_compared_opens_nothing(
    site: Site, ada: Owner, bob: Owner, hasher: object, username: str
) -> None:
    hasher.meanwhile = lambda: lock(site, username)  # type: ignore[attr-defined]  # the hasher of these tests
    page = attempt_log_in(site, username, ada.password)
    assert page.status == 422
    assert page.path == "/log-in"


def test_a_passkey_is_refused_as_one_with_a_wrong_signature(site: Site) -> None:
    vera = Owner.signed_up(site, "vera")
    vera.turn_on_key()
    assert vera.key is not None
    lock(site, "vera")
    other = vera.other_browser()
    page = with_passkey(other, vera.key)
    assert page.problems == [REFUSED]
    assert "data-unknown" not in page.text, "the browser must not delete the key"
    assert not is_in(other)


def test_a_passkey_whose_account_is_locked_in_between_opens_nothing(site: Site) -> None:
    Owner(site, "vera").sign_up()
    account = site.services.accounts.named("vera")
    lock(site, "vera")
    with site.services.db.write() as tx, pytest.raises(LoginExpired):
        share_account(tx, account)


def test_no_login_link_and_no_reset_link_goes_out_and_earlier_ones_end(site: Site, bob: Owner) -> None:
    stranger = Person(site.app)
    stranger.open("/forgot-password")
    stranger.press("Send link", email=bob.email)
    path = site.emailed_path(bob.email, "/reset-password/")
    lock(site, "bob")
    before = len(site.emails(bob.email))
    stranger.open("/forgot-password")
    stranger.press("Send link", email=bob.email)
    attempt = attempt_log_in(site, "bob", "a wrong password", "203.0.113.7")
    assert "Email me a link to log in here" in attempt.buttons
    attempt_from(site, bob)
    assert len(site.emails(bob.email)) == before
    assert Person(site.app).open(path).status == 404


def test_a_change_of_the_username_that_a_thief_asked_for_is_stopped_as_its_link_ends(site: Site) -> None:
    """Its owner could not stop it while the account is locked, and then it holds for thirty days."""
    eve = Owner.signed_up(site, "eve")
    eve.open("/settings/account/username")
    eve.press("Save", username="thief")
    link = site.emailed_path(eve.email, "/keep-username/")
    lock(site, "eve")
    assert Person(site.app).open(link).status == 404
    site.clock.pass_(86400)
    assert site.services.renames.finish_due() == 0
    site.services.operators.roles.unlock("eve")
    account = site.services.accounts.named("eve")
    assert (account.username, account.new_username, account.rename_asked_at) == ("eve", None, None)


def test_an_app_is_refused_with_password_token_and_temporary_password(site: Site, bob: Owner) -> None:
    app = App(site)
    token = app.token("bob", bob.password)
    assert app.with_token(token).status == 200
    lock(site, "bob")
    site.clock.pass_(10)
    assert app.with_token(token).status == 401
    assert app.verify("bob", bob.password).status == 401
    assert app.exchange("bob", bob.password).status == 400
    site.services.operators.roles.unlock("bob")
    site.clock.pass_(3600)
    assert app.verify("bob", bob.password).status == 200
    assert app.with_token(token).status == 401, "what ended stays ended"


def test_of_two_operators_who_demote_each_other_one_stays(site: Site, ada: Owner, bob: Owner) -> None:
    roles = site.services.operators.roles
    for username in ("ada", "bob"):
        roles.promote(username)

    def demote(username: str) -> bool:
        try:
            return roles.demote(username)
        except LastOperator:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, ("ada", "bob"))) == [False, True]
    left = [account.username for account in site.services.accounts.all() if account.role == OPERATOR]
    assert len(left) == 1


@pytest.mark.parametrize("late", [False, True], ids=["drawn-before", "drawn-meanwhile"])
def test_a_link_of_a_locked_account_sets_no_password(site: Site, bob: Owner, late: bool) -> None:
    services = site.services
    eve = services.invitations.send("eve@example.org", "eve", None)
    accounts = {"reset": services.accounts.named("bob"), "invite": eve}
    addresses, opened = {"reset": bob.email, "invite": "eve@example.org"}, {}
    if late:
        for username in ("bob", "eve"):
            lock(site, username)
    for purpose, account in accounts.items():
        with services.db.write() as tx:
            url = services.links.draw(tx, account, purpose, addresses[purpose], 3600)
        opened[purpose] = services.links.find(purpose, url.rpartition("/")[2])
    if not late:
        for username in ("bob", "eve"):
            lock(site, username)
    here, new = Origin("192.0.2.1", "Firefox"), "seven brass wheels turning"
    with pytest.raises(LinkInvalid):
        services.password_changes.reset(opened["reset"], new, here)
    with pytest.raises(LinkInvalid):
        services.invitations.accept(opened["invite"], new, here)


@pytest.mark.parametrize("purpose", ["reset", "invite", "log-in-here"])
def test_a_link_from_before_the_lock_opens_nothing_after_it(site: Site, bob: Owner, purpose: str) -> None:
    """Who asked for it may be the one because of whom the account was locked."""
    services = site.services
    with services.db.write() as tx:
        url = services.links.draw(tx, services.accounts.named("bob"), purpose, bob.email, 3600)
    token = url.rpartition("/")[2]
    assert services.links.find(purpose, token)
    lock(site, "bob")
    services.operators.roles.unlock("bob")
    with pytest.raises(LinkInvalid):
        services.links.find(purpose, token)


def test_not_you_still_answers_a_thief_but_mails_no_new_password(site: Site, bob: Owner) -> None:
    site.clock.pass_(60)
    bob.other_browser(address="203.0.113.50").log_in()  # the mail about a new browser has the link
    path = site.emailed_path(bob.email, "/not-you/")
    lock(site, "bob")
    reader = Person(site.app)
    page = reader.open(path)
    assert page.status == 200
    reader.press(page.buttons[-1])
    with pytest.raises(AssertionError):
        site.emailed_path(bob.email, "/reset-password/")
