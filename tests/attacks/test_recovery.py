"""Attackers who use password resets and changes of the e-mail address."""

from __future__ import annotations

import pytest

from tests.attacks.tools import count, everything, is_in, keep_number, live_sessions, stale
from tests.conftest import Site
from tests.people import PHONE, Owner, Page, Person
from webapp.domain.origin import Origin
from webapp.domain.refusals import LinkInvalid

NEW = "a much longer new password"
HERE = Origin("198.51.100.1", "x")


def ask_reset(site: Site, email: str, address: str = "192.0.2.77") -> Person:
    reader = Person(site.app, address=address)
    reader.open("/forgot-password")
    reader.press("Send link", email=email)
    return reader


def subjects(site: Site, to: str) -> list[str]:
    return [email.subject for email in site.emails(to)]


def test_a_reset_with_a_second_factor_on_logs_no_browser_in_and_does_not_skip_the_factor(
    site: Site, ada: Owner
) -> None:
    reader = ask_reset(site, ada.email)
    reader.open(site.emailed_path(ada.email, "/reset-password/"))
    page = reader.press("Save password", password=NEW)
    assert page.path == "/log-in"
    assert not is_in(reader)
    assert live_sessions(site) == 0
    thief = ada.other_browser()
    thief.password = NEW
    assert thief.log_in().h1 == "Enter your code"
    assert not is_in(thief)


def test_a_reset_link_is_shown_by_get_used_once_by_post_and_valid_for_an_hour(site: Site, ada: Owner) -> None:
    reader = ask_reset(site, ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    before = everything(site)
    for _ in range(3):
        assert reader.open(path).h1 == "Choose a new password"
        assert reader.send("HEAD", path).status == 200
    assert everything(site) == before
    assert reader.post(path, password="short").status == 422
    reader.post(path, password=NEW)
    assert reader.page.path == "/log-in"
    assert reader.post(path, password="yet another long password").status == 404
    ask_reset(site, ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    site.clock.pass_(3600)
    assert reader.open(path).status == 404
    assert reader.post(path, password=NEW).status == 404


def test_a_reset_ends_the_other_reset_links(site: Site, ada: Owner) -> None:
    ask_reset(site, ada.email)
    first = site.emailed_path(ada.email, "/reset-password/")
    reader = ask_reset(site, ada.email)
    second = site.emailed_path(ada.email, "/reset-password/")
    assert first != second
    reader.open(second)
    reader.press("Save password", password=NEW)
    assert reader.open(first).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Host": "evil.example", "X-Forwarded-Server": "evil.example", "X-Original-Host": "evil.example"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "X-Forwarded-Prefix": "/evil"},
    ],
    ids=lambda h: next(iter(h)),
)
def test_headers_that_name_another_host_do_not_change_a_link(site: Site, ada: Owner, headers: dict[str, str]) -> None:
    reader = Person(site.app)
    page = reader.open("/forgot-password", headers=headers)
    assert "evil" not in page.text
    assert "evil" not in str(page.response.headers)
    token = reader.token()
    reader.send("POST", "/forgot-password", data={"csrf_token": token, "email": ada.email}, headers=headers)
    text = site.emails(ada.email)[0].text + site.emails(ada.email)[0].html
    assert "http://nightlatch.localhost:5000/reset-password/" in text
    assert "evil" not in text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "nightlatch.localhost",
        "nightlatch.localhost:80",
        "nightlatch.localhost:1",
        "mobile.nightlatch.localhost",
        "evil.nightlatch.localhost:5000",
        "nightlatch.localhost:5000.evil.example",
        "nightlatch.localhost:5000@evil.example",
        "evil.example/nightlatch.localhost:5000",
        "mobile.mobile.nightlatch.localhost:5000",
        "127.0.0.1:5000",
        "",
    ],
)
def test_an_unknown_host_is_refused_and_sends_nothing(site: Site, ada: Owner, host: str) -> None:
    reader, before = Person(site.app), len(site.emails(ada.email))
    token = reader.token()
    data = {"csrf_token": token, "email": ada.email}
    for path in ("/forgot-password", "/log-in", "/", "/nothing", "/static/x/css/site.css"):
        assert reader.send("GET", path, headers={"Host": host}, follow=False).status == 400
    page = reader.send("POST", "/forgot-password", data=data, headers={"Host": host}, follow=False)
    assert page.status == 400
    assert len(site.emails(ada.email)) == before


