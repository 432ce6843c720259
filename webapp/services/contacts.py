"""Contacts: two people see each other when each has the other's number and both let themselves be found.

Numbers are kept as keyed hashes only. Nothing here tells whether a number has an account: an upload never looks at
the accounts at all, and who is shown is looked for among those who have one's own number, so that neither an answer
nor its time depends on which numbers were uploaded.

After a rotation of keys each number is compared under every key of the keyring. Hashes cannot be made again without
their numbers, so that when an old key leaves the settings, those that it made are lost, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import delete, insert, select, update

from ..domain import phone_numbers, vcards
from ..domain.refusals import NoNumbers, PhoneMalformed, Refusal, TooManyContacts, TooManyLookups
from ..models.accounts import Account
from ..models.contacts import Contact, ContactLookups
from ..models.database import Transaction
from .core import Core
from .phone_numbers import PhoneNumbers, phone_bound

BETWEEN_NUMBERS = re.compile(r"[\r\n,;]+")


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class PhoneBook:
    """What an account uploaded: how many numbers, how many of them are lost with their key, and who is shown."""

    count: int
    lost: int
    people: list[Person]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many numbers were not there before, and how many lines or numbers could not be read."""

    added: int
    unread: int


@dataclass(frozen=True, slots=True)
class Contacts:
    core: Core
    phones: PhoneNumbers

    def phone_book(self, account: Account) -> PhoneBook:
        own = self._macs_of(account) if account.discoverable else []
        have_mine = (
            select(Account)
            .where(Account.id.in_(select(Contact.account_id).where(Contact.number_mac.in_(own))))
            .where(Account.id != account.id, Account.discoverable, Account.phone_number.is_not(None))
        )
        with self.core.db.read() as tx:
            kept = _kept(tx, account.id)
            candidates = tx.objects.scalars(have_mine).all()
        mutual = [other for other in candidates if not kept.isdisjoint(self._macs_of(other))]
        people = sorted((Person(other.name, other.username) for other in mutual), key=lambda p: p.name.casefold())
        lost = sum(not self.core.keyring.knows(mac) for mac in kept)
        return PhoneBook(len(kept), lost, people)

    def let_find(self, account: Account, discoverable: bool) -> None:
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(discoverable=discoverable))
        account.discoverable = discoverable

    def remove_all(self, account: Account) -> None:
        """Every hash goes. What was looked up today still counts, or this would be the way around the cap."""
        with self.core.db.write() as tx:
            tx.execute(delete(Contact).where(Contact.account_id == account.id))

    def upload(self, account: Account, file: bytes, typed: str, country: str) -> Uploaded:
        """Keeps the numbers of a vCard file and those that were typed, or none of them.

        Numbers without a calling code are read in the country of the account's own number, else in `country`.
        Raises `NoNumbers`, `TooManyContacts` or `TooManyLookUps`.
        """
        cards = vcards.read(file)
        entries = {*cards.numbers, *(entry.strip() for entry in BETWEEN_NUMBERS.split(typed))} - {""}
        if not entries and not cards.unread:
            raise NoNumbers()
        if len(entries) > self.core.policy.contact_entries:
            raise TooManyContacts(self.core.policy.contacts)
        numbers, unread = self._read(entries, self._country_of(account) or country)
        macs = [self._macs(number) for number in numbers]
        self._spend(account.id, macs)
        with self.core.db.write() as tx:
            added = self._keep(tx, account.id, macs)
        return Uploaded(added, cards.unread + unread)

    def _read(self, entries: Iterable[str], country: str) -> tuple[set[str], int]:
        """The numbers that somebody may log in with, and how many entries are no number at all."""
        numbers, unread = set(), 0
        for entry in entries:
            try:
                numbers.add(self.phones.read(entry, country).e164)
            except PhoneMalformed:
                unread += 1
            except Refusal:
                continue  # a fixed line, say: no text goes there, so it is nobody's here
        return numbers, unread

    def _spend(self, account_id: int, macs: Sequence[list[str]]) -> None:
        """Counts the new numbers in a commit of its own, before anything is kept or looked up."""
        now, cap = self.core.clock.now(), self.core.policy.contact_lookups
        counted = select(ContactLookups.at, ContactLookups.count).where(ContactLookups.account_id == account_id)
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, _lock(account_id))
            new = self._new(_kept(tx, account_id), macs)
            hits = tx.execute(
                counted.where(ContactLookups.at > now - cap.seconds).order_by(ContactLookups.at, ContactLookups.id)
            ).all()
            excess = sum(count for _, count in hits) + new - cap.most
            if excess > 0:
                freed = accumulate(count for _, count in hits)
                enough = next(at for (at, _), room in zip(hits, freed, strict=True) if room >= excess)
                raise TooManyLookups(enough + cap.seconds - now)
            if new:
                tx.execute(insert(ContactLookups).values(account_id=account_id, at=now, count=new))

    def _keep(self, tx: Transaction, account_id: int, macs: Sequence[list[str]]) -> int:
        """Returns how many were not there before. What an older key or a lost one made gives way to the newest's."""
        self.core.db.serialize(tx, _lock(account_id))
        kept = _kept(tx, account_id)
        added = self._new(kept, macs)
        stale = {mac for mac in kept if not self.core.keyring.knows(mac)}
        stale |= {older for _newest, *others in macs for older in others if older in kept}
        tx.execute(delete(Contact).where(Contact.account_id == account_id, Contact.number_mac.in_(stale)))
        now = self.core.clock.now()
        rows = [
            {"account_id": account_id, "number_mac": newest, "added_at": now}
            for newest, *_ in macs
            if newest not in kept
        ]
        if rows:
            tx.execute(insert(Contact), rows)
        return added

    def _new(self, kept: set[str], macs: Sequence[list[str]]) -> int:
        """How many are not among those kept. Raises `TooManyContacts`."""
        known = {mac for mac in kept if self.core.keyring.knows(mac)}
        new = sum(known.isdisjoint(same) for same in macs)
        if new and len(known) + new > self.core.policy.contacts:
            raise TooManyContacts(self.core.policy.contacts)
        return new

    def _macs(self, e164: str) -> list[str]:
        return self.core.keyring.macs(e164, "contact")

    def _macs_of(self, account: Account) -> list[str]:
        """Of its own number; none when it has none, or when the key that sealed it is gone."""
        number = self._number_of(account)
        return self._macs(number) if number is not None else []

    def _country_of(self, account: Account) -> str | None:
        number = self._number_of(account)
        return phone_numbers.country_of(number) if number is not None else None

    def _number_of(self, account: Account) -> str | None:
        if account.phone_number is None:
            return None
        try:
            return self.core.keyring.open(account.phone_number, phone_bound(account.id))
        except ValueError:
            return None


def _kept(tx: Transaction, account_id: int) -> set[str]:
    return set(tx.scalars(select(Contact.number_mac).where(Contact.account_id == account_id)))


def _lock(account_id: int) -> str:
    return f"contacts:{account_id}"
