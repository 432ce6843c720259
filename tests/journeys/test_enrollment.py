"""Turning on the authentication app: one setup key until it is proved, whatever the user does on the way."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, IPHONE, TWO_FACTOR, Owner

APP = f"{TWO_FACTOR}/authentication-app"
START = {DESKTOP: "Start", ANDROID: "Start", IPHONE: "Got it"}
SECTION = "Two-factor authentication - Nightlatch"


def begin(ada: Owner) -> None:
    """Up to the page with the QR code."""
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    page = ada.press(START[ada.layout])
    assert page.h1 == "Link your authentication app"
    ada.secret = page.setup_key


@pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])
@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_every_step_shows_its_place_in_the_enrollment(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx, confirm_email=False)
    site.clock.pass_(660)
    page = ada.open(TWO_FACTOR)
    assert page.button("Authentication app")["aria-checked"] == "false"
    assert page.button("Authentication app")["role"] == "checkbox"
    steps = [(page := ada.press("Authentication app")).step]
    assert page.title == f"Authentication app - {SECTION}"
    assert START[ada.layout] in page.buttons
    page = ada.press(START[ada.layout])
    assert (page.h1, page.path) == ("Enter your password", f"{APP}/password")
    assert page.title == f"Enter your password - {SECTION}"
    assert "Forgot password?" in page.links
    steps.append(page.step)
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == ("Confirm your email", f"{APP}/email")
    steps.append(page.step)
    page = ada.press("Next", email=ada.email)
    assert (page.h1, page.path) == ("Check your email", f"{APP}/email-code")
    steps.append(page.step)
    page = ada.press("Verify", code=site.emailed_code(ada.email))
    assert (page.h1, page.path) == ("Link your authentication app", f"{APP}/link")
    assert page.title == f"Link your authentication app - {SECTION}"
    steps.append(page.step)
    ada.secret = page.setup_key
    page = ada.press("Next")
    assert (page.h1, page.path) == ("Enter the code from your app", f"{APP}/code")
    steps.append(page.step)
    page = ada.press("Verify", code=ada.code())
    assert (page.h1, page.path) == ("You're all set", f"{APP}/done")
    assert page.says("Keep this code")
    steps.append(page.step)
    assert steps == [f"Step {n} of 7" for n in range(1, 8)]
    page = ada.press("Got it")
    assert page.path == TWO_FACTOR
    assert page.button("Authentication app")["aria-checked"] == "true"


def test_a_fresh_session_with_a_confirmed_address_has_four_steps(ada: Owner) -> None:
    ada.sign_up()
    begin(ada)
    assert ada.page is not None
    assert ada.page.step == "Step 2 of 4"


def test_the_qr_code_and_the_setup_key_are_the_same_and_name_site_and_account(ada: Owner) -> None:
    ada.sign_up()
    begin(ada)
    assert ada.page is not None
    plate = ada.page.soup.find(attrs={"role": "img"})
    assert plate is not None
    assert plate["aria-label"] == "QR code for setting up your authentication app"
    assert ada.secret not in str(plate["aria-label"])
    shown = ada.page.soup.find(id="setup-key").get_text(" ", strip=True)
    assert shown == " ".join(ada.secret[i : i + 4] for i in range(0, 32, 4))
    for app in ("Google Authenticator", "Authy", "Duo Mobile", "1Password"):
        assert ada.page.says(app)
    if ada.layout == DESKTOP:
        assert "Open in my authentication app" not in ada.page.links
        return
    url = urlsplit(ada.page.link("Open in my authentication app"))
    assert (url.scheme, url.netloc, unquote(url.path)) == ("otpauth", "totp", "/Nightlatch:ada")
    facts = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert facts == {"secret": ada.secret, "issuer": "Nightlatch"}


def test_reload_back_a_wrong_code_and_a_second_tab_keep_the_setup_key(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    first = ada.secret
    assert ada.open(f"{APP}/link").setup_key == first
    assert ada.open(APP).setup_key == first
    ada.press("Next")
    page = ada.press("Verify", code=ada.code(ahead=3600))
    assert (page.status, page.problems) == (422, ["Wrong code. Check it and try again."])
    assert page.title.startswith("Error: Enter the code from your app")
    assert ("Back to the QR code" if ada.layout == DESKTOP else "Back to the setup key") in page.links
    assert ada.open(f"{APP}/link").setup_key == first
    ada.open(TWO_FACTOR)
    ada.press("Authentication app")
    assert ada.press(START[ada.layout]).setup_key == first
    site.clock.pass_(500)
    assert ada.open(f"{APP}/link").setup_key == first


def test_only_start_over_generates_a_new_key_and_the_old_one_is_refused(ada: Owner) -> None:
    ada.sign_up()
    begin(ada)
    old = ada.code()
    page = ada.press("Start over")
    assert page.path == f"{APP}/link"
    assert page.setup_key != ada.secret
    ada.secret = page.setup_key
    ada.press("Next")
    assert ada.press("Verify", code=old).status == 422
    page = ada.press("Start over")
    assert page.path == f"{APP}/link"
    assert page.setup_key != ada.secret
    ada.secret = page.setup_key
    ada.press("Next")
    assert ada.press("Verify", code=ada.code()).h1 == "You're all set"


def test_a_step_that_is_not_open_redirects_to_the_open_one(ada: Owner) -> None:
    ada.sign_up()
    for step in ("link", "code", "done", "password", "email", "email-code"):
        assert ada.open(f"{APP}/{step}").path == f"{APP}/overview"
    begin(ada)
    for step in ("code", "done", "password", "email"):
        assert ada.open(f"{APP}/{step}").path == f"{APP}/link"
    assert ada.open(f"{APP}/overview").h1 == "Authentication app"
    assert ada.post(f"{APP}/done").path == f"{APP}/link"
    assert ada.post(f"{APP}/code", code=ada.code()).path == f"{APP}/link"


@pytest.mark.parametrize("path", [f"{APP}/nonsense", f"{TWO_FACTOR}/carrier-pigeon", f"{TWO_FACTOR}/sms/overview"])
def test_an_unknown_step_or_method_is_not_found(ada: Owner, path: str) -> None:
    ada.sign_up()
    assert ada.open(path).status == 404


def test_choosing_an_unknown_method_is_not_found(ada: Owner) -> None:
    ada.sign_up()
    assert ada.post(TWO_FACTOR, method="carrier-pigeon").status == 404


def test_cancel_changes_nothing(ada: Owner) -> None:
    ada.sign_up()
    begin(ada)
    page = ada.follow("Cancel")
    assert page.path == TWO_FACTOR
    assert page.button("Authentication app")["aria-checked"] == "false"
    assert ada.log_in_again().h1 == "Welcome, Ada Lovelace"


def test_after_half_an_hour_without_use_the_enrollment_and_its_key_are_deleted(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    first = ada.secret
    site.clock.pass_(1800)
    assert ada.open(f"{APP}/link").path == f"{APP}/overview"
    page = ada.press(START[ada.layout])
    assert page.h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.setup_key != first


def test_a_code_after_half_an_hour_leads_to_the_first_step_which_says_why(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next")
    site.clock.pass_(1800)
    page = ada.press("Verify", code=ada.code())
    assert (page.path, page.h1) == (f"{APP}/overview", "Authentication app")
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]


def test_every_step_restarts_the_half_hour(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    site.clock.pass_(1700)
    assert ada.press("Next").h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).path == f"{APP}/code"
    site.clock.pass_(1700)
    assert ada.open(f"{APP}/code").h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Enter the code from your app"
    assert ada.press("Verify", code=ada.code()).h1 == "You're all set"


def test_a_wrong_password_is_reported_and_the_right_one_continues(ada: Owner, site: Site) -> None:
    ada.sign_up()
    site.clock.pass_(660)
    ada.open(f"{APP}/overview")
    ada.press(START[ada.layout])
    page = ada.press("Verify", password="not my password")
    assert (page.status, page.problems) == (422, ["Wrong password. Try again."])
    assert not page.field("Password").get("value")
    assert ada.press("Verify", password="").problems == ["Enter your password."]
    assert ada.press("Verify", password=ada.password).h1 == "Link your authentication app"


def test_a_code_typed_when_the_session_is_no_longer_fresh_is_not_lost(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next")
    site.clock.pass_(630)
    page = ada.press("Verify", code=ada.code())
    assert page.h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "You're all set"
    assert len(page.backup_code) == 19


def test_the_confirmation_code_can_be_sent_again_and_to_another_address(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.open(f"{APP}/overview")
    ada.press(START[ada.layout])
    ada.press("Next", email="typo@example.org")
    page = ada.follow("Use a different email address")
    assert page.field("Email address")["value"] == "typo@example.org"
    ada.press("Next", email=ada.email)
    first = site.emailed_code(ada.email)
    assert ada.press("Resend code").status == 429
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert (page.status, page.path) == (200, f"{APP}/email-code")
    assert ada.press("Verify", code=first).problems == ["That code is from an earlier message. Use the latest one."]
    assert ada.press("Verify", code=site.emailed_code(ada.email)).h1 == "Link your authentication app"


def test_going_back_to_a_confirmed_address_changes_nothing_and_continues(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.open(f"{APP}/overview")
    ada.press(START[ada.layout])
    ada.press("Next", email=ada.email)
    ada.press("Verify", code=site.emailed_code(ada.email))
    assert ada.open(f"{APP}/email-code").path == f"{APP}/link"
    page = ada.open(f"{APP}/email")
    assert page.field("Email address")["value"] == ada.email
    assert ada.press("Next", email="eve@example.net").path == f"{APP}/link"
    assert not site.emails("eve@example.net")
    assert ada.post(f"{APP}/email-code", resend="1").path == f"{APP}/link"


def test_going_back_to_an_address_whose_code_was_just_sent_goes_on_to_it(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.open(f"{APP}/overview")
    ada.press(START[ada.layout])
    ada.press("Next", email=ada.email)
    ada.open(f"{APP}/email")
    assert ada.press("Next", email=ada.email).path == f"{APP}/email-code"
    assert len(site.emails(ada.email)) == 1


def test_a_stale_session_is_not_asked_for_an_address(ada: Owner, site: Site) -> None:
    ada.sign_up(confirm_email=False)
    ada.open(f"{APP}/overview")
    ada.press(START[ada.layout])
    site.clock.pass_(660)
    page = ada.press("Next", email=ada.email)
    assert page.h1 == "Enter your password"
    assert not site.emails(ada.email)
    page = ada.press("Verify", password=ada.password)
    assert (page.path, page.h1) == (f"{APP}/email-code", "Check your email")
    assert site.emails(ada.email)


def test_the_last_page_can_be_reloaded_until_got_it_and_not_after(ada: Owner) -> None:
    ada.sign_up()
    code = ada.turn_on_app().backup_code
    assert ada.open(f"{APP}/done").backup_code == code
    assert ada.open(APP).backup_code == code
    for step in ("overview", "link", "code"):
        page = ada.open(f"{APP}/{step}")
        assert page.path == f"{APP}/done"
        assert ada.secret not in page.text
    ada.press("Got it")
    page = ada.open(f"{APP}/done")
    assert page.path == f"{APP}/overview"
    assert code not in page.text


def test_only_the_session_that_finished_sees_the_backup_code(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.turn_on_app()
    elsewhere = ada.other_browser()
    elsewhere.log_in_whole()
    page = elsewhere.open(f"{APP}/done")
    assert page.path == f"{APP}/overview"
    assert ada.kept_code not in page.text


def test_a_replacement_that_is_sent_twice_leads_to_the_list_again(enrolled: Owner) -> None:
    ada = enrolled
    ada.open(f"{APP}/overview")
    ada.secret = ada.press(START[ada.layout]).setup_key
    ada.press("Next")
    assert ada.press("Verify", code=ada.code()).path == TWO_FACTOR
    page = ada.post(f"{APP}/code", code=ada.next_code())
    assert (page.path, page.problems) == (TWO_FACTOR, [])


def test_got_it_leads_to_the_list_however_late(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_app()
    site.clock.pass_(1801)
    assert ada.press("Got it").path == TWO_FACTOR


def test_a_second_tab_is_told_that_the_enrollment_is_finished(ada: Owner) -> None:
    ada.sign_up()
    ada.turn_on_app()
    page = ada.post(f"{APP}/code", code=ada.next_code())
    assert page.path == f"{APP}/done"


def test_a_step_that_needs_a_draft_is_refused_without_one(ada: Owner) -> None:
    ada.sign_up()
    assert ada.post(f"{APP}/overview", **{"start-over": "1"}).path == f"{APP}/link"


def test_a_page_whose_csrf_token_expired_does_nothing_and_keeps_what_was_typed(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next")
    page = ada.send("POST", f"{APP}/code", data={"csrf_token": "old", "code": ada.code()})
    assert page.status == 422
    assert page.problems == ["This page was out of date. Nothing was changed. Try again."]
    assert page.field("Code")["value"] == ada.code()
    page = ada.send("POST", f"{APP}/code", data={"csrf_token": "old", "start-over": "1"})
    assert page.status == 422
    assert ada.open(f"{APP}/link").setup_key == ada.secret
    assert ada.press("Next").h1 == "Enter the code from your app"


def test_replacing_keeps_the_old_app_valid_until_the_new_one_is_proved(enrolled: Owner, site: Site) -> None:
    ada = enrolled
    old_code = ada.kept_code
    page = ada.open(f"{APP}/overview")
    assert page.says("This method is on. What you use now keeps working until you finish.")
    page = ada.press(START[ada.layout])
    new = page.setup_key
    assert new != ada.secret
    elsewhere = ada.other_browser()
    assert elsewhere.log_in_whole().h1 == "Welcome, Ada Lovelace"
    old, ada.secret = ada.secret, new
    ada.open(f"{APP}/link")
    ada.press("Next")
    page = ada.press("Verify", code=ada.code())
    assert page.path == TWO_FACTOR
    assert "Copy" not in page.buttons  # the backup code is unchanged
    assert old_code not in page.text
    assert elsewhere.open("/").h1 == "Welcome, Ada Lovelace"
    elsewhere.log_in_again()
    site.clock.pass_(30)
    assert elsewhere.press("Verify", code=elsewhere.code()).status == 422
    elsewhere.secret = new
    assert elsewhere.press("Verify", code=elsewhere.next_code()).h1 == "Welcome, Ada Lovelace"
    assert elsewhere.secret != old
    told = [mail.subject for mail in site.emails(ada.email)]
    assert "Authentication app was replaced (Nightlatch)" in told
    assert "Authentication app was turned on (Nightlatch)" in told


def test_replacing_in_a_stale_session_asks_for_the_password_and_the_old_app_and_continues(
    enrolled: Owner, site: Site
) -> None:
    ada = enrolled
    site.clock.pass_(660)
    ada.open(f"{APP}/overview")
    assert ada.press(START[ada.layout]).h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Enter your code"
    page = ada.press("Verify", code=ada.next_code())
    assert (page.h1, page.path) == ("Link your authentication app", f"{APP}/link")


def test_a_first_factor_ends_every_other_session(ada: Owner) -> None:
    ada.sign_up()
    elsewhere = ada.other_browser()
    assert elsewhere.log_in().h1 == "Welcome, Ada Lovelace"
    assert ada.turn_on_app().says("All your other devices were logged out.")
    assert elsewhere.open("/").path == "/log-in"
    assert ada.open("/").h1 == "Welcome, Ada Lovelace"


def test_the_code_that_finished_the_enrollment_is_refused_at_log_in(ada: Owner) -> None:
    ada.sign_up()
    ada.turn_on_app()
    elsewhere = ada.log_in_elsewhere()
    page = elsewhere.press("Verify", code=ada.code())
    assert page.problems[0].startswith("That code was already used.")


def test_guesses_at_the_first_code_are_limited(site: Site) -> None:
    ada = Owner.signed_up(site)
    begin(ada)
    ada.press("Next")
    statuses = [ada.press("Verify", code=ada.code(ahead=86400)).status for _ in range(21)]
    assert statuses == [422] * 20 + [429]
    assert ada.page is not None
    assert int(ada.page.response.headers["Retry-After"]) > 0
