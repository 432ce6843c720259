"""The base classes of methods and of the steps of their enrollments.

A method gets the services it uses in its constructor. No method and no channel may be named here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..domain.channels import Sent
from ..domain.forecast import Authenticator
from ..domain.language import Sentence, lazy
from ..domain.origin import Origin
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.drafts import Draft
from ..models.factors import Factor
from ..models.user import SessionToken, User
from .attempt_rules import SlidingWindows
from .attempts import Attempts, Bucket
from .browser_needs import BrowserNeeds
from .core import Core
from .email_addresses import EmailAddresses
from .password_proof import PasswordProof
from .sessions import Sessions

Answers = Mapping[str, str]
"""What the user entered into a form, by field name."""


@dataclass(frozen=True, slots=True)
class ByDevice:
    """A label that differs with the user's device."""

    computer: Sentence
    phone: Sentence
    iphone: Sentence


@dataclass(frozen=True, slots=True)
class Overview:
    """The texts of the first screen: what the method is, what it needs, how it is used later, and the button."""

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
    """It demands a fresh session, because it shows or generates a secret, or decides where codes are sent."""
    acts: ClassVar[tuple[str, ...]] = ()
    """The names that the step's other buttons post."""
    closed: ClassVar[type[Refusal] | None] = None
    """The refusal of an answer that comes when the step is no longer open; without one the page was too old."""
    passed_over: ClassVar[bool] = False
    """Once it is done, Next passes over it; Back still shows it, to change the answer."""

    def needed(self, visit: Visit) -> bool:
        return True

    @abstractmethod
    def done(self, visit: Visit) -> bool: ...

    @abstractmethod
    def submit(self, visit: Visit, answers: Answers) -> None:
        """Does what Next says. Raises a `Refusal`."""

    def act(self, visit: Visit, name: str) -> None:
        """Does what one of the buttons in `acts` says. Raises a `Refusal`."""

    def show(self, visit: Visit) -> dict[str, Any]:
        """The context of its template. Four names are turned into words or links for it, where they are present.

        `suggested` and `choices` fill in form fields, by the field's name; `sent` (`Sent` or None), with `wait`
        (seconds), becomes what every page shows after a code was sent; `different` (the slug of the step that asks for
        the recipient) becomes `different_url`.
        """
        return {}

    def arrive(self, visit: Visit) -> None:
        """Called when the step before was submitted and this one is next. It may send. Raises a `Refusal`."""


@dataclass(frozen=True, slots=True)
class NewFactor:
    """A factor to be created, with the values for `models.factors.Factor`; `secret` is sealed first."""

    secret: str
    counter: int = -1
    external_id: str = ""
    """Empty for a method of which an account has only one factor."""
    label: str = ""
    attributes: str = "{}"
    replaces: int | None = None
    """The id of the factor that it replaces, where an account may have several."""
    store: Callable[[Transaction], None] | None = None
    """Stores what belongs to the factor elsewhere, in the transaction that creates it. May raise a `Refusal`."""


@dataclass(slots=True)
class Visit:
    """An enrollment as one request sees it: user, method and the content of the draft.

    `notes` are what the steps have generated and been told so far; they are stored sealed in the draft.
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
    """Set when the session got a new token during the request."""
    changed: set[str] = field(default_factory=set)
    """The names of notes that changed during the request."""
    new_factor: NewFactor | None = None
    """Set by the step that proves the method."""
    browser_token: str | None = None
    """Set where this browser becomes the factor: the token for its cookie."""

    @property
    def account(self) -> Account:
        return self.user.account

    @property
    def factors(self) -> list[Factor]:
        """The user's factors of this method that are on."""
        return self.user.factors_of(self.method.slug)

    @property
    def is_fresh(self) -> bool:
        return self.sessions.is_fresh(self.user)

    @property
    def challenge(self) -> str:
        """What codes and ceremonies of this enrollment are bound to."""
        return f"enroll:{self.method.slug}:{self.account.id}:{self.user.session.id}"

    def note(self, **changes: Any) -> None:
        """Adds notes, which are stored in the draft when the step has been submitted."""
        self.notes.update(changes)
        self.changed.update(changes)

    def turn_on(self, new_factor: NewFactor) -> None:
        """Called by the step that proved the method: the service then creates the factor."""
        self.new_factor = new_factor

    def count_attempt(self, name: str) -> None:
        """Counts and commits an attempt, before anything is compared. Raises `TooManyAttempts`."""
        rule = SlidingWindows(self.core.policy.second_factor_attempts[1:])  # the user is logged in: 20 an hour do
        self.attempts.count(Bucket(f"enroll:{self.method.slug}:{name}:{self.account.id}", rule))


