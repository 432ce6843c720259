"""Which usernames sign-up may give away: not those by which a person would be taken for the operator, and not those of
deleted accounts, whose next owner other sites would take for the earlier one.

A deleted name is stored as a keyed hash only. Its key is one of `site_keys`: with another key, the names would be free.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import insert, literal, select, true, union_all

from ..domain.account_refusals import UsernameMalformed, UsernameReserved, UsernameTaken
from ..domain.names import LONGEST_TYPED, key_of, without_marks
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.names import DeletedName
from .account_lookup import has_username
from .core import Core
from .site_keys import KEY_BYTES, ensure_site_key, site_key

USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
RESERVED = Path(__file__).with_name("reserved_usernames.txt")
SEPARATORS = str.maketrans("", "", "._-")
DELETED_NAMES = "deleted-names"


@dataclass(frozen=True, slots=True)
class Usernames:
    core: Core
    site_name: str

    def tidy(self, typed: str) -> str:
        """The username as it is stored. Raises `UsernameMalformed`."""
        if len(typed) > LONGEST_TYPED:
            raise UsernameMalformed()
        username = without_marks(unicodedata.normalize("NFKC", typed)).strip().removeprefix("@")
        if not USERNAME.fullmatch(username) or not 2 <= len(username) <= self.core.policy.username_maximum:
            raise UsernameMalformed()
        return username

    def lock(self, tx: Transaction, username: str) -> None:
        """Locks the name until the transaction ends. Must come before the check that the name is free, in every change
        that takes one: a present, a new and a former name are unique by three indexes, and no index joins them."""
        self.core.db.serialize(tx, f"username:{key_of(username)}")

    def demand_free(self, tx: Transaction, username: str) -> None:
        """Raises `UsernameReserved`, or `UsernameTaken` for the name of an account or of a deleted one."""
        if self.is_reserved(username):
            raise UsernameReserved()
        if self.is_taken(tx, username) or self.was_deleted(tx, username):
            raise UsernameTaken()

    def is_free(self, tx: Transaction, username: str) -> bool:
        try:
            self.demand_free(tx, username)
        except (UsernameReserved, UsernameTaken):
            return False
        return True

    def is_taken(self, tx: Transaction, username: str, but: int | None = None) -> bool:
        """True when an account has the name, had it before, or waits for it; that of the account `but` does not count.

        One statement, so that a name that is just replaced is not missed between two.
        """
        key = literal(key_of(username))
        waits = select(Account.id).where(Account.new_username_key == key)
        taken = union_all(select(Account.id).where(has_username(key)), waits).subquery()  # a union, as in there
        others = taken.c.id != but if but is not None else true()
        return tx.scalar(select(taken.c.id).where(others).limit(1)) is not None

    def is_reserved(self, username: str) -> bool:
        name = _letters(username)
        return name in _reserved() or name == _letters("".join(c for c in self.site_name if c.isalnum()))

    def reserved_in_use(self) -> list[str]:
        """The reserved usernames that accounts have, in the order of the alphabet."""
        with self.core.db.read() as tx:
            names = tx.scalars(select(Account.username).order_by(Account.username_key))
            return [name for name in names if self.is_reserved(name)]

    def was_deleted(self, tx: Transaction, username: str) -> bool:
        key = site_key(self.core, tx, DELETED_NAMES)
        if key is None:
            return False
        return tx.scalar(select(DeletedName.id).where(DeletedName.name_mac == _mac(key, username))) is not None

    def keep_taken(self, tx: Transaction, username: str) -> None:
        """Stores the name of an account that is deleted in this transaction."""
        key = ensure_site_key(self.core, tx, DELETED_NAMES, self.core.entropy.bytes(KEY_BYTES))
        if not self.was_deleted(tx, username):
            tx.execute(insert(DeletedName).values(name_mac=_mac(key, username)))


@cache
def _reserved() -> frozenset[str]:
    lines = RESERVED.read_text("utf-8").splitlines()
    return frozenset(_letters(line) for line in lines if line and not line.startswith("#"))


def _letters(name: str) -> str:
    """The name without case and separators, which people do not see as a difference."""
    return key_of(name).translate(SEPARATORS)


def _mac(key: bytes, username: str) -> str:
    return hmac.digest(key, key_of(username).encode(), "sha256").hex()
