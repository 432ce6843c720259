"""How a person uses each of the two methods."""

from __future__ import annotations

from typing import ClassVar

from pyotp import HOTP

from tests.people import IPHONE, TWO_FACTOR, Owner, Page


class MethodUser:
    """`owner` has it in hand; what differs between the two is below."""

    slug: ClassVar[str]
    title: ClassVar[str]
    button: ClassVar[str]
    """Of its overview."""
    hint: ClassVar[str]
    """Its button where one chooses how to verify."""
    replayed: ClassVar[str]
    """What is said of a code that opened an earlier log-in."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    @property
    def path(self) -> str:
        return f"{TWO_FACTOR}/{self.slug}"

    def begin(self) -> Page:
        """From the settings to its first own step."""
        self.owner.open(f"{self.path}/overview")
        page = self.owner.press(self.button)
        return self.owner.press("Verify", password=self.owner.password) if page.h1 == "Enter your password" else page

    def turn_on(self) -> Page:
        """As far as "You're all set"."""
        self.begin()
        page = self.prove()
        if "Copy" in page.buttons:
            self.owner.kept_code = page.backup_code
        return page

    def prove(self) -> Page:
        """Through its own steps."""
        raise NotImplementedError

    def code(self) -> str:
        """The right one for the page at hand."""
        raise NotImplementedError

    def turn_off(self) -> Page:
        """In the settings, where it is the last one that is on."""
        self.owner.open(TWO_FACTOR)
        self.owner.press(self.title)
        page = self.owner.press("Turn off")
        return self.owner.press("Turn off") if self.owner.layout == IPHONE else page

    @property
    def is_on(self) -> bool:
        return self.owner.open(TWO_FACTOR).button(self.title)["aria-checked"] == "true"


class TokenUser(MethodUser):
    slug, title, button, hint = "hotp-token", "Hardware token", "Start", "Hardware token"
    replayed = "That code was already used. Enter a new one."

    def __init__(self, owner: Owner, secret: str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ") -> None:
        super().__init__(owner)
        self.secret = secret
        self.presses = 0

    def press(self, times: int = 1) -> str:
        """The code after so many presses of the button."""
        self.presses += times
        return HOTP(self.secret).at(self.presses - 1)

    def prove(self) -> Page:
        self.owner.press("Next", secret=self.secret)
        return self.owner.press("Verify", code=self.press(), next_code=self.press())

    def code(self) -> str:
        return self.press()


class MailUser(MethodUser):
    slug, title, button, hint = "emailed-code", "Emailed code", "Next", "Code to a...@example.org"
    replayed = "Wrong code. Check it and try again."  # each log-in has codes of its own

    def prove(self) -> Page:
        return self.owner.press("Verify", code=self.code())

    def code(self) -> str:
        """Of the newest email that has one."""
        subjects = [mail.subject for mail in self.owner.site.emails(self.owner.email)]
        return next(subject[:6] for subject in subjects if subject[:6].isdigit())


KINDS = [TokenUser, MailUser]
