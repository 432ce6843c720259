"""Security keys: turning one on, adding more, renaming and deleting them, and logging in with them or with passkeys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import request_started
from sqlalchemy import select

from tests.authenticator import Authenticator, InvalidStateError, unb64
from tests.conftest import Site
from tests.people import ANDROID, DESKTOP, HOST, IPHONE, TWO_FACTOR, Owner, Page, Person
from webapp.domain.devices import device
from webapp.models.accounts import Account
from webapp.models.factors import Factor
from webapp.models.sessions import Activity, Session
from webapp.services.notices import sentence_for

KEYS = f"{TWO_FACTOR}/security-key"
LIST = f"{TWO_FACTOR}/security-keys"
OPTIONS = "/log-in/passkey/options"
SECTION = "Two-factor authentication - Nightlatch"
HOME = "Welcome, Ada Lovelace"
CHALLENGE = "Use your security key"
SOLE = "Security keys are your only method."
WARNING = "This is your last two-factor method. If you delete it, only your password will protect your account"
REFUSED = "That didn't work. Nothing was changed. Try again."
WRITING = ("INSERT", "UPDATE", "DELETE")

each_layout = pytest.mark.parametrize("layout", [DESKTOP, ANDROID, IPHONE])
each_way = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@pytest.fixture
def keyed(ada: Owner) -> Owner:
    """Ada with a confirmed address and one key, called Blue key, logged in."""
    return with_key(ada)


def with_key(owner: Owner, **options: Any) -> Owner:
    owner.sign_up()
    owner.turn_on_key(owner.new_key(**options))
    owner.press("Got it")
    return owner


def with_passkey(person: Person, key: Authenticator, path: str = "/log-in", keep: str = "", **wrong: Any) -> Page:
    """Presses the button on the log-in page and uses the key."""
    page = person.open(path)
    told = person.send("POST", OPTIONS, data={"csrf_token": person.token()})
    person.page = page
    return person.press("Log in with a passkey", credential=key.get(json.loads(told.text), **wrong), keep=keep)


def add_key(owner: Owner, name: str, **options: Any) -> Authenticator:
    """Adds a key from the list."""
    owner.open(LIST)
    page = owner.follow("Add another key")
    key = owner.new_key(**options)
    owner.press("Use security key", credential=key.create(page.options()))
    owner.press("Save", name=name)
    return key


def listed(page: Page) -> dict[str, list[str]]:
    """The text of the list about each key."""
    return {
        name.get_text(" ", strip=True): [fact.get_text(" ", strip=True) for fact in item.select("ul.facts > li")]
        for item in page.soup.select("ul.objects > li")
        for name in item.find_all("h2")
    }


def told_to_browser(page: Page) -> dict[str, Any]:
    part = page.soup.select_one("[data-tell-browser]")
    return dict(json.loads(str(part["data-tell-browser"]))) if part else {}


def offers_passkey(page: Page) -> bool:
    """Whether the offer is on the page, hidden until a script finds that the device can store a passkey."""
    part = page.soup.select_one("[data-offer]")
    assert part is None or part.has_attr("hidden")
    return part is not None


def activity(site: Site) -> list[str]:
    """Newest first, as the owner reads it."""
    with site.services.db.read() as tx:
        rows = tx.execute(select(Activity.kind, Activity.details).order_by(Activity.id.desc())).all()
    return [sentence_for(kind, json.loads(facts)) for kind, facts in rows]


def factors(site: Site) -> dict[str, Factor]:
    with site.services.db.read() as tx:
        return {factor.label: factor for factor in tx.objects.scalars(select(Factor).order_by(Factor.id))}


# -- Turning it on ---------------------------------------------------------------------------------


@each_layout
@each_way
def test_every_step_shows_its_place_in_the_enrollment(site: Site, layout: str, htmx: bool) -> None:
    ada = Owner.signed_up(site, layout=layout, htmx=htmx, confirm_email=False)
    site.clock.pass_(660)
    page = ada.open(TWO_FACTOR)
    assert "Manage security keys" not in page.links
    assert "Security key" not in page.buttons, "it is a link, and no checkbox"
    page = ada.follow("Security key")
    assert (page.h1, page.path) == ("Enter your password", f"{KEYS}/password"), "before the overview"
    assert page.title == f"Enter your password - {SECTION}"
    steps = [page.step]
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == ("Confirm your email", f"{KEYS}/email")
    steps.append(page.step)
    page = ada.press("Next", email=ada.email)
    assert (page.h1, page.path) == ("Check your email", f"{KEYS}/email-code")
    steps.append(page.step)
    page = ada.press("Verify", code=site.emailed_code(ada.email))
    assert (page.h1, page.path) == ("Security key", f"{KEYS}/overview")
    assert page.title == f"Security key - {SECTION}"
    assert {"What you need", "How you'll log in"} <= {h2.get_text(strip=True) for h2 in page.soup.find_all("h2")}
    steps.append(page.step)
    page = ada.press("Start")
    assert (page.h1, page.path) == ("Add your security key", f"{KEYS}/touch")
    assert page.title == f"Add your security key - {SECTION}"
    assert page.says("your phone's USB port" if layout != DESKTOP else "your computer's USB port")
    assert page.says("Chrome, Edge, Firefox, Opera, and Safari") == (layout == DESKTOP)
    assert page.soup.find("input", attrs={"name": "credential", "type": "hidden", "value": ""})
    assert page.soup.select_one(f"#{page.button('Use security key')['aria-describedby']}[data-line]")
    steps.append(page.step)
    key = ada.new_key()
    page = ada.press("Use security key", credential=key.create(page.options()))
    assert (page.h1, page.path) == ("Name your key", f"{KEYS}/name")
    assert page.title == f"Name your key - {SECTION}"
    assert page.field("Key name")["value"] == "Security key"
    steps.append(page.step)
    page = ada.press("Save", name="Blue key")
    assert (page.h1, page.path) == ("You're all set", f"{KEYS}/done")
    assert page.receipts[0].startswith("Blue key was added. We sent a confirmation to ")
    assert len(page.backup_code) == 19
    steps.append(page.step)
    assert steps == [f"Step {n} of 7" for n in range(1, 8)]
    page = ada.press("Got it")
    assert (page.h1, page.path) == ("Manage security keys", LIST)
    assert list(listed(page)) == ["Blue key"]
    page = ada.open(TWO_FACTOR)
    assert page.link("Manage security keys") == LIST
    assert page.link("Backup code") == f"{TWO_FACTOR}/backup-code"


def test_a_fresh_session_with_a_confirmed_address_has_four_steps(ada: Owner) -> None:
    ada.sign_up()
    ada.open(TWO_FACTOR)
    page = ada.follow("Security key")
    assert (page.h1, page.step) == ("Security key", "Step 1 of 4")
    page = ada.press("Start")
    assert (page.h1, page.step) == ("Add your security key", "Step 2 of 4")


def test_from_start_to_the_name_there_are_at_most_four_requests(site: Site) -> None:
    ada = Owner.signed_up(site)
    ada.open(TWO_FACTOR)
    ada.follow("Security key")
    asked: list[str] = []

    def heard(_app: Any, **_rest: Any) -> None:
        asked.append("one")

    with request_started.connected_to(heard, site.app):
        page = ada.press("Start")
        page = ada.press("Use security key", credential=ada.new_key().create(page.options()))
    assert page.h1 == "Name your key"
    assert 2 <= len(asked) <= 4


def test_the_key_is_asked_for_this_site_and_this_account_only(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    asked = ada.press("Start").options()
    assert asked["rp"] == {"id": "nightlatch.localhost", "name": "Nightlatch"}
    assert (asked["user"]["name"], asked["user"]["displayName"]) == ("ada", "Ada Lovelace")
    handle = unb64(asked["user"]["id"])
    assert len(handle) == 64
    assert b"ada" not in handle
    assert asked["excludeCredentials"] == []
    again = ada.open(f"{KEYS}/touch").options()
    assert again["challenge"] != asked["challenge"]
    assert again["user"] == asked["user"], "one handle for all keys of an account"


def test_a_reload_keeps_the_challenge_of_the_earlier_page_valid(ada: Owner) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    first = ada.press("Start")
    ada.open(f"{KEYS}/touch")
    ada.page = first
    assert ada.press("Use security key", credential=ada.new_key().create(first.options())).h1 == "Name your key"


def test_after_a_failure_the_page_has_a_new_challenge(ada: Owner) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    page = ada.press("Start")
    asked, key = page.options(), ada.new_key()
    page = ada.press("Use security key", credential=key.create(asked, origin="https://evil.example"))
    assert (page.status, page.h1, page.problems) == (422, "Add your security key", [REFUSED])
    assert page.title.startswith("Error: Add your security key")
    assert page.soup.select_one("input[name=credential][value='']"), "the answer is not shown again"
    assert page.options()["challenge"] != asked["challenge"]
    assert ada.press("Use security key", credential=key.create(page.options())).h1 == "Name your key"


def test_without_javascript_the_page_says_so_and_offers_other_methods(keyed: Owner) -> None:
    page = keyed.open(f"{KEYS}/touch")
    assert page.says("Security keys need JavaScript, which is turned off in this browser.")
    assert page.button("Use security key").has_attr("data-needs-script")
    page = keyed.press("Use security key")
    assert page.status == 422
    assert page.problems[0].startswith("We didn't get an answer from your security key. It needs JavaScript")
    assert keyed.follow("Cancel").path == TWO_FACTOR
    keyed.log_in_again()
    page = keyed.press("Use security key")
    assert page.problems[0].startswith("We didn't get an answer from your security key. It needs JavaScript")
    assert {"Use a backup code", "Choose a different two-factor authentication method"} <= set(page.links)


def test_after_going_back_from_the_name_another_key_replaces_the_first(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    page = ada.press("Start")
    ada.press("Use security key", credential=ada.new_key().create(page.options()))
    page = ada.open(f"{KEYS}/touch")
    assert page.h1 == "Add your security key"
    other = ada.new_key(transports=("internal",))
    page = ada.press("Use security key", credential=other.create(page.options()))
    assert page.field("Key name")["value"] == device(ada.agent)
    ada.press("Save", name="Only one")
    ada.press("Got it")
    ada.log_out()
    assert with_passkey(ada, other).h1 == HOME
    assert list(factors(site)) == ["Only one"]


def test_cancel_changes_nothing(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    page = ada.press("Start")
    ada.press("Use security key", credential=ada.new_key().create(page.options()))
    page = ada.follow("Cancel")
    assert page.path == TWO_FACTOR
    assert "Manage security keys" not in page.links
    assert factors(site) == {}
    assert ada.open(LIST).says("You haven't added any security keys.")
    assert ada.follow("Add a security key").h1 == "Name your key", "it goes on where it was left"
    assert ada.log_in_again().h1 == HOME


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter a name for the key."),
        ("   ", "Enter a name with up to 60 characters."),
        ("x" * 61, "Enter a name with up to 60 characters."),
        ("\u202e\u200b", "Enter a name with up to 60 characters."),
        ("Blue\u202e key", "You already have one with that name. Choose another name."),
        ("bLUE  key", "You already have one with that name. Choose another name."),
    ],
)
def test_an_invalid_name_is_reported_beside_the_field_and_kept(site: Site, typed: str, sentence: str) -> None:
    ada = with_key(Owner(site))
    ada.open(LIST)
    page = ada.follow("Add another key")
    ada.press("Use security key", credential=ada.new_key().create(page.options()))
    page = ada.press("Save", name=typed)
    assert (page.status, page.h1) == (422, "Name your key")
    assert page.problems[0] == sentence
    field = page.field("Key name")
    assert field["aria-invalid"] == "true"
    assert str(field.get("value", "")) == typed, "an empty field stays empty"
    assert list(factors(site)) == ["Blue key"]
    page = ada.press("Save", name="  Green \t key ")
    assert list(listed(page)) == ["Blue key", "Green key"]


def test_a_name_is_shown_as_text_and_never_as_markup(site: Site) -> None:
    ada = Owner.signed_up(site)
    name = "<script>alert('1')</script>\"'&"
    ada.turn_on_key(name=name)
    page = ada.press("Got it")
    assert list(listed(page)) == [name]
    assert page.link(f"Delete {name}")
    texts = [link.get_text(strip=True) for link in page.soup.select(".object-links a")]
    assert texts == ["Rename", "Delete"], "the name is above them, and may be long"
    assert "<script>alert" not in page.text
    assert "<script>alert" not in ada.follow(f"Rename {name}").text
    ada.open(LIST)
    page = ada.follow(f"Delete {name}")
    assert page.h1 == f"Delete {name}"
    assert "<script>alert" not in page.text
    assert "<script>alert" not in site.emails(ada.email)[0].html


def test_a_key_that_was_touched_when_the_session_went_stale_is_kept_through_step_up(ada: Owner, site: Site) -> None:
    ada.sign_up()
    ada.open(f"{KEYS}/overview")
    ada.press("Start")
    site.clock.pass_(590)
    page = ada.open(f"{KEYS}/touch")
    site.clock.pass_(20)
    page = ada.press("Use security key", credential=ada.new_key().create(page.options()))
    assert page.h1 == "Enter your password"
    assert ada.press("Verify", password=ada.password).h1 == "Name your key"


def test_the_owner_is_notified_of_the_first_key_and_of_each_further_one(keyed: Owner, site: Site) -> None:
    told = "Blue key was added to your account."
    assert site.emails(keyed.email)[0].subject == f"{told.rstrip('.')} (Nightlatch)"
    assert activity(site)[0] == told
    before = len(site.emails(keyed.email))
    add_key(keyed, "Green key")
    told = "Green key was added to your account."
    assert [mail.subject for mail in site.emails(keyed.email)][: -before or None] == [
        f"{told.rstrip('.')} (Nightlatch)"
    ]
    assert activity(site)[0] == told


# -- Further keys ----------------------------------------------------------------------------------


def test_adding_another_key_begins_with_the_touch_and_ends_at_the_list(keyed: Owner) -> None:
    page = keyed.open(LIST)
    page = keyed.follow("Add another key")
    assert (page.h1, page.path, page.step) == ("Add your security key", f"{KEYS}/touch", "Step 1 of 2")
    assert keyed.key is not None
    asked = page.options()
    with pytest.raises(InvalidStateError):
        keyed.key.create(asked)
    assert unb64(asked["user"]["id"]) == keyed.key.credentials[0].user_handle
    page = keyed.press("Use security key", credential=keyed.new_key().create(asked))
    assert (page.h1, page.step) == ("Name your key", "Step 2 of 2")
    assert page.field("Key name")["value"] == "Security key"
    page = keyed.press("Save", name="Green key")
    assert (page.h1, page.path) == ("Manage security keys", LIST)
    assert page.receipts[0].startswith("Green key was added. We sent a confirmation to ")
    assert list(listed(page)) == ["Blue key", "Green key"]
    assert keyed.open(f"{KEYS}/done").h1 == "Add your security key", "no page of an end is left open"


def test_adding_another_key_in_a_stale_session_asks_for_the_password_and_a_key_first(keyed: Owner, site: Site) -> None:
    site.clock.pass_(660)
    keyed.open(LIST)
    page = keyed.follow("Add another key")
    assert page.h1 == "Enter your password"
    page = keyed.press("Verify", password=keyed.password)
    assert page.h1 == CHALLENGE
    page = keyed.use_key()
    assert page.h1 == "Add your security key"
    keyed.press("Use security key", credential=keyed.new_key().create(page.options()))
    assert list(listed(keyed.press("Save", name="Green key"))) == ["Blue key", "Green key"]


def test_adding_another_key_begins_anew_when_the_last_page_was_left_without_got_it(ada: Owner) -> None:
    ada.sign_up()
    assert ada.turn_on_key().h1 == "You're all set"
    ada.open(LIST)
    assert ada.follow("Add another key").h1 == "Add your security key"
    assert ada.open(f"{KEYS}/overview").h1 == "Security key"


def test_the_link_in_the_list_of_methods_leads_users_with_a_key_to_their_keys(keyed: Owner) -> None:
    keyed.open(TWO_FACTOR)
    page = keyed.follow("Security key")
    assert (page.h1, page.path) == ("Manage security keys", LIST)


def test_the_overview_leads_users_with_a_key_to_their_keys_and_adds_another(keyed: Owner) -> None:
    page = keyed.open(f"{KEYS}/overview")
    assert page.h1 == "Security key"
    assert page.link("Manage security keys") == LIST
    assert keyed.press("Start").h1 == "Add your security key"


def test_a_key_beside_an_authentication_app_generates_no_second_backup_code(enrolled: Owner, site: Site) -> None:
    page = enrolled.turn_on_key()
    assert (page.h1, page.path) == ("Manage security keys", LIST)
    assert not page.says(SOLE)
    assert enrolled.open(TWO_FACTOR).button("Authentication app")["aria-checked"] == "true"
    enrolled.log_in_again()
    enrolled.open("/log-in/backup-code")
    assert enrolled.press("Verify", code=enrolled.kept_code).h1 == "Save your new backup code"


def test_the_same_key_is_refused_the_second_time_even_if_the_browser_allows_it(keyed: Owner, site: Site) -> None:
    keyed.open(LIST)
    page = keyed.follow("Add another key")
    assert keyed.key is not None
    known = keyed.key.credentials[0].id
    page = keyed.press("Use security key", credential=keyed.new_key().create(page.options(), id=known))
    assert (page.status, page.h1) == (422, "Add your security key")
    assert page.problems == ["You've already added that security key. Try a different one."]
    assert list(factors(site)) == ["Blue key"]


@each_layout
def test_other_links_to_the_method_lead_to_its_list_or_its_open_step(site: Site, layout: str) -> None:
    ada = with_key(Owner(site, layout=layout))
    assert ada.post(TWO_FACTOR, method="security-key").h1 == "Add your security key"
    for again in ("", "?again=1"):
        assert ada.open(f"{KEYS}/turn-off{again}").path == LIST
        assert ada.post(f"{KEYS}/turn-off{again}").path == LIST
    page = ada.post(f"{KEYS}/turn-back-on")
    assert page.problems == ["That's already done, maybe in another tab. Here's the current status."]
    assert list(factors(site)) == ["Blue key"]


# -- The list --------------------------------------------------------------------------------------


def test_the_list_shows_what_is_known_of_each_key(ada: Owner, site: Site) -> None:
    with_key(ada, transports=("internal",), backup_eligible=True, backed_up=True)
    site.clock.pass_(60)
    add_key(ada, "Green key", verifies=False)
    said = listed(ada.open(LIST))
    able = ["On this device", "Synced to your other devices", "Can be used without a password (passkey)"]
    assert said["Blue key"][:-2] == able
    assert said["Green key"][:-2] == ["Portable key", "Not synced"]
    for facts in said.values():
        assert facts[-2].startswith("Added on ")
        assert facts[-1] == "Not used yet"
    other = ada.log_in_elsewhere()
    other.use_key()
    said = listed(other.open(LIST))
    assert said["Blue key"][0] == "On another device"
    assert said["Blue key"][-1].startswith("Last used on ")
    assert said["Green key"][-1] == "Not used yet"


def test_the_browser_is_told_which_keys_are_left(keyed: Owner) -> None:
    assert keyed.key is not None
    green = add_key(keyed, "Green key")
    told = told_to_browser(keyed.open(LIST))
    ids = [key.credentials[0].id for key in (keyed.key, green)]
    assert [unb64(one) for one in told["accepted"]["allAcceptedCredentialIds"]] == ids
    assert told["accepted"]["rpId"] == told["details"]["rpId"] == "nightlatch.localhost"
    assert unb64(told["details"]["userId"]) == green.credentials[0].user_handle
    assert (told["details"]["name"], told["details"]["displayName"]) == ("ada", "Ada Lovelace")
    keyed.follow("Delete Green key")
    told = told_to_browser(keyed.press("Delete"))
    assert unb64(told["unknown"]["credentialId"]) == ids[1]
    assert [unb64(one) for one in told["accepted"]["allAcceptedCredentialIds"]] == ids[:1]
    assert "unknown" not in told_to_browser(keyed.open(LIST)), "once"


def test_the_list_says_that_keys_alone_suffice_only_when_there_is_no_other_method(keyed: Owner, site: Site) -> None:
    assert keyed.open(LIST).says(SOLE)
    add_key(keyed, "Green key")
    assert keyed.open(LIST).says(SOLE)
    keyed.turn_on_app()
    assert not keyed.open(LIST).says(SOLE)


def test_the_list_costs_at_most_three_statements_and_asking_for_a_key_writes_nothing(keyed: Owner, site: Site) -> None:
    keyed.htmx = False
    for _ in range(3):
        add_key(keyed, f"Key {len(factors(site))}")
    site.statements.clear()
    keyed.open(LIST)
    assert len(site.statements) <= 3, "\n\n".join(site.statements)
    keyed.open(f"{KEYS}/touch")
    keyed.log_in_again()
    site.statements.clear()
    assert keyed.open("/log-in/verify").h1 == CHALLENGE
    assert [s for s in site.statements if s.lstrip().startswith(WRITING)] == []
    keyed.use_key()
    site.statements.clear()
    assert keyed.open(f"{KEYS}/touch").h1 == "Add your security key"
    assert [s for s in site.statements if s.lstrip().startswith(WRITING)] == []
    assert 1 <= len(site.statements) <= 3


# -- Renaming and deleting -------------------------------------------------------------------------


def test_renaming_a_key_is_told_by_email_and_listed(keyed: Owner, site: Site) -> None:
    add_key(keyed, "Green key")
    page = keyed.follow("Rename Blue key")
    assert page.h1 == "Rename Blue key"
    assert page.title == "Rename Blue key - Nightlatch"
    assert page.field("Key name")["value"] == "Blue key"
    page = keyed.press("Save", name="Red  key")
    assert (page.path, page.receipts) == (LIST, ["Renamed to Red key."])
    assert list(listed(page)) == ["Red key", "Green key"]
    assert activity(site)[0] == "Security key renamed to Red key."
    mails = site.emails(keyed.email)
    assert mails[0].subject == "Security key renamed to Red key (Nightlatch)"
    keyed.follow("Rename Red key")
    assert keyed.press("Save", name="Red key").path == LIST
    assert (activity(site).count("Security key renamed to Red key."), site.emails(keyed.email)) == (1, mails)
    keyed.follow("Rename Red key")
    assert keyed.press("Save", name="RED KEY").path == LIST, "its own name is not taken"
    keyed.follow("Rename RED KEY")
    page = keyed.press("Save", name="green KEY")
    assert (page.status, page.problems) == (422, ["You already have one with that name. Choose another name."])
    assert page.field("Key name")["value"] == "green KEY"
    assert page.h1 == "Rename RED KEY"
    assert keyed.press("Save", name=" ").status == 422
    assert keyed.follow("Cancel").path == LIST
    assert list(factors(site)) == ["RED KEY", "Green key"]


def test_deleting_one_of_two_keys_keeps_the_other(keyed: Owner, site: Site) -> None:
    other = keyed.other_browser()
    green = add_key(keyed, "Green key")
    other.log_in()
    other.use_key()
    keyed.open(LIST)
    page = keyed.follow("Delete Blue key")
    assert page.h1 == "Delete Blue key"
    assert not page.says(WARNING)
    assert keyed.follow("Cancel").path == LIST
    keyed.follow("Delete Blue key")
    page = keyed.press("Delete")
    assert (page.path, list(listed(page))) == (LIST, ["Green key"])
    assert page.receipts == ["Blue key was deleted. We sent you a confirmation email."]
    told = "Blue key was removed from your account."
    assert site.emails(keyed.email)[0].subject == f"{told.rstrip('.')} (Nightlatch)"
    assert activity(site)[0] == told
    assert other.open("/settings").path == "/log-in", "every other session ended"
    assert keyed.open("/settings").h1 == "Settings and privacy"
    page = other.log_in()
    assert [unb64(one["id"]) for one in page.options()["allowCredentials"]] == [green.credentials[0].id]
    assert other.use_key(green).h1 == HOME


def test_deleting_the_last_key_shows_a_warning_and_leaves_the_password_only(keyed: Owner, site: Site) -> None:
    keyed.open(LIST)
    page = keyed.follow("Delete Blue key")
    assert page.says(WARNING)
    page = keyed.press("Delete")
    assert page.says("You haven't added any security keys.")
    told = "Blue key was removed. Two-factor authentication is now off."
    mail = site.emails(keyed.email)[0]
    assert mail.subject == "Two-factor authentication is now off: Blue key was removed (Nightlatch)"
    assert told in mail.text
    assert activity(site)[0] == told
    assert "Manage security keys" not in keyed.open(TWO_FACTOR).links
    assert keyed.log_in_again().h1 == HOME
    page = keyed.turn_on_key(keyed.new_key())
    assert (page.h1, len(keyed.kept_code)) == ("You're all set", 19), "the next one is a first one again"


def test_the_last_key_beside_an_app_is_not_the_last_factor(enrolled: Owner, site: Site) -> None:
    enrolled.turn_on_key()
    page = enrolled.follow("Delete Blue key")
    assert not page.says(WARNING)
    enrolled.press("Delete")
    assert activity(site)[0] == "Blue key was removed from your account."
    assert enrolled.log_in_again().h1 == "Enter your code"


@pytest.mark.parametrize("act", ["Rename", "Delete"])
def test_renaming_and_deleting_ask_for_step_up_and_then_continue(keyed: Owner, site: Site, act: str) -> None:
    add_key(keyed, "Green key")
    site.clock.pass_(660)
    keyed.open(LIST)
    assert keyed.follow(f"{act} Blue key").h1 == "Enter your password"
    assert keyed.press("Verify", password=keyed.password).h1 == CHALLENGE
    page = keyed.use_key()
    assert page.h1 == f"{act} Blue key"
    site.clock.pass_(660)
    fields = {"name": "Red key"} if act == "Rename" else {}
    page = keyed.press("Save" if act == "Rename" else "Delete", **fields)
    assert page.h1 == "Enter your password"
    assert list(factors(site)) == ["Blue key", "Green key"], "nothing is done before the proof"
    keyed.press("Verify", password=keyed.password)
    page = keyed.use_key()
    assert page.path == LIST, "the act is done, and nothing typed is lost"
    assert list(listed(page)) == (["Red key", "Green key"] if act == "Rename" else ["Green key"])
    if act == "Delete":
        assert "unknown" in told_to_browser(page)


# -- Logging in with a password and a key ----------------------------------------------------------


@each_layout
@each_way
def test_the_key_is_asked_for_after_the_password(site: Site, layout: str, htmx: bool) -> None:
    ada = with_key(Owner(site, layout=layout, htmx=htmx))
    page = ada.log_in_again()
    assert (page.h1, page.path) == (CHALLENGE, "/log-in/verify")
    assert page.title == f"{CHALLENGE} - Nightlatch"
    assert page.says("Get your security key ready, then choose the button.")
    asked = page.options()
    assert ada.key is not None
    assert [unb64(one["id"]) for one in asked["allowCredentials"]] == [ada.key.credentials[0].id]
    assert asked["allowCredentials"][0]["transports"] == ["usb"]
    assert (asked["rpId"], asked["userVerification"]) == ("nightlatch.localhost", "preferred")
    assert page.says("Security keys need JavaScript, which is turned off in this browser.")
    page = ada.use_key(origin="https://evil.example")
    assert (page.status, page.h1, page.problems) == (422, CHALLENGE, [REFUSED])
    assert page.options()["challenge"] != asked["challenge"]
    assert ada.use_key().h1 == HOME
    assert activity(site)[0] == "You logged in."


def test_a_key_without_a_pin_suffices_after_the_password(site: Site) -> None:
    ada = with_key(Owner(site), verifies=False, transports=("nfc",))
    ada.log_in_again()
    assert ada.use_key(user_handle=b"").h1 == HOME


def test_the_requested_page_follows_the_key(keyed: Owner, site: Site) -> None:
    keyed.log_out()
    keyed.open("/settings/security?tab=1")
    keyed.press("Log in", username=keyed.username, password=keyed.password, keep="y")
    page = keyed.use_key()
    assert (page.path, page.response.request.query_string) == ("/settings/security", b"tab=1")
    with site.services.db.read() as tx:
        assert tx.scalars(select(Session.persistent).order_by(Session.id.desc())).first() is True


def test_a_remembered_browser_is_not_asked_for_the_key(keyed: Owner) -> None:
    page = keyed.log_in_again()
    page.field("Remember this browser for 30 days")
    assert keyed.key is not None
    assert keyed.press("Use security key", credential=keyed.key.get(page.options()), remember="y").h1 == HOME
    assert keyed.log_in_again().h1 == HOME
    assert keyed.other_browser().log_in().h1 == CHALLENGE


def test_with_keys_alone_the_choice_is_a_key_or_the_backup_code(keyed: Owner) -> None:
    add_key(keyed, "Green key")
    keyed.log_in_again()
    page = keyed.follow("Choose a different two-factor authentication method")
    offered = [b.get_text(strip=True) for b in page.soup.find_all("button", attrs={"name": "method"})]
    assert offered == ["Security key", "Backup code"]
    assert keyed.press("Security key").h1 == CHALLENGE
    keyed.follow("Choose a different two-factor authentication method")
    assert keyed.press("Backup code").h1 == "Use a backup code"
    assert keyed.press("Verify", code=keyed.kept_code).h1 == "Save your new backup code"


def test_the_method_used_last_comes_first_and_the_other_can_be_chosen(enrolled: Owner, site: Site) -> None:
    enrolled.turn_on_key()
    add_key(enrolled, "a key that is never used")
    assert enrolled.log_in_again().h1 == "Enter your code"
    page = enrolled.follow("Choose a different two-factor authentication method")
    offered = [b.get_text(strip=True) for b in page.soup.find_all("button", attrs={"name": "method"})]
    assert offered == ["Authentication app", "Security key", "Backup code"]
    page = enrolled.press("Security key")
    assert page.h1 == CHALLENGE
    enrolled.follow("Choose a different two-factor authentication method")
    assert enrolled.press("Authentication app").h1 == "Enter your code"
    enrolled.follow("Choose a different two-factor authentication method")
    enrolled.press("Security key")
    page = enrolled.use_key(origin="https://evil.example")
    assert (page.status, page.h1) == (422, CHALLENGE), "a failure stays with the method that was chosen"
    assert enrolled.use_key().h1 == HOME
    site.clock.pass_(60)
    assert enrolled.log_in_again().h1 == CHALLENGE


def test_the_key_that_was_used_last_is_asked_for_first(keyed: Owner, site: Site) -> None:
    green = add_key(keyed, "Green key")
    site.clock.pass_(60)
    keyed.log_in_again()
    keyed.use_key(green)
    asked = keyed.log_in_again().options()
    assert unb64(asked["allowCredentials"][0]["id"]) == green.credentials[0].id
    keyed.use_key()
    assert listed(keyed.open(LIST))["Green key"][-1].startswith("Last used on ")


# -- Step-up ---------------------------------------------------------------------------------------


@each_way
def test_step_up_asks_for_the_key_after_the_password(site: Site, htmx: bool) -> None:
    ada = with_key(Owner(site, htmx=htmx))
    site.clock.pass_(660)
    assert ada.open("/settings/account/password").h1 == "Enter your password"
    page = ada.press("Verify", password=ada.password)
    assert (page.h1, page.path) == (CHALLENGE, "/step-up/verify")
    assert "Remember this browser for 30 days" not in page.text
    page = ada.use_key(origin="https://evil.example")
    assert (page.status, page.problems) == (422, [REFUSED])
    page = ada.follow("Choose a different two-factor authentication method")
    assert ada.press("Security key").h1 == CHALLENGE
    assert ada.use_key().h1 == "Change your password"
    assert activity(site)[0] == "You verified your identity."


def test_a_passkey_log_in_is_fresh_for_ten_minutes(keyed: Owner, site: Site) -> None:
    keyed.log_out()
    assert keyed.key is not None
    with_passkey(keyed, keyed.key)
    site.clock.pass_(599)
    assert keyed.open("/settings/account/password").h1 == "Change your password"
    site.clock.pass_(1)
    assert keyed.open("/settings/account/password").h1 == "Enter your password"


# -- Logging in with a passkey ---------------------------------------------------------------------


@each_layout
@each_way
def test_a_passkey_logs_in_without_username_and_password(site: Site, layout: str, htmx: bool) -> None:
    ada = with_key(Owner(site, layout=layout, htmx=htmx), transports=("internal", "hybrid"))
    assert ada.key is not None
    other = ada.other_browser()
    page = other.open("/log-in")
    assert page.field("Username")["autocomplete"] == "username webauthn"
    form = page.button("Log in with a passkey").find_parent("form")
    assert form is not None
    assert form["data-passkey"] == OPTIONS
    page = with_passkey(other, ada.key)
    assert (page.h1, page.path) == (HOME, "/")
    assert activity(site)[0] == "You logged in with Blue key, without a password."
    assert listed(other.open(LIST))["Blue key"][-1].startswith("Last used on ")


def test_the_requested_page_and_keep_me_logged_in_are_kept(keyed: Owner, site: Site) -> None:
    assert keyed.key is not None
    for keep in (True, False):
        other = keyed.other_browser()
        page = with_passkey(other, keyed.key, "/log-in?next=/settings/security%3Fa%3D1", keep="y" if keep else "")
        assert (page.path, page.response.request.query_string) == ("/settings/security", b"a=1")
        with site.services.db.read() as tx:
            assert tx.scalars(select(Session.persistent).order_by(Session.id.desc())).first() is keep
        cookie = other.client.get_cookie("session", domain=other.host.split(":")[0])
        assert cookie is not None
        assert (cookie.max_age is not None) == keep


def test_after_a_failure_the_log_in_page_keeps_the_requested_page(keyed: Owner) -> None:
    assert keyed.key is not None
    other = keyed.other_browser()
    page = with_passkey(other, keyed.key, "/log-in?next=/settings", origin="https://evil.example")
    assert (page.status, page.h1, page.problems) == (422, "Log in", [REFUSED])
    told = other.send("POST", OPTIONS, data={"csrf_token": other.token()})
    other.page = page
    page = other.press("Log in with a passkey", credential=keyed.key.get(json.loads(told.text)))
    assert page.path == "/settings"


def test_a_passkey_does_not_redirect_to_another_site(keyed: Owner) -> None:
    assert keyed.key is not None
    for evil in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        assert with_passkey(keyed.other_browser(), keyed.key, f"/log-in?next={evil}").path == "/"


def test_a_key_without_user_verification_is_refused_as_a_passkey_with_the_reason(site: Site) -> None:
    ada = with_key(Owner(site))
    assert ada.key is not None
    page = with_passkey(ada.other_browser(), ada.key, user_verified=False)
    assert (page.status, page.h1) == (422, "Log in")
    assert page.problems[0].startswith("That key didn't verify you with a PIN, face, or fingerprint")


@pytest.mark.parametrize(("made", "used"), [(ANDROID, DESKTOP), (DESKTOP, ANDROID), (IPHONE, DESKTOP)])
def test_a_key_added_at_one_host_logs_in_at_the_other(site: Site, made: str, used: str) -> None:
    ada = with_key(Owner(site, layout=made))
    assert ada.key is not None
    other = ada.other_browser(layout=used)
    assert other.host != ada.host
    ada.key.origin = f"http://{other.host}"
    other.log_in()
    assert other.use_key().h1 == HOME
    other.log_out()
    assert with_passkey(other, ada.key).h1 == HOME


def test_a_passkey_log_in_ends_the_earlier_session_of_the_browser(keyed: Owner) -> None:
    assert keyed.key is not None
    other = keyed.log_in_elsewhere()
    other.use_key()
    planted, told = other.cookie("session"), other.post(OPTIONS)
    page = other.post("/log-in", credential=keyed.key.get(json.loads(told.text)))
    assert page.h1 == HOME
    assert planted
    assert other.cookie("session") != planted
    thief = keyed.other_browser()
    thief.client.set_cookie("session", planted, domain=thief.host.split(":")[0])
    assert thief.open("/settings").path == "/log-in"


# -- The offer of a passkey ------------------------------------------------------------------------


def forget_the_offer(person: Person) -> None:
    person.client.delete_cookie("passkey-offered", domain=person.host.split(":")[0])


def test_a_passkey_is_offered_once_after_a_password(ada: Owner) -> None:
    page = ada.sign_up()
    assert offers_passkey(page)
    assert page.link("Add a passkey") == f"{KEYS}/touch"
    assert "Not now" in page.buttons
    cookie = ada.client.get_cookie("passkey-offered", domain=ada.host.split(":")[0])
    assert cookie is not None
    assert (cookie.http_only, cookie.path) == (True, "/")
    assert not offers_passkey(ada.open("/"))
    page = ada.log_in_again()
    assert page.h1 == HOME
    assert not offers_passkey(page)
    other = ada.other_browser()
    assert offers_passkey(other.log_in())
    assert not offers_passkey(other.open("/"))
    assert other.open(KEYS).h1 == "Security key"


def test_a_passkey_is_not_offered_after_a_passkey_log_in(keyed: Owner) -> None:
    assert keyed.key is not None
    other = keyed.other_browser()
    page = with_passkey(other, keyed.key)
    assert page.h1 == HOME
    assert not offers_passkey(page)
    other.log_in_again()
    assert offers_passkey(other.use_key()), "the offer was not used up by it"


@pytest.mark.parametrize(("transports", "offered"), [(("internal",), False), (("usb",), True)])
def test_a_passkey_is_not_offered_where_the_device_has_one(
    site: Site, transports: tuple[str, ...], offered: bool
) -> None:
    ada = with_key(Owner(site), transports=transports)
    forget_the_offer(ada)
    ada.log_in_again()
    assert offers_passkey(ada.use_key()) is offered
    other = ada.log_in_elsewhere()
    assert offers_passkey(other.use_key()), "no passkey is kept in that one"


# -- Well-known URLs -------------------------------------------------------------------------------


@each_layout
def test_password_managers_learn_where_passkeys_are_added_and_managed(site: Site, layout: str) -> None:
    machine = Person(site.app, layout=layout)
    page = machine.send("GET", "/.well-known/passkey-endpoints", host=HOST, follow=False)
    assert page.status == 200
    assert page.response.content_type == "application/json"
    assert page.response.get_json() == {"enroll": f"http://{HOST}{KEYS}", "manage": f"http://{HOST}{LIST}"}
    assert machine.send("GET", "/.well-known/nothing-of-the-kind", host=HOST, follow=False).status == 404
    ada = with_key(Owner(site, layout=layout))
    assert ada.open(LIST).h1 == "Manage security keys"


def test_an_account_without_factors_stores_no_key(ada: Owner, site: Site) -> None:
    ada.sign_up()
    page = ada.open(LIST)
    assert (page.status, page.h1) == (200, "Manage security keys")
    assert page.says("You haven't added any security keys.")
    assert not page.says(SOLE)
    assert told_to_browser(page) == {}
    assert ada.follow("Add a security key").h1 == "Security key"
    with site.services.db.read() as tx:
        assert tx.scalars(select(Account.backup_code_hash)).one() is None