def test_a_host_in_another_case_gets_the_same_links(site: Site, ada: Owner) -> None:
    reader = Person(site.app)
    token = reader.token()
    data = {"csrf_token": token, "email": ada.email}
    reader.send("POST", "/forgot-password", data=data, headers={"Host": "NIGHTLATCH.localhost:5000"}, follow=False)
    email = site.emails(ada.email)[0]
    assert "http://nightlatch.localhost:5000/reset-password/" in email.text
    assert "NIGHTLATCH" not in email.text


@pytest.mark.parametrize(
    ("owner", "twin"),
    [
        ("ada@strasse.de", "ada@straße.de"),
        ("assa@example.org", "aßa@example.org"),
        ("sam@example.org", "ſam@example.org"),
    ],
)
def test_a_mailbox_whose_name_only_looks_alike_does_not_get_the_link(site: Site, owner: str, twin: str) -> None:
    """Case folding makes the addresses equal; mail servers and domain registries distinguish them."""
    for username, confirmed in (("claims", False), ("owns", True)):
        site.services.sign_up.create_by_operator("Ada", username, "a long enough word", owner, confirmed=confirmed)
        ask_reset(site, twin)
        assert site.emails(twin) == []
        assert [email.to for email in site.emails()][:1] in ([owner], [])
        for email in site.emails():
            assert email.to == owner


def test_an_account_with_an_unconfirmed_address_cannot_enroll_and_the_owner_of_the_address_takes_it_over(
    site: Site,
) -> None:
    eve = Owner(site, "eve")
    eve.email = "victim@example.org"
    eve.sign_up(confirm_email=False)
    eve.press("Next", email=eve.email)
    assert eve.open("/settings/account/phone").path == "/settings/account/email"
    keep_number(site, "eve", PHONE)
    eve.open("/settings/privacy/contacts")
    eve.press("Upload contacts", numbers="07400 123458")
    assert len(everything(site)["contacts"]) == 1
    eve.open("/settings/security/two-factor")
    eve.press("Authentication app")
    assert eve.press("Start").h1 == "Confirm your email"
    base = "/settings/security/two-factor/authentication-app"
    for step in ("link", "code", "done"):
        assert eve.open(f"{base}/{step}").path == f"{base}/email"
        assert eve.post(f"{base}/{step}", code="123456").path == f"{base}/email"
    reader = ask_reset(site, "victim@example.org")
    reader.open(site.emailed_path("victim@example.org", "/reset-password/"))
    reader.press("Save password", password=NEW)
    account = site.services.accounts.named("eve")
    assert account.email == "victim@example.org"
    assert site.services.accounts.factors(account) == []
    assert account.backup_code_hash is None
    assert (account.phone_number, account.phone_number_hint, account.discoverable) == (None, None, False), (
        "no text goes to Eve"
    )
    assert everything(site)["drafts"] == everything(site)["codes"] == everything(site)["contacts"] == []
    assert not is_in(eve)
    assert eve.log_in().status == 422


def test_of_two_accounts_that_claim_one_address_only_one_can_confirm_it(site: Site) -> None:
    paths = []
    for username in ("bob", "eve"):
        site.services.sign_up.create_by_operator("X", username, "a long enough word", "v@example.org", confirmed=False)
        ask_reset(site, "v@example.org")
    paths = [
        line.strip().removeprefix("http://nightlatch.localhost:5000")
        for email in site.emails("v@example.org")
        for line in email.text.splitlines()
        if "/reset-password/" in line
    ]
    assert len(paths) == 2
    reader = Person(site.app)
    assert reader.post(paths[0], password=NEW).path == "/log-in"
    assert reader.post(paths[1], password=NEW).status == 404


