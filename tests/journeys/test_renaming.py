"""Changing name and username: a username waits for a day, its change can be stopped, the earlier one still logs in."""

from __future__ import annotations

import pytest

from tests.attacks.tools import is_in, stale
from tests.conftest import Site
from tests.people import HOST, PASSWORD, Owner, Page, Person

NAME = "/settings/account/name"
USERNAME = "/settings/account/username"
DAY = 86400
AT = "January 16, 2027, 8:00 AM UTC"


def ask(ada: Owner, new: str = "countess") -> Page:
    ada.open(USERNAME)
    return ada.press("Save", username=new)


def usernames(site: Site) -> list[str]:
    return [account.username for account in site.services.accounts.all()]


def caller(site: Site, name: str) -> str:
    answer = site.app.test_client().get("/legacy/verify", base_url=f"http://{HOST}", auth=(name, PASSWORD))
    return str(answer.headers.get("Remote-User"))


def test_a_new_name_is_shown_at_once_and_told_by_email(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account")
    page = ada.follow("Name")
    assert page.h1 == "Change your name"
    assert page.field("Name")["value"] == "Ada Lovelace"
    page = ada.press("Save", name="  Ada   King ")
    assert (page.path, page.receipts) == ("/settings/account", ["Your name is now Ada King."])
    assert ada.open("/").h1 == "Welcome, Ada King"
    assert site.emails(ada.email)[0].subject == "Your name was changed to Ada King (Nightlatch)"
    ada.open(NAME)
    page = ada.press("Save", name=" ")
    assert (page.status, page.problems) == (422, ["Enter a name with up to 60 characters."])


def test_the_same_name_again_tells_nothing(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open(NAME)
    before = len(site.emails(ada.email))
    ada.press("Save", name="Ada Lovelace")
    assert len(site.emails(ada.email)) == before


def test_a_new_username_takes_effect_after_a_day_and_the_earlier_one_still_logs_in(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open("/settings/account")
    assert ada.follow("Username").h1 == "Change your username"
    page = ada.press("Save", username="@Countess")
    assert page.receipts == ["We emailed you a link that stops the change."]
    assert page.says(f"Your username changes from @ada to @Countess on {AT}")
    mail = site.emails(ada.email)[0]
    assert mail.subject == "Your Nightlatch username will change"
    assert f"from @ada to @Countess on {AT}" in mail.text
    assert "Chrome on Linux" in mail.text or "iPhone" in mail.text
    page = ada.open("/settings/security/activity")
    assert page.says(f"A change of your username to @Countess was requested. It takes effect on {AT}.")
    assert 'takes effect on <time datetime="2027-01-16T08:00:00Z">' in page.text, "a script shows it in her own zone"
    site.clock.pass_(DAY - 1)
    assert site.services.renames.finish_due() == 0
    ada.username = "countess"
    assert ada.log_in().status == 422, "it does not log in before it is the account's"
    site.clock.pass_(1)
    assert site.services.renames.finish_due() == 1
    assert site.services.renames.finish_due() == 0
    assert usernames(site) == ["Countess"]
    told = site.emails(ada.email)[0]
    assert "Your username was changed to @Countess. You can still log in with @ada." in told.text
    for name in ("countess", "@ada", "ADA"):
        ada.username = name
        assert ada.log_in().h1 == "Welcome, Ada Lovelace", name
        assert caller(site, name) == "Countess", name
        ada.log_out()


def test_a_username_can_be_changed_once_in_thirty_days(site: Site) -> None:
    ada = Owner.signed_up(site)
    ask(ada)
    site.clock.pass_(DAY)
    site.services.renames.finish_due()
    ada.log_in()
    page = ada.open(USERNAME)
    assert page.says("Your next change is possible after February 14, 2027, 8:00 AM UTC.")
    assert "Save" not in page.buttons
    page = ada.post(USERNAME, username="lady")
    again = "You can change your username once in 30 days. Try again after February 14, 2027, 8:00 AM UTC."
    assert (page.status, page.problems) == (422, [again])
    ada.open("/settings/account/delete")
    ada.press("Delete my account")
    ada.log_in()
    assert ada.post(USERNAME, username="lady").problems == [again], "a deletion that was undone makes no difference"
    site.clock.pass_(29 * DAY)
    ada.log_in()
    assert ask(ada, "ada").says("from @countess to @ada"), "her own earlier name is free for her"
    site.clock.pass_(DAY)
    site.services.renames.finish_due()
    assert usernames(site) == ["ada"]
    ada.username = "countess"
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"


def test_the_owner_stops_a_change_on_the_page_and_may_ask_for_another(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ask(ada)
    page = ada.press("Keep @ada")
    assert page.receipts == ["Your username stays @ada."]
    assert "The change of your username to @countess was stopped." in site.emails(ada.email)[0].text
    assert ask(ada, "lady").says("from @ada to @lady")
    page = ada.post(USERNAME, username="another")
    assert page.problems == ["A change of your username is already waiting. Nothing else was changed."]
    ada.press("Keep @ada")
    ask(ada, "third")
    ada.press("Keep @ada")
    assert ask(ada, "fourth").status == 429, "three in a day, those that were stopped too"
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 0


def test_the_link_in_the_email_stops_the_change_once_and_logs_everyone_out(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ask(ada)
    path = site.emailed_path(ada.email, "/keep-username/")
    reader = Person(site.app)
    for _ in range(2):
        page = reader.open(path)
        assert (page.h1, page.says("@ada to @countess")) == ("Keep your username", True)
    assert is_in(ada), "opening it changes nothing"
    reader.open(path)
    page = reader.press("Stop the change")
    assert page.path == "/forgot-password"
    assert page.receipts == ["Your username stays @ada. Now choose a new password."]
    assert ada.open("/").path == "/log-in"
    assert reader.open(path).status == 404
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 0


def test_the_link_of_a_stopped_change_does_not_stop_a_later_one(site: Site) -> None:
    ada = Owner.signed_up(site)
    ask(ada)
    first = site.emailed_path(ada.email, "/keep-username/")
    ada.press("Keep @ada")
    site.clock.pass_(60)
    ask(ada, "lady")
    assert Person(site.app).open(first).status == 404
    site.clock.pass_(DAY)
    assert Person(site.app).open(site.emailed_path(ada.email, "/keep-username/")).status == 404
    assert site.services.renames.finish_due() == 1
    assert usernames(site) == ["lady"]


@pytest.mark.parametrize(
    ("username", "problem"),
    [
        ("grace", "That username is taken. Try another."),
        ("GRACE", "That username is taken. Try another."),
        ("gone", "That username is taken. Try another."),
        ("admin", "This username is reserved. Choose another."),
        ("ada", "This is already your username. Enter a different one."),
        (
            "a b",
            "Use 2 to 30 letters (A to Z), numbers, dots, dashes, or underscores. Start and end with a letter or"
            " number.",
        ),
    ],
)
def test_a_name_that_is_not_free_is_refused(site: Site, username: str, problem: str) -> None:
    for name in ("gone", "grace", "ada"):
        owner = Owner.signed_up(site, name)
    site.services.accounts.delete("gone")
    page = ask(owner, username)
    assert (page.status, page.problems) == (422, [problem])
    assert page.field("New username")["value"] == username


def test_no_other_account_gets_a_name_that_waits_or_was_another_accounts(site: Site) -> None:
    ada, grace = Owner(site), Owner(site, "grace")
    ada.sign_up()
    ask(ada)
    grace.sign_up()
    taken = ["That username is taken. Try another."]
    assert ask(grace, "Countess").problems == taken
    site.clock.pass_(DAY)
    site.services.renames.finish_due()
    grace.log_in()
    assert ask(grace, "ada").problems == taken
    eve = Person(site.app)
    eve.open("/sign-up")
    for name in ("ADA", "countess"):
        page = eve.press("Sign up", name="Eve", username=name, password="violet tractors hum along")
        assert page.problems == taken
    runner = site.app.test_cli_runner()
    made = runner.invoke(
        args=["accounts", "create", "--username", "ada", "--name", "Eve"], input="violet tractors hum along\n"
    )
    assert (made.exit_code, made.output) == (1, "Error: That username is taken. Try another.\n")


def test_a_spelling_of_the_same_name_is_a_change_too(site: Site) -> None:
    ada = Owner.signed_up(site)
    assert ask(ada, "Ada").says("from @ada to @Ada")
    site.clock.pass_(DAY)
    site.services.renames.finish_due()
    assert usernames(site) == ["Ada"]
    assert ada.log_in().h1 == "Welcome, Ada Lovelace"
    assert site.services.accounts.former_usernames(site.services.accounts.named("ada")) == []


def test_a_change_of_the_username_needs_step_up_and_a_confirmed_address(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    page = ada.open(USERNAME)
    assert (page.path, page.problems) == ("/settings/account/email", ["Confirm your email address first."])
    ada.press("Save", email=ada.email)
    ada.press("Verify", code=site.emailed_code(ada.email))
    stale(ada)
    assert ada.open(USERNAME).h1 == "Enter your password"
    assert ada.post(USERNAME, username="countess").h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).says("from @ada to @countess"), "what was entered is not lost"


def test_bringing_an_earlier_email_address_back_stops_a_change_of_the_username(site: Site) -> None:
    """A thief who changes the address first gets the link that stops the change."""
    ada = Owner.signed_up(site)
    ada.open("/settings/account/email")
    ada.press("Save", email="eve@example.net")
    ada.press("Verify", code=site.emailed_code("eve@example.net"))
    ask(ada, "eve")
    reader = Person(site.app)
    reader.open(site.emailed_path(ada.email, "/undo-email/"))
    reader.press("Undo the change")
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 0
    assert usernames(site) == ["ada"]


class TestWhereUsernamesStay:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {**environ, "NIGHTLATCH_USERNAME_CHANGE": "off"}

    def test_nothing_offers_or_makes_a_change(self, site: Site) -> None:
        ada = Owner.signed_up(site)
        page = ada.open("/settings/account")
        assert "Username" not in page.links
        assert "Name" in page.links
        assert ada.open(USERNAME).status == 404
        assert ada.post(USERNAME, username="countess").status == 404


def test_the_operator_renames_at_once_and_the_owner_is_told(site: Site) -> None:
    ada = Owner.signed_up(site)
    ask(ada)
    runner = site.app.test_cli_runner()
    result = runner.invoke(args=["accounts", "rename", "ada", "admin"])
    assert (result.exit_code, result.output) == (0, "Renamed ada to admin. ada still logs in.\n")
    assert "An administrator changed your username to @admin." in site.emails(ada.email)[0].text
    shown = runner.invoke(args=["accounts", "show", "ada"]).output
    assert "Username: admin\n" in shown
    assert "Earlier usernames: ada\n" in shown
    site.clock.pass_(DAY)
    assert site.services.renames.finish_due() == 0, "the change that waited is void"
    assert runner.invoke(args=["accounts", "rename", "nobody", "ada"]).exit_code == 1
