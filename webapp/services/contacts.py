"""Contacts: two users see each other when each has uploaded the other's number and both are discoverable.

Numbers are stored as keyed hashes only. Nothing here may tell whether a number has an account: an upload does not read
the accounts, and matches are searched among the accounts that uploaded the user's own number, so that neither an
answer nor its time depends on which numbers were uploaded.

After a rotation of keys each number is compared under every key of the keyring. Hashes cannot be made again without
their numbers, so those of a key that is removed from the settings are lost, and the page says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute

from ..domain import phone_numbers, vcards
from ..domain.collation import sort_key
from ..domain.contact_refusals import NoNumbers, NoNumbersInFile, NotContacts, TooManyContacts, TooManyLookups
from ..domain.language import spoken
from ..domain.refusals import PhoneMalformed, Refusal
from ..models.accounts import Account
from ..models.contacts import Contact, ContactLookups
from ..models.database import Transaction
from ..policy import Window
from .core import Core
from .phone_numbers import PhoneNumbers
from .sealed_numbers import unsealed

BETWEEN_NUMBERS = re.compile(r"[\r\n,;،؛、，；፣፤]+")  # also the commas and semicolons of other scripts


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class PhoneBook:
    """The contacts of an account: how many numbers, how many of them are lost with their key, and the people shown."""

    count: int
    lost: int
    people: list[Person]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many numbers are new, and how many lines or numbers could not be read."""

    added: int
    unread: int


