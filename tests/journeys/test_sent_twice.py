"""A form that proves an identity, sent twice by one browser: the second answer leads where the first one did."""

from __future__ import annotations

import pytest

from tests.conftest import Site, one_database
from tests.people import TWO_FACTOR, Owner, Page
from webapp.services.login.proof import shared_bucket
from webapp.web import sent_twice

pytestmark = one_database
DONE = "That's already done, maybe in another tab. Here's the current status."
NAME, USERNAME = "/settings/account/name", "/settings/account/username"


def twice(ada: Owner, code: str) -> Page:
    """Presses Verify twice, the second time after the cookies of the first answer came."""
    assert ada.page is not None
    path, sent = ada.page.response.request.full_path, {"csrf_token": ada.page.csrf_tokens[0], "code": code}
    assert ada.send("POST", path, follow=False, data=sent).status == (200 if ada.htmx else 303)
    return ada.send("POST", path, data=sent)


def with_app(site: Site) -> Owner:
    ada = Owner(site)
    ada.sign_up()
    ada.turn_on_app()
    ada.press("Got it")
    return ada


def at_step_up(site: Site, path: str) -> Owner:
    ada = with_app(site)
    site.clock.pass_(site.services.settings.policy.fresh)
    ada.open(path)
    return ada


def failures(site: Site) -> int:
    return site.services.attempts.counted(shared_bucket(site.services.accounts.named("ada").id))


@pytest.mark.parametrize("is_backup_code", [False, True])
def test_a_login(site: Site, is_backup_code: bool) -> None:
    ada = with_app(site)
    ada.log_out()
    ada.open(NAME)
    ada.press("Log in", username="ada", password=ada.password)
    if is_backup_code:
        ada.follow("Use a backup code")
        assert twice(ada, ada.kept_code).h1 == "Save your new backup code"
        ada.press("Got it")
    else:
        assert twice(ada, ada.next_code()).path == NAME
    assert ada.open(NAME).path == NAME
    assert failures(site) == 0


def test_a_login_by_htmx(site: Site) -> None:
    """The page stays until the browser has loaded the next one: a slow network leaves time for a second press."""
    ada = with_app(site)
    ada.log_out()
    ada.open(NAME)
    ada.press("Log in", username="ada", password=ada.password)
    ada.htmx = True
    ada.open("/log-in/verify")
    assert twice(ada, ada.next_code()).path == NAME
    assert failures(site) == 0


@pytest.mark.parametrize("is_backup_code", [False, True])
def test_step_up(site: Site, is_backup_code: bool) -> None:
    ada = at_step_up(site, USERNAME)
    ada.press("Verify", password=ada.password)
    if is_backup_code:
        ada.follow("Use a backup code")
        assert twice(ada, ada.kept_code).h1 == "Save your new backup code"
        ada.press("Got it")
    else:
        assert twice(ada, ada.next_code()).path == USERNAME
    assert ada.open(USERNAME).path == USERNAME
    assert failures(site) == 0


def test_step_up_with_a_kept_form_does_it_once(site: Site) -> None:
    ada = with_app(site)
    ada.open(USERNAME)
    site.clock.pass_(site.services.settings.policy.fresh)
    ada.press("Save", username="countess")
    ada.press("Verify", password=ada.password)
    page = twice(ada, ada.next_code())
    assert page.path == USERNAME
    assert page.says("@countess")
    assert len([mail for mail in site.emails(ada.email) if "username" in mail.subject]) == 1


def test_step_up_by_htmx_with_a_kept_form_that_ends_the_session(site: Site) -> None:
    ada = with_app(site)
    ada.open("/settings/account/delete")
    site.clock.pass_(site.services.settings.policy.fresh)
    ada.press("Delete my account")
    ada.press("Verify", password=ada.password)
    ada.htmx = True
    page = twice(ada, ada.next_code())
    assert (page.path, len(page.receipts)) == ("/log-in", 1)
    assert page.receipts[0].startswith("Your account will be deleted on ")


def test_another_code_is_not_the_same_form(site: Site) -> None:
    ada = at_step_up(site, USERNAME)
    ada.press("Verify", password=ada.password)
    page = ada.page
    assert page is not None
    path, token = page.response.request.full_path, page.csrf_tokens[0]
    code = ada.next_code()
    ada.send("POST", path, follow=False, data={"csrf_token": token, "code": code})
    assert ada.send("POST", path, data={"csrf_token": token, "code": "0" + code[:5]}).status == 422
    assert failures(site) == 1


def test_a_browser_without_the_first_answer_is_led_nowhere(site: Site) -> None:
    ada = at_step_up(site, USERNAME)
    ada.press("Verify", password=ada.password)
    page = ada.page
    assert page is not None
    sent = {"csrf_token": page.csrf_tokens[0], "code": ada.next_code()}
    before = {name: ada.cookie(name) or "" for name in ("session", "form")}
    ada.send("POST", page.response.request.full_path, follow=False, data=sent)
    for name, value in before.items():
        ada.client.set_cookie(name, value, domain="nightlatch.localhost")
    assert ada.send("POST", page.response.request.full_path, data=sent).h1 == "Log in"


def test_a_path_too_long_for_a_cookie_is_not_kept(site: Site) -> None:
    ada = at_step_up(site, f"{NAME}?x={'y' * sent_twice.LONGEST}")
    ada.open(f"/step-up/password?next={NAME}%3Fx={'y' * sent_twice.LONGEST}")
    ada.press("Verify", password=ada.password)
    assert twice(ada, ada.next_code()).problems == ["That code was already used. Enter a new one."]


def again(ada: Owner, button: str, **fields: str) -> Page:
    """Presses a button of the present page twice."""
    assert ada.page is not None
    form, _ = ada.page.form_of(button)
    sent = {field.get("name"): field.get("value", "") for field in form.iter("input")} | fields
    assert ada.send("POST", form.get("action"), follow=False, data=sent).status == 303
    return ada.send("POST", form.get("action"), data=sent)


def test_one_receipt_for_two_presses(site: Site) -> None:
    ada = with_app(site)
    ada.open(NAME)
    assert again(ada, "Save", name="Countess").receipts == ["Your name is now Countess."]


def test_a_method_that_is_on_again_was_not_off_too_long(site: Site) -> None:
    ada = with_app(site)
    ada.open(f"{TWO_FACTOR}/authentication-app/turn-off")
    ada.press("Turn off")
    page = again(ada, "Turn back on")
    assert page.problems == [DONE]
    assert page.receipts == ["Authentication app is back on. We sent you a confirmation email."]


def test_a_deleted_key_is_gone_and_its_page_too(site: Site) -> None:
    ada = with_app(site)
    ada.turn_on_key(ada.new_key())
    ada.follow("Delete Blue key")
    page = again(ada, "Delete")
    assert (page.h1, page.problems) == ("Manage security keys", [DONE])
    assert page.receipts == ["Blue key was deleted. We sent you a confirmation email."]
