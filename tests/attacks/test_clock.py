"""Attackers who learn something from a clock, and clocks that jumped ahead and were set right again."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert, update

from tests.apps import App
from tests.attacks.tools import account_id, count
from tests.conftest import Site
from tests.guarded_host import GuardedHost
from tests.people import TWO_FACTOR, Owner, Person
from tests.relying_party import RelyingParty, Television, answer_of, json_of
from webapp.domain.base64url import as_text
from webapp.domain.key_refusals import CeremonyExpired, KeyRefused
from webapp.domain.refusals import LinkInvalid
from webapp.models.accounts import Account
from webapp.models.contacts import ContactLookups
from webapp.models.factors import Factor
from webapp.models.sessions import Session

YEAR = 365 * 86400


@pytest.mark.parametrize("steps", [2, 3, 10, 20])
def test_a_code_of_the_future_is_told_as_any_wrong_code(site: Site, ada: Owner, stranger: Owner, steps: int) -> None:
    """Otherwise a guess would also tell which code becomes right later."""
    page = stranger.press("Verify", code=ada.code(ahead=30 * steps))
    assert page.problems == ["Wrong code. Check it and try again."]
    page = stranger.press("Verify", code=ada.code(ahead=-240))
    assert "clock seems about 4 minutes slow" in page.problems[0], "the code of a clock that is slow is of no use later"


def test_after_a_clock_that_was_far_ahead_codes_of_an_app_are_accepted_again(site: Site, ada: Owner) -> None:
    ada.log_out()
    site.clock.pass_(YEAR)
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    site.clock.pass_(-YEAR)
    ada.log_in()
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert count(site, "SELECT counter FROM factors WHERE account_id = :id", id=account_id(site)) == (
        site.clock.now() // 30
    )
    ada.log_in_again()
    assert ada.press("Verify", code=ada.code()).problems == ["That code was already used. Enter a new one."]


def test_a_step_just_ahead_of_the_clock_is_still_accepted_once(site: Site, ada: Owner) -> None:
    ada.log_in_again()
    ahead = ada.code(ahead=30)
    assert ada.press("Verify", code=ahead).h1 == "Welcome, Ada Lovelace"
    ada.log_in_again()
    assert ada.press("Verify", code=ahead).problems == ["That code was already used. Enter a new one."]


@pytest.mark.parametrize("withdraw", [True, False])
def test_apps_log_people_in_by_signing_keys_that_were_made_while_the_clock_was_ahead(
    site: Site, ada: Owner, withdraw: bool
) -> None:
    keys, wiki = site.services.openid.signing_keys, RelyingParty(site)
    if withdraw:
        wiki.tokens(ada)
    site.clock.pass_(YEAR)
    if withdraw:
        keys.rotate(withdraw=True)
    else:
        wiki.server.open("/oauth/keys")  # makes the first ones
    site.clock.pass_(-YEAR)
    ada = ada.other_browser()
    ada.log_in_whole()
    assert wiki.read(wiki.tokens(ada)["id_token"])["sub"]
    assert keys.rotate(at_once=True) == site.clock.now()
    assert wiki.read(wiki.tokens(ada)["id_token"])["sub"]


def test_waits_from_a_clock_that_was_far_ahead_are_not_kept(site: Site, ada: Owner) -> None:
    site.clock.pass_(YEAR)
    other = ada.other_browser(address="203.0.113.9")
    statuses = [other.log_in("a wrong password").status for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    site.clock.pass_(-YEAR)
    assert other.log_in("a wrong password").status == 422
    assert other.log_in().h1 == "Enter your code"


def test_waits_survive_a_clock_that_is_set_back_a_little(site: Site, ada: Owner) -> None:
    other = ada.other_browser(address="203.0.113.9")
    for _ in range(10):
        other.log_in("a wrong password")
    site.clock.pass_(-20)
    page = other.log_in()
    assert (page.status, page.response.headers["Retry-After"]) == (429, "30")


def test_a_session_of_the_future_opens_nothing(site: Site, ada: Owner) -> None:
    ada.log_out()
    site.clock.pass_(YEAR)
    ada.log_in_whole()
    assert ada.open("/settings").h1 == "Settings and privacy"
    site.clock.pass_(-YEAR)
    assert ada.open("/settings").path == "/log-in"


def test_a_session_that_was_used_while_the_clock_was_ahead_still_becomes_idle(site: Site, ada: Owner) -> None:
    site.clock.pass_(3000)
    assert ada.open("/settings").h1 == "Settings and privacy"
    site.clock.pass_(-2900)
    assert ada.open("/settings").h1 == "Settings and privacy", "and its last use is set right"
    site.clock.pass_(3601)
    assert ada.open("/settings").path == "/log-in"


def test_a_proof_of_the_future_is_not_fresh(site: Site, ada: Owner) -> None:
    with site.services.db.write() as tx:
        later = site.clock.now() + 3600
        tx.execute(update(Session).values(password_at=later, second_factor_at=later))
    assert ada.open("/settings/account/password").h1 == "Enter your password"


def test_a_pending_login_and_a_remembered_browser_of_the_future_prove_nothing(site: Site, ada: Owner) -> None:
    site.clock.pass_(86400)
    other = ada.log_in_elsewhere()
    other.press("Verify", code=ada.code(), remember="y")
    other.log_out()
    waiting = ada.other_browser()
    assert waiting.log_in().h1 == "Enter your code"
    site.clock.pass_(-86400)
    assert waiting.open("/log-in/verify").path == "/log-in"
    assert other.log_in().h1 == "Enter your code", "the browser is not remembered"


def test_a_code_of_the_future_neither_counts_nor_delays_the_next(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    site.clock.pass_(300)
    bob.press("Next", email=bob.email)
    code = site.emailed_code(bob.email)
    site.clock.pass_(-300)
    bob.open("/sign-up/email-code")
    assert bob.page.path == "/sign-up/email"
    bob.press("Next", email=bob.email)
    assert bob.page.h1 == "Check your email"
    assert bob.press("Verify", code=code).status == 422
    assert bob.press("Verify", code=site.emailed_code(bob.email)).h1 == "Welcome, Ada Lovelace"


def test_an_enrollment_of_the_future_is_begun_again(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    site.clock.pass_(300)
    bob.open(f"{TWO_FACTOR}/authentication-app")
    bob.press("Start")
    site.clock.pass_(-300)
    bob.open(f"{TWO_FACTOR}/authentication-app")
    page = bob.press("Start")
    assert (page.status, page.h1) == (200, "Link your authentication app")


@pytest.mark.parametrize("purpose", ["reset", "invite", "log-in-here"])
def test_a_link_of_the_future_opens_nothing_and_is_void_when_that_time_comes(site: Site, purpose: str) -> None:
    """It would else work for a day and an hour."""
    bob = Owner.signed_up(site, "bob")
    services, account = site.services, site.services.accounts.named("bob")
    site.clock.pass_(86400)
    with services.db.write() as tx:
        token = services.links.draw(tx, account, purpose, bob.email, 3600).rpartition("/")[2]
    opened = services.links.find(purpose, token)
    site.clock.pass_(-86400)
    with pytest.raises(LinkInvalid):
        services.links.find(purpose, token)
    with pytest.raises(LinkInvalid), services.db.write() as tx:
        services.links.use(tx, opened.link)
    services.operators.roles.lock("bob")
    site.clock.pass_(86400)
    with pytest.raises(LinkInvalid):
        services.links.find(purpose, token)


def test_a_link_by_which_an_owner_answers_a_thief_works_whatever_the_clock_said(site: Site, ada: Owner) -> None:
    site.clock.pass_(3000)
    ada.open("/settings/account/username")
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    ada.press("Save", username="thief")
    path = site.emailed_path(ada.email, "/keep-username/")
    site.clock.pass_(-3000)
    assert Person(site.app).post(path).receipts == ["Your username stays @ada. Now choose a new password."]


def test_what_was_counted_while_the_clock_was_ahead_keeps_no_owner_waiting(site: Site, ada: Owner) -> None:
    """A change of username, an upload of contacts, and the claims of four strangers to an address, a year ahead."""
    later = site.clock.now() + YEAR
    for number in range(4):
        site.services.sign_up.create_by_operator(
            "Eve", f"eve{number}", ada.password, "bob@example.org", confirmed=False
        )
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.username == "ada").values(rename_asked_at=later))
        tx.execute(update(Account).where(Account.unconfirmed_email == "bob@example.org").values(claimed_at=later))
        row = {"account_id": account_id(site), "at": later, "count": 2000, "entries": 10_000}
        tx.execute(insert(ContactLookups).values(row))
    ada.open("/settings/account/username")
    assert ada.press("Save", username="countess").receipts == ["We emailed you a link that stops the change."]
    account = site.services.accounts.named("ada")
    assert site.services.contacts.upload(account, b"", "+447400987654", "GB").added == 1
    bob = Owner.signed_up(site, "bob")
    assert site.services.accounts.named("bob").email == bob.email


def test_a_factor_that_was_turned_off_while_the_clock_was_ahead_is_not_turned_back_on(site: Site, ada: Owner) -> None:
    with site.services.db.write() as tx:
        tx.execute(update(Factor).values(turned_off_at=site.clock.now() + 3000))
    assert "Turn back on" not in ada.open(TWO_FACTOR).buttons
    page = ada.post(f"{TWO_FACTOR}/authentication-app/turn-back-on")
    assert page.problems == ["It's been off for more than ten minutes. To turn it on, set it up again."]


def test_a_refresh_token_of_the_future_gives_nothing(site: Site, ada: Owner) -> None:
    """It would else live for longer than its thirty idle days."""
    wiki = RelyingParty(site)
    wiki.tokens(ada)
    site.clock.pass_(1800)
    token = wiki.tokens(ada, scope="openid offline_access")["refresh_token"]
    site.clock.pass_(-1800)
    page = wiki.refresh(token)
    assert (page.status, json_of(page)["error"]) == (400, "invalid_grant")


def test_a_request_and_a_code_of_an_app_of_the_future_give_nothing(site: Site, ada: Owner) -> None:
    wiki = RelyingParty(site)
    site.clock.pass_(3000)
    asked = wiki.send(ada).response.request.full_path
    site.clock.pass_(-3000)
    assert ada.open(asked).status == 400
    site.clock.pass_(3000)
    wiki.send(ada)
    ada.press("Continue")
    code = answer_of(ada)["code"]
    site.clock.pass_(-3000)
    page = wiki.exchange(code)
    assert (page.status, json_of(page)["error"]) == (400, "invalid_grant")


def test_a_login_to_a_guarded_host_of_the_future_leads_nowhere(site: Site, ada: Owner) -> None:
    wiki = GuardedHost(site)
    stranger = ada.other_browser()
    site.clock.pass_(3000)
    page = wiki.ask(stranger)
    assert page.h1 == "Log in"
    waiting = page.tree.xpath("string(//input[@name='next']/@value)")
    site.clock.pass_(-3000)
    assert ada.open(waiting).status == 400


def test_a_device_code_of_the_future_has_expired(site: Site) -> None:
    films = Television(site)
    site.clock.pass_(3600)
    films.show()
    assert films.poll()["error"] == "authorization_pending"
    site.clock.pass_(-3600)
    assert films.poll()["error"] == "expired_token"


class TestApps:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_LEGACY_ACCESS": "on"}

    def test_a_temporary_password_of_the_future_opens_nothing(self, site: Site) -> None:
        bob = Owner.signed_up(site, "bob")
        bob.turn_on_app()
        site.clock.pass_(1800)
        bob.open("/settings/security/two-factor/temporary-password")
        bob.press("Generate temporary password")
        bob.press("Verify", password=bob.password)
        page = bob.press("Verify", code=bob.next_code())
        password = page.soup.find(class_="secret").get_text("", strip=True)
        assert App(site).verify("bob", password).status == 200
        site.clock.pass_(-1800)
        assert App(site).verify("bob", password).status == 401
        assert App(site).exchange("bob", password).status == 400

    def test_an_app_session_of_the_future_opens_nothing(self, site: Site) -> None:
        bob = Owner.signed_up(site, "bob")
        site.clock.pass_(YEAR)
        token = App(site).token("bob", bob.password)
        assert App(site).with_token(token).status == 200
        site.clock.pass_(-YEAR)
        assert App(site).with_token(token).status == 401, "the answer that was kept for some seconds is dropped too"


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-3600, False), (-61, False), (-60, True), (299, True), (300, False)]
)
def test_a_challenge_for_a_key_is_valid_from_its_time_for_five_minutes(
    site: Site, seconds: int, accepted: bool
) -> None:
    ceremonies = site.services.ceremonies
    challenge = as_text(ceremonies.draw("log-in:1"))
    site.clock.pass_(seconds)
    client_data = as_text(json.dumps({"challenge": challenge}).encode())
    answer = json.dumps({"id": "", "response": {"clientDataJSON": client_data}})
    with pytest.raises(KeyRefused) as refused:
        ceremonies.asserted(answer, "log-in:1", "")
    assert isinstance(refused.value, CeremonyExpired) != accepted, "then the answer itself is refused"
