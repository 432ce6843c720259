"""Who sees whom, what is stored of uploaded contacts, and how many numbers may be looked up."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from tests.conftest import Site
from webapp.adapters.keyring import AesGcmKeyring
from webapp.domain.contact_refusals import NoNumbers, NoNumbersInFile, NotContacts, TooManyContacts, TooManyLookups
from webapp.models.accounts import Account
from webapp.models.contacts import Contact, ContactLookups
from webapp.policy import DAY, Policy
from webapp.services.contacts import Contacts, PhoneBook, Uploaded
from webapp.services.sealed_numbers import phone_bound

ADA, GRACE, OTHER = "+447400123456", "+447400123457", "+4915112345678"
OLD, NEW = ("k1", bytes(range(32))), ("k2", bytes(range(32, 64)))


@pytest.fixture
def environ(database_url: str) -> dict[str, str]:
    keys = f"{OLD[0]}:{base64.b64encode(OLD[1]).decode()}"
    return {"NIGHTLATCH_DATABASE_URL": database_url, "NIGHTLATCH_ENCRYPTION_KEYS": keys}


@pytest.fixture
def contacts(site: Site) -> Contacts:
    return site.services.contacts


@pytest.fixture
def ada(site: Site) -> Account:
    return account_with_number(site, "ada", ADA)


@pytest.fixture
def grace(site: Site) -> Account:
    return account_with_number(site, "grace", GRACE)


def account_with_number(site: Site, username: str, phone: str | None) -> Account:
    """With a confirmed number, discoverable by contacts."""
    account = site.services.sign_up.create_by_operator(
        username.title(), username, "analytical engine notes", f"{username}@example.org", confirmed=True
    )
    account.discoverable = True
    if phone is not None:
        account.phone_number = AesGcmKeyring([OLD], site.services.entropy).seal(phone, phone_bound(account.id))
    with site.services.db.write() as tx:
        values = {"discoverable": True, "phone_number": account.phone_number}
        tx.execute(update(Account).where(Account.id == account.id).values(values))
    return account


def contacts_with(site: Site, *keys: tuple[str, bytes], policy: Policy | None = None) -> Contacts:
    """The same services with other keys or another policy."""
    services = site.services
    keyring = AesGcmKeyring(keys or (OLD,), services.entropy)
    other = replace(services.core, keyring=keyring, policy=policy or services.settings.policy)
    return Contacts(other, services.phone_numbers)


def upload(contacts: Contacts, account: Account, *numbers: str, country: str = "GB") -> Uploaded:
    return contacts.upload(account, b"", "\n".join(numbers), country)


def shown(contacts: Contacts, account: Account) -> list[str]:
    return [person.username for person in contacts.phone_book(account).people]


def series(first: int, count: int) -> list[str]:
    return [f"+4474{number:08d}" for number in range(first, first + count)]


def rows(site: Site, table: Any = Contact) -> int:
    with site.services.db.read() as tx:
        return int(tx.scalar(select(func.count()).select_from(table)) or 0)


# -- Who sees whom ---------------------------------------------------------------------------------


def test_two_people_see_each_other_when_each_has_the_others_number(
    contacts: Contacts, ada: Account, grace: Account
) -> None:
    assert upload(contacts, ada, GRACE, OTHER) == Uploaded(added=2, unread=0)
    assert (shown(contacts, ada), shown(contacts, grace)) == ([], [])
    upload(contacts, grace, ADA)
    assert (shown(contacts, ada), shown(contacts, grace)) == (["grace"], ["ada"])
    assert [(person.name, person.username) for person in contacts.phone_book(ada).people] == [("Grace", "grace")]


@pytest.mark.parametrize("who", ["ada", "grace"])
def test_turning_discoverability_off_hides_both_at_once_and_on_shows_them_again(
    contacts: Contacts, ada: Account, grace: Account, who: str
) -> None:
    upload(contacts, ada, GRACE)
    upload(contacts, grace, ADA)
    changing = {"ada": ada, "grace": grace}[who]
    contacts.let_find(changing, False)
    assert not changing.discoverable
    assert (shown(contacts, ada), shown(contacts, grace)) == ([], [])
    contacts.let_find(changing, True)
    assert (shown(contacts, ada), shown(contacts, grace)) == (["grace"], ["ada"])


def test_without_a_confirmed_number_no_contact_is_shown(site: Site, contacts: Contacts, ada: Account) -> None:
    linus = account_with_number(site, "linus", None)
    upload(contacts, linus, ADA)
    upload(contacts, ada, GRACE)
    assert (shown(contacts, ada), shown(contacts, linus)) == ([], [])


def test_a_user_is_no_contact_of_their_own(contacts: Contacts, ada: Account) -> None:
    upload(contacts, ada, ADA)
    assert shown(contacts, ada) == []


def test_contacts_are_sorted_by_name(site: Site, contacts: Contacts, ada: Account) -> None:
    for place, name in enumerate(("linus", "grace", "zoe")):
        upload(contacts, account_with_number(site, name, series(place, 1)[0]), ADA)
    upload(contacts, ada, *series(0, 3))
    assert shown(contacts, ada) == ["grace", "linus", "zoe"]


def test_a_user_who_removed_all_contacts_is_not_shown_any_more(
    site: Site, contacts: Contacts, ada: Account, grace: Account
) -> None:
    upload(contacts, ada, GRACE, OTHER)
    upload(contacts, grace, ADA)
    contacts.remove_all(ada)
    assert contacts.phone_book(ada) == PhoneBook(0, 0, [])
    assert shown(contacts, grace) == []
    assert rows(site) == 1, "Grace's own"


def test_deleting_an_account_deletes_its_contacts(site: Site, contacts: Contacts, ada: Account) -> None:
    upload(contacts, ada, GRACE, OTHER)
    with site.services.db.write() as tx:
        tx.execute(delete(Account).where(Account.id == ada.id))
    assert (rows(site), rows(site, ContactLookups)) == (0, 0)


# -- Parsing ---------------------------------------------------------------------------------------


def test_numbers_are_separated_by_line_comma_or_semicolon_in_any_spelling_and_count_once(
    contacts: Contacts, ada: Account
) -> None:
    typed = f" +44 7400 123457 ,07400-123457；+44 7400 123457، {OTHER}\r\n\r\n00 49 151 12345678\n;,"
    assert contacts.upload(ada, b"", typed, "GB") == Uploaded(added=2, unread=0)
    assert contacts.upload(ada, f"TEL:{OTHER}\nTEL:+33612345678\nx".encode(), GRACE, "GB") == Uploaded(1, 0)
    assert contacts.phone_book(ada).count == 3


def test_a_number_without_a_calling_code_is_of_the_country_of_ones_own_number_or_of_the_page(
    site: Site, contacts: Contacts, ada: Account, grace: Account
) -> None:
    linus = account_with_number(site, "linus", None)
    for account, number, country in ((ada, "07400123457", "DE"), (linus, "015112345678", "DE")):
        upload(contacts, account, number, country=country)
    with site.services.db.read() as tx:
        kept = {row.account_id: row.number_mac for row in tx.objects.scalars(select(Contact))}
    keyring = AesGcmKeyring([OLD], site.services.entropy)
    assert kept == {ada.id: keyring.mac(GRACE, "contact"), linus.id: keyring.mac(OTHER, "contact")}


def test_malformed_numbers_are_counted_and_numbers_that_get_no_texts_are_skipped(
    contacts: Contacts, ada: Account
) -> None:
    fixed, premium = "+442079460018", "+449098790000"
    assert upload(contacts, ada, fixed, premium, "Grandma", "121", GRACE) == Uploaded(added=1, unread=2)


@pytest.mark.parametrize("entry", [f"{GRACE},,123#", f"*31#{GRACE}", f"{GRACE}p55", f"{GRACE} ext. 7", f"{GRACE};1"])
def test_what_a_phone_dials_around_a_number_is_dropped(contacts: Contacts, ada: Account, entry: str) -> None:
    assert contacts.upload(ada, f"BEGIN:VCARD\nTEL;CELL:{entry}".encode(), "", "GB") == Uploaded(1, 0)
    contacts.remove_all(ada)
    typed = entry.removesuffix(";1")
    assert contacts.upload(ada, b"", f"{typed}, {OTHER}", "GB") == Uploaded(2, 0)


def test_a_file_without_a_number_and_a_file_that_is_no_contact_list_are_refused(
    contacts: Contacts, ada: Account
) -> None:
    card = b"BEGIN:VCARD\nFN:Grace\nEMAIL:grace@example.org\nEND:VCARD"
    with pytest.raises(NoNumbersInFile):
        contacts.upload(ada, card, "", "GB")
    assert contacts.upload(ada, card, GRACE, "GB") == Uploaded(1, 0)
    with pytest.raises(NotContacts):
        contacts.upload(ada, b"\x89PNG\r\n\x1a\n\0\0", GRACE, "GB")


@pytest.mark.parametrize("typed", ["", " \n ; ,\r\n"])
def test_an_empty_upload_is_refused(contacts: Contacts, ada: Account, typed: str) -> None:
    with pytest.raises(NoNumbers):
        contacts.upload(ada, b"", typed, "GB")


# -- Caps ------------------------------------------------------------------------------------------


def test_at_most_a_thousand_contacts_are_stored(site: Site, contacts: Contacts, ada: Account) -> None:
    most = site.services.settings.policy.contacts
    assert most == 1000
    assert upload(contacts, ada, *series(0, most)).added == most
    for more in (series(most, 1), series(0, most + 1), ["1"] * 5 + [str(n) for n in range(2001)]):
        with pytest.raises(TooManyContacts) as refused:
            upload(contacts, ada, *more)
        assert refused.value.maximum == most
    assert contacts.phone_book(ada).count == most
    assert upload(contacts, ada, *series(0, most)).added == 0, "the same phone book again is no more"


def test_new_numbers_are_capped_in_any_24_hours_and_the_refusal_says_when(
    site: Site, contacts: Contacts, ada: Account
) -> None:
    policy = site.services.settings.policy
    assert (policy.contact_lookups.most, policy.contact_lookups.seconds) == (2000, DAY)
    assert policy.contacts <= policy.contact_lookups.most, "or a refusal could not say when"
    for place in range(4):
        upload(contacts, ada, *series(place * 500, 500))
        contacts.remove_all(ada)
        site.clock.pass_(3600)
    for count, hours in ((1, 20), (500, 20), (501, 21), (1000, 21)):
        with pytest.raises(TooManyLookups) as refused:
            upload(contacts, ada, *series(5000, count))
        assert refused.value.wait == hours * 3600, count
    assert rows(site) == 0
    site.clock.pass_(20 * 3600 - 1)
    with pytest.raises(TooManyLookups):
        upload(contacts, ada, *series(5000, 1))
    site.clock.pass_(1)
    assert upload(contacts, ada, *series(5000, 500)).added == 500


def test_numbers_that_are_stored_already_cost_no_lookup(site: Site, contacts: Contacts, ada: Account) -> None:
    for _ in range(5):
        upload(contacts, ada, *series(0, 500))
    with site.services.db.read() as tx:
        assert list(tx.execute(select(ContactLookups.count, ContactLookups.entries))) == [(500, 500), *[(0, 500)] * 4]


def test_lookups_are_counted_even_when_storing_fails(site: Site, ada: Account) -> None:
    class FailingContacts(Contacts):
        def _keep(self, *_args: Any) -> int:
            raise ZeroDivisionError

    services = site.services
    broken = FailingContacts(
        replace(services.core, keyring=AesGcmKeyring([OLD], services.entropy)), services.phone_numbers
    )
    with pytest.raises(ZeroDivisionError):
        upload(broken, ada, GRACE)
    assert (rows(site), rows(site, ContactLookups)) == (0, 1)


def test_concurrent_uploads_keep_the_cap_together(site: Site, ada: Account) -> None:
    policy = replace(site.services.settings.policy, contacts=30)
    contacts = contacts_with(site, policy=policy)

    def one(place: int) -> bool:
        try:
            upload(contacts, ada, *series(place * 10, 10))
        except TooManyContacts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 3
    assert rows(site) == 30


def test_lookups_older_than_a_day_are_purged(site: Site, contacts: Contacts, ada: Account) -> None:
    upload(contacts, ada, GRACE)
    site.clock.pass_(DAY - 1)
    assert site.services.maintenance.purge()["contact_lookups"] == 0
    site.clock.pass_(1)
    assert site.services.maintenance.purge()["contact_lookups"] == 1
    assert rows(site) == 1


# -- Rotation of keys ------------------------------------------------------------------------------


def test_contacts_from_before_a_key_rotation_still_match_those_after_it(
    site: Site, contacts: Contacts, ada: Account, grace: Account
) -> None:
    upload(contacts, ada, GRACE)
    rotated = contacts_with(site, NEW, OLD)
    upload(rotated, grace, ADA)
    assert (shown(rotated, ada), shown(rotated, grace)) == (["grace"], ["ada"])
    assert rotated.phone_book(ada).lost == 0


def test_a_number_that_was_resealed_still_matches(site: Site, contacts: Contacts, ada: Account, grace: Account) -> None:
    upload(contacts, ada, GRACE)
    upload(contacts, grace, ADA)
    keyring = AesGcmKeyring([NEW, OLD], site.services.entropy)
    for account, number in ((ada, ADA), (grace, GRACE)):
        account.phone_number = keyring.seal(number, phone_bound(account.id))
        with site.services.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(phone_number=account.phone_number))
    rotated = contacts_with(site, NEW, OLD)
    assert (shown(rotated, ada), shown(rotated, grace)) == (["grace"], ["ada"])


def test_an_upload_after_a_rotation_hashes_the_stored_numbers_again_and_counts_none_twice(
    site: Site, contacts: Contacts, ada: Account
) -> None:
    upload(contacts, ada, GRACE, OTHER)
    rotated = contacts_with(site, NEW, OLD)
    assert upload(rotated, ada, GRACE) == Uploaded(added=0, unread=0)
    with site.services.db.read() as tx:
        assert sorted(mac.partition(".")[0] for mac in tx.scalars(select(Contact.number_mac))) == ["k1", "k2"]
        assert list(tx.scalars(select(ContactLookups.count).order_by(ContactLookups.id))) == [2, 0]
    assert rotated.phone_book(ada).count == 2


def test_contacts_of_a_removed_key_are_reported_and_replaced_by_the_next_upload(
    site: Site, contacts: Contacts, ada: Account, grace: Account
) -> None:
    upload(contacts, ada, GRACE, OTHER)
    upload(contacts, grace, ADA)
    dropped = contacts_with(site, NEW)
    sealed = AesGcmKeyring([NEW], site.services.entropy).seal(ADA, phone_bound(ada.id))
    with site.services.db.write() as tx:
        tx.execute(update(Account).where(Account.id == ada.id).values(phone_number=sealed))
    ada.phone_number = sealed
    assert dropped.phone_book(ada) == PhoneBook(count=2, lost=2, people=[])
    assert dropped.phone_book(grace).people == [], "her own number was never sealed again: not a fault of the page"
    assert upload(dropped, ada, GRACE).added == 1
    assert dropped.phone_book(ada) == PhoneBook(count=1, lost=0, people=[])
    upload(dropped, grace, ADA, country="GB")
    assert shown(dropped, ada) == [], "her number cannot be read without its key"
