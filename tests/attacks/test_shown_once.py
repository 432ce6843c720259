"""Secrets that are shown once are not shown after their page was left, to another log-in, or after their time."""

from __future__ import annotations

import pytest

from tests.attacks.tools import stale
from tests.conftest import Site
from tests.people import TWO_FACTOR, Owner

BACKUP, TEMPORARY = f"{TWO_FACTOR}/backup-code", f"{TWO_FACTOR}/temporary-password"
MAKES = pytest.mark.parametrize(
    ("path", "button"), [(BACKUP, "Generate a new code"), (TEMPORARY, "Generate temporary password")]
)


def secret_of(owner: Owner) -> bool:
    assert owner.page is not None
    return owner.page.soup.select_one(".card .secret") is not None


@MAKES
def test_a_reload_shows_the_same_and_makes_nothing(site: Site, ada: Owner, path: str, button: str) -> None:
    ada.open(path)
    page = ada.press(button)
    shown = page.soup.select_one(".card .secret")
    mails = len(site.emails(ada.email))
    assert ada.open(page.path).soup.select_one(".card .secret") == shown is not None
    assert len(site.emails(ada.email)) == mails


def test_a_temporary_password_is_not_shown_after_its_page_was_left_or_it_was_ended(ada: Owner) -> None:
    for leave in (lambda: ada.open("/"), lambda: ada.press("End now")):
        ada.open(TEMPORARY)
        ada.press("Generate temporary password")
        assert secret_of(ada)
        leave()
        ada.open(TEMPORARY)
        assert not secret_of(ada)


@pytest.mark.parametrize(("path", "shown", "seconds"), [(BACKUP, f"{BACKUP}/new", 1800), (TEMPORARY, TEMPORARY, 600)])
def test_after_its_time_it_is_not_shown(site: Site, ada: Owner, path: str, shown: str, seconds: int) -> None:
    ada.open(path)
    ada.post(path, follow=False)
    site.clock.pass_(seconds)
    ada.open(shown)
    assert not secret_of(ada)


@pytest.mark.parametrize(("path", "shown"), [(BACKUP, f"{BACKUP}/new"), (TEMPORARY, TEMPORARY)])
def test_the_cookie_of_its_browser_shows_it_to_no_other_log_in(ada: Owner, path: str, shown: str) -> None:
    ada.open(path)
    ada.post(path, follow=False)
    form = ada.cookie("form")
    assert form is not None
    other = ada.other_browser()
    other.log_in_whole()
    other.client.set_cookie("form", form, domain=other.host.split(":")[0])
    other.open(shown)
    assert not secret_of(other)
    ada.open(shown)
    assert secret_of(ada)


@pytest.mark.parametrize(("path", "other"), [(BACKUP, TEMPORARY), (TEMPORARY, BACKUP)])
def test_what_is_stored_for_one_page_is_shown_on_no_other(ada: Owner, path: str, other: str) -> None:
    ada.open(path)
    ada.post(path, follow=False)
    ada.open(other)
    assert not secret_of(ada)


def test_the_code_after_a_log_in_is_not_shown_after_got_it(ada: Owner) -> None:
    other = ada.other_browser()
    other.open("/settings/account")
    other.press("Log in", username=ada.username, password=ada.password)
    page = other.post("/log-in/backup-code", code=ada.kept_code)
    assert (page.path, secret_of(other)) == ("/log-in/backup-code/new", True)
    other.press("Got it")
    assert other.open("/log-in/backup-code/new?next=/settings/account").path == "/settings/account"
    assert other.open("/log-in/backup-code/new?next=//evil.example").path == "/"


def test_the_code_after_step_up_is_not_shown_after_got_it(ada: Owner) -> None:
    stale(ada).open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    page = ada.post("/step-up/backup-code?next=/settings/account", code=ada.kept_code)
    assert (page.path, secret_of(ada)) == ("/step-up/backup-code/new", True)
    ada.press("Got it")
    assert ada.open("/step-up/backup-code/new?next=/settings/account").path == "/settings/account"
    assert ada.open("/step-up/backup-code/new").path == "/settings"


def test_a_form_with_an_old_token_deletes_no_new_code(ada: Owner) -> None:
    ada.open(BACKUP)
    page = ada.press("Generate a new code")
    ada.send("POST", page.path, data={"csrf_token": "old"})
    assert ada.open(page.path).backup_code == page.backup_code


def test_the_page_after_requesting_a_link_shows_the_address_only_to_the_browser_that_asked(site: Site) -> None:
    reader = Owner(site)
    assert reader.open("/forgot-password/sent").path == "/forgot-password"
    page = reader.press("Send link", email="ada@example.org")
    assert page.path == "/forgot-password/sent"
    assert reader.open(page.path).says("ada@example.org")
    assert not Owner(site, "mallory").open("/forgot-password/sent").says("ada@example.org")