def test_an_email_change_needs_step_up_and_confirmation_and_notifies_the_old_address(site: Site, ada: Owner) -> None:
    stale(ada)
    assert ada.post("/settings/account/email", email="new@example.org").h1 == "Enter your password"
    assert site.emails("new@example.org") == []
    ada.press("Verify", password=ada.password)
    ada.press("Verify", code=ada.next_code())
    assert ada.page.h1 == "Check your email"
    assert site.services.accounts.named("ada").email == ada.email, "not before it is confirmed"
    ada.press("Verify", code=site.emailed_code("new@example.org"))
    assert site.services.accounts.named("ada").email == "new@example.org"
    undo = site.emailed_path(ada.email, "/undo-email/")
    owner = Person(site.app)
    site.clock.pass_(7 * 86400 - 60)
    owner.open(undo)
    owner.press(owner.page.buttons[0])
    assert live_sessions(site) == 0
    after_the_wait(site)
    assert site.services.accounts.named("ada").email == ada.email
    assert owner.open(undo).status == 404


def test_an_undo_ends_the_undo_links_of_later_changes(site: Site, ada: Owner) -> None:
    """An attacker changes the address twice; the undo link to the first of the two ends with the owner's undo."""
    for address in ("thief1@example.org", "thief2@example.org"):
        ada.open("/settings/account/email")
        ada.press("Save", email=address)
        ada.press("Verify", code=site.emailed_code(address))
        site.clock.pass_(60)
    ask_reset(site, "thief2@example.org")
    thiefs_reset = site.emailed_path("thief2@example.org", "/reset-password/")
    thiefs_undo = site.emailed_path("thief1@example.org", "/undo-email/")
    owner = Person(site.app)
    owner.post(site.emailed_path(ada.email, "/undo-email/"))
    assert owner.post(thiefs_undo).status == 404
    assert owner.post(thiefs_reset, password=NEW).status == 404
    after_the_wait(site)
    assert site.services.accounts.named("ada").email == ada.email


def test_a_reset_link_to_a_former_address_is_refused(site: Site, ada: Owner) -> None:
    ask_reset(site, ada.email)
    path = site.emailed_path(ada.email, "/reset-password/")
    ada.open("/settings/account/email")
    ada.press("Save", email="new@example.org")
    ada.press("Verify", code=site.emailed_code("new@example.org"))
    assert Person(site.app).post(path, password=NEW).status == 404
    site.clock.pass_(60)
    ask_reset(site, ada.email)
    assert "Reset" not in " ".join(subjects(site, ada.email)[:1])


