"""What a second-factor method is: the base class of every kind, and its steps.

A method is a small class that gets the services it uses in its constructor. No method and no channel is named here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..domain.channels import Sent
from ..domain.language import Sentence
from ..domain.origin import Origin
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.user import SessionToken, User
from .attempts import Attempts, Bucket, SlidingWindows
from .core import Core
from .email_addresses import EmailAddresses
from .password_proof import PasswordProof
from .sessions import Sessions

Answers = Mapping[str, str]
"""What a person entered into a form, by field name."""


@dataclass(frozen=True, slots=True)
class ByDevice:
    """A label that differs with the device in a person's hands."""

    computer: Sentence
    phone: Sentence
    iphone: Sentence


@dataclass(frozen=True, slots=True)
class Overview:
    """What a person reads before they begin."""

    what: Sentence
    needed: Sentence
    later: Sentence
    button: ByDevice


# -- Turning a method on -------------------------------------------------------------------------------


class Step(ABC):
    """One screen of an enrollment.

    `needed` and `done` are derived from what is known, never stored. `submit` (POST) may draw secrets and send;
    `show` (GET) never writes and never sends.
    """

    slug: ClassVar[str]
    template: ClassVar[str]
    fields: ClassVar[type | None] = None
    """A class of WTForms fields."""
    needs_fresh: ClassVar[bool] = True
    """Shown and submitted only within ten minutes of a proof: it shows or draws a secret, or decides who gets mail."""
    acts: ClassVar[tuple[str, ...]] = ()
    """The step's other buttons, by the name they post."""
    closed: ClassVar[type[Refusal] | None] = None
    """What an answer is told that comes when the step is no longer open."""
    passed_over: ClassVar[bool] = False
    """When it is done, Next goes past it; it is still there for those who go back to change what it asked."""

    def needed(self, visit: Visit) -> bool:
        return True

    @abstractmethod
    def done(self, visit: Visit) -> bool: ...

    @abstractmethod
    def submit(self, visit: Visit, answers: Answers) -> None:
        """Raises a `Refusal`."""

    def act(self, visit: Visit, name: str) -> None:
        """Does what one of the buttons in `acts` says. Raises a `Refusal`."""

    def show(self, visit: Visit) -> dict[str, Any]:
        """The context of its template. Four names are put into words or links for it, if they are there:

        `suggested` and `choices` fill fields in, by the field's name; `sent` (`Sent` or None), with `wait` (seconds),
        becomes what every page after a send says; `different` (a step's slug) becomes `different_url`.
        """
        return {}

    def arrive(self, visit: Visit) -> None:
        """Called when the step before it was submitted and this one is next: it may send. Raises a `Refusal`."""


@dataclass(frozen=True, slots=True)
class Proved:
    """A factor to be, as `models.factors.Factor` will hold it; `secret` is sealed first."""

    secret: str
    counter: int = -1
    external_id: str = ""
    """Empty where an account has one factor of the method."""
    label: str = ""
    attributes: str = "{}"
    replaces: int | None = None
    """The id of the factor in whose place it comes, where an account may have several."""


@dataclass(slots=True)
class Visit:
    """One request's view of an enrollment: who, which method, what the draft holds.

    `notes` are what the method has drawn and learned so far; they are kept sealed in the draft.
    """

    method: Method
    user: User
    origin: Origin
    draft: Draft | None
    notes: dict[str, Any]
    core: Core
    attempts: Attempts
    sessions: Sessions
    password_proof: PasswordProof
    email_addresses: EmailAddresses
    token: SessionToken | None = None
    """Set when the session got a new token on the way."""
    changed: set[str] = field(default_factory=set)
    proved: Proved | None = None
    """Set by the last step of a method."""
    browser_token: str | None = None
    """Set where this very browser becomes the factor: what it keeps in a cookie."""

    @property
    def account(self) -> Account:
        return self.user.account

    @property
    def factors(self) -> list[Factor]:
        """Those of the method that are on already."""
        return [f for f in self.user.factors if f.method == self.method.slug]

    @property
    def is_fresh(self) -> bool:
        return self.sessions.is_fresh(self.user)

    @property
    def challenge(self) -> str:
        """What codes and ceremonies of this enrollment are bound to."""
        return f"enroll:{self.method.slug}:{self.account.id}:{self.user.session.id}"

    def note(self, **changes: Any) -> None:
        """Keeps something in the draft when the step has been submitted."""
        self.notes.update(changes)
        self.changed.update(changes)

    def turn_on(self, proved: Proved) -> None:
        """The method proved itself: the service makes it a factor."""
        self.proved = proved

    def count_attempt(self, name: str) -> None:
        """In a commit of its own, before anything is compared. Raises `TooManyAttempts`."""
        rule = SlidingWindows(self.core.policy.second_factor_attempts[1:])  # the account is theirs: 20 an hour do
        self.attempts.count(Bucket(f"enroll:{self.method.slug}:{name}:{self.account.id}", rule))


