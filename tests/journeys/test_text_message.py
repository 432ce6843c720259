"""Text messages: proving a phone number by a code, codes at log-in, and failures of delivery."""

from __future__ import annotations

import pytest

from tests.conftest import Site
from tests.doubles import FailingTexts
from tests.people import ANDROID, DESKTOP, HOST, IPHONE, OTHERS_LOGGED_OUT, PHONE, TWO_FACTOR, Owner, Page
from webapp.domain.origin import Origin
from webapp.domain.ports import Refused, Unreachable

pytestmark = pytest.mark.usefixtures("gateway")
TEXTS = f"{TWO_FACTOR}/text-message"
CHANGE = "/settings/account/phone"
START = {DESKTOP: "Next", ANDROID: "Next", IPHONE: "Get started"}
SECTION = "Two-factor authentication - Nightlatch"
OTHER = "+447400987654"
WRONG = "Wrong code. Check it and try again."
USED = "That code was already used. Enter a new one."
EARLIER = "That code is from an earlier message. Use the latest one."
EXPIRED = "That code has expired. Request a new one."
STOPPED = "We can't text you now."
HOME = "Welcome, Ada Lovelace"

each_layout = pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])
each_way = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@pytest.fixture
def texted(ada: Owner, site: Site) -> Owner:
    """Ada with a confirmed address and text messages, logged in, a minute after the last text."""
    ada.sign_up()
    ada.turn_on_texts()
    ada.press("Got it")
    site.clock.pass_(61)
    return ada


def other_than(code: str) -> str:
    """Six digits that were not sent."""
    return str((int(code) + 500_000) % 1_000_000).zfill(6)


def begin(ada: Owner) -> Page:
    """Up to the page after the password."""
    ada.open(f"{TEXTS}/overview")
    ada.press(next(b for b in ("Next", "Get started") if b in ada.page.buttons))
    return ada.press("Verify", password=ada.password)


def give_number(ada: Owner, site: Site, number: str = PHONE) -> Page:
    """In the settings, in a fresh session."""
    ada.open(CHANGE)
    ada.press("Save", phone=number)
    page = ada.press("Verify", code=site.texted_code(number))
    site.clock.pass_(61)
    return page


# -- Turning it on ---------------------------------------------------------------------------------


@each_layout
@each_way
def test_every_step_shows_its_place_in_the_enrollment(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx, confirm_email=False)
    page = ada.open(TWO_FACTOR)
    assert page.button("Text message")["aria-checked"] == "false"
    steps = [(page := ada.press("Text message")).step]
    assert page.title == f"Text message - {SECTION}"
    page = ada.press(START[layout])
    assert (page.h1, page.path) == ("Enter your password", f"{TEXTS}/password"), "though the log-in is fresh"
    steps.append(page.step)
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == ("Confirm your email", f"{TEXTS}/email")
    steps.append(page.step)
    page = ada.press("Next", email=ada.email)
    assert (page.h1, page.path) == ("Check your email", f"{TEXTS}/email-code")
    steps.append(page.step)
    page = ada.press("Verify", code=site.emailed_code(ada.email))
    assert (page.h1, page.path) == ("Add your phone number", f"{TEXTS}/phone")
    assert page.title == f"Add your phone number - {SECTION}"
    assert page.field("Let existing contacts find me").has_attr("checked")
    assert "+44" in page.field("Country").get_text()
    assert not site.texts()
    steps.append(page.step)
    page = ada.press("Next", phone=PHONE)
    assert (page.h1, page.path) == ("Check your phone", f"{TEXTS}/code")
    assert page.title == f"Check your phone - {SECTION}"
    assert page.says("Enter the code from our text to ...56.")
    assert page.says("A text with a code is on its way.")
    assert page.field("Confirmation code")["autocomplete"] == "one-time-code"
    assert "Use a different phone number" in page.links
    steps.append(page.step)
    page = ada.press("Verify", code=site.texted_code(PHONE))
    assert (page.h1, page.path) == ("You're all set", f"{TEXTS}/done")
    assert page.receipts[0].startswith("Text message is now on. We sent a confirmation to ")
    assert page.says("Keep this code")
    assert page.backup_code
    steps.append(page.step)
    assert steps == [f"Step {n} of 7" for n in range(1, 8)]
    assert len(site.texts()) == 1
    page = ada.press("Got it")
    assert page.path == TWO_FACTOR
    assert page.button("Text message")["aria-checked"] == "true"


