"""Both methods, by the same way as all others: no page, service or layout was made for them."""

from __future__ import annotations

from tests.conftest import Site, one_database
from tests.people import DESKTOP, IPHONE, OTHERS_LOGGED_OUT, TWO_FACTOR, Owner
from tests.toys.conftest import every_way
from tests.toys.users import MethodUser

pytestmark = one_database

HOME = "Welcome, Ada Lovelace"
CHALLENGE = "Enter your code"
NEW = "seven brass wheels turning"
WRONG = "Wrong code. Check it and try again."
USED = "That code was already used. Enter a new one."


def other_than(code: str) -> str:
    """Six digits that no token shows soon and no email has."""
    return str((int(code) + 500_000) % 1_000_000).zfill(6)


def test_the_settings_list_it_and_the_help_page_tells_how(mine: MethodUser) -> None:
    ada = mine.owner
    page = ada.open(TWO_FACTOR)
    assert page.button(mine.title)["aria-checked"] == "false"
    assert page.soup.find(id=f"{mine.slug}-note") is not None, "what it is, in a sentence"
    for device in ("ios", "android", "desktop"):
        page = ada.open(f"/help/two-factor-authentication?device={device}")
        section = page.soup.find(attrs={"data-walk": mine.slug})
        assert section is not None
        assert mine.title in section.get_text()
        assert page.link(f"Set up: {mine.title}") == mine.path
        assert len(section.find_all("li")) >= 6


@every_way
def test_turning_it_on_says_what_it_is_and_gives_the_backup_code(mine: MethodUser, site: Site) -> None:
    ada = mine.owner
    ada.open(TWO_FACTOR)
    page = ada.press(mine.title)
    assert (page.h1, page.path) == (mine.title, f"{mine.path}/overview")
    page = mine.turn_on()
    assert (page.h1, page.path) == ("You're all set", f"{mine.path}/done")
    assert page.says(f"{mine.title} is on.")
    assert page.receipts == [f"{mine.title} is now on. We sent a confirmation to a...@example.org."]
    assert len(page.backup_code) == 19
    assert site.emails(ada.email)[0].subject == f"{mine.title} was turned on (Nightlatch)"
    page = ada.press("Got it")
    assert page.path == TWO_FACTOR
    assert page.button(mine.title)["aria-checked"] == "true"


def test_without_an_address_one_is_asked_for_and_confirmed_on_the_way(site: Site, mine: MethodUser) -> None:
    bob = Owner.signed_up(site, "bob", layout=mine.owner.layout, htmx=mine.owner.htmx, confirm_email=False)
    his = type(mine)(bob)
    assert his.begin().h1 == "Confirm your email"
    assert bob.press("Next", email=bob.email).h1 == "Check your email"
    bob.press("Verify", code=site.emailed_code(bob.email))
    assert his.prove().h1 == "You're all set"