# -- Proving a factor ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge:
    """The question that a method puts to an account: at login after a right password, or at step-up.

    `factors` are those of the method that are on, the last proved one first.
    """

    account: Account
    name: str
    """What codes and ceremonies are bound to, such as log-in:12."""
    factors: Sequence[Factor]

    @property
    def factor(self) -> Factor:
        return self.factors[0]


class Method(ABC):
    """A kind of second factor. What most methods do is the default here."""

    slug: ClassVar[str]
    title: ClassVar[Sentence]
    overview: ClassVar[Overview]
    template: ClassVar[str] = "challenge/code.html"
    """The page of its challenge."""
    fields: ClassVar[type]
    """The WTForms fields of that page."""
    is_code: ClassVar[bool] = True
    """A hundred wrong codes in a row stop the methods that are codes (NIST SP 800-63B-4 section 3.2.2)."""
    sends_code: ClassVar[bool] = False
    """Its page offers Resend."""
    only_on_phones: ClassVar[Sentence | None] = None
    """Set where it is turned on from the phone itself: said elsewhere, with the mobile `site`."""

    @property
    def is_offered(self) -> bool:
        """False where this site cannot do what it takes, such as sending a message."""
        return True

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """In order. The last one ends the enrollment and shows nothing that came before."""

    def step(self, slug: str) -> Step | None:
        return next((step for step in self.steps() if step.slug == slug), None)

    def begin(self, visit: Visit) -> dict[str, Any]:
        """What a new draft holds."""
        return {}

    def shown(self, factors: Sequence[Factor], origin: Origin) -> Sequence[Factor]:
        """Which of its factors the list of methods turns off."""
        return factors

    def hint(self, challenge: Challenge) -> str:
        """Names it where one chooses how to verify."""
        return str(self.title)

    @abstractmethod
    def source(self, challenge: Challenge) -> str:
        """One sentence: where the answer comes from."""

    def send(self, challenge: Challenge, origin: Origin) -> None:
        """Sends what is to be entered, after a right password and at Resend. Raises a `Refusal`."""

    def sent(self, challenge: Challenge) -> Sent | None:
        """What was sent for this challenge and could still be entered."""
        return None

    def wait(self, challenge: Challenge) -> int:
        """Seconds until a code can be sent where none was."""
        return 0

    def show(self, challenge: Challenge) -> dict[str, Any]:
        """More context for the page of its challenge, drawn anew each time."""
        return {}

    def single_use(self, answers: Answers) -> str | None:
        """Names what an answer uses up whatever comes of it; the same again is refused with `CeremonyExpired`."""
        return None

    @abstractmethod
    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Consumes what it compares by one conditional UPDATE, or raises a `Refusal`.

        In the transaction of what the proof is for; the attempt was counted before, in a commit of its own.
        """

    def counter_at(self, now: int) -> int:
        """The `Factor.counter` that makes every proof up to this moment (Unix seconds) a used one."""
        return -1

    def stands_in(self, account: Account) -> Sentence | None:
        """The button that asks for it in place of a method that waits for another device, though it is not turned on;
        None where it cannot."""
        return None
