"""Logging in: the password, then the second factor, then the page that was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, select, update

from tests.conftest import Site
from tests.people import TWO_FACTOR, Owner
from webapp.domain.origin import Origin
from webapp.models.accounts import Account
from webapp.models.sessions import Activity
from webapp.policy import Policy
from webapp.services.login.remembered_browsers import RememberedBrowsers

WRONG = "Wrong code. Check it and try again."


def test_the_code_page_names_the_method_and_the_alternatives(returning: Owner) -> None:
    page = returning.log_in()
    assert (page.path, page.h1) == ("/log-in/verify", "Enter your code")
    assert page.says("Enter the six-digit code from your authentication app.")
    code = page.field("Code")
    assert (code["inputmode"], code["autocomplete"]) == ("numeric", "one-time-code")
    assert not code.has_attr("maxlength")
    page.field("Remember this browser for 30 days")
    assert page.link("Use a backup code") == "/log-in/backup-code"
    page = returning.follow("Choose a different two-factor authentication method")
    assert (page.path, page.h1) == ("/log-in/methods", "Choose how to verify")
    offered = [b.get_text(strip=True) for b in page.soup.find_all("button", attrs={"name": "method"})]
    assert offered == ["Authentication app", "Backup code"]
    page = returning.press("Authentication app")
    assert page.h1 == "Enter your code"
    page = returning.open("/log-in/methods")
    assert not any(link.startswith("Back") for link in page.links), "nothing was shown before"
    assert returning.open("/log-in/methods?method=text-message").links == page.links, "the account lacks it"
    assert returning.press("Backup code").h1 == "Use a backup code"
    returning.follow("Choose a different two-factor authentication method")
    assert returning.follow("Back to Backup code").h1 == "Use a backup code"


def test_the_choice_of_a_method_can_cancel_the_login(returning: Owner) -> None:
    returning.log_in()
    returning.follow("Choose a different two-factor authentication method")
    page = returning.press("Cancel login")
    assert (page.path, page.h1) == ("/log-in", "Log in")
    assert returning.open("/log-in/verify").path == "/log-in"


def test_an_account_without_a_backup_code_is_not_offered_one(returning: Owner, site: Site) -> None:
    """A restored database voids it."""
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(backup_code_hash=None))
    page = returning.log_in()
    assert "Use a backup code" not in page.links
    page = returning.follow("Choose a different two-factor authentication method")
    assert [b.get_text(strip=True) for b in page.soup.find_all("button", attrs={"name": "method"})] == [
        "Authentication app"
    ]


def test_a_method_that_the_account_lacks_is_not_found(returning: Owner) -> None:
    returning.log_in()
    assert returning.open("/log-in/verify?method=text-message").status == 404
    assert returning.post("/log-in/methods", method="text-message").status == 404


@pytest.mark.parametrize("typed", ["ada", "ADA", " ada ", "ada@example.org", "Ada@Example.org"])
def test_the_username_or_the_confirmed_address_logs_in(site: Site, typed: str) -> None:
    ada = Owner.signed_up(site)
    elsewhere = ada.other_browser()
    elsewhere.username = typed
    assert elsewhere.log_in().h1 == "Welcome, Ada Lovelace"


def test_an_unconfirmed_address_does_not_log_in(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    elsewhere = ada.other_browser()
    elsewhere.username = ada.email
    assert elsewhere.log_in().status == 422


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(ada: Owner, site: Site) -> None:
    ada.sign_up()
    elsewhere = ada.other_browser()
    wrong = elsewhere.log_in("not my password at all")
    stranger = Owner(site, "nobody", layout=ada.layout, htmx=ada.htmx)
    unknown = stranger.log_in("not my password at all")
    for page in (wrong, unknown):
        assert page.status == 422
        assert page.problems == [
            "That username and password didn't work here. Check them, or have a link emailed to you."
        ]
        assert not page.field("Password").get("value")
    assert wrong.field("Username")["value"] == "ada"


def test_empty_fields_are_reported(ada: Owner) -> None:
    ada.open("/log-in")
    page = ada.press("Log in")
    assert page.status == 422
    assert page.problems == ["Enter your username or email.", "Enter your password."]


def test_a_temporary_password_is_refused_with_a_hint_to_the_app(ada: Owner) -> None:
    ada.sign_up()
    page = ada.other_browser().log_in("ABCD-EFGH-IJKL-MNOP")
    assert page.status == 422
    assert "Temporary passwords only work in apps" in page.problems[0]


def test_the_requested_page_follows_the_second_factor(returning: Owner) -> None:
    ada = returning
    page = ada.open(f"{TWO_FACTOR}?from=help")
    assert page.path == "/log-in"
    ada.press("Log in", username=ada.username, password=ada.password)
    page = ada.press("Verify", code=ada.next_code())
    assert page.path == TWO_FACTOR
    assert page.response.request.query_string == b"from=help"
    assert ada.open("/log-in?next=/settings").path == "/settings"
    assert ada.open("/log-in?next=//evil.example/").path == "/"


def test_without_keep_me_logged_in_an_idle_hour_ends_the_session(ada: Owner, site: Site) -> None:
    ada.sign_up()
    site.clock.pass_(3599)
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(3599)
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(3600)
    assert ada.open("/").path == "/log-in"


def test_a_session_in_use_ends_after_a_day(site: Site) -> None:
    ada = Owner.signed_up(site)
    for _ in range(26):
        site.clock.pass_(3300)
        assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(86400 - 26 * 3300)
    assert ada.open("/").path == "/log-in"


def test_keep_me_logged_in_lasts_a_week_without_use_and_a_month_in_all(ada: Owner, site: Site) -> None:
    ada.sign_up()
    page = ada.log_in_again(keep="y")
    cookie = ada.client.get_cookie("session", domain=ada.host.split(":")[0])
    assert page.h1 == "Welcome, Ada Lovelace"
    assert cookie is not None
    assert cookie.max_age == 30 * 86400
    for _ in range(4):
        site.clock.pass_(7 * 86400 - 1)
        assert ada.open("/").h1 == "Welcome, Ada Lovelace"
    site.clock.pass_(2 * 86400 + 4)
    assert ada.open("/").path == "/log-in"


def test_keep_me_logged_in_is_kept_through_the_second_factor(returning: Owner) -> None:
    returning.log_in(keep="y")
    returning.press("Verify", code=returning.next_code())
    cookie = returning.client.get_cookie("session", domain=returning.host.split(":")[0])
    assert cookie is not None
    assert cookie.max_age == 30 * 86400


def test_a_remembered_browser_skips_the_second_factor_for_thirty_days(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    site.clock.pass_(30 * 86400 - 60)
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"
    ada.log_out()
    site.clock.pass_(60)
    assert ada.log_in().h1 == "Enter your code"


def test_a_remembered_browser_is_no_proof_for_a_sensitive_change(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    ada.log_in_again()
    assert ada.open("/settings/account/password").h1 == "Enter your code"


def test_a_browser_is_remembered_for_one_account_only(site: Site) -> None:
    ada, eve = Owner(site), Owner(site, "eve")
    for person in (ada, eve):
        person.sign_up()
        person.turn_on_app()
        person.log_out()
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    token = ada.cookie("remembered")
    assert token is not None
    eve.client.set_cookie("remembered", token, domain=eve.host.split(":")[0])
    assert eve.log_in().h1 == "Enter your code"


def test_one_browser_can_be_remembered_for_several_accounts(site: Site) -> None:
    ada, eve = Owner(site), Owner(site, "eve")
    for person in (ada, eve):
        person.sign_up()
        person.turn_on_app()
        person.log_out()
        person.client = ada.client
    for person in (ada, eve):
        person.log_in()
        person.press("Verify", code=person.next_code(), remember="y")
        person.log_out()
    for person in (ada, eve):
        assert person.log_in().h1 == "Welcome, Ada Lovelace"
        person.log_out()


class TestSiteWithoutRememberedBrowsers:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_POLICY_REMEMBER_BROWSERS": "0"}

    def test_the_checkbox_is_missing_and_sending_it_does_nothing(self, returning: Owner) -> None:
        ada = returning
        page = ada.log_in()
        assert page.soup.find("input", attrs={"name": "remember"}) is None
        ada.post("/log-in/verify", code=ada.next_code(), remember="y")
        assert ada.cookie("remembered") is None
        ada.client.set_cookie("remembered", "f" * 64, domain=ada.host.split(":")[0])
        assert ada.log_in_again().h1 == "Enter your code"

    def test_a_browser_remembered_before_the_setting_is_asked_again(self, returning: Owner, site: Site) -> None:
        ada, services = returning, site.services
        browsers = RememberedBrowsers(
            replace(services.core, policy=Policy())
        )  # with the policy from before the setting
        with services.db.write() as tx:
            token = browsers.add(tx, services.accounts.named("ada").id, Origin("192.0.2.1", "x"))
        ada.client.set_cookie("remembered", str(token), domain=ada.host.split(":")[0])
        assert ada.log_in().h1 == "Enter your code"


def test_the_known_reason_of_a_wrong_code_is_reported(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    assert ada.press("Verify", code="12345").problems == ["Enter the complete code."]
    assert ada.press("Verify", code="").status == 422
    for _ in range(2):
        assert ada.press("Verify", code=ada.code(ahead=90)).problems == ["Wrong code. Check it and try again."]
    page = ada.press("Verify", code=ada.code(ahead=-240))
    assert page.problems == [
        "That code is out of date. Your phone's clock seems about 4 minutes slow. Turn on automatic time in its"
        " settings and try again. You have 2 attempts left."
    ]
    assert ada.press("Verify", code="1").problems == ["Enter the complete code. You have 2 attempts left."]
    assert page.status == 422
    assert page.field("Code")["aria-invalid"] == "true"
    page = ada.press("Verify", code=ada.code(ahead=60))
    assert page.problems == [f"{WRONG} You have 1 attempt left."], (
        "a hint at the future would tell which code becomes right"
    )
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


def test_a_code_of_the_step_before_or_after_is_accepted(returning: Owner, site: Site) -> None:
    ada = returning
    site.clock.pass_(60)
    for ahead in (-30, 30):
        ada.log_in()
        site.clock.pass_(90)
        assert ada.press("Verify", code=ada.code(ahead=ahead)).h1 == "Welcome, Ada Lovelace"
        ada.log_out()


def test_a_code_is_accepted_once_and_no_earlier_one_after_it(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    code = ada.next_code()
    ada.press("Verify", code=code)
    ada.log_in_again()
    used = "That code was already used. Enter a new one."
    assert ada.press("Verify", code=code).problems == [used]
    assert ada.press("Verify", code=ada.code(ahead=-30)).problems == [used]
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"


def test_after_five_wrong_codes_the_challenge_ends_even_for_the_right_one(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    wrong = ada.code(ahead=86400)
    said = [ada.press("Verify", code=wrong).problems for _ in range(4)]
    assert said == [[WRONG], [WRONG], [f"{WRONG} You have 2 attempts left."], [f"{WRONG} You have 1 attempt left."]]
    page = ada.press("Verify", code=wrong)
    assert (page.path, page.problems) == ("/log-in", ["Too many wrong codes. Log in again to continue."])
    assert page.field("Username")["value"] == "ada"
    assert ada.open("/log-in/verify").path == "/log-in"
    ada.log_in()
    page = ada.press("Verify", code=ada.next_code())
    assert page.status == 429
    assert page.response.headers["Retry-After"] == "270"
    assert page.problems == ["Too many attempts. Try again in 5 minutes."]
    ada.site.clock.pass_(270)
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    ada.log_in_again()
    assert ada.press("Verify", code=wrong).problems == [WRONG]  # a full log-in cleared the count


def test_a_pending_login_expires_after_ten_minutes(returning: Owner, site: Site) -> None:
    returning.log_in()
    site.clock.pass_(600)
    page = returning.press("Verify", code=returning.next_code())
    assert page.path == "/log-in"
    assert page.problems == ["Your login timed out or was canceled. Log in again."]
    assert returning.cookie("login") is None


def test_a_pending_login_opens_only_the_challenge(returning: Owner) -> None:
    returning.log_in()
    for path in ("/", "/settings", TWO_FACTOR, "/settings/account/password", "/step-up/password"):
        assert returning.open(path).path == "/log-in"


def test_a_user_with_a_session_is_redirected_from_the_challenge(enrolled: Owner) -> None:
    page = enrolled.open("/log-in/verify")
    assert (page.path, page.problems) == ("/", [])


def test_an_attacker_who_guesses_has_to_wait_and_the_owners_known_browser_does_not(returning: Owner) -> None:
    ada = returning
    eve = ada.other_browser(address="198.51.100.7")
    statuses = [eve.log_in(f"guess number {n} of many").status for n in range(11)]
    assert statuses == [422] * 10 + [429]
    assert eve.page is not None
    assert eve.page.response.headers["Retry-After"] == "30"
    assert eve.page.problems == ["Too many attempts. Try again in 30 seconds."]
    assert ada.log_in().h1 == "Enter your code"


def test_one_network_that_attempts_many_names_has_to_wait(site: Site) -> None:
    statuses = [Owner(site, f"name{n}").log_in("the same guess each time").status for n in range(31)]
    assert statuses == [422] * 30 + [429]


def test_logging_out_keeps_the_remembered_browser_and_clears_everything_else(returning: Owner) -> None:
    ada = returning
    ada.log_in()
    ada.press("Verify", code=ada.next_code(), remember="y")
    token = ada.cookie("session")
    ada.htmx = False
    ada.open("/")
    page = ada.post("/log-out", follow=False)
    assert page.status == 303
    assert page.response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert ada.cookie("session") is None
    assert ada.cookie("remembered") is not None
    assert ada.open("/log-in").receipts == ["You've been logged out."]
    assert token is not None
    ada.client.set_cookie("session", token, domain=ada.host.split(":")[0])
    assert ada.open("/").path == "/log-in"


def test_a_log_out_with_an_expired_csrf_token_does_nothing(enrolled: Owner) -> None:
    page = enrolled.send("POST", "/log-out", data={"csrf_token": "old"})
    assert page.path == "/"
    assert enrolled.open("/").h1 == "Welcome, Ada Lovelace"


def test_logging_out_without_a_session_is_no_error(ada: Owner) -> None:
    ada.open("/log-in")
    assert ada.post("/log-out").h1 == "Log in"


def test_replacing_the_secret_key_logs_everyone_out_and_keeps_their_factors(returning: Owner) -> None:
    ada = returning
    ada.log_in_whole()
    ada.app.secret_key = "0123456789abcdef" * 2
    assert ada.open("/").path == "/log-in"
    assert ada.log_in_whole().h1 == "Welcome, Ada Lovelace"


def test_an_older_key_among_the_fallbacks_keeps_sessions_valid(returning: Owner) -> None:
    ada = returning
    ada.log_in_whole()
    ada.app.config["SECRET_KEY_FALLBACKS"] = [ada.app.secret_key]
    ada.app.secret_key = "0123456789abcdef" * 2
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL has further statements for its locks
def test_a_log_in_writes_in_at_most_four_transactions(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.log_out()
    ada.log_in_whole()  # with the method of the log-in before, no log-in has to keep it
    ada.log_out()
    ada.open("/log-in")
    site.statements.clear()
    commits: list[object] = []

    def committed(connection: object) -> None:
        commits.append(connection)

    event.listen(site.services.db.engine, "commit", committed)
    ada.press("Log in", username=ada.username, password=ada.password)
    ada.press("Verify", code=ada.next_code())
    event.remove(site.services.db.engine, "commit", committed)
    assert len(site.statements) <= 13, "\n\n".join(site.statements)
    assert 0 < len(commits) <= 4


def test_a_settings_page_costs_at_most_two_statements(enrolled: Owner, site: Site) -> None:
    for path in ("/settings", "/settings/account", "/settings/security", TWO_FACTOR, f"{TWO_FACTOR}/backup-code"):
        site.statements.clear()
        assert enrolled.open(path).status == 200
        assert len(site.statements) <= 2, "\n\n".join([path, *site.statements])


def test_a_log_in_ends_the_earlier_session_of_the_browser(site: Site) -> None:
    ada, eve = Owner(site), Owner(site, "eve")
    ada.sign_up()
    eve.sign_up()
    planted = eve.cookie("session")
    assert planted is not None
    victim = ada.other_browser()
    victim.client.set_cookie("session", planted, domain=victim.host.split(":")[0])
    victim.post("/log-in", username=ada.username, password=ada.password)
    assert victim.cookie("session") != planted
    assert victim.open("/settings/account").says("@ada")
    assert eve.open("/").path == "/log-in"


def test_a_full_log_in_ends_an_earlier_pending_login_of_the_browser(site: Site) -> None:
    ada, eve = Owner(site), Owner(site, "eve")
    ada.sign_up()
    eve.sign_up()
    eve.turn_on_app()
    eve.log_in_again()
    left = eve.cookie("login")
    assert left is not None
    eve.post("/log-in", username=ada.username, password=ada.password)
    thief = eve.other_browser()
    thief.client.set_cookie("login", left, domain=thief.host.split(":")[0])
    assert thief.open("/log-in/verify").path == "/log-in"


def test_an_exhausted_challenge_is_an_activity_event(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    ada.log_in_again()
    for _ in range(5):
        ada.press("Verify", code="000000")
    with site.services.db.read() as tx:
        kinds = tx.scalars(select(Activity.kind).order_by(Activity.id)).all()
    assert kinds[-1] == "second-factor-failed"


@pytest.mark.parametrize("typed", ["x²@example.org", "X2@EXAMPLE.ORG", " ｘ2@example.org "])
def test_an_address_is_found_in_every_unicode_form(site: Site, typed: str) -> None:
    site.services.sign_up.create_by_operator("Ada", "ada", "analytical engine notes", "x²@example.org", confirmed=True)
    ada = Owner(site)
    ada.open("/log-in")
    assert ada.press("Log in", username=typed, password=ada.password).path == "/"


def test_a_browser_that_sends_no_cookie_is_told_that_the_site_needs_cookies(site: Site) -> None:
    ada = Owner.signed_up(site)
    stranger = ada.other_browser()
    data = {"csrf_token": stranger.token(), "username": ada.username, "password": ada.password, "email": ada.email}
    said = "This site needs cookies, and your browser sent none. Allow cookies for this site, then try again."
    for path in ("/log-in", "/forgot-password"):
        stranger.client._cookies.clear()
        page = stranger.send("POST", path, data=data, follow=False)
        assert (page.status, page.problems) == (422, [said])
