"""Refusals: expected errors, with the facts that a page needs to explain them.

The sentences are in `web/words.py`; a test demands one for each refusal. A refusal of a single method is a class in the
method's file and has its sentence there. Any other exception is a bug, and is answered with status 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .language import Sentence


@dataclass(eq=False)
class Refusal(Exception):
    """`field` names the form field it belongs to; `status` is the HTTP status of the page that shows it."""

    field: ClassVar[str | None] = None
    status: ClassVar[int] = 422
    sentence: ClassVar[Sentence | None] = None
    """Of one that is not in the table of `web/words.py`. The placeholders are its facts, and how long to `wait`."""

    @property
    def wait(self) -> int | None:
        """Seconds until another attempt can succeed, or None."""
        return None


@dataclass(eq=False)
class Waiting(Refusal):
    """A refusal that ends by itself after `seconds`."""

    status: ClassVar[int] = 429
    seconds: int

    @property
    def wait(self) -> int | None:
        return max(1, self.seconds)


# -- What a person typed ---------------------------------------------------------------------------


class WrongPassword(Refusal):
    field = "password"


class WrongLogin(Refusal):
    """The username or the password is wrong. Which of them must not be told (ASVS V6.3.8)."""

    field = "username"


class WrongLoginHere(WrongLogin):
    """The same in a browser that is not known for the account: the password was wrong, or not even compared."""


class TemporaryPasswordHere(Refusal):
    """What was entered looks like a temporary password, which is accepted at legacy access and guarded hosts only."""

    field = "password"


@dataclass(eq=False)
class PasswordTooShort(Refusal):
    field = "password"
    minimum: int


@dataclass(eq=False)
class PasswordTooLong(Refusal):
    field = "password"
    maximum: int


class PasswordTooCommon(Refusal):
    field = "password"


class PasswordTooEasy(Refusal):
    """It is not a common password, but an estimate says that few guesses find it."""

    field = "password"


class PasswordIsOneOfYourWords(Refusal):
    field = "password"


class FactorExists(Refusal):
    """The same key is a factor already, of this account or another one."""


class LabelTaken(Refusal):
    """The account has another factor of this name."""

    field = "name"


class EmailMalformed(Refusal):
    field = "email"


class AddressTaken(Refusal):
    """Another account confirmed the address. Only the operator may learn that."""

    field = "email"


class PhoneMalformed(Refusal):
    """Not a valid number of the chosen country or, with a calling code, of any country."""

    field = "phone"


class PhoneNotMobile(Refusal):
    """A fixed line, or another number that gets no texts."""

    field = "phone"


class PhonePremium(Refusal):
    """A text to it costs more than an ordinary one, or its cost is unknown."""

    field = "phone"


class CountryNotServed(Refusal):
    field = "phone"


@dataclass(eq=False)
class NumberTaken(Refusal):
    """The number is confirmed for as many accounts as one number can have."""

    most: int


# -- Codes -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class CodeRefusal(Refusal):
    """`left` is how many attempts remain at this challenge; the page says so from `WARN_AT_LEFT` down."""

    field: ClassVar[str | None] = "code"
    left: int = 5

    def with_left(self, left: int) -> CodeRefusal:
        self.left = left
        return self


class CodeMalformed(CodeRefusal):
    """Not six digits or, for a backup code, not sixteen characters of base32."""


class WrongCode(CodeRefusal):
    pass


class CodeAlreadyUsed(CodeRefusal):
    pass


class CodeExpired(CodeRefusal):
    pass


class CodeFromEarlierMessage(CodeRefusal):
    pass


@dataclass(eq=False)
class ClockSlow(CodeRefusal):
    """The code was right earlier: the phone's clock is `minutes` slow.

    There is no such refusal for a fast clock: it would tell which code becomes right later.
    """

    minutes: int = 0


class WrongBackupCode(CodeRefusal):
    pass


class ChallengeExhausted(Refusal):
    """The attempts of this challenge are used up; a log-in starts again at the password."""

    field = "code"


class CodesBlocked(Refusal):
    """A hundred wrong codes in a row: until the next full log-in only the backup code, or a factor whose answer is not
    a code, is accepted (NIST SP 800-63B-4 section 3.2.2)."""

    field = "code"


# -- Rate limits -----------------------------------------------------------------------------------


class TooManyAttempts(Waiting):
    pass


class TooManyLogins(TooManyAttempts):
    """The same for passwords in a browser that is not known for the account."""


class MailLimitReached(Waiting):
    """The limit of codes to one e-mail address is reached, counted over all accounts."""

    field = "email"


class NetworkMailLimitReached(Waiting):
    """The limit of codes by e-mail that one network can request is reached."""


class TooSoon(Waiting):
    """A message to the same recipient was sent less than a minute ago."""


@dataclass(eq=False)
class TextLimitReached(Waiting):
    """A limit of texts is reached. `why` names it for the operator: account, number, prefix, network, address, budget,
    or new numbers for their part of the budget."""

    why: str = ""


class TooManyTemporaryPasswords(Waiting):
    """The limit of temporary passwords in one day is reached."""


class TooManyTexts(Refusal):
    """The limit of texts for one challenge is reached."""


# -- State of a form, a log-in or an enrollment ----------------------------------------------------


class PageTooOld(Refusal):
    """The CSRF token of the form is not this session's, or has expired."""


class CookiesOff(Refusal):
    """The browser sent a form without any cookie, although the page of the form had set one."""


class StepClosed(Refusal):
    """An earlier step is not done yet, or the enrollment was cancelled, finished or has expired."""


class AlreadyDone(Refusal):
    """Another request, from another tab or a second click, did this first."""


class NotFresh(Refusal):
    """A sensitive change needs a step-up first (ASVS V7.5.1)."""

    status = 403


class LoginExpired(Refusal):
    """The pending login or the session has expired, was ended or used, or never existed."""


class LinkInvalid(Refusal):
    """The link is unknown, was used or has expired."""

    status = 404


class EmailRequired(Refusal):
    """A second factor needs a confirmed e-mail address."""


class NotFound(Refusal):
    """It does not exist, or belongs to another account. The answer must be the same."""

    status = 404


# -- The server ------------------------------------------------------------------------------------


class Busy(Waiting):
    """Too many password hashes are computed at once."""

    status = 503


class DatabaseUnavailable(Waiting):
    """The database is locked, full or unreachable. Nothing was changed."""

    status = 503
