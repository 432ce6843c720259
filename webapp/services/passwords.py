"""The rules for passwords, their hashes, and verifying them.

The rules are NIST SP 800-63B-4 section 3.1.1.2: a minimum length and no rules of composition; common passwords, the
user's own names and what is easy to guess are refused (ASVS V6.2.4, V6.2.11).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select, update
from zxcvbn_rs_py import zxcvbn

from ..domain.ports import PasswordHasher
from ..domain.refusals import (
    PasswordIsOneOfYourWords,
    PasswordTooCommon,
    PasswordTooEasy,
    PasswordTooLong,
    PasswordTooShort,
)
from ..models.accounts import Account
from ..models.database import changed_one_row
from .core import Core

BLOCKLIST = Path(__file__).with_name("common_passwords.txt")
SHORTEST_WORD = 4  # characters; shorter words occur in good passwords too
ESTIMATED = 50
"""Characters of a password by which its guesses are estimated: the time grows with the square of their number, and more
of them are no fewer guesses."""
AS_LETTERS = str.maketrans("@({[<!|$+%", "accccilstx")
"""Symbols as the letters for which the estimate takes them: it would try each assignment of all to letters, which takes
an eighth of a second for fifty symbols."""
WITHOUT_SHIFT = str.maketrans('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./")
"""Symbols as what else is on their keys, by which the estimate finds rows of the keyboard."""
LONGEST_WORDS = 254
"""Characters that are read of each of the user's own texts: no address (RFC 5321 section 4.5.3.1) or name is longer."""
LEET = tuple(str.maketrans("013457@$!+8", f"o{i}eastasitb") for i in "il")
"""Letters that digits and symbols stand for; 1 stands for two."""
BASE32_CODE = re.compile(r"[A-Z2-7]{4}(-?[A-Z2-7]{4}){3}")


@dataclass(frozen=True, slots=True)
class Passwords:
    core: Core
    hasher: PasswordHasher
    site_name: str

    @property
    def minimum(self) -> int:
        return self.core.policy.password_minimum

    def seal(self, typed: str, *words: str | None) -> str:
        """The hash to store of a new password. Raises what `demand_good` raises, or `Busy`."""
        self.demand_good(typed, *words)
        return self.hasher.hash(normalize(typed))

    def demand_good(self, typed: str, *words: str | None) -> None:
        """`words` are the user's own: username, name, e-mail address.

        Raises `PasswordTooShort`, `PasswordTooLong`, `PasswordTooCommon`, `PasswordIsOneOfYourWords` or
        `PasswordTooEasy`.
        """
        password = normalize(typed)
        if len(password) < self.core.policy.password_minimum:
            raise PasswordTooShort(self.core.policy.password_minimum)
        if self._is_too_long(password):
            raise PasswordTooLong(self.core.policy.password_maximum)
        plain = _plain_form(password)
        if plain in _common() or len(set(plain)) <= 2 or _is_run(plain) or not _cores(password).isdisjoint(_common()):
            raise PasswordTooCommon()
        own = [self.site_name, *_split(words)]
        if _is_made_of(plain, [_plain_form(w) for w in own]):
            raise PasswordIsOneOfYourWords()
        for reading in AS_LETTERS, WITHOUT_SHIFT:
            begins, words_read = password[:ESTIMATED].translate(reading), [word.translate(reading) for word in own]
            if zxcvbn(begins, words_read).guesses < self.core.policy.password_guesses:
                raise PasswordTooEasy()

    def is_right(self, account: Account | None, typed: str) -> bool:
        """True when the password is right. Takes the same time for an account that does not exist. Raises `Busy`."""
        password = normalize(typed)
        too_long = self._is_too_long(password)
        right = self.hasher.verify(account.password_hash if account else None, "" if too_long else password)
        return right and not too_long

    def renew(self, account: Account, typed: str) -> None:
        """Hashes a right password again if the parameters have changed. Raises `Busy`.

        `account` gets the hash that is stored then: another log-in at the same time may have stored its own.
        """
        if not self.hasher.is_outdated(account.password_hash):
            return
        fresh = self.hasher.hash(normalize(typed))
        with self.core.db.write() as tx:
            mine = Account.id == account.id
            unchanged = update(Account).where(mine, Account.password_hash == account.password_hash)
            is_mine = changed_one_row(tx, unchanged.values(password_hash=fresh))
            stored = fresh if is_mine else tx.scalar(select(Account.password_hash).where(mine))
        if stored is not None and (is_mine or self.hasher.verify(stored, normalize(typed))):
            account.password_hash = stored

    def _is_too_long(self, password: str) -> bool:
        policy = self.core.policy
        return len(password) > policy.password_maximum or len(password.encode()) > policy.password_maximum_bytes


def normalize(typed: str) -> str:
    """NFKC, so that other devices that encode the same characters differently give the same password."""
    return unicodedata.normalize("NFKC", typed)


def looks_temporary(typed: str) -> bool:
    """True for the form of a temporary password, which is accepted at legacy access and guarded hosts only."""
    return BASE32_CODE.fullmatch(typed.strip().upper()) is not None


@cache
def _common() -> frozenset[str]:
    """The plain forms of common passwords, and the words that remain of them without digits and symbols around."""
    lines = [line for line in BLOCKLIST.read_text("utf-8").splitlines() if line]
    return frozenset(form for line in lines for form in (_plain_form(line), *_cores(line)))


def _cores(password: str) -> set[str]:
    """The word that a password may be made of: without digits and symbols around it, repetitions and leet letters.

    P@ssw0rd12345678, princessprincess1 and iloveyou1234567 are password, princess and iloveyou.
    """
    text = normalize(password).casefold()
    start = next((n for n, c in enumerate(text) if c.isalpha()), len(text))
    end = next((n for n in range(len(text), 0, -1) if text[n - 1].isalpha()), 0)
    spellings = {part.translate(leet) for part in (text[start:end], text[:end], text[start:]) for leet in LEET}
    words = {_once("".join(c for c in spelling if c.isalpha())) for spelling in spellings}
    return {word for word in words if len(word) >= SHORTEST_WORD}


def _once(text: str) -> str:
    """The piece of which the text is a repetition: princess of princessprincess."""
    place = (text + text).find(text, 1)
    return text[:place] if text else text


def _plain_form(text: str) -> str:
    return "".join(c for c in normalize(text).casefold() if c.isalnum())


def _split(words: tuple[str | None, ...]) -> list[str]:
    texts = [w[:LONGEST_WORDS] for w in words if w]
    parts = [part for text in texts for part in (text, *text.replace("@", " ").replace(".", " ").split())]
    return [p for p in parts if len(_plain_form(p)) >= SHORTEST_WORD]


def _is_run(plain: str) -> bool:
    """True for abcdefghijklmno, 123456789012345, and one short piece repeated."""
    steps = {ord(b) - ord(a) for a, b in pairwise(plain)}
    if len(steps) <= 1 or (plain.isdigit() and steps <= {1, -9}) or (plain.isdigit() and steps <= {-1, 9}):
        return True
    return any(plain == (plain[:n] * len(plain))[: len(plain)] for n in range(1, len(plain) // 2 + 1))


def _is_made_of(plain: str, words: list[str]) -> bool:
    """True when too little is left without the user's own words."""
    rest = plain
    for word in sorted(set(words), key=len, reverse=True):
        if len(word) >= SHORTEST_WORD:
            rest = rest.replace(word, "")
    return len(rest) <= 4 and rest != plain
