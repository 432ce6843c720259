"""An operator starts the recovery of a person, who is told everywhere and stops it, or lets it be."""

from __future__ import annotations

from tests.conftest import Site
from tests.journeys.test_operators_pages import ACCOUNTS, each_way, operator
from tests.people import PHONE, Owner, Page

DAY = 86400
WHAT = "An administrator asked to turn off your two-factor authentication on"


def start(ada: Owner) -> Page:
    ada.open(f"{ACCOUNTS}/bob")
    ada.follow("Start recovery")
    return ada.press("Start recovery", why="Lost the phone")


@each_way
def test_a_recovery_is_told_waits_a_day_and_is_carried_out(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    bob = Owner.signed_up(site, "bob", layout=layout, htmx=htmx)
    bob.turn_on_texts()
    ada.open(f"{ACCOUNTS}/bob")
    assert ada.follow("Start recovery").says("Username @bob"), "others may have the same name"
    for why in (" ", "x" * 201):
        page = ada.press("Start recovery", why=why)
        assert (page.status, page.problems) == (422, ["Enter a reason with up to 200 characters."])
        assert page.field("Reason")["value"] == why
    page = ada.press("Start recovery", why="Lost the phone")
    assert page.receipts == ["You started the recovery of the account @bob."]
    assert page.says("Recovery started")
    assert page.says(f"{WHAT} January 16, 2027")
    assert "Start recovery" not in page.links
    mail = site.emails(bob.email)[0]
    assert mail.subject == "Your two-factor authentication will be turned off (Nightlatch)"
    assert "Reason: Lost the phone" in mail.text
    assert site.texts()[0].text.startswith("Two-factor authentication on your Nightlatch account will be turned off.")
    assert site.texts()[0].to.endswith(PHONE[-4:])
    page = bob.open("/")
    assert page.says("Your two-factor authentication will be turned off")
    assert page.says("Reason: Lost the phone")
    assert '<time datetime="2027-01-16T08:00:00Z">' in page.text, "a script shows it in his own zone"
    site.clock.pass_(DAY - 1)
    assert site.services.operators.recoveries.finish_due() == 0
    site.clock.pass_(1)
    assert site.services.operators.recoveries.finish_due() == 1
    assert "Reason: Lost the phone" in site.emails(bob.email)[0].text
    assert bob.open("/settings").path == "/log-in"
    assert bob.log_in().h1 == "Welcome, Ada Lovelace"
    page = bob.open("/settings/security/activity")
    assert page.says("An administrator turned off your two-factor authentication. Reason: Lost the phone")
    ada.log_in()
    ada.use_key()
    assert ada.open("/settings/security/activity").says("You started the recovery of the account @bob.")


@each_way
def test_the_owner_stops_a_recovery_from_the_home_page(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    bob = Owner.signed_up(site, "bob", layout=layout, htmx=htmx)
    bob.turn_on_app()
    start(ada)
    bob.open("/")
    page = bob.follow("Stop the change")
    assert page.h1 == "Your two-factor authentication will be turned off"
    page = bob.press("Stop the change")
    assert page.receipts == ["Two-factor authentication stays on."]
    assert bob.open("/settings/security/recovery").path != "/settings/security/recovery"
    page = ada.open(f"{ACCOUNTS}/bob")
    assert page.says("The change of your two-factor authentication by an administrator was stopped.")
    assert "Start recovery" in page.links
    event = ada.open("/settings/security/activity")
    assert event.says("The recovery of the account @bob was stopped.")


@each_way
def test_the_operator_cancels_a_recovery(site: Site, layout: str, htmx: bool) -> None:
    ada = operator(site, layout=layout, htmx=htmx)
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    start(ada)
    ada.follow("Cancel recovery")
    page = ada.press("Cancel recovery")
    assert page.receipts == ["You canceled the recovery of the account @bob."]
    assert "Start recovery" in page.links
    assert "by an administrator was stopped" in site.emails(bob.email)[0].text
    activity = ada.open("/settings/security/activity")
    assert activity.says("You canceled the recovery of the account @bob.")
    assert not activity.says("The recovery of the account @bob was stopped."), "it is said once"
    ada.open(f"{ACCOUNTS}/bob")
    page = ada.post(f"{ACCOUNTS}/bob/cancel-recovery")
    assert page.problems == ["That's already done, maybe in another tab. Here's the current status."]


def test_the_command_line_shows_a_recovery_and_resets_at_once(site: Site) -> None:
    ada = operator(site)
    bob = Owner.signed_up(site, "bob")
    bob.turn_on_app()
    start(ada)
    runner = site.app.test_cli_runner()
    shown = runner.invoke(args=["accounts", "show", "bob"]).output
    assert "Recovery: two-factor methods are reset on January 16, 2027" in shown
    runner.invoke(args=["accounts", "reset-second-factors", "bob", "--why", "Came by"])
    assert "Recovery" not in runner.invoke(args=["accounts", "show", "bob"]).output
    site.clock.pass_(DAY)
    assert site.services.operators.recoveries.finish_due() == 0


def test_a_recovery_is_not_offered_where_there_is_nothing_to_reset(site: Site) -> None:
    ada = operator(site)
    Owner(site, "bob").sign_up()
    assert "Start recovery" not in ada.open(f"{ACCOUNTS}/bob").links
    assert ada.post(f"{ACCOUNTS}/bob/recover", why="Lost").status == 404
