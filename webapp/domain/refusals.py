"""Every "no" the product says, as facts. The sentences are in `web/words.py`; a test demands one for each.

What only one method refuses with is a class in that method's file, and carries its own sentence.

A refusal is expected and tells a person what to do next. Anything else that is raised is a bug and a 500.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .language import Sentence


@dataclass(eq=False)
class Refusal(Exception):
    """`field` names the input it belongs to; `status` is the HTTP status of the page that says it."""

    field: ClassVar[str | None] = None
    status: ClassVar[int] = 422
    sentence: ClassVar[Sentence | None] = None
    """Of a refusal that is not in the table of `web/words.py`. %(wait)s stands for how long to wait."""

    @property
    def wait(self) -> int | None:
        """Seconds after which trying again makes sense, or None."""
        return None


@dataclass(eq=False)
class Waiting(Refusal):
    seconds: int

    @property
    def wait(self) -> int | None:
        return max(1, self.seconds)


# -- What a person typed ---------------------------------------------------------------------------


class WrongPassword(Refusal):
    field = "password"


class WrongLogin(Refusal):
    """The user name or the password: never which (ASVS V6.3.8)."""

    field = "username"


class TemporaryPasswordHere(Refusal):
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


class PasswordIsOneOfYourWords(Refusal):
    field = "password"


class UsernameTaken(Refusal):
    field = "username"


class UsernameMalformed(Refusal):
    field = "username"


class NameMalformed(Refusal):
    field = "name"


class FactorExists(Refusal):
    """This very key is a factor already, of this account or another one."""


class LabelTaken(Refusal):
    """Two factors of one name could not be told apart."""

    field = "name"


class EmailMalformed(Refusal):
    field = "email"


class PhoneMalformed(Refusal):
    """No number that exists, or not of the country that was chosen."""

    field = "phone"


class PhoneNotMobile(Refusal):
    """A fixed line, or another number that gets no texts."""

    field = "phone"


class PhonePremium(Refusal):
    """A text to it costs more than an ordinary one, or nobody knows what it costs."""

    field = "phone"


class CountryNotServed(Refusal):
    field = "phone"


class NoNumbers(Refusal):
    """Neither a file of contacts nor a number was sent."""

    field = "numbers"


@dataclass(eq=False)
class TooManyContacts(Refusal):
    field = "numbers"
    maximum: int


# -- Codes -----------------------------------------------------------------------------------------


@dataclass(eq=False)
class CodeRefusal(Refusal):
    """`left` is how many tries remain at this challenge, told when it is 2 or fewer."""

    field: ClassVar[str | None] = "code"
    left: int = 5

    def with_left(self, left: int) -> CodeRefusal:
        self.left = left
        return self


class CodeMalformed(CodeRefusal):
    """Not six digits (or, for a backup code, not sixteen characters)."""


class WrongCode(CodeRefusal):
    pass


class CodeAlreadyUsed(CodeRefusal):
    pass


class CodeExpired(CodeRefusal):
    pass


class CodeFromEarlierMessage(CodeRefusal):
    pass


@dataclass(eq=False)
class ClockSkew(CodeRefusal):
    """The code is right for another time: the phone's clock is `minutes` slow (positive) or fast (negative)."""

    minutes: int = 0


class WrongBackupCode(CodeRefusal):
    pass


class ChallengeExhausted(Refusal):
    """Its five tries are used up: back to the password."""

    field = "code"


class CodesBlocked(Refusal):
    """A hundred wrong codes in a row: only another factor or the backup code helps (NIST SP 800-63B-4 3.2.2)."""

    field = "code"


# -- Too often -------------------------------------------------------------------------------------


class TooManyAttempts(Waiting):
    status = 429


class MailLimitReached(Waiting):
    """The address has had its share of codes, whoever asked for them."""

    field = "email"
    status = 429


class TooSoon(Waiting):
    """A message went out moments ago."""

    status = 429


@dataclass(eq=False)
class TextLimitReached(Waiting):
    """No text may go now: the account, the number or the site has had its share. `why` is for the operator."""

    status = 429
    why: str = ""


class TooManyLookups(Waiting):
    """The day's new contacts are used up."""

    status = 429


class TooManyTemporaryPasswords(Waiting):
    """The day's temporary passwords are used up."""

    status = 429


class TooManyTexts(Refusal):
    """Three texts went out for one challenge: another would not help."""


# -- Where one stands ------------------------------------------------------------------------------


class PageTooOld(Refusal):
    """The form's token is not this session's, or older than an hour."""


class StepClosed(Refusal):
    """An earlier step is still to be done, or the enrollment was cancelled, finished or ran out."""


class AlreadyDone(Refusal):
    """Another tab or another press was first."""


class NotFresh(Refusal):
    """A sensitive change asks to prove again who one is (ASVS V7.5.1)."""

    status = 403


class LoginExpired(Refusal):
    """The half-logged-in state ran out, was used, or never was."""


class LinkInvalid(Refusal):
    status = 404


class EmailRequired(Refusal):
    """No confirmed email, no second factor."""


class NotFound(Refusal):
    """There is none, or it is somebody else's: the same answer."""

    status = 404


# -- The house itself ------------------------------------------------------------------------------


class Busy(Waiting):
    """Too much is going on at once: try again in a moment."""

    status = 503


class DatabaseUnavailable(Waiting):
    """The database is locked, full or away. Nothing was done."""

    status = 503
