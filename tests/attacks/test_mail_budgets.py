"""Attackers who have the site send mail to strangers, or who use up what another person's box or reset needs."""

from __future__ import annotations

import pytest

from tests.attacks.test_recovery import ask_reset
from tests.attacks.test_texts import account
from tests.attacks.tools import count
from tests.conftest import Site, one_database
from tests.people import Owner
from webapp.domain.origin import Origin
from webapp.domain.refusals import MailLimitReached, NetworkMailLimitReached, TooManyAttempts
from webapp.models.accounts import Account

HOUR, DAY = 3600, 86400
BOX = "victim@example.org"


def newcomer(site: Site, username: str) -> Account:
    sign_up = site.services.sign_up
    return sign_up.create_by_operator("Ada Lovelace", username, "violet tractors hum", None, confirmed=False)


def ask(site: Site, of: Account, box: str, address: str, challenge: str = "email:1") -> str:
    """The result of one request for a code by mail."""
    try:
        site.services.email_addresses.send_code(of, challenge, box, Origin(address))
    except MailLimitReached:
        return "box"
    except NetworkMailLimitReached:
        return "network"
    except TooManyAttempts:
        return "account"
    return "sent"


def mails(site: Site, to: str) -> int:
    return len(site.emails(to))


def links(site: Site, to: str) -> int:
    return sum("/reset-password/" in email.text for email in site.emails(to))


# -- Codes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["198.51.100.{n}", "2001:db8:1:{n:x}::1"], ids=["a /24", "a /48"])
@one_database
def test_one_network_gets_sixty_code_mails_an_hour_and_two_hundred_a_day(site: Site, address: str) -> None:
    people, sent = [newcomer(site, f"eve{n}") for n in range(250)], 0
    for hour in range(5):
        for n in range(hour * 50, hour * 50 + 50):
            outcome = ask(site, people[n], f"box{n}@example.org", address.format(n=n + 1))
            sent += outcome == "sent"
            if hour == 0 and n == 49:
                more = [ask(site, people[k], f"x{k}@example.org", address.format(n=k), "email:2") for k in range(12)]
                assert more == ["sent"] * 10 + ["network"] * 2
                sent += 10
        site.clock.pass_(HOUR)
    assert sent == 200
    assert ask(site, people[249], "last@example.org", "203.0.113.1", "email:3") == "sent"


def test_a_stranger_uses_up_no_mails_of_a_newcomer_with_the_same_address(site: Site) -> None:
    eve, outcomes = newcomer(site, "eve"), []
    for attempt in range(10):
        outcomes.append(ask(site, eve, BOX, f"198.51.{attempt}.1"))
        site.clock.pass_(61)
    assert outcomes == ["sent"] * 5 + ["box"] * 5, "five of one account"
    outcomes = [ask(site, newcomer(site, f"bob{n}"), BOX, "203.0.113.1") for n in range(2)]
    assert outcomes == ["sent", "sent"]
    assert ask(site, newcomer(site, "victim"), BOX, "192.0.2.1") == "sent"


def test_five_of_one_network_go_to_one_box_with_all_its_accounts(site: Site) -> None:
    people, outcomes = [newcomer(site, f"eve{n}") for n in range(3)], []
    for attempt in range(9):
        outcomes.append(ask(site, people[attempt % 3], BOX, f"198.51.100.{attempt}"))
        site.clock.pass_(61)
    assert outcomes == ["sent"] * 5 + ["box"] * 4


def test_one_box_gets_ten_an_hour_from_all_who_have_not_confirmed_it(site: Site) -> None:
    people, outcomes = [newcomer(site, f"eve{n}") for n in range(3)], []
    for attempt in range(12):
        outcomes.append(ask(site, people[attempt % 3], BOX, f"198.51.{attempt}.1"))
        site.clock.pass_(61)
    assert outcomes == ["sent"] * 10 + ["box"] * 2
    site.clock.pass_(HOUR)
    assert ask(site, people[0], BOX, "203.0.113.1") == "sent"


def test_one_account_sends_to_ten_boxes_an_hour(site: Site) -> None:
    eve = newcomer(site, "eve")
    outcomes = [ask(site, eve, f"box{n}@example.org", f"198.51.{n}.1") for n in range(12)]
    assert outcomes == ["sent"] * 10 + ["account"] * 2
    site.clock.pass_(HOUR)
    assert ask(site, eve, BOX, "203.0.113.1") == "sent"