def test_a_fresh_session_with_a_confirmed_address_still_proves_the_password_once(ada: Owner) -> None:
    ada.sign_up()
    ada.open(f"{TEXTS}/overview")
    page = ada.press(START[ada.layout])
    assert (page.h1, page.step) == ("Enter your password", "Step 2 of 5")
    page = ada.press("Verify", password="not my password")
    assert (page.status, page.problems) == (422, ["Wrong password. Try again."])
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.step) == ("Add your phone number", "Step 3 of 5")


def test_a_number_is_accepted_in_any_spelling_and_script(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    page = ada.press("Next", phone="(07400) 123-٤٥٦", country="GB")
    assert page.h1 == "Check your phone"
    assert [text.to for text in site.texts()] == [PHONE]


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("", "Enter your phone number."),
        ("12", "Enter a complete phone number and choose its country."),
        ("+44 20 7946 0958", "This number can't receive texts. Enter a mobile number."),
        ("+1 900 555 0123", "This is a premium-rate number. Enter a mobile number."),
    ],
)
def test_a_number_that_gets_no_texts_is_reported_beside_the_field_and_kept(
    site: Site, number: str, sentence: str
) -> None:
    ada = Owner.signed_up(site)
    begin(ada)
    page = ada.press("Next", phone=number, country="GB")
    assert (page.status, page.problems) == (422, [sentence])
    field = page.field("Phone number")
    assert (field["value"], field["aria-invalid"]) == (number, "true")
    assert page.field("Country").find("option", selected=True)["value"] == "GB"
    assert not site.texts()


def test_with_a_confirmed_number_none_is_asked_for_and_the_step_before_sends_the_code(ada: Owner, site: Site) -> None:
    ada.sign_up()
    page = give_number(ada, site)
    assert (page.path, page.receipts) == ("/settings/account", ["Your phone number is confirmed."])
    told = site.emails(ada.email)[0].subject
    assert told == "A phone number ending in ...56 was added to your account (Nightlatch)"
    before = len(site.texts())
    ada.open(f"{TEXTS}/overview")
    ada.press(START[ada.layout])
    assert len(site.texts()) == before
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == ("Check your phone", f"{TEXTS}/code")
    assert page.says("Enter the code from our text to ...56.")
    assert len(site.texts()) == before + 1
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "You're all set"


def test_with_a_confirmed_number_another_may_be_given(ada: Owner, site: Site) -> None:
    ada.sign_up()
    give_number(ada, site)
    begin(ada)
    first = site.texted_code(PHONE)
    page = ada.follow("Use a different phone number")
    assert (page.h1, page.path) == ("Add your phone number", f"{TEXTS}/phone")
    page = ada.press("Next", phone=OTHER)
    assert page.says("Enter the code from our text to ...54.")
    assert ada.press("Verify", code=first).problems == [EARLIER]
    assert ada.press("Verify", code=site.texted_code(OTHER)).h1 == "You're all set"
    assert ada.open("/settings/account").says("...54")