def test_not_you_ends_every_session_once(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/password")
    ada.press("Save", password=NEW)
    path = site.emailed_path(ada.email, "/not-you/")
    reader = Person(site.app)
    before = everything(site)
    assert reader.open(path).status == 200
    assert everything(site) == before
    reader.post(path)
    assert live_sessions(site) == 0
    assert reader.post(path).h1 == "All devices are logged out"
    ada.password = NEW
    ada.log_in_whole()
    reader.post(path)
    assert is_in(ada)


def test_a_flood_of_resets_is_capped_and_locks_no_user_out(site: Site, ada: Owner) -> None:
    answers, before = set(), len(site.emails(ada.email))
    for attempt in range(40):
        reader = ask_reset(site, ada.email, f"198.51.100.{attempt}")
        answers.add((reader.page.status, reader.page.h1))
    assert len(answers) == 1
    assert len(site.emails(ada.email)) == before + 5
    path = site.emailed_path(ada.email, "/reset-password/")
    assert is_in(ada)
    assert ada.other_browser().log_in().h1 == "Enter your code"
    assert Person(site.app).open(path).status == 200
    site.clock.pass_(86400)
    ask_reset(site, ada.email)
    assert len(site.emails(ada.email)) == before + 6


def test_an_email_code_of_another_account_or_another_log_in_is_wrong(site: Site) -> None:
    bob, eve = Owner(site, "bob"), Owner(site, "eve")
    for owner in (bob, eve):
        owner.sign_up(confirm_email=False)
        owner.press("Next", email=owner.email)
    theirs = site.emailed_code(bob.email)
    if theirs != site.emailed_code(eve.email):
        assert eve.press("Verify", code=theirs).status == 422
    other = bob.log_in_elsewhere()
    assert other.post("/sign-up/email-code", code=theirs).path != "/settings"
    assert site.services.accounts.named("bob").email is None
    assert bob.press("Verify", code=theirs).h1 == "Welcome, Ada Lovelace"


def test_a_link_that_was_used_during_the_request_resets_nothing(site: Site, ada: Owner, hasher: object) -> None:
    ask_reset(site, ada.email)
    token = site.emailed_path(ada.email, "/reset-password/").rpartition("/")[2]
    services = site.services
    opened = services.links.find("reset", token)
    hasher.meanwhile = lambda: services.password_changes.reset(services.links.find("reset", token), NEW, HERE)  # type: ignore[attr-defined]
    with pytest.raises(LinkInvalid):
        services.password_changes.reset(opened, "yet another long password", HERE)
    ada.password = NEW
    assert ada.other_browser().log_in().h1 == "Enter your code"


def test_undoing_a_change_of_address_ends_the_links_that_were_sent_to_the_new_one(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/email")
    ada.press("Save", email="thief@example.org")
    ada.press("Verify", code=site.emailed_code("thief@example.org"))
    link = site.emailed_path("thief@example.org", "/not-you/")
    reader = Person(site.app)
    reader.open(site.emailed_path(ada.email, "/undo-email/"))
    reader.press(next(button for button in reader.page.buttons if button not in ("OK", "Change language")))
    after_the_wait(site)
    assert reader.open(link).status == 404


def after_the_wait(site: Site) -> None:
    """Ada has a factor, so an undo waits for a day."""
    site.clock.pass_(86400)
    assert site.services.email_undos.finish_due() == 1


# -- Codes to another user's address ---------------------------------------------------------------------


def test_one_network_sends_five_codes_a_day_to_one_address_with_all_its_accounts(site: Site) -> None:
    for n in range(5):
        assert ask_code(site, f"eve{n % 3}", "victim@example.org", "198.51.100.1").status == 200
        site.clock.pass_(61)
    refused = ask_code(site, "eve1", "victim@example.org", "198.51.100.9")
    said = "You've reached the limit of codes for this address. Try again in 24 hours, or use a different address."
    assert (refused.status, refused.problems) == (429, [said])
    assert refused.field("Email address")["value"] == "victim@example.org"
    assert len(site.emails("victim@example.org")) == 5
    assert ask_code(site, "eve1", "bob@example.org", "198.51.100.1").status == 200
    site.clock.pass_(61)
    assert ask_code(site, "eve1", "Victim@Example.org", "198.51.100.1").status == 429, "it is the same box"
    assert ask_code(site, "victim", "victim@example.org", "192.0.2.1").status == 200


def test_notices_to_an_owner_whose_address_is_typed_by_others_are_capped_too(site: Site, ada: Owner) -> None:
    site.clock.pass_(3600)  # the owner's own code no longer counts
    before = len(site.emails(ada.email))
    outcomes = [ask_code(site, f"eve{n}", ada.email, f"198.51.{n}.1").status for n in range(12)]
    assert outcomes == [200] * 12
    assert len(site.emails(ada.email)) == before + 4, "the others get the same page and send none"


def ask_code(site: Site, username: str, email: str, address: str) -> Page:
    eve = Owner(site, username, address=address)
    if count(site, f"SELECT count(*) FROM accounts WHERE username = '{username}'"):
        eve.log_in()
    else:
        eve.sign_up(confirm_email=False)
    eve.open("/sign-up/email")
    return eve.press("Next", email=email)