def test_a_wrong_first_code_turns_nothing_on_and_guessing_it_has_an_end(mine: MethodUser) -> None:
    ada = mine.owner
    mine.begin()
    if mine.slug == "hotp-token":
        ada.press("Next", secret="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
    wrong = {"code": other_than(mine.code())}
    if mine.slug == "hotp-token":
        wrong["next_code"] = mine.code()
    page = ada.press("Verify", **wrong)
    assert (page.status, page.problems) == (422, [WRONG])
    statuses = [ada.press("Verify", **wrong).status for _ in range(20)]
    assert statuses[-1] == 429
    assert not mine.is_on


@every_way
def test_logging_in_takes_the_password_and_then_a_code_that_works_once(on: MethodUser) -> None:
    ada = on.owner
    page = ada.log_in_again()
    assert (page.h1, page.path) == (CHALLENGE, "/log-in/verify")
    assert ada.open("/").path == "/log-in", "the password alone opens nothing"
    ada.open("/log-in/verify")
    code = on.code()
    assert ada.press("Verify", code=code).h1 == HOME
    ada.log_in_again()
    page = ada.press("Verify", code=code)
    assert (page.status, page.problems) == (422, [on.replayed])
    assert ada.press("Verify", code=on.code()).h1 == HOME


def test_what_is_no_code_and_what_is_wrong_is_said_beside_the_field(on: MethodUser) -> None:
    ada = on.owner
    ada.log_in_again()
    assert ada.press("Verify", code="12").problems == ["Enter the complete code."]
    page = ada.press("Verify", code=other_than(on.code()))
    assert (page.status, page.problems) == (422, [WRONG])
    assert page.field("Code")["aria-invalid"] == "true"
    right = on.code()
    spaced = f"{right[:3]} {right[3:]}".translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    assert ada.press("Verify", code=spaced).h1 == HOME


def test_after_five_wrong_codes_the_log_in_begins_again_and_waits(on: MethodUser, site: Site) -> None:
    ada = on.owner
    ada.log_in_again()
    wrong = other_than(on.code())
    said = [ada.press("Verify", code=wrong).problems for _ in range(4)]
    assert said == [[WRONG], [WRONG], [f"{WRONG} You have 2 attempts left."], [f"{WRONG} You have 1 attempt left."]]
    page = ada.press("Verify", code=wrong)
    assert (page.path, page.problems) == ("/log-in", ["Too many wrong codes. Log in again to continue."])
    ada.log_in()
    right = on.code()
    assert ada.press("Verify", code=right).status == 429, "the right one has to wait too"
    site.clock.pass_(300)
    assert ada.press("Verify", code=on.code()).h1 == HOME


@every_way
def test_step_up_asks_for_it_and_then_does_what_was_asked_for(on: MethodUser, site: Site) -> None:
    ada = on.owner
    ada.open("/settings/account/password")
    site.clock.pass_(660)
    assert ada.press("Save", password=NEW).h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == (CHALLENGE, "/step-up/verify")
    code = on.code()
    assert ada.press("Verify", code=other_than(code)).problems == [WRONG]
    page = ada.press("Verify", code=code)
    assert (page.path, page.status) == ("/settings/account", 200)
    assert page.receipts == [
        "Password changed. All your other devices were logged out. We sent you a confirmation email."
    ]
    site.clock.pass_(1)
    ada.open("/step-up/verify")
    assert ada.press("Verify", code=code).problems == [f"{USED} You have 2 attempts left."]


def test_the_backup_code_stands_in_for_it_once(on: MethodUser, site: Site) -> None:
    ada = on.owner
    ada.log_in_again()
    page = ada.follow("Choose a different two-factor authentication method")
    assert [b for b in page.buttons if b in (on.hint, "Backup code")] == [on.hint, "Backup code"]
    ada.press("Backup code")
    page = ada.press("Verify", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    assert page.backup_code != ada.kept_code
    assert on.is_on
    ada.log_in_again()
    ada.follow("Use a backup code")
    assert ada.press("Verify", code=ada.kept_code).status == 422
    ada.open("/log-in/verify")
    assert ada.press("Verify", code=on.code()).h1 == HOME
    assert any("backup code was used" in mail.subject for mail in site.emails(ada.email))


@every_way
def test_turning_it_off_leaves_the_password_and_turning_it_back_on_makes_no_used_code_good(
    on: MethodUser, site: Site
) -> None:
    ada = on.owner
    ada.log_in_again()
    used = on.code()
    ada.press("Verify", code=used)
    page = on.turn_off()
    assert page.receipts == [f"{on.title} is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert "Two-factor authentication is now off" in site.emails(ada.email)[0].subject
    assert not on.is_on
    elsewhere = ada.other_browser()
    assert elsewhere.log_in().h1 == HOME
    ada.open(TWO_FACTOR)
    page = ada.press("Turn back on")
    assert page.receipts == [f"{on.title} is back on. We sent you a confirmation email."]
    assert elsewhere.open("/").path == "/log-in"
    assert elsewhere.log_in().h1 == CHALLENGE
    assert elsewhere.press("Verify", code=used).status == 422
    assert elsewhere.press("Verify", code=on.code()).h1 == HOME


def test_a_code_proves_nothing_once_the_method_is_off(on: MethodUser) -> None:
    ada = on.owner
    elsewhere = ada.log_in_elsewhere()
    code = on.code()
    on.turn_off()
    page = elsewhere.press("Verify", code=code)
    assert page.path == "/log-in"
    assert elsewhere.open("/").path == "/log-in"


def test_another_method_takes_its_place_and_each_can_be_chosen_meanwhile(on: MethodUser, site: Site) -> None:
    ada = on.owner
    ada.turn_on_app()
    page = ada.log_in_again()
    assert page.h1 == CHALLENGE
    page = ada.follow("Choose a different two-factor authentication method")
    assert on.hint in page.buttons
    assert "Authentication app" in page.buttons
    page = ada.press(on.hint)
    assert (page.h1, page.path) == (CHALLENGE, "/log-in/verify")
    assert ada.press("Verify", code=on.code()).h1 == HOME
    ada.open(TWO_FACTOR)
    page = ada.press(on.title)
    for _press in range({DESKTOP: 0, IPHONE: 2}[ada.layout]):
        assert page.says("Your other methods stay on.")
        page = ada.press("Turn off")
    assert page.receipts == [f"{on.title} is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert site.emails(ada.email)[0].subject == f"{on.title} was turned off (Nightlatch)"
    assert ada.log_in_again().says("Enter the six-digit code from your authentication app.")
    page = ada.follow("Choose a different two-factor authentication method")
    assert on.hint not in page.buttons
    ada.press("Authentication app")
    assert ada.press("Verify", code=ada.next_code()).h1 == HOME


def test_it_takes_the_place_of_another_method(mine: MethodUser, site: Site) -> None:
    ada = mine.owner
    ada.turn_on_app()
    ada.press("Got it")
    page = mine.turn_on()
    assert (page.path, "Copy" in page.buttons) == (TWO_FACTOR, False), "the backup code stays as it was"
    page = ada.press("Authentication app")
    for _press in range({DESKTOP: 0, IPHONE: 2}[ada.layout]):
        page = ada.press("Turn off")
    assert page.receipts == ["Authentication app is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert ada.log_in_again().h1 == CHALLENGE
    assert ada.press("Verify", code=mine.code()).h1 == HOME


def test_replacing_it_by_another_of_its_kind_tells_the_owner(on: MethodUser, site: Site) -> None:
    ada = on.owner
    ada.open(TWO_FACTOR)
    page = ada.follow(on.title)
    assert (page.h1, page.path) == (on.title, on.path)
    assert page.link("Replace") == f"{on.path}/overview"
    site.clock.pass_(61)
    page = on.turn_on()
    assert page.path == TWO_FACTOR
    told = site.emails(ada.email)[0]
    assert told.subject == f"{on.title} was replaced (Nightlatch)"
    assert f"{on.title} was replaced. The old one no longer works." in told.text
    ada.log_in_again()
    assert ada.press("Verify", code=on.code()).h1 == HOME