def test_with_a_number_that_just_got_a_text_the_page_says_when_the_next_may_be_sent(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(CHANGE)
    ada.press("Save", phone=PHONE)
    ada.press("Verify", code=site.texted_code(PHONE))
    before = len(site.texts())
    page = begin(ada)
    assert page.path == f"{TEXTS}/code"
    assert page.says("We haven't sent a code yet.")
    assert page.says("You can request a new code in 60 seconds.")
    assert len(site.texts()) == before
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert page.says("Enter the code from our text to ...56.")
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "You're all set"


def test_with_a_number_that_may_get_no_text_now_the_page_says_why_and_another_may_be_given(
    ada: Owner, site: Site
) -> None:
    ada.sign_up()
    give_number(ada, site)
    for name in ("one", "two", "three", "four"):
        site.services.phone_numbers.send_code(site.services.accounts.named("ada"), name, Origin("192.0.2.1", ""))
        site.clock.pass_(61)
    page = begin(ada)
    assert (page.status, page.path) == (200, f"{TEXTS}/code")
    assert page.problems[0].startswith("We can't text you now. Try again in ")
    assert page.says("We haven't sent a code yet.")
    assert "Use a different phone number" in page.links


def test_get_never_sends_a_text(ada: Owner, site: Site) -> None:
    ada.sign_up()
    give_number(ada, site)
    before = len(site.texts())
    for step in ("overview", "password", "phone", "code", "done"):
        ada.open(f"{TEXTS}/{step}")
    ada.open(f"{TEXTS}/overview")
    ada.press(START[ada.layout])
    for step in ("overview", "password", "phone", "code", "done"):
        ada.open(f"{TEXTS}/{step}?resend=1")
    assert len(site.texts()) == before
    ada.open(f"{TEXTS}/password")
    ada.press("Verify", password=ada.password)
    for _ in range(3):
        site.clock.pass_(61)
        ada.open(f"{TEXTS}/code?resend=1")
        ada.open(TEXTS)
    assert len(site.texts()) == before + 1


def test_reload_back_and_a_second_tab_send_nothing_and_keep_the_code(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next", phone=PHONE)
    code = site.texted_code(PHONE)
    assert ada.open(f"{TEXTS}/code").says("Enter the code from our text to ...56.")
    assert ada.open(f"{TEXTS}/phone").h1 == "Add your phone number"
    assert ada.press("Next", phone=PHONE).path == f"{TEXTS}/code", "the same number again: its code is on the way"
    ada.open(TWO_FACTOR)
    ada.press("Text message")
    ada.press(START[ada.layout])
    assert ada.press("Verify", password=ada.password).path == f"{TEXTS}/code"
    assert ada.open(TEXTS).path == f"{TEXTS}/code"
    assert [text.text[:6] for text in site.texts()] == [code]
    assert ada.press("Verify", code=code).h1 == "You're all set"


def test_going_back_and_giving_another_number_within_the_minute_sends_to_that_one(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next", phone=PHONE)
    ada.follow("Use a different phone number")
    page = ada.press("Next", phone=OTHER)
    assert page.says("Enter the code from our text to ...54.")
    ada.follow("Use a different phone number")
    page = ada.press("Next", phone=PHONE)
    assert page.status == 429
    assert page.problems == ["We just sent a code. You can request another in 60 seconds."]
    assert int(page.response.headers["Retry-After"]) == 60
    assert ada.open(f"{TEXTS}/code").says("Enter the code from our text to ...54.")
    ada.press("Verify", code=site.texted_code(OTHER))
    assert ada.open("/settings/account").says("...54")


def test_wrong_earlier_and_used_codes_are_reported_as_such(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next", phone=PHONE)
    first = site.texted_code(PHONE)
    page = ada.press("Verify", code=other_than(first))
    assert (page.status, page.problems) == (422, [WRONG])
    assert page.title.startswith("Error: Check your phone")
    assert ada.press("Verify", code="12").problems == ["Enter the complete code."]
    assert ada.press("Verify", code="").problems == ["Enter the confirmation code."]
    site.clock.pass_(60)
    ada.press("Resend code")
    second = site.texted_code(PHONE)
    assert ada.press("Verify", code=first).problems == [EARLIER]
    spaced = f"{second[:3]} {second[3:]}".translate(str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"))
    assert ada.press("Verify", code=spaced).h1 == "You're all set"
    assert ada.post(f"{TEXTS}/code", code=second).path == f"{TEXTS}/done"


def test_a_code_is_valid_for_ten_minutes_and_then_reported_as_expired(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next", phone=PHONE)
    code = site.texted_code(PHONE)
    site.clock.pass_(595)
    again = ada.open(f"{TEXTS}/code")
    assert again.h1 == "Check your phone"
    site.clock.pass_(6)
    assert ada.press("Verify", code=code).problems == [EXPIRED]
    ada.press("Verify", password=ada.password)
    assert ada.page.h1 == "Add your phone number"
    ada.press("Next", phone=PHONE)
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "You're all set"


def test_resending_has_a_wait_and_a_limit(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    page = ada.press("Next", phone=PHONE)
    assert page.says("You can request a new code in 60 seconds.")
    page = ada.press("Resend code")
    assert (page.status, page.response.headers["Retry-After"]) == (429, "60")
    assert page.problems == ["We just sent a code. You can request another in 60 seconds."]
    site.clock.pass_(59)
    assert ada.open(f"{TEXTS}/code").says("You can request a new code in 1 second.")
    site.clock.pass_(1)
    page = ada.open(f"{TEXTS}/code")
    assert not page.says("You can request a new code")
    page = ada.press("Resend code")
    assert (page.status, page.path) == (200, f"{TEXTS}/code")
    site.clock.pass_(60)
    ada.press("Resend code")
    assert len({text.text[:6] for text in site.texts()}) == 3
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert page.problems == ["We've already sent three codes. Enter the latest one, or choose another method."]
    assert len(site.texts()) == 3
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "You're all set"


def test_cancel_changes_nothing_and_the_number_is_not_stored(ada: Owner, site: Site) -> None:
    ada.sign_up()
    begin(ada)
    ada.press("Next", phone=PHONE)
    ada.open(f"{TEXTS}/phone")
    page = ada.follow("Cancel")
    assert page.button("Text message")["aria-checked"] == "false"
    assert ada.open("/settings/account").says("Not added")
    assert ada.log_in_again().h1 == HOME


def test_contacts_find_the_account_only_when_the_checkbox_stays_ticked(ada: Owner, site: Site) -> None:
    for account, ticked in (("ada", True), ("bob", False)):
        owner = Owner.signed_up(site, account, layout=ada.layout)
        begin(owner)
        number = PHONE if ticked else OTHER
        fields = {"discoverable": "y"} if ticked else {}
        owner.post(f"{TEXTS}/phone", phone=number, **fields)
        owner.press("Verify", code=site.texted_code(number))
        assert site.services.accounts.named(account).discoverable is ticked


def test_another_number_leaves_it_as_it_was_whether_contacts_find_the_account(texted: Owner, site: Site) -> None:
    ada, label = texted, "Let existing contacts find me"
    ada.open("/settings/privacy/contacts")
    ada.post("/settings/privacy/contacts", save="1")
    begin(ada)
    assert not ada.page.field(label).has_attr("checked")
    page = ada.press("Next", phone="123", discoverable="y")
    assert page.field(label).has_attr("checked"), "what was chosen stays after an error"
    page = ada.open(f"{TEXTS}/phone")
    assert not page.field(label).has_attr("checked")
    ada.press("Next", phone=OTHER)
    ada.press("Verify", code=site.texted_code(OTHER))
    assert not site.services.accounts.named("ada").discoverable


def test_a_box_that_was_cleared_stays_so_when_another_number_is_entered(ada: Owner) -> None:
    ada.sign_up()
    begin(ada)
    assert ada.page.field("Let existing contacts find me").has_attr("checked")
    page = ada.post(f"{TEXTS}/phone", phone="123")
    assert not page.field("Let existing contacts find me").has_attr("checked")
    ada.post(f"{TEXTS}/phone", phone=PHONE)
    page = ada.follow("Use a different phone number")
    assert not page.field("Let existing contacts find me").has_attr("checked")


def test_a_box_that_was_cleared_in_the_settings_stays_so_until_the_number_is_confirmed(ada: Owner, site: Site) -> None:
    ada.sign_up()
    label = "Let existing contacts find me"
    assert ada.open(CHANGE).field(label).has_attr("checked")
    ada.post(CHANGE, phone=PHONE)
    page = ada.follow("Use a different phone number")
    assert not page.field(label).has_attr("checked")
    ada.open(f"{CHANGE}/code")
    ada.press("Verify", code=site.texted_code(PHONE))
    assert not ada.open(CHANGE).field(label).has_attr("checked")
    ada.open("/settings/privacy/contacts")
    ada.press("Save", discoverable="y")
    assert ada.open(CHANGE).field(label).has_attr("checked"), "the newer choice counts"


def test_turning_it_on_is_notified_by_email_and_ends_every_other_session(ada: Owner, site: Site) -> None:
    ada.sign_up()
    elsewhere = ada.log_in_elsewhere()
    ada.turn_on_texts()
    assert site.emails(ada.email)[0].subject == "Text message was turned on (Nightlatch)"
    assert elsewhere.open("/").path == "/log-in"
    assert ada.open("/").h1 == HOME


def test_replace_asks_for_another_number_and_the_old_one_is_valid_until_the_new_one_is_proved(
    texted: Owner, site: Site
) -> None:
    ada = texted
    assert START[ada.layout] in ada.open(f"{TEXTS}/overview").buttons, "the label is that of a first setup"
    page = begin(ada)
    if page.h1 == "Enter your code":
        page = ada.press("Verify", code=site.texted_code(PHONE))
    assert (page.h1, page.path) == ("Add your phone number", f"{TEXTS}/phone")
    ada.press("Next", phone=OTHER)
    site.clock.pass_(61)
    elsewhere = ada.other_browser()
    assert elsewhere.log_in().says("Enter the six-digit code from our text to ...56.")
    assert elsewhere.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    page = ada.press("Verify", code=site.texted_code(OTHER))
    assert page.path == TWO_FACTOR
    assert page.says("On · To ...54")
    assert "Copy" not in page.buttons
    told = [mail.subject for mail in site.emails(ada.email)]
    assert "Text message was replaced (Nightlatch)" in told
    assert (
        site.texts(PHONE)[0].text
        == "The phone number on your Nightlatch account was changed. Not you? Check your email."
    )
    elsewhere.log_out()
    site.clock.pass_(61)
    assert elsewhere.log_in().says("Enter the six-digit code from our text to ...54.")
    assert elsewhere.press("Verify", code=site.texted_code(OTHER)).h1 == HOME


@each_layout
def test_turning_it_off_ends_the_texts(site: Site, layout: str) -> None:
    ada = Owner.signed_up(site, layout=layout)
    ada.turn_on_texts()
    ada.press("Got it")
    page = ada.press("Text message")
    assert page.h1 == "Turn off two-factor authentication?"
    page = ada.press("Turn off")
    if layout == IPHONE:
        page = ada.press("Turn off")
    assert page.receipts == ["Text message is now off. We sent you a confirmation email.", OTHERS_LOGGED_OUT]
    assert "Two-factor authentication is now off" in site.emails(ada.email)[0].subject
    before = len(site.texts())
    site.clock.pass_(61)
    assert ada.log_in_again().h1 == HOME
    assert len(site.texts()) == before


def test_after_turning_it_back_on_codes_are_texted_again(texted: Owner, site: Site) -> None:
    ada = texted
    ada.post(f"{TEXTS}/turn-off?again=1")
    ada.open(TWO_FACTOR)
    assert ada.press("Turn back on").receipts == ["Text message is back on. We sent you a confirmation email."]
    ada.log_in_again()
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


# -- Logging in ------------------------------------------------------------------------------------


@each_layout
@each_way
def test_the_code_is_sent_after_the_right_password_and_names_the_host_that_asks_for_it(
    site: Site, layout: str, htmx: bool
) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx)
    ada.turn_on_texts()
    site.clock.pass_(61)
    assert ada.log_in_again("not my password").status == 422
    assert len(site.texts()) == 1
    page = ada.log_in()
    assert page.h1 == "Enter your code"
    assert page.says("Enter the six-digit code from our text to ...56.")
    assert page.says("A text with a code is on its way.")
    assert page.field("Code")["autocomplete"] == "one-time-code"
    text, host = site.texts(PHONE)[0].text, HOST if layout == DESKTOP else f"mobile.{HOST}"
    code = text[:6]
    assert text == f"{code} is your Nightlatch code. Never share it.\n\n@{host.split(':')[0]} #{code}"
    for _ in range(2):
        ada.open("/log-in/verify")
    assert len(site.texts()) == 2
    assert ada.press("Verify", code=code).h1 == HOME


def test_within_a_minute_of_a_text_none_is_sent_and_the_page_says_when_the_next_can_be(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.turn_on_texts()
    ada.log_out()
    site.clock.pass_(20)
    page = ada.log_in()
    assert (page.status, page.h1, page.problems) == (200, "Enter your code", [])
    assert page.says("We sent you a code less than a minute ago, so we haven't sent a new one yet.")
    assert page.says("You can request a new code in 40 seconds.")
    assert not page.says("on its way")
    assert len(site.texts()) == 1
    page = ada.press("Verify", code=site.texted_code(PHONE))
    assert page.problems == [EXPIRED], "the code of another challenge is none of this one"
    page = ada.press("Resend code")
    assert (page.status, page.response.headers["Retry-After"]) == (429, "40")
    site.clock.pass_(40)
    assert not ada.open("/log-in/verify").says("You can request a new code")
    assert ada.press("Resend code").says("on its way")
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_a_second_log_in_within_the_minute_accepts_the_code_of_the_first(texted: Owner, site: Site) -> None:
    texted.log_in_again()
    code = site.texted_code(PHONE)
    elsewhere = texted.other_browser()
    assert elsewhere.log_in().says("You can request a new code in 60 seconds.")
    assert elsewhere.press("Verify", code=code).h1 == HOME
    assert texted.press("Verify", code=code).problems == ["That code was already used. Enter a new one."]


def test_wrong_earlier_used_and_expired_codes_at_log_in_are_reported_as_such(texted: Owner, site: Site) -> None:
    ada = texted
    ada.log_in_again()
    first = site.texted_code(PHONE)
    page = ada.press("Verify", code=other_than(first))
    assert (page.status, page.problems) == (422, [WRONG])
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert (page.status, page.path) == (200, "/log-in/verify")
    assert ada.press("Verify", code=first).problems == [EARLIER]
    assert ada.press("Verify", code="").problems == ["Enter the complete code."], "it costs no attempt"
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    site.clock.pass_(301)
    ada.log_in_again()
    code = site.texted_code(PHONE)
    site.clock.pass_(599)
    ada.open("/log-in/verify")
    site.clock.pass_(2)
    page = ada.press("Verify", code=code)
    assert page.path == "/log-in"
    assert page.problems == ["Your login timed out or was canceled. Log in again."]


def test_the_code_is_taken_from_a_message_that_is_pasted_whole(texted: Owner, site: Site) -> None:
    stranger = texted.log_in_elsewhere()
    pasted = site.texts(PHONE)[0].text.replace("\n", "")  # as browsers do in a field of one line
    assert stranger.press("Verify", code=pasted).h1 == HOME


def test_a_used_code_is_reported_as_used(texted: Owner, site: Site) -> None:
    """With two tabs of one pending login the later one finds it ended; at step-up it finds the code used."""
    ada = texted
    site.clock.pass_(660)
    ada.open("/settings/account/password")
    ada.press("Verify", password=ada.password)
    code = site.texted_code(PHONE)
    assert ada.press("Verify", code=code).h1 == "Change your password"
    page = ada.post("/step-up/verify?next=/settings", code=code)
    assert (page.status, page.problems) == (422, [USED])


def test_one_log_in_gets_at_most_three_texts(texted: Owner, site: Site) -> None:
    ada = texted
    ada.log_in_again()
    for _ in range(2):
        site.clock.pass_(60)
        assert ada.press("Resend code").problems == []
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert (page.status, len(site.texts())) == (422, 4)
    assert page.problems == ["We've already sent three codes. Enter the latest one, or choose another method."]
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


@each_way
def test_of_two_methods_the_one_used_last_comes_first_and_the_other_can_be_chosen(site: Site, htmx: bool) -> None:
    ada = Owner.signed_up(site, htmx=htmx)
    ada.turn_on_texts()
    site.clock.pass_(61)
    ada.turn_on_app()
    ada.log_out()
    before = len(site.texts())
    ada.log_in()
    page = ada.follow("Choose a different two-factor authentication method")
    assert (page.h1, page.path) == ("Choose how to verify", "/log-in/methods")
    offered = [b for b in page.buttons if b in ("Text message to ...56", "Authentication app", "Backup code")]
    assert offered == ["Text message to ...56", "Authentication app", "Backup code"]
    assert ada.follow("Back to Text message").says("Enter the six-digit code from our text to ...56.")
    ada.follow("Choose a different two-factor authentication method")
    assert len(site.texts()) == before + 1
    page = ada.press("Authentication app")
    assert page.says("authentication app")
    assert "Resend code" not in page.buttons
    assert ada.press("Verify", code=ada.next_code()).h1 == HOME
    site.clock.pass_(61)
    page = ada.log_in_again()
    assert page.says("authentication app"), "the method of the log-in before comes first"
    assert len(site.texts()) == before + 1, "nothing is texted to somebody who is asked for another method"
    page = ada.follow("Choose a different two-factor authentication method")
    buttons = page.buttons
    assert buttons.index("Authentication app") < buttons.index("Text message to ...56")
    page = ada.press("Text message to ...56")
    assert page.says("Enter the six-digit code from our text to ...56.")
    assert len(site.texts()) == before + 2
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME
    site.clock.pass_(61)
    assert ada.log_in_again().says("text to ...56")


def test_switching_between_methods_sends_one_text(texted: Owner, site: Site) -> None:
    ada = texted
    ada.turn_on_app()
    ada.log_out()
    site.clock.pass_(61)
    ada.log_in()
    before = len(site.texts())
    for _ in range(3):
        ada.open("/log-in/methods")
        ada.press("Authentication app")
        ada.open("/log-in/methods")
        ada.press("Text message to ...56")
        site.clock.pass_(61)
    assert len(site.texts()) == before
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_without_the_phone_the_backup_code_logs_in(texted: Owner, site: Site) -> None:
    ada = texted
    ada.log_in_again()
    ada.follow("Use a backup code")
    page = ada.press("Verify", code=ada.kept_code)
    assert page.h1 == "Save your new backup code"
    assert ada.open("/").h1 == HOME


# -- Step-up ---------------------------------------------------------------------------------------


def test_step_up_texts_a_code_after_the_password_and_continues(texted: Owner, site: Site) -> None:
    ada = texted
    site.clock.pass_(660)
    assert ada.open("/settings/account/password").h1 == "Enter your password"
    assert len(site.texts()) == 1
    assert ada.press("Verify", password="not my password").status == 422
    assert len(site.texts()) == 1
    page = ada.press("Verify", password=ada.password)
    assert page.h1 == "Enter your code"
    assert page.says("Enter the six-digit code from our text to ...56.")
    assert page.says("A text with a code is on its way.")
    page = ada.press("Resend code")
    assert page.status == 429
    site.clock.pass_(60)
    first = site.texted_code(PHONE)
    assert ada.press("Resend code").path == "/step-up/verify"
    assert ada.press("Verify", code=first).problems == [EARLIER]
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "Change your password"


def test_step_up_with_another_method_sends_a_text_only_when_it_is_chosen(texted: Owner, site: Site) -> None:
    ada = texted
    ada.turn_on_app()
    ada.log_in_again()
    ada.post("/log-in/methods", method="authentication-app")
    ada.press("Verify", code=ada.next_code())
    site.clock.pass_(660)
    before = len(site.texts())
    ada.open("/settings/account/password")
    assert ada.press("Verify", password=ada.password).says("authentication app")
    assert len(site.texts()) == before
    ada.follow("Choose a different two-factor authentication method")
    assert ada.press("Text message to ...56").says("text to ...56")
    assert len(site.texts()) == before + 1
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == "Change your password"


# -- The number in the settings --------------------------------------------------------------------


def test_a_number_is_changed_with_step_up_and_both_numbers_are_notified(texted: Owner, site: Site) -> None:
    ada = texted
    site.clock.pass_(660)
    assert ada.open("/settings/account").says("...56")
    assert ada.open(CHANGE).h1 == "Enter your password"
    ada.press("Verify", password=ada.password)
    page = ada.press("Verify", code=site.texted_code(PHONE))
    assert (page.h1, page.path) == ("Change your phone number", CHANGE)
    assert page.soup.find("bdi", string="...56")["translate"] == "no"
    page = ada.press("Save", phone=OTHER)
    assert (page.h1, page.path) == ("Check your phone", f"{CHANGE}/code")
    assert page.says("Enter the code from our text to ...54.")
    assert ada.open("/settings/account").says("...56"), "until the new one is proved"
    ada.open(f"{CHANGE}/code")
    code = site.texted_code(OTHER)
    assert ada.press("Verify", code=other_than(code)).problems == [WRONG]
    page = ada.press("Verify", code=code)
    assert (page.path, page.receipts) == ("/settings/account", ["Your phone number is confirmed."])
    assert page.says("...54")
    assert site.emails(ada.email)[0].subject == ("Your phone number was changed to one ending in ...54 (Nightlatch)")
    assert (
        site.texts(PHONE)[0].text
        == "The phone number on your Nightlatch account was changed. Not you? Check your email."
    )
    assert PHONE not in site.emails(ada.email)[0].text
    ada.log_out()
    site.clock.pass_(61)
    ada.log_in()
    assert ada.press("Verify", code=site.texted_code(OTHER)).h1 == HOME


def test_adding_a_first_number_is_notified_once_and_by_email_only(ada: Owner, site: Site) -> None:
    ada.sign_up()
    before = len(site.emails()) + 1
    page = ada.open(CHANGE)
    assert page.h1 == "Add your phone number"
    assert not page.says("Your phone number is")
    give_number(ada, site)
    assert len(site.emails()) == before
    assert len(site.texts()) == 1
    give_number(ada, site)  # the same number again
    assert len(site.emails()) == before


def test_the_code_page_of_a_change_can_resend_and_links_back(ada: Owner, site: Site) -> None:
    ada.sign_up()
    assert ada.open(f"{CHANGE}/code").path == CHANGE
    ada.press("Save", phone=PHONE)
    first = site.texted_code(PHONE)
    assert ada.press("Resend code").status == 429
    site.clock.pass_(60)
    assert ada.press("Resend code").path == f"{CHANGE}/code"
    assert ada.press("Verify", code=first).problems == [EARLIER]
    assert ada.follow("Use a different phone number").path == CHANGE
    assert ada.press("Save", phone="nonsense").status == 422
    ada.open(f"{CHANGE}/code")
    page = ada.follow("Cancel")
    assert page.says("Not added")
    assert ada.post(f"{CHANGE}/code", code=site.texted_code(PHONE)).says("...56")


def test_an_expired_code_of_a_change_is_reported(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(CHANGE)
    ada.press("Save", phone=PHONE)
    code = site.texted_code(PHONE)
    site.clock.pass_(601)
    page = ada.press("Verify", code=code)
    if page.h1 == "Enter your password":
        page = ada.press("Verify", password=ada.password)
    assert (page.path, page.problems) == (CHANGE, [EXPIRED])
    assert ada.open("/settings/account").says("Not added")


# -- Texts that cannot be sent ---------------------------------------------------------------------


@each_way
def test_a_refused_text_is_reported_when_the_worker_knows_and_the_other_methods_stay_available(
    site: Site, gateway: FailingTexts, htmx: bool
) -> None:
    ada = Owner.signed_up(site, htmx=htmx)
    ada.turn_on_texts()
    site.clock.pass_(61)
    ada.log_out()
    gateway.trouble = Refused("no such number")
    page = ada.log_in()
    assert page.says("A text with a code is on its way.")
    waiting = page.soup.find(attrs={"data-hx-get": True})["data-hx-get"]
    assert ada.open(str(waiting)).status == 204
    site.services.delivery.deliver_due()
    told = ada.open(str(waiting))
    assert told.says(STOPPED)
    assert ada.open(str(waiting).replace("delivery/", "delivery/x")).status == 404
    page = ada.open("/log-in/verify")
    assert page.says(STOPPED)
    assert not page.says("on its way")
    assert "Choose a different two-factor authentication method" in page.links
    assert "Use a backup code" in page.links
    assert page.says("You can request a new code in 60 seconds.")
    gateway.trouble = None
    site.clock.pass_(60)
    page = ada.press("Resend code")
    assert page.says("A text with a code is on its way.")
    assert ada.press("Verify", code=site.texted_code(PHONE)).h1 == HOME


def test_a_gateway_that_was_down_gets_the_same_code_when_it_is_back(
    texted: Owner, site: Site, gateway: FailingTexts
) -> None:
    ada = texted
    ada.log_out()
    gateway.trouble = Unreachable("down")
    ada.log_in()
    before = len(gateway.taken)
    site.services.delivery.deliver_due()
    assert ada.open("/log-in/verify").says("A text with a code is on its way.")
    gateway.trouble = None
    site.clock.pass_(60)
    site.services.delivery.deliver_due()
    assert len(gateway.taken) == before + 1
    assert not ada.open("/log-in/verify").says("on its way")
    assert ada.press("Verify", code=gateway.taken[-1].text[:6]).h1 == HOME


def test_a_gateway_that_stays_down_fails_the_text_and_keeps_number_and_factor(
    texted: Owner, site: Site, gateway: FailingTexts
) -> None:
    ada = texted
    site.clock.pass_(540)
    gateway.trouble = Unreachable("down")
    ada.open(f"{TEXTS}/overview")
    page = begin(ada)
    assert page.h1 in ("Enter your code", "Add your phone number")
    for _ in range(25):
        site.clock.pass_(60)
        site.services.delivery.deliver_due()
        ada.open("/settings")
    gateway.trouble = None
    site.services.delivery.deliver_due()
    assert len(gateway.taken) == 1, "a code that has expired is not delivered any more"
    assert ada.open("/settings/account").says("...56")
    assert ada.open(TWO_FACTOR).button("Text message")["aria-checked"] == "true"


def test_a_refused_text_at_enrollment_is_reported_and_another_number_may_be_given(
    ada: Owner, site: Site, gateway: FailingTexts
) -> None:
    ada.sign_up()
    begin(ada)
    gateway.trouble = Refused("barred")
    ada.press("Next", phone=PHONE)
    site.services.delivery.deliver_due()
    page = ada.open(f"{TEXTS}/code")
    assert page.says(STOPPED)
    assert "Resend code" in page.buttons
    gateway.trouble = None
    ada.follow("Use a different phone number")
    ada.press("Next", phone=OTHER)
    assert ada.press("Verify", code=site.texted_code(OTHER)).h1 == "You're all set"


def test_a_log_in_whose_text_a_cap_refuses_continues_and_says_when_to_resend(texted: Owner, site: Site) -> None:
    ada = texted
    ada.turn_on_app()
    ada.log_out()
    for _ in range(4):
        assert ada.log_in().problems == []
        site.clock.pass_(61)
    assert len(site.texts()) == 5
    page = ada.log_in()
    assert (page.status, page.h1) == (200, "Enter your code")
    assert page.problems[0].startswith("We can't text you now. Try again in ")
    page = ada.press("Resend code")
    assert page.status == 429
    assert 0 < int(page.response.headers["Retry-After"]) <= 3600
    assert page.problems[0].startswith("We can't text you now. Try again in 5")
    ada.open("/log-in/methods")
    ada.press("Authentication app")
    assert ada.press("Verify", code=ada.next_code()).h1 == HOME


def test_the_method_of_the_last_log_in_comes_first_whatever_step_up_was_proved_with(texted: Owner, site: Site) -> None:
    ada = texted
    ada.turn_on_app()
    elsewhere = ada.log_in_elsewhere()
    elsewhere.open("/log-in/methods")
    elsewhere.press("Authentication app")
    assert elsewhere.press("Verify", code=elsewhere.next_code()).h1 == HOME
    site.clock.pass_(660)
    elsewhere.open("/settings/account/password")
    elsewhere.press("Verify", password=ada.password)
    elsewhere.open("/step-up/methods?next=/settings/account/password")
    elsewhere.press("Text message to ...56")
    assert elsewhere.press("Verify", code=site.texted_code(PHONE)).path == "/settings/account/password"
    site.clock.pass_(61)
    assert ada.other_browser().log_in().says("Enter the six-digit code from your authentication app.")
    assert elsewhere.open(TEXTS).says("Last used on"), "a step-up is a use too"
    asked = ada.log_in_elsewhere()
    asked.open("/log-in/backup-code")
    assert asked.press("Verify", code=ada.kept_code).h1 == "Save your new backup code"
    assert ada.other_browser().log_in().says("Enter the six-digit code from your authentication app.")
