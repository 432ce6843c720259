"""One request's view of an enrollment: who, which method, what the draft holds, and what may be asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Clock, Entropy
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.user import SessionToken, User
from ..policy import Policy
from .ceremonies import Ceremonies
from .method import Asked, Method


class Desk(Protocol):
    """What an enrollment asks of the rest of the house; `services/enrollment_desk.py` gives it."""

    def is_fresh(self, user: User) -> bool: ...
    def count_attempt(self, account_id: int, name: str) -> None: ...
    def consume_single_use(self, name: str) -> None: ...
    def prove_password(self, user: User, typed: str) -> SessionToken: ...
    def read_subscription(self, said: str) -> str: ...
    def push_key(self) -> str | None: ...
    def ask_email(self, account: Account, challenge: str, typed: str) -> None: ...
    def email_asked(self, account_id: int, challenge: str) -> Asked | None: ...
    def confirm_email(self, account: Account, challenge: str, typed: str, origin: Origin) -> None: ...
    def read_phone(self, typed: str, country: str) -> PhoneNumber: ...
    def ask_phone(
        self, account: Account, challenge: str, origin: Origin, number: PhoneNumber | None = None
    ) -> None: ...
    def ask_phone_again(self, account: Account, challenge: str, origin: Origin) -> None: ...
    def phone_asked(self, account: Account, challenge: str) -> Asked | None: ...
    def confirm_phone(
        self, account: Account, challenge: str, typed: str, origin: Origin, discoverable: bool | None
    ) -> None: ...
    def factor_on(
        self, tx: Transaction, user: User, method: Method, label: str, replaced: bool, origin: Origin
    ) -> tuple[SessionToken, str | None]: ...


@dataclass(frozen=True, slots=True)
class Proved:
    """A factor to be, as `models.factors.Factor` will hold it; `secret` is sealed first."""

    secret: str
    counter: int = -1
    external_id: str = ""
    """Empty where an account has one of it."""
    label: str = ""
    facts: str = "{}"
    instead_of: int | None = None
    """The id of one that it replaces, where there are several."""


@dataclass(slots=True)
class Visit:
    """`notes` are what the method has drawn and learnt so far; they are kept sealed in the draft."""

    method: Method
    user: User
    origin: Origin
    draft: Draft | None
    notes: dict[str, Any]
    desk: Desk
    clock: Clock
    entropy: Entropy
    policy: Policy
    site_name: str
    ceremonies: Ceremonies
    opened: SessionToken | None = None
    """Set when the session got a new token on the way."""
    changed: set[str] = field(default_factory=set)
    proved: Proved | None = None
    """Set by the last step of a method."""
    keeps: str | None = None
    """A token for this browser to keep: it is what was turned on."""
    hindrance: Refusal | None = None
    """What kept the next step from doing what it does on arrival."""

    @property
    def account(self) -> Account:
        return self.user.account

    @property
    def email_challenge(self) -> str:
        return f"email:{self.method.slug}:{self.user.session.id}"

    @property
    def phone_challenge(self) -> str:
        return f"phone:{self.method.slug}:{self.user.session.id}"

    @property
    def is_fresh(self) -> bool:
        return self.desk.is_fresh(self.user)

    def note(self, **changes: Any) -> None:
        """Keeps something in the draft, when the step has been submitted."""
        self.notes.update(changes)
        self.changed.update(changes)

    @property
    def ceremony(self) -> str:
        """What a challenge of this enrollment is drawn for."""
        return f"enroll:{self.method.slug}:{self.account.id}:{self.user.session.id}"

    @property
    def factors(self) -> list[Factor]:
        """Those of the method that are on already."""
        return [f for f in self.user.factors if f.method == self.method.slug]

    def turn_on(self, secret: str, **rest: Any) -> None:
        """The method proved itself: the service makes it a factor. `rest` are the other fields of `Proved`."""
        self.proved = Proved(secret, **rest)

    def count_attempt(self, name: str) -> None:
        """In its own commit. Raises `TooManyTries`."""
        self.desk.count_attempt(self.account.id, f"{self.method.slug}:{name}")