# -- Proving a factor ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a method asks an account to prove, at log-in after a right password or at step-up."""

    account: Account
    name: str
    """What codes and ceremonies are bound to, such as log-in:12."""
    factors: Sequence[Factor]
    """The account's factors of the method that are on, the last proved one first."""

    @property
    def factor(self) -> Factor:
        return self.factors[0]


class Method(ABC):
    """A kind of second factor. The defaults here suit most methods."""

    slug: ClassVar[str]
    title: ClassVar[Sentence]
    overview: ClassVar[Overview]
    template: ClassVar[str] = "challenge/code.html"
    """The page of its challenge."""
    fields: ClassVar[type]
    """The WTForms fields of that page."""
    is_code: ClassVar[bool] = True
    """Its answer is a code of six digits, in the field `code`. After a hundred wrong codes in a row it is refused
    (NIST SP 800-63B-4 section 3.2.2)."""
    sends_code: ClassVar[bool] = False
    """Its page offers Resend."""
    browser_needs: ClassVar[BrowserNeeds | None] = None
    """For a method that needs JavaScript and the browser's interface for security keys."""
    replace_label: ClassVar[Sentence] = lazy("Replace")
    """The link to its enrollment while it is on."""
    icon: ClassVar[str] = "key"
    """The name of its drawing in web/icons.py."""
    only_on_phones: ClassVar[Sentence | None] = None
    """For a method that is turned on from the phone: what other devices show, with the mobile host as `site`."""

    @property
    def general_title(self) -> Sentence:
        """Its name where it is not about this device."""
        return self.title

    @property
    def is_offered(self) -> bool:
        """False when this site lacks what the method needs, such as a gateway for texts."""
        return True

    @abstractmethod
    def steps(self) -> Sequence[Step]:
        """The steps in order. The last one ends the enrollment and must not show a secret of those before."""

    def step(self, slug: str) -> Step | None:
        return next((step for step in self.steps() if step.slug == slug), None)

    def begin(self, visit: Visit) -> dict[str, Any]:
        """The notes of a new draft."""
        return {}

    def shown(self, factors: Sequence[Factor], origin: Origin) -> Sequence[Factor]:
        """Those of `factors` that the list of methods can turn off."""
        return factors

    def detail(self, account: Account) -> str:
        """What it is while it is on, such as the end of a number."""
        return ""

    def hint(self, challenge: Challenge) -> str:
        """Its name in the list of methods at the challenge."""
        return str(self.title)

    @abstractmethod
    def source(self, challenge: Challenge) -> str:
        """One sentence that says where the answer comes from."""

    def send(self, challenge: Challenge, origin: Origin) -> None:
        """Sends a code or request, after a right password and at Resend. Raises a `Refusal`."""

    def sent(self, challenge: Challenge) -> Sent | None:
        """The code that was sent for this challenge and is still valid."""
        return None

    def wait(self, challenge: Challenge) -> int:
        """Seconds until a code can be sent, when none was sent."""
        return 0

    def show(self, challenge: Challenge) -> dict[str, Any]:
        """Further context for the page of its challenge, made anew each time."""
        return {}

    def single_use(self, answers: Answers) -> str | None:
        """Names what an answer uses up, right or wrong; a second answer with it is refused with `CeremonyExpired`."""
        return None

    def attempts_at(self, challenge: Challenge) -> Sequence[Bucket]:
        """Further buckets in which an attempt counts, beside those of the challenge and the account."""
        return []

    @abstractmethod
    def verify(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """Consumes what it compares by one conditional UPDATE, or raises a `Refusal`.

        It runs in the transaction of the log-in or step-up; the attempt was counted and committed before.
        """

    @abstractmethod
    def authenticators(self, account: Account, factors: Sequence[Factor]) -> Sequence[Authenticator]:
        """What `factors` are proved with, and what each is lost with: for the lock-out forecast.

        Of a method that can stand in for another, also what proves it without a factor.
        """

    def counter_at(self, now: int) -> int:
        """The `Factor.counter` that voids every proof up to `now` (Unix seconds); -1 where none is needed."""
        return -1

    def stands_in(self, account: Account) -> Sentence | None:
        """The label of the button that chooses it, though off, in place of an out-of-band method; None without one."""
        return None
