"""Renames, deletions and exports, where two requests meet or a page would have refused before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from tests.attacks.test_meanwhile import while_paused
from tests.conftest import Site
from tests.people import PHONE, Owner
from tests.services.test_races import user_of
from webapp.domain.account_refusals import UsernameTaken, UsernameUnchanged
from webapp.domain.origin import Origin
from webapp.domain.refusals import AlreadyDone, EmailRequired, LinkInvalid, LoginExpired, NotFound, NotFresh
from webapp.models.accounts import Account

HERE = Origin("192.0.2.1", "Firefox")
DAY = 86400


def test_usernames_stay_where_the_operator_says_so_and_without_a_confirmed_address(site: Site) -> None:
    Owner.signed_up(site, confirm_email=False)
    with pytest.raises(EmailRequired):
        site.services.renames.ask(user_of(site), "countess", HERE)
    with pytest.raises(NotFound):
        replace(site.services.renames, are_allowed=False).ask(user_of(site), "countess", HERE)


def test_a_change_that_waits_when_the_operator_keeps_usernames_does_not_take_effect(site: Site, ada: Owner) -> None:
    site.services.renames.ask(user_of(site), "countess", HERE)
    site.clock.pass_(DAY)
    assert replace(site.services.renames, are_allowed=False).finish_due() == 0
    account = site.services.accounts.named("ada")
    assert (account.username, account.new_username, account.rename_at) == ("ada", None, None)
    assert "The change of your username to @countess was stopped." in site.emails(ada.email)[0].text
    assert site.services.renames.finish_due() == 0


def test_names_data_and_deletion_are_for_a_fresh_session_only(site: Site, ada: Owner) -> None:
    services, user = site.services, user_of(site)
    site.clock.pass_(660)
    for act in (
        lambda: services.renames.ask(user, "countess", HERE),
        lambda: services.renames.stop(user, HERE),
        lambda: services.exports.make(user, HERE),
        lambda: services.deletions.ask(user, HERE),
    ):
        with pytest.raises(NotFresh):
            act()


def test_a_change_of_the_username_is_stopped_once(site: Site, ada: Owner) -> None:
    renames = site.services.renames
    renames.ask(user_of(site), "countess", HERE)
    user = user_of(site)
    renames.stop(user, HERE)
    with pytest.raises(AlreadyDone):
        renames.stop(user, HERE)
    site.clock.pass_(1)
    renames.ask(user_of(site), "lady", HERE)
    with pytest.raises(AlreadyDone):  # the page was of the change before
        renames.stop(user, HERE)


def test_a_page_of_a_change_that_was_stopped_elsewhere_says_so(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/username")
    ada.press("Save", username="countess")
    other = ada.log_in_elsewhere()
    other.open("/settings/account/username")
    ada.press("Keep @ada")
    other.press("Keep @ada")
    assert other.page is not None
    assert other.page.problems == ["That's already done, maybe in another tab. Here's the current status."]


def test_a_page_of_a_change_that_is_stopped_at_the_same_moment_says_so(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/username")
    ada.press("Save", username="countess")
    other = ada.log_in_elsewhere()
    other.open("/settings/account/username")
    while_paused(
        site,
        lambda: ada.press("Keep @ada"),
        "UPDATE accounts SET new_username",
        lambda: other.press("Keep @ada"),
    )
    assert other.page is not None
    assert other.page.problems == ["That's already done, maybe in another tab. Here's the current status."]


def test_a_change_that_is_stopped_while_the_worker_finishes_it_does_not_take_effect(site: Site, ada: Owner) -> None:
    renames = site.services.renames
    renames.ask(user_of(site), "countess", HERE)
    opened = site.services.links.find("stop-rename", site.emailed_path(ada.email, "/keep-username/").split("/")[2])
    site.clock.pass_(DAY - 1)
    finished: list[int] = []

    def finish() -> None:
        site.clock.pass_(1)
        finished.append(renames.finish_due())

    while_paused(site, lambda: renames.stop_by_link(opened, HERE), "UPDATE accounts SET new_username", finish)
    assert finished == [0]
    assert site.services.accounts.named("ada").username == "ada"
    with pytest.raises(LinkInvalid):
        renames.stop_by_link(opened, HERE)


def test_the_operator_cannot_rename_to_the_same_or_a_taken_name(site: Site, ada: Owner) -> None:
    Owner(site, "grace").sign_up()
    for name, refusal in (("ada", UsernameUnchanged), ("GRACE", UsernameTaken)):
        with pytest.raises(refusal):
            site.services.accounts.rename("ada", name)


def test_a_number_whose_key_is_missing_is_left_out_of_the_copy(site: Site, ada: Owner) -> None:
    ada.open("/settings/account/phone")
    ada.press("Save", phone=PHONE)
    ada.press("Verify", code=site.texted_code(PHONE))
    assert site.services.exports.make(user_of(site), HERE)["account"]["phone_number"] == PHONE
    with site.services.db.write() as tx:
        tx.execute(update(Account).values(phone_number="lost:AAAA"))
    copied = site.services.exports.make(user_of(site), HERE)["account"]
    assert (copied["phone_number"], copied["phone_number_hint"]) == (None, "...56")


def test_a_second_deletion_finds_its_session_ended(site: Site, ada: Owner) -> None:
    user = user_of(site)
    until = site.services.deletions.ask(user, HERE)
    assert until == site.clock.now() + 30 * DAY
    with pytest.raises(LoginExpired):
        site.services.deletions.ask(user, HERE)
