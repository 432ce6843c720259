"""Attackers who guess passwords from many places, or who only want to keep an owner out."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert

from tests.apps import App
from tests.attacks.tools import account_id, count
from tests.attacks.tools import wrong as wrong_code
from tests.conftest import Site
from tests.doubles import CheapHasher
from tests.people import TWO_FACTOR, Owner, Person
from webapp.domain.codes import hash_of
from webapp.domain.origin import Origin
from webapp.domain.refusals import CodeRefusal, Refusal, TooManyAttempts, TooManyLogins, WrongLogin
from webapp.models.accounts import Account
from webapp.models.sessions import Attempt
from webapp.services.account_lookup import find_by_name
from webapp.services.login.login import PendingToken
from webapp.services.login.session_opening import LoggedIn
from webapp.services.password_attempts import UNKNOWN_TOTALS, KnownBrowser, total_bucket


class TestBehindAProxy:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_TRUSTED_PROXIES": "1"}

    def test_another_port_of_a_client_is_no_new_address(self, site: Site) -> None:
        eve = Person(site.app, address="127.0.0.1")
        token = eve.token()
        statuses = []
        for attempt in range(35):
            fields = {"csrf_token": token, "username": f"user{attempt}", "password": "wrong enough words"}
            forwarded = {"X-Forwarded-For": f"198.51.100.7, 203.0.113.51:{40000 + attempt}"}
            statuses.append(eve.send("POST", "/log-in", data=fields, headers=forwarded, follow=False).status)
        assert statuses == [422] * 30 + [429] * 5

    def test_the_owner_reads_an_address_without_its_port(self, site: Site, ada: Owner) -> None:
        other = ada.other_browser()
        other.open("/log-in", headers={"X-Forwarded-For": "203.0.113.51:40001"})
        fields = {"csrf_token": other.token(), "username": "ada", "password": ada.password}
        forwarded = {"X-Forwarded-For": "[2001:db8::51]:40001"}
        other.send("POST", "/log-in", data=fields, headers=forwarded, follow=False)
        assert count(site, "SELECT count(*) FROM pending_logins WHERE address = '2001:db8::51'") == 1


# -- The name that is typed ------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["@ada", "＠Ada", " @ADA "])
def test_a_username_may_be_typed_with_its_at_sign(site: Site, ada: Owner, typed: str) -> None:
    other = ada.other_browser()
    other.open("/log-in")
    assert other.press("Log in", username=typed, password=ada.password).h1 == "Enter your code"


# -- Counted by name and network, by address, and by account from everywhere ------------------------


def guess(site: Site, username: str, typed: str, address: str, known: KnownBrowser | None = None) -> object:
    return site.services.login.with_password(
        username, typed, persistent=False, next_path="", origin=Origin(address, "x"), known_browser=known
    )


def wrong(site: Site, username: str, address: str, times: int = 1, known: KnownBrowser | None = None) -> None:
    for _ in range(times):
        with pytest.raises(WrongLogin):
            guess(site, username, "a wrong password", address, known)


def anywhere(number: int) -> str:
    """An address of another network for each number."""
    return f"10.{number // 250}.{number % 250}.1"


def in_a_row(site: Site, name: str, times: int) -> None:
    """So many wrong passwords were compared before, from everywhere and long ago."""
    found, _ = find_by_name(site.services.db, name)
    bucket = total_bucket(found.id) if found is not None else f"{UNKNOWN_TOTALS}{hash_of(name)}"
    row = {"bucket": bucket, "at": site.clock.now() - 86400 // 2, "account_id": found.id if found else None}
    with site.services.db.write() as tx:
        tx.execute(insert(Attempt), [row] * times)


def test_wrong_passwords_of_one_network_keep_the_owner_out_of_no_other(site: Site, ada: Owner) -> None:
    for attempt in range(10):
        wrong(site, "ada", f"198.51.100.{attempt}")
    with pytest.raises(TooManyAttempts) as refused:
        guess(site, "ada", ada.password, "198.51.100.77")
    assert refused.value.seconds == 30
    assert isinstance(guess(site, "ada", ada.password, "203.0.113.1"), PendingToken)


def test_an_ipv6_network_is_a_48(site: Site, ada: Owner) -> None:
    for attempt in range(10):
        wrong(site, "ada", f"2001:db8:1:{attempt:x}::1")
    with pytest.raises(TooManyAttempts):
        guess(site, "ada", ada.password, "2001:db8:1:ff::1")
    assert isinstance(guess(site, "ada", ada.password, "2001:db8:2::1"), PendingToken)


@pytest.mark.parametrize("typed", ["ADA", "@ada", "ａｄａ", " ada "])
def test_another_spelling_of_a_name_is_no_new_budget(site: Site, ada: Owner, typed: str) -> None:
    for attempt in range(10):
        wrong(site, typed if attempt % 2 else "ada", "198.51.100.1")
    with pytest.raises(TooManyAttempts):
        guess(site, typed, ada.password, "198.51.100.1")


def test_a_right_password_is_never_counted(site: Site, ada: Owner) -> None:
    for attempt in range(25):
        assert isinstance(guess(site, "ada", ada.password, f"198.51.100.{attempt % 3}"), PendingToken)
    assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'password%'") == 0


def test_a_spent_budget_is_never_told_as_a_wrong_password(site: Site, ada: Owner) -> None:
    wrong(site, "ada", "198.51.100.1", times=6)
    wrong(site, ada.email, "198.51.100.1", times=6)
    assert isinstance(guess(site, ada.email, ada.password, "198.51.100.1"), PendingToken)


def test_after_a_hundred_in_a_row_an_unknown_browser_is_not_compared(
    site: Site, ada: Owner, hasher: CheapHasher
) -> None:
    ada.log_out()
    for attempt in range(100):
        wrong(site, "ada" if attempt % 2 else ada.email, anywhere(attempt))
    site.clock.pass_(10 * 86400)
    site.services.maintenance.purge()
    hasher.verified.clear()
    with pytest.raises(WrongLogin):
        guess(site, "ada", ada.password, anywhere(200))
    assert hasher.verified == [None], "the same work as for an unknown name"
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"
    assert isinstance(guess(site, "ada", ada.password, anywhere(200)), PendingToken), "a full log-in ends the count"


def test_wrong_passwords_in_known_browsers_count_among_the_hundred_and_are_still_compared(
    site: Site, ada: Owner
) -> None:
    known = [KnownBrowser(f"browser {number}", frozenset({account_id(site)})) for number in range(2)]
    in_a_row(site, "ada", 95)
    wrong(site, "ada", "198.51.100.1", times=5, known=known[0])
    with pytest.raises(WrongLogin):
        guess(site, "ada", ada.password, "203.0.113.1")
    for _ in range(2):
        assert isinstance(guess(site, "ada", ada.password, "203.0.113.1", known[1]), PendingToken)
    with pytest.raises(WrongLogin):
        guess(site, "ada", ada.password, "203.0.113.1")


def test_an_account_without_a_confirmed_address_is_always_compared(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    in_a_row(site, "bob", 100)
    wrong(site, "bob", anywhere(1))
    assert isinstance(guess(site, "bob", bob.password, anywhere(200)), LoggedIn)


def test_a_name_that_no_account_has_answers_the_same_with_the_same_work(
    site: Site, ada: Owner, hasher: CheapHasher
) -> None:
    told = {}
    for name in ("ada", "nobody"):
        told[name] = []
        in_a_row(site, name, 97)
        for attempt in range(17):
            site.statements.clear()
            hasher.verified.clear()
            address = anywhere(attempt) if attempt < 6 else anywhere(300)
            with pytest.raises(Refusal) as refused:
                guess(site, name, "a wrong password", address)
            work = len(site.statements), len(hasher.verified)
            told[name].append((type(refused.value), refused.value.wait, *work))
    assert told["ada"] == told["nobody"]
    assert told["ada"][-1][:2] == (TooManyLogins, 30)


# -- Apps ------------------------------------------------------------------------------------------


class TestLegacyAccess:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_LEGACY_ACCESS": "on"}

    def ask(self, site: Site, name: str, password: str, address: str = "198.51.100.1") -> int:
        return App(site, address).verify(name, password).status

    def test_an_app_that_repeats_a_right_password_keeps_its_owner_out_of_nothing(self, site: Site, ada: Owner) -> None:
        assert [self.ask(site, "ada", ada.password) for _ in range(40)] == [401] * 40, "an account with a factor"
        assert isinstance(guess(site, "ada", ada.password, "198.51.100.1"), PendingToken)
        assert count(site, "SELECT count(*) FROM attempts WHERE bucket LIKE 'password%'") == 0

    def test_a_right_and_a_wrong_password_of_an_account_with_a_factor_take_the_same_work(
        self, site: Site, ada: Owner
    ) -> None:
        work = []
        for password in (ada.password, "a wrong password"):
            site.statements.clear()
            assert self.ask(site, "ada", password) == 401
            work.append(site.statements.copy())
        assert work[0] == work[1]

    def test_a_network_of_an_app_that_succeeded_is_counted_apart(self, site: Site) -> None:
        bob = Owner.signed_up(site, "bob")
        assert self.ask(site, "bob", bob.password, "203.0.113.5") == 200
        site.clock.pass_(10)
        in_a_row(site, "bob", 99)
        assert self.ask(site, "bob", "a wrong password", anywhere(1)) == 401
        assert self.ask(site, "bob", bob.password, anywhere(200)) == 401, "an unknown network"
        for address in ("203.0.113.5", "203.0.113.99"):
            assert self.ask(site, "bob", bob.password, address) == 200
            site.clock.pass_(10)
        assert [self.ask(site, "bob", "a wrong password", "203.0.113.5") for _ in range(11)] == [401] * 10 + [429]
        site.clock.pass_(31 * 86400)
        assert self.ask(site, "bob", bob.password, "203.0.113.5") == 401
        site.services.maintenance.purge()
        assert count(site, "SELECT count(*) FROM known_networks") == 0

    def test_a_temporary_password_makes_the_network_known_too(self, site: Site, ada: Owner) -> None:
        code = str(ada.post(f"{TWO_FACTOR}/temporary-password").soup.find(attrs={"data-copy": True})["data-copy"])
        assert self.ask(site, "ada", code, "203.0.113.5") == 200
        site.clock.pass_(10)
        assert self.ask(site, "ada", code, "203.0.113.7") == 200
        assert count(site, "SELECT count(*) FROM known_networks WHERE network = '203.0.113.0/24'") == 1


# -- The mailed link of unknown browsers ------------------------------------------------------------

BUTTON = "Email me a link to log in here"
HERE = "/log-in/here/"


def ask_for_link(site: Site, name: str, address: str = "198.51.100.1") -> Person:
    asking = Person(site.app, address=address)
    asking.open("/log-in")
    asking.press("Log in", username=name, password="a wrong password")
    asking.press(BUTTON)
    return asking


def test_the_page_of_a_wrong_password_reads_the_same_when_a_right_one_was_not_compared(site: Site, ada: Owner) -> None:
    told = []
    for name, password in (("ada", "a wrong password"), ("nobody", "a wrong password"), ("ada", ada.password)):
        if password == ada.password:
            in_a_row(site, "ada", 100)
        other = ada.other_browser(address="203.0.113.9")
        other.open("/log-in")
        page = other.press("Log in", username=name, password=password)
        told.append((page.status, page.problems, BUTTON in page.buttons))
    assert set(map(str, told)) == {str(told[0])}
    sentence = "That username and password didn't work here. Check them, or have a link emailed to you."
    assert told[0] == (422, [sentence], True)


def test_a_known_browser_is_told_that_the_password_is_wrong_and_gets_no_link(site: Site, ada: Owner) -> None:
    page = ada.log_in_again("a wrong password")
    assert page.problems == ["Wrong username or password. Check both and try again."]
    assert BUTTON not in page.buttons


@pytest.mark.parametrize("state", ["waits", "has a temporary password"])
def test_every_refusal_of_an_unknown_browser_offers_the_link(site: Site, ada: Owner, state: str) -> None:
    other = ada.other_browser(address="203.0.113.9")
    if state == "waits":
        wrong(site, "ada", "203.0.113.9", times=10)
    other.open("/log-in")
    page = other.press("Log in", username="ada", password="ABCD-EFGH-IJKL-MNOP")
    assert page.status == (429 if state == "waits" else 422)
    assert BUTTON in page.buttons


def test_the_link_makes_known_the_browser_in_which_its_button_is_pressed_and_no_other(site: Site, ada: Owner) -> None:
    in_a_row(site, "ada", 100)
    asking = ask_for_link(site, "ada")
    assert asking.page.h1 == "Check your email for a login link"
    path = site.emailed_path(ada.email, HERE)
    here = ada.other_browser(address="203.0.113.9")
    assert here.open(path).h1 == "Log in in this browser"
    assert here.log_in().status == 422, "a GET changes nothing"
    here.open(path)
    assert here.press("Use this browser").h1 == "Log in"
    assert here.log_in().h1 == "Enter your code"
    asking.open("/log-in")
    assert asking.press("Log in", username="ada", password=ada.password).status == 422, "the browser that asked"
    elsewhere = ada.other_browser(address="203.0.113.10")
    elsewhere.open(path)
    elsewhere.press("Use this browser")
    assert elsewhere.log_in().h1 == "Enter your code", "the earlier email still works"


def test_a_browser_made_known_is_counted_apart_and_still_limited(site: Site, ada: Owner) -> None:
    ask_for_link(site, "ada")
    here = ada.other_browser(address="203.0.113.9")
    here.open(site.emailed_path(ada.email, HERE))
    here.press("Use this browser")
    assert [here.log_in("a wrong password").status for _ in range(11)] == [422] * 10 + [429]


def test_a_link_is_mailed_once_an_hour_whatever_name_is_typed(site: Site, ada: Owner) -> None:
    before = len(site.emails(ada.email))
    for name, later in (("ada", 0), ("@ADA", 0), (ada.email, 3599)):
        site.clock.pass_(later)
        ask_for_link(site, name)
    assert len(site.emails(ada.email)) == before + 1
    site.clock.pass_(1)
    assert "on its way" in ask_for_link(site, "ada").page.text
    assert len(site.emails(ada.email)) == before + 2


def test_asked_again_the_page_says_that_the_earlier_mail_still_works_for_every_name(site: Site, ada: Owner) -> None:
    pages = {}
    for name in (ada.email, "none@example.org"):
        first, again = (ask_for_link(site, name).page.soup.get_text(" ", strip=True) for _ in range(2))
        assert "is on its way" in first
        assert "the link in the earlier email still works" in again
        pages[name] = [text.replace(name, "?") for text in (first, again)]
    assert pages[ada.email] == pages["none@example.org"]


def test_asking_for_a_link_takes_the_same_work_for_every_name(site: Site, ada: Owner) -> None:
    Owner.signed_up(site, "bob", confirm_email=False)
    origin, work = Origin("198.51.100.1", "x"), []
    for name in ("ada", "bob", "nobody"):
        site.statements.clear()
        site.services.login_links.send(name, origin)
        work.append([s for s in site.statements if "SAVEPOINT" not in s and "INTO links" not in s])
    assert work[0] == work[1] == work[2]


def test_one_address_cannot_ask_for_links_without_end(site: Site) -> None:
    row = {"bucket": "login-link-from:198.51.100.1", "at": site.clock.now(), "account_id": None}
    with site.services.db.write() as tx:
        tx.execute(insert(Attempt), [row] * 99)
    site.services.login_links.send("name", Origin("198.51.100.1", "x"))
    with pytest.raises(TooManyAttempts):
        site.services.login_links.send("another", Origin("198.51.100.1", "x"))


def test_a_link_ends_after_an_hour_and_with_its_address(site: Site, ada: Owner) -> None:
    ask_for_link(site, "ada")
    path = site.emailed_path(ada.email, HERE)
    with site.services.db.write() as tx:
        tx.objects.get_one(Account, account_id(site)).email = "new@example.org"
    reader = Person(site.app)
    assert reader.open(path).status == 404
    assert reader.post(path).status == 404
    with site.services.db.write() as tx:
        tx.objects.get_one(Account, account_id(site)).email = ada.email
    assert reader.open(path).status == 200
    site.clock.pass_(3600)
    assert reader.post(path).status == 404
    assert reader.cookie("browser") is None


def test_a_link_ends_when_the_account_is_deleted(site: Site, ada: Owner) -> None:
    ask_for_link(site, "ada")
    path = site.emailed_path(ada.email, HERE)
    ada.open("/settings/account/delete")
    ada.press("Delete my account")
    assert Person(site.app).open(path).status == 404


def test_a_request_for_a_link_needs_a_form_of_this_site_and_a_name(site: Site, ada: Owner) -> None:
    before = len(site.emails())
    eve = Person(site.app)
    assert eve.open("/log-in/email-link").path == "/log-in"
    assert eve.post("/log-in/email-link", username="").path == "/log-in"
    eve.token()
    assert eve.send("POST", "/log-in/email-link", data={"csrf_token": "x", "username": "ada"}).path == "/log-in"
    assert len(site.emails()) == before


def test_the_browser_that_reset_the_password_is_known(site: Site, ada: Owner) -> None:
    other = ada.other_browser(address="203.0.113.9")
    other.open("/forgot-password")
    other.press("Send link", email=ada.email)
    other.open(site.emailed_path(ada.email, "/reset-password/"))
    other.press("Save password", password="seven brass wheels turning")
    wrong(site, "ada", "203.0.113.9", times=10)
    other.password = "seven brass wheels turning"
    assert other.log_in().h1 == "Enter your code"


def test_a_reset_ends_the_count_of_wrong_passwords_in_every_browser(site: Site, ada: Owner) -> None:
    in_a_row(site, "ada", 100)
    reader = Person(site.app, address="203.0.113.9")
    reader.open("/forgot-password")
    reader.press("Send link", email=ada.email)
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    reader.press("Save password", password="seven brass wheels turning")
    other = ada.other_browser(address="203.0.113.10")
    other.password = "seven brass wheels turning"
    assert other.log_in().h1 == "Enter your code"


# -- Mails to the owner ----------------------------------------------------------------------------

NEW_BROWSER = "Someone logged in to your account from a new browser"


def subjects(site: Site, ada: Owner, part: str) -> list[str]:
    return [mail.subject for mail in site.emails(ada.email) if part in mail.subject]


def test_the_owner_is_told_of_a_log_in_in_a_new_browser_and_of_no_other(site: Site, ada: Owner) -> None:
    before = len(subjects(site, ada, NEW_BROWSER))
    ada.log_out()
    ada.log_in_whole()
    assert len(subjects(site, ada, NEW_BROWSER)) == before
    other = ada.log_in_elsewhere(address="203.0.113.9")
    assert len(subjects(site, ada, NEW_BROWSER)) == before, "not before the second factor"
    other.press("Verify", code=ada.next_code())
    assert len(subjects(site, ada, NEW_BROWSER)) == before + 1
    assert "203.0.113.9" in site.emails(ada.email)[0].text
    assert "/not-you/" in site.emails(ada.email)[0].text


def test_a_browser_that_knows_another_account_is_new_for_this_one(site: Site, ada: Owner) -> None:
    before = len(subjects(site, ada, NEW_BROWSER))
    eve = Owner.signed_up(site, "eve")
    eve.log_out()
    eve.open("/log-in")
    eve.press("Log in", username="ada", password=ada.password)
    assert eve.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert len(subjects(site, ada, NEW_BROWSER)) == before + 1


def wrong_codes(site: Site, ada: Owner, times: int) -> None:
    """In new challenges, so that no challenge ever has five."""
    for _ in range(times):
        token = guess(site, "ada", ada.password, "203.0.113.9")
        assert isinstance(token, PendingToken)
        claim = site.services.login.claim(token.token)
        code = wrong_code(ada.code())
        with pytest.raises(CodeRefusal):
            site.services.login.verify(claim, None, {"code": code}, Origin("203.0.113.9", "x"), remember=False)


def told_counts(site: Site, ada: Owner) -> list[str]:
    subject = "Wrong codes were entered after your password (Nightlatch)"
    mails = [mail.text for mail in site.emails(ada.email) if mail.subject == subject]
    return [re.search(r"There have been (\d+) since", text)[1] for text in reversed(mails)]


def test_five_wrong_codes_after_a_right_password_are_mailed_once_an_hour_with_their_number(
    site: Site, ada: Owner
) -> None:
    wrong_codes(site, ada, 4)
    assert told_counts(site, ada) == []
    wrong_codes(site, ada, 1)
    assert told_counts(site, ada) == ["5"]
    for _ in range(3):
        site.clock.pass_(300)
        wrong_codes(site, ada, 5)
    assert told_counts(site, ada) == ["5"]
    site.clock.pass_(2700)
    wrong_codes(site, ada, 1)
    assert told_counts(site, ada) == ["5", "21"]
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"
    wrong_codes(site, ada, 4)
    assert told_counts(site, ada) == ["5", "21"], "a full log-in begins anew"


def test_no_more_than_five_mails_about_wrong_codes_go_out_in_a_day(site: Site, ada: Owner) -> None:
    for _ in range(7):
        wrong_codes(site, ada, 5)
        site.clock.pass_(3600)
    assert told_counts(site, ada) == ["5", "10", "15", "20", "25"]
    site.clock.pass_(86400 - 6 * 3600)
    wrong_codes(site, ada, 1)
    assert told_counts(site, ada)[-1] == "36"