@dataclass(frozen=True, slots=True)
class Contacts:
    core: Core
    phones: PhoneNumbers

    def phone_book(self, account: Account) -> PhoneBook:
        """The account's contacts, and the people among them who have its number too."""
        own = self._macs_of(account) if account.discoverable else []
        have_own = (
            select(Account)
            .where(Account.id.in_(select(Contact.account_id).where(Contact.number_mac.in_(own))))
            .where(Account.id != account.id, Account.discoverable, Account.phone_number.is_not(None))
            .where(Account.delete_at.is_(None))
        )
        with self.core.db.read() as tx:
            kept = _kept(tx, account.id)
            candidates = tx.objects.scalars(have_own).all()
        mutual = [other for other in candidates if not kept.isdisjoint(self._macs_of(other))]
        language, found = spoken().code, [Person(other.name, other.username) for other in mutual]
        people = sorted(found, key=lambda person: sort_key(person.name, language))
        lost = sum(not self.core.keyring.knows(mac) for mac in kept)
        return PhoneBook(len(kept), lost, people)

    def let_find(self, account: Account, discoverable: bool) -> None:
        """Sets whether contacts may find the account."""
        with self.core.db.write() as tx:
            tx.execute(update(Account).where(Account.id == account.id).values(discoverable=discoverable))
        account.discoverable = discoverable

    def remove_all(self, account: Account) -> None:
        """Deletes every hash. The look-ups of today still count: otherwise deleting would bypass their limit."""
        with self.core.db.write() as tx:
            tx.execute(delete(Contact).where(Contact.account_id == account.id))

    def upload(self, account: Account, file: bytes, typed: str, country: str) -> Uploaded:
        """Stores the numbers of a vCard file and those that were typed, or none of them.

        Numbers without a calling code are read as those of the account's own country, else of `country`.
        Raises `NotContacts`, `NoNumbersInFile`, `NoNumbers`, `TooManyContacts` or `TooManyLookups`.
        """
        cards = vcards.read(file)
        if not cards.is_list:
            raise NotContacts()
        split = BETWEEN_NUMBERS.split(phone_numbers.without_pauses(typed))
        entries = {*cards.numbers, *(entry.strip() for entry in split)} - {""}
        if not entries and not cards.unread:
            raise NoNumbersInFile() if file.strip() else NoNumbers()
        if len(entries) > self.core.policy.contact_entries:
            raise TooManyContacts(self.core.policy.contacts)
        size = min(len(entries) + cards.unread, self.core.policy.contact_entries_day.most)
        with self.core.db.read() as tx:  # before the numbers are read, which takes the time
            self._limit_entries(tx, account.id, size)
        numbers, unread = self._read(entries, self._country_of(account) or country)
        macs = [self._macs(number) for number in numbers]
        self._count(account.id, macs, size)
        if not macs:
            return Uploaded(0, cards.unread + unread)
        with self.core.db.write() as tx:
            added = self._keep(tx, account.id, macs)
        return Uploaded(added, cards.unread + unread)

    def _read(self, entries: Iterable[str], country: str) -> tuple[set[str], int]:
        """The numbers that an account could have, in E.164, and how many entries could not be read."""
        numbers, unread = set(), 0
        for entry in entries:
            try:
                numbers.add(self.phones.parse(phone_numbers.without_dialing(entry), country).e164)
            except PhoneMalformed:
                unread += 1
            except Refusal:
                continue  # such as a fixed line: it gets no texts, so no account can have it
        return numbers, unread

    def _limit_entries(self, tx: Transaction, account_id: int, entries: int) -> None:
        """Raises `TooManyLookups`."""
        cap = self.core.policy.contact_entries_day
        self._refuse_above(cap, entries, self._uploads(tx, ContactLookups.entries, account_id, cap))

    def _count(self, account_id: int, macs: Sequence[list[str]], entries: int) -> None:
        """Counts the upload in one row and commits, before anything is stored.

        Raises `TooManyLookups`, and `TooManyContacts` after counting what was read.
        """
        cap = self.core.policy.contact_lookups
        row = {"account_id": account_id, "at": self.core.clock.now(), "entries": entries}
        refused: Refusal | None = None
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, _lock(account_id))
            self._limit_entries(tx, account_id, entries)
            try:
                new = self._new(_kept(tx, account_id), macs)
                self._refuse_above(cap, new, self._uploads(tx, ContactLookups.count, account_id, cap))
            except (TooManyContacts, TooManyLookups) as refusal:
                refused, new = refusal, 0
            tx.execute(insert(ContactLookups).values(**row, count=new))
        if refused is not None:
            raise refused

    def _uploads(
        self, tx: Transaction, counted: InstrumentedAttribute[int], account_id: int, cap: Window
    ) -> list[tuple[int, int]]:
        """When the account uploaded, within the window, and how many of what is counted; oldest first."""
        recent = ContactLookups.account_id == account_id, self.core.within(ContactLookups.at, cap.seconds)
        query = select(ContactLookups.at, counted).where(*recent).order_by(ContactLookups.at, ContactLookups.id)
        return [(at, count) for at, count in tx.execute(query)]

    def _refuse_above(self, cap: Window, more: int, uploads: Sequence[tuple[int, int]]) -> None:
        """Raises `TooManyLookups` when `more` do not fit into the window any more."""
        excess = sum(count for _, count in uploads) + more - cap.most
        if more and excess > 0:
            freed = accumulate(count for _, count in uploads)
            enough = next(at for (at, _), room in zip(uploads, freed, strict=True) if room >= excess)
            raise TooManyLookups(enough + cap.seconds - self.core.clock.now())

    def _keep(self, tx: Transaction, account_id: int, macs: Sequence[list[str]]) -> int:
        """Stores the numbers under the newest key in place of older ones, and returns how many numbers are new.

        Deletes all hashes of lost keys.
        """
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
        """How many numbers are not stored yet. Raises `TooManyContacts`."""
        known = {mac for mac in kept if self.core.keyring.knows(mac)}
        new = sum(known.isdisjoint(same) for same in macs)
        if new and len(known) + new > self.core.policy.contacts:
            raise TooManyContacts(self.core.policy.contacts)
        return new

    def _macs(self, e164: str) -> list[str]:
        return self.core.keyring.macs(e164, "contact")

    def _macs_of(self, account: Account) -> list[str]:
        """The hashes of the account's own number; none without a number, or when the key that sealed it is missing."""
        number = unsealed(self.core.keyring, account.id, account.phone_number)
        return self._macs(number) if number is not None else []

    def _country_of(self, account: Account) -> str | None:
        number = unsealed(self.core.keyring, account.id, account.phone_number)
        return phone_numbers.country_of(number) if number is not None else None


def _kept(tx: Transaction, account_id: int) -> set[str]:
    return set(tx.scalars(select(Contact.number_mac).where(Contact.account_id == account_id)))


def _lock(account_id: int) -> str:
    return f"contacts:{account_id}"


def discoverable_by_default(account: Account) -> bool:
    """Whether the page for a number offers that contacts find the account: for another number, as its owner left it."""
    return account.discoverable if account.phone_number else True
