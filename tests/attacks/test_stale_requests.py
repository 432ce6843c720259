"""Requests that read a session, link or address before another request changed it: the later commit is refused.

Two transactions are really interleaved: one is paused before its COMMIT until the other waits for it.
"""

from __future__ import annotations

from tests.attacks.test_meanwhile import while_paused
from tests.attacks.test_recovery import ask_reset
from tests.attacks.tools import is_in, live_sessions, stale, thief_of
from tests.conftest import Site
from tests.people import Owner, Person
from tests.services.test_races import user_of
from webapp.services.kept_acts import Act

NEW = "a much longer new password"
ROTATION = "UPDATE sessions SET token_hash"


def test_a_stale_copy_of_a_session_does_not_take_it_over_while_its_owner_steps_up(site: Site) -> None:
    bob = Owner.signed_up(site, "bob")
    stale(bob)
    thief = thief_of(bob)
    thief.open("/settings/security/sessions")
    bob.open("/settings/account/password")
    while_paused(
        site,
        lambda: bob.press("Verify", password=bob.password),
        ROTATION,
        lambda: thief.press("Log out all others"),
    )
    assert is_in(bob)
    assert not is_in(thief)
    assert live_sessions(site, "bob") == 1


def test_a_stale_copy_of_a_session_does_not_change_the_password_while_its_owner_steps_up(site: Site) -> None:
    """The copy is fresh too, but its token is void from the owner's proof on."""
    bob = Owner.signed_up(site, "bob")
    thief = thief_of(bob)
    thief.open("/settings/account/password")
    bob.open("/settings/security/sessions")
    while_paused(
        site,
        lambda: bob.press("Log out all others"),
        ROTATION,
        lambda: thief.press("Save", password=NEW),
    )
    assert is_in(bob)
    assert not is_in(thief)
    assert bob.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


# -- Reset links --------------------------------------------------------------------------------------------------


def test_a_reset_link_to_an_address_that_is_no_longer_claimed_resets_nothing(site: Site) -> None:
    """Bob corrects a typing mistake; the owner of the mistyped mailbox asked for a link before."""
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email="bbo@example.org")
    finder = ask_reset(site, "bbo@example.org")
    path = site.emailed_path("bbo@example.org", "/reset-password/")
    site.clock.pass_(60)
    bob.open("/sign-up/email")
    bob.press("Next", email=bob.email)
    assert finder.post(path, password=NEW).status == 404
    account = site.services.accounts.named("bob")
    assert (account.email, account.unconfirmed_email) == (None, bob.email)
    assert bob.press("Verify", code=site.emailed_code(bob.email)).h1 == "Welcome, Ada Lovelace"
    assert bob.other_browser().log_in().h1 == "Welcome, Ada Lovelace"


def test_a_reset_link_that_is_used_while_another_address_is_confirmed_resets_nothing(site: Site) -> None:
    bob = Owner.signed_up(site, "bob", confirm_email=False)
    bob.press("Next", email=bob.email)
    site.clock.pass_(60)
    twin = bob.log_in_elsewhere()
    twin.open("/sign-up/email")
    twin.press("Next", email="bbo@example.org")
    ask_reset(site, "bbo@example.org")
    finder = Person(site.app)
    finder.open(site.emailed_path("bbo@example.org", "/reset-password/"))
    code = site.emailed_code(bob.email)
    while_paused(
        site,
        lambda: bob.press("Verify", code=code),
        "UPDATE accounts SET email",
        lambda: finder.press("Save password", password=NEW),
    )
    assert finder.page is not None
    assert finder.page.status == 404
    assert site.services.accounts.named("bob").email == bob.email
    assert is_in(bob)


def test_a_reset_link_is_void_once_its_address_was_changed_to_one_that_only_looks_alike(site: Site) -> None:
    """Case folding makes the addresses equal, but they are two mailboxes."""
    bob = Owner(site, "bob")
    bob.email = "assa@example.org"
    bob.sign_up()
    finder = ask_reset(site, bob.email)
    path = site.emailed_path(bob.email, "/reset-password/")
    site.clock.pass_(60)
    bob.open("/settings/account/email")
    bob.press("Save", email="aßa@example.org")
    bob.press("Verify", code=site.emailed_code("aßa@example.org"))
    assert site.emails("assa@example.org")[0].subject.startswith("Your Nightlatch email address was changed"), (
        "its former owner is told"
    )
    assert finder.post(path, password=NEW).status == 404


# -- Kept forms ---------------------------------------------------------------------------------------------------


def test_of_two_requests_that_take_a_kept_form_at_once_one_gets_it(site: Site) -> None:
    Owner(site, "bob").sign_up()
    user, kept, act = user_of(site), site.services.kept_acts, Act("/settings", [("name", "value")])
    key = kept.keep(user, act)
    taken: list[Act | None] = []

    def take() -> None:
        taken.append(kept.take(user, key, act.path))

    while_paused(site, take, "DELETE FROM kept_acts", take)
    assert sorted(taken, key=bool) == [None, act]