def test_all_who_have_not_confirmed_a_box_send_twenty_a_day_and_its_owner_as_many_apart(site: Site) -> None:
    owner = account(site, "victim")
    people, sent = [newcomer(site, f"eve{n}") for n in range(4)], 0
    for attempt in range(40):
        sent += ask(site, people[attempt % 4], BOX, f"198.51.{attempt}.1") == "sent"
        site.services.delivery.deliver_due()  # while the code is of use
        site.clock.pass_(20 * 60)
    assert sent == 20
    before = mails(site, BOX)
    outcomes = []
    for _ in range(30):
        outcomes.append(ask(site, owner, BOX, "192.0.2.1"))
        site.services.delivery.deliver_due()
        site.clock.pass_(8 * 60)
    assert outcomes.count("sent") == 20
    assert mails(site, BOX) == before + 20


def test_the_fifth_who_claims_a_box_gets_the_same_page_and_no_mail(site: Site) -> None:
    def claims(username: str, network: int) -> tuple[Owner, str]:
        person = Owner.signed_up(site, username, address=f"198.51.{network}.1", confirm_email=False)
        page = person.press("Next", email=BOX)
        assert (page.status, page.h1) == (200, "Check your email")
        polled = str(page.soup.find(attrs={"data-hx-get": True})["data-hx-get"])
        assert person.open(polled).status == 204
        site.services.delivery.deliver_due()
        told = person.open(polled)
        for field in page.soup.find_all("input", attrs={"name": "csrf_token"}):
            field.decompose()
        return person, f"{page.soup.main.get_text(' ', strip=True)} {told.status} {told.text}"

    seen = [claims(f"eve{n}", n) for n in range(5)]
    assert len({words for _, words in seen}) == 1
    assert mails(site, BOX) == 4
    fifth = seen[4][0]
    assert fifth.open("/sign-up/email-code").h1 == "Check your email"
    assert site.services.accounts.named("eve4").unconfirmed_email is None, "nor does it get a link for this address"
    assert count(site, "SELECT count(*) FROM messages WHERE channel = 'nowhere' AND sealed IS NOT NULL") == 0
    site.clock.pass_(DAY + 1)
    claims("late", 99)
    assert mails(site, BOX) == 5, "claims that were given up keep no one out"


# -- Links for a new password ------------------------------------------------------------------------------


def test_strangers_who_ask_for_links_keep_the_owner_from_one_for_an_hour_at_most(site: Site) -> None:
    ada = Owner.signed_up(site)
    for attempt in range(30):
        ask_reset(site, ada.email, f"198.51.{attempt}.1")
    assert links(site, ada.email) == 5
    pages = set()
    for hour in range(1, 4):
        site.clock.pass_(HOUR)
        for _ in range(3):
            page = ask_reset(site, ada.email, "192.0.2.77").page
            assert page is not None
            pages.add((page.status, page.h1))
        assert links(site, ada.email) == 5 + hour
    assert len(pages) == 1


def test_a_network_that_asked_for_many_accounts_still_gets_one_an_hour_for_each(site: Site) -> None:
    people = [account(site, f"ada{n}") for n in range(8)]
    for _ in range(2):
        for person in people:
            assert person.email is not None
            ask_reset(site, person.email, "203.0.113.5")
    sent = [links(site, str(person.email)) for person in people]
    assert sent == [1] * 8
    ask_reset(site, str(people[7].email), "192.0.2.1")
    assert links(site, str(people[7].email)) == 2, "from elsewhere"


def test_a_link_goes_to_the_newest_claim_of_an_address_no_account_confirmed(site: Site) -> None:
    people = [newcomer(site, name) for name in ("ada", "eve1", "eve2", "eve3")]
    for n, person in enumerate([*people[1:], people[0]]):
        assert ask(site, person, BOX, f"198.51.{n}.1") == "sent"
        site.clock.pass_(1)
    ask_reset(site, BOX)
    assert links(site, BOX) == 1
    token = site.emailed_path(BOX, "/reset-password/").rpartition("/")[2]
    assert site.services.links.find("reset", token).account.username == "ada"
    owner = account(site, "victim")
    ask_reset(site, BOX, "192.0.2.99")
    token = site.emailed_path(BOX, "/reset-password/").rpartition("/")[2]
    assert site.services.links.find("reset", token).account.id == owner.id, "but to its owner first"
