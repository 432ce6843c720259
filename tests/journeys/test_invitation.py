"""An invitation: the operator makes the account, and a mailed link sets its password and confirms its address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from sqlalchemy import update

from tests.attacks.test_meanwhile import while_paused
from tests.attacks.test_password_limits import in_a_row
from tests.attacks.tools import everything, is_in
from tests.conftest import Site
from tests.people import PASSWORD, Owner, Page, Person
from webapp.domain.origin import Origin
from webapp.models.accounts import Account

NEW = "seven brass wheels turning"
GRACE = "grace@example.org"
HERE = Origin("192.0.2.1", "Firefox", "nightlatch.localhost")
Run = Callable[..., Result]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return {**environ, "NIGHTLATCH_SIGN_UP": "closed"}


@pytest.fixture
def invite(site: Site) -> Run:
    def command(*more: str, email: str = GRACE) -> Result:
        return site.app.test_cli_runner().invoke(args=["accounts", "invite", "--email", email, *more])

    return command


def accept(site: Site, path: str, password: str = NEW) -> Page:
    reader = Person(site.app)
    reader.open(path)
    return reader.press("Save password", password=password)


def test_the_link_sets_the_password_and_confirms_the_address(site: Site, invite: Run) -> None:
    result = invite("--username", "admiral", "--name", "Grace Hopper")
    assert (result.exit_code, result.output) == (
        0,
        "Invited grace@example.org as admiral. The link works for 72 hours, once.\n",
    )
    mail = site.emails(GRACE)[0]
    assert "the account admiral for you" in mail.text
    assert "This link expires in 72 hours and can be used once." in mail.text
    reader, path = Person(site.app), site.emailed_path(GRACE, "/invite/")
    page = reader.open(path)
    assert (page.h1, page.title) == ("Set up your account", "Set up your account - Nightlatch")
    assert page.says("admiral")
    assert page.says(GRACE)
    assert page.soup.find("input", attrs={"autocomplete": "username"})["value"] == "admiral"
    assert site.services.accounts.named("admiral").email is None, "a GET changes nothing"
    page = reader.press("Save password", password=NEW)
    assert page.path == "/log-in"
    assert page.receipts == ["Your account is ready. Log in with your new password."]
    assert page.field("Username")["value"] == "admiral"
    account = site.services.accounts.named("admiral")
    assert (account.email, account.unconfirmed_email, account.claimed_at) == (GRACE, None, None)
    grace = Owner(site, "admiral")
    assert grace.log_in(NEW).h1 == "Welcome, Grace Hopper"
    subjects = [mail.subject for mail in site.emails(GRACE)[:2]]
    assert "logged in to your account from a new browser" in subjects[0], "another than the link was opened in"
    assert "The invitation to your account was accepted" in subjects[1]


def test_wrong_passwords_before_it_was_accepted_keep_the_new_owner_out_of_nothing(site: Site, invite: Run) -> None:
    """Without a confirmed address they have no limit; with one, a hundred would close the account."""
    invite("--username", "grace")
    in_a_row(site, "grace", 100)
    reader = Person(site.app)
    reader.open(site.emailed_path(GRACE, "/invite/"))
    reader.press("Save password", password=NEW)
    assert Owner(site, "grace").log_in(NEW).h1 == "Welcome, grace", "in any browser"


def test_the_browser_that_accepted_it_is_known(site: Site, invite: Run) -> None:
    invite("--username", "grace")
    reader = Person(site.app)
    reader.open(site.emailed_path(GRACE, "/invite/"))
    reader.press("Save password", password=NEW)
    in_a_row(site, "grace", 100)
    assert reader.press("Log in", username="grace", password=NEW).h1 == "Welcome, grace"


def test_a_link_that_is_used_while_another_address_is_entered_is_refused(site: Site, invite: Run) -> None:
    invite("--username", "grace")
    path, grace = site.emailed_path(GRACE, "/invite/"), site.services.accounts.named("grace")
    finder = Person(site.app)
    finder.open(path)
    while_paused(
        site,
        lambda: site.services.email_addresses.send_code(grace, "email:1", "hopper@example.org", HERE),
        "UPDATE accounts SET unconfirmed_email",
        lambda: finder.press("Save password", password=NEW),
    )
    assert finder.page is not None
    assert finder.page.status == 404
    now = site.services.accounts.named("grace")
    assert (now.password_hash, now.unconfirmed_email) == (grace.password_hash, "hopper@example.org")


def test_the_link_works_once_and_for_72_hours(site: Site, invite: Run) -> None:
    invite()
    path = site.emailed_path(GRACE, "/invite/")
    site.clock.pass_(72 * 3600 - 1)
    assert Person(site.app).open(path).h1 == "Set up your account"
    site.clock.pass_(1)
    page = Person(site.app).open(path)
    assert (page.status, page.h1) == (404, "This link no longer works")
    invite()
    path = site.emailed_path(GRACE, "/invite/")
    assert accept(site, path).path == "/log-in"
    assert Person(site.app).open(path).status == 404


def test_a_second_invitation_is_to_the_same_account_and_voids_the_first_link(site: Site, invite: Run) -> None:
    invite("--username", "grace")
    first = site.emailed_path(GRACE, "/invite/")
    assert "as grace." in invite().output
    assert "as grace." in invite("--username", "@GRACE").output
    assert len(list(site.services.accounts.all())) == 1
    assert Person(site.app).open(first).status == 404
    assert accept(site, site.emailed_path(GRACE, "/invite/")).path == "/log-in"


@pytest.mark.parametrize(
    ("email", "username"),
    [
        ("grace@example.org", "grace"),
        ("Grace.Hopper@example.org", "grace.hopper"),
        ("grace+site@example.org", "grace-site"),
        ("m\u00fcller@example.org", "muller"),
        ("jo@example.org", "jo"),
        ("x@example.org", "userx"),
        ("\u674e@example.org", "user"),
        ("ada@example.org", "ada2"),
        ("info@example.org", "info2"),
        ("a" * 60 + "@example.org", "a" * 24),
    ],
)
def test_without_a_username_one_is_made_from_the_address(site: Site, invite: Run, email: str, username: str) -> None:
    site.services.sign_up.create_by_operator("Ada", "ada", NEW, None, confirmed=False)
    assert f" as {username}. " in invite(email=email).output


@pytest.mark.parametrize(
    ("email", "more", "says"),
    [
        ("grace", (), "Enter a valid email address, like name@example.com."),
        (GRACE, ("--username", "ada"), "That username is taken."),
        (GRACE, ("--username", "a"), "Use 2 to 30 letters"),
        ("ADA@example.org", (), "That email address belongs to another account."),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    site: Site, invite: Run, email: str, more: tuple[str, ...], says: str
) -> None:
    site.services.sign_up.create_by_operator("Ada", "ada", NEW, "ada@example.org", confirmed=True)
    result = invite(*more, email=email)
    assert result.exit_code == 1
    assert says in result.output
    assert "Traceback" not in result.output
    assert site.emails() == []


def test_the_operator_may_invite_under_a_reserved_name(site: Site, invite: Run) -> None:
    assert "as postmaster." in invite("--username", "postmaster").output


def test_a_weak_password_is_refused_and_the_link_goes_on_working(site: Site, invite: Run) -> None:
    invite()
    path = site.emailed_path(GRACE, "/invite/")
    page = accept(site, path, "short")
    assert (page.status, page.problems) == (422, ["Use at least 15 characters."])
    assert accept(site, path).path == "/log-in"


def test_an_invited_account_is_closed_until_the_link_is_used(site: Site, invite: Run) -> None:
    invite()
    for password in (NEW, "", "grace"):
        assert Owner(site, "grace").log_in(password or " ").status == 422


def test_a_link_to_an_address_that_is_no_longer_claimed_is_refused(site: Site, invite: Run) -> None:
    """The finder of a mistyped address must not get the account of a person who has entered another one since."""
    invite()
    path = site.emailed_path(GRACE, "/invite/")
    grace = site.services.accounts.named("grace")
    opened = site.services.links.find("invite", path.rpartition("/")[2])
    site.services.email_addresses.send_code(grace, "email:1", "hopper@example.org", HERE)
    assert accept(site, path).status == 404
    assert site.services.accounts.named("grace").password_hash == opened.account.password_hash


def test_nothing_is_left_of_a_user_who_entered_the_address_before(site: Site, invite: Run) -> None:
    """The operator made an account for Eve, and she claims the address of Grace, whom the operator invites next."""
    site.services.sign_up.create_by_operator("Eve", "eve", PASSWORD, None, confirmed=False)
    eve = Owner(site, "eve")
    eve.log_in()
    eve.open("/settings/privacy/contacts")
    eve.press("Upload contacts", numbers="+447400123458")
    assert len(everything(site)["contacts"]) == 1
    site.services.email_addresses.send_code(site.services.accounts.named("eve"), "email:1", GRACE, HERE)
    assert "as eve." in invite().output
    accept(site, site.emailed_path(GRACE, "/invite/"))
    assert Owner(site, "eve").log_in(NEW).status == 200
    assert everything(site)["contacts"] == everything(site)["codes"] == []
    assert not is_in(eve)


def test_an_account_that_its_user_signed_up_is_never_handed_on(site: Site, invite: Run) -> None:
    site.services.sign_up.create_by_operator("Eve", "eve", NEW, GRACE, confirmed=False)
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(made_by_operator=False))
    assert " as grace. " in invite().output


def test_a_link_is_refused_after_another_account_confirmed_the_address(site: Site, invite: Run) -> None:
    invite()
    path = site.emailed_path(GRACE, "/invite/")
    site.services.sign_up.create_by_operator("Eve", "eve", NEW, GRACE, confirmed=True)
    assert accept(site, path).status == 404
