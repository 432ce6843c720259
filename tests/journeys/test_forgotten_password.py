"""A forgotten password: the same answer for every address, and a link whose GET shows a page and whose POST acts."""

from __future__ import annotations

import re

from tests.conftest import Site
from tests.people import Owner, Page
from webapp.domain.origin import Origin

NEW = "seven brass wheels turning"


def ask(person: Owner, email: str) -> None:
    person.open("/log-in")
    person.follow("Forgot password?")
    page = person.press("Send link", email=email)
    assert (page.status, page.h1) == (200, "Check your email for a link")


def anonymous(page: Page | None, address: str) -> str:
    """The page without the address and without its CSRF token, which changes every second."""
    assert page is not None
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page.text.replace(address, ""))


def test_the_link_sets_a_new_password_and_does_not_log_in(returning: Owner, site: Site) -> None:
    ada = returning
    ask(ada, ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    for _ in range(3):  # a mail scanner opens it first
        assert ada.open(path).h1 == "Choose a new password"
    page = ada.press("Save password", password=NEW)
    assert (page.path, page.h1) == ("/log-in", "Log in")
    assert page.receipts == ["Password changed. Log in with your new password."]
    assert page.field("Username")["value"] == "ada"
    assert ada.cookie("session") is None
    assert ada.log_in().status == 422
    assert ada.log_in(NEW).h1 == "Enter your code"
    assert ada.press("Verify", code=ada.next_code()).h1 == "Welcome, Ada Lovelace"
    assert site.emails(ada.email)[0].subject == "Your password was reset using a link sent to your email (Nightlatch)"
    page = ada.other_browser().open(path)
    assert (page.status, page.h1) == (404, "This link no longer works")


def username_field(page: Page) -> str:
    (field,) = page.soup.find_all("input", autocomplete="username")
    assert field.has_attr("hidden")
    return str(field["value"])


def test_every_form_for_a_known_users_password_names_the_user_for_password_managers(site: Site) -> None:
    ada = Owner.signed_up(site)
    site.clock.pass_(601)
    assert username_field(ada.open("/settings/account/password")) == "ada", "step-up"
    ada.press("Verify", password=ada.password)
    assert username_field(ada.open("/settings/account/password")) == "ada"
    ada.open("/settings/security/two-factor/text-message/overview")
    assert username_field(ada.press("Next")) == "ada"
    ask(ada.other_browser(), ada.email)
    assert username_field(ada.open(site.emailed_path(ada.email, "/reset-password/"))) == "ada"


def test_an_invalid_password_does_not_use_the_link_up(returning: Owner, site: Site) -> None:
    ada = returning
    ask(ada, ada.email)
    ada.open(site.emailed_path(ada.email, "/reset-password/"))
    page = ada.press("Save password", password="short")
    assert page.status == 422
    assert page.problems == ["Use at least 15 characters."]
    assert ada.press("Save password", password=NEW).path == "/log-in"


def test_the_answer_for_an_unknown_address_is_the_same(ada: Owner, site: Site) -> None:
    ada.sign_up()
    stranger = Owner(site, "eve", layout=ada.layout, htmx=ada.htmx)
    ask(stranger, ada.email)
    known = anonymous(stranger.page, ada.email)
    ask(stranger, "nobody@example.org")
    assert known == anonymous(stranger.page, "nobody@example.org")
    assert not site.emails("nobody@example.org")


def test_a_malformed_address_is_reported(ada: Owner) -> None:
    ada.open("/forgot-password")
    page = ada.press("Send link", email="ada")
    assert (page.status, page.problems) == (422, ["Enter a valid email address, like name@example.com."])
    assert ada.press("Send link", email="").problems == ["Enter your email address."]


def test_a_link_is_refused_after_an_hour_and_after_another_was_used(returning: Owner, site: Site) -> None:
    ada = returning
    ask(ada, ada.email)
    first = site.emailed_path(ada.email, "/reset-password/")
    site.clock.pass_(10)
    ask(ada, ada.email)
    second = site.emailed_path(ada.email, "/reset-password/")
    assert first != second
    ada.open(second)
    ada.press("Save password", password=NEW)
    assert ada.open(first).status == 404
    ask(ada, ada.email)
    third = site.emailed_path(ada.email, "/reset-password/")
    ada.open(third)
    site.clock.pass_(3600)
    page = ada.press("Save password", password="eight brass wheels turning")
    assert (page.status, page.h1) == (404, "This link no longer works")


def test_a_sixth_link_of_a_day_is_not_sent_and_the_page_does_not_say_so(ada: Owner, site: Site) -> None:
    ada.sign_up()
    for _ in range(7):
        ask(ada.other_browser(), ada.email)
    links = [mail for mail in site.emails(ada.email) if "/reset-password/" in mail.text]
    assert len(links) == 5


def test_many_requests_from_one_network_have_to_wait(site: Site) -> None:
    eve = Owner(site, "eve")
    for number in range(site.services.settings.policy.reset_sends_address.most):
        site.services.password_changes.send_link(f"somebody{number}@example.org", Origin(eve.address))
    eve.open("/forgot-password")
    page = eve.press("Send link", email="one.more@example.org")
    assert page.status == 429
    assert int(page.response.headers["Retry-After"]) > 0


def test_a_link_to_an_unconfirmed_address_confirms_it(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.press("Next", email=ada.email)
    ask(ada.other_browser(), ada.email)
    reader = ada.other_browser()
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    assert reader.press("Save password", password=NEW).path == "/log-in"
    assert ada.open("/").path == "/log-in"
    page = reader.log_in(NEW)
    assert page.h1 == "Welcome, Ada Lovelace"
    assert page.says(f"{ada.email} , confirmed")


def test_of_links_to_two_accounts_that_claim_an_address_only_the_first_used_is_accepted(site: Site) -> None:
    ada, eve = Owner(site), Owner(site, "eve")
    for person in (ada, eve):
        person.sign_up(confirm_email=False)
        person.press("Next", email="shared@example.org")
        ask(Owner(site), "shared@example.org")
    paths = [
        line.removeprefix(site.services.settings.main_url)
        for mail in site.emails("shared@example.org")
        for line in mail.text.splitlines()
        if "/reset-password/" in line
    ]
    assert len(paths) == 2
    reader = Owner(site)
    for path, status in zip(paths, (200, 404), strict=True):
        reader.open(path)
        assert reader.press("Save password", password=NEW).status == status


def test_accounts_that_claimed_an_address_before_do_not_keep_the_link_from_its_owner(site: Site) -> None:
    squatters = [Owner(site, f"eve{number}", address="198.51.100.7") for number in range(3)]
    for squatter in squatters:
        squatter.sign_up(confirm_email=False)
        squatter.press("Next", email="ada@example.org")
    site.clock.pass_(60)
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email=ada.email)
    assert asked_for(site, ada) == ["ada"]
    site.clock.pass_(60)
    squatters[0].open("/sign-up/email")
    squatters[0].press("Next", email=ada.email)
    assert asked_for(site, ada) == ["eve0"], "the newest claim, whatever the age of the account"
    ada.open("/sign-up/email")
    ada.press("Next", email=ada.email)
    ada.press("Verify", code=site.emailed_code(ada.email))
    assert asked_for(site, ada) == ["ada"], "a confirmed address has one owner"


def asked_for(site: Site, owner: Owner) -> list[str]:
    """The accounts for which a link is sent when one is asked for."""
    before = len(site.emails(owner.email))
    ask(Owner(site), owner.email)
    mails = site.emails(owner.email)
    return [re.findall(r"reset the password for (\S+) on", mail.text)[0] for mail in mails[: len(mails) - before]]


def test_a_link_to_a_former_address_is_refused(site: Site) -> None:
    ada = Owner.signed_up(site)
    ask(ada.other_browser(), ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    ada.open("/settings/account/email")
    ada.press("Save", email="countess@example.org")
    ada.press("Verify", code=site.emailed_code("countess@example.org"))
    reader = ada.other_browser()
    reader.open(path)
    page = reader.press("Save password", password=NEW)
    assert (page.status, page.h1) == (404, "This link no longer works")
    assert reader.log_in().h1 == "Welcome, Ada Lovelace"


def test_a_link_to_an_unconfirmed_address_is_refused_after_another_was_confirmed(site: Site) -> None:
    ada = Owner.signed_up(site, confirm_email=False)
    ada.press("Next", email="typo@example.org")
    ask(ada.other_browser(), "typo@example.org")
    path = site.emailed_path("typo@example.org", "/reset-password/")
    ada.open("/sign-up/email")
    ada.press("Next", email=ada.email)
    ada.press("Verify", code=site.emailed_code(ada.email))
    stranger = Owner(site, "eve")
    stranger.open(path)
    assert stranger.press("Save password", password=NEW).status == 404


def test_a_reset_ends_a_pending_login_with_the_old_password(returning: Owner, site: Site) -> None:
    ada = returning
    ada.log_in()
    ask(ada.other_browser(), ada.email)
    reader = ada.other_browser()
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    reader.press("Save password", password=NEW)
    page = ada.open("/log-in/verify")
    assert page.path == "/log-in"
    assert page.problems == ["Your login timed out or was canceled. Log in again."]
