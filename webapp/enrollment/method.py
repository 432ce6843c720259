"""What a method is: data and functions. A fifth method is one more value of `Method`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..domain.language import Sentence
from ..domain.origin import Origin
from ..domain.ports import Clock
from ..domain.refusals import Refusal
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.factors import Factor
from ..policy import Policy
from .ceremonies import Ceremonies

if TYPE_CHECKING:
    from .visit import Visit

Answers = Mapping[str, str]
"""What a person typed into a step's form, by field name."""


@dataclass(frozen=True, slots=True)
class ByDevice:
    """A label that differs with the device a person holds."""

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


def _nothing(visit: Visit) -> dict[str, Any]:
    return {}


def _do_nothing(visit: Visit) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Step:
    """One screen of an enrollment.

    `fields` is a class of WTForms fields. `needed` and `done` are derived from what is known, never stored.
    `submit` (POST) draws secrets and sends; `show` (GET) never writes and never sends. `acts` are the step's
    other buttons by the name they post.
    """

    slug: str
    template: str
    needed: Callable[[Visit], bool]
    done: Callable[[Visit], bool]
    submit: Callable[[Visit, Answers], None]
    show: Callable[[Visit], dict[str, Any]] = _nothing
    fields: type | None = None
    needs_fresh: bool = True
    """Shown and done only for somebody fresh: it draws a secret, shows one, or decides who gets mail."""
    acts: Mapping[str, Callable[[Visit], None]] = field(default_factory=dict)
    closed: type[Refusal] | None = None
    """What an answer that comes after its time is told, where the step is not open any more."""
    passed_over: bool = False
    """When it is done, Next goes past it; only who wants to change what it asked goes there."""
    arrive: Callable[[Visit], None] = _do_nothing
    """Done when the step before it was submitted and this one is next: `show` may not send, and this may."""


class Asked(Protocol):
    """Something with a code is on its way."""

    @property
    def address(self) -> str: ...
    @property
    def message_id(self) -> int | None: ...
    @property
    def resend_at(self) -> int: ...


class Codes(Protocol):
    """Codes that travel to the account's phone; `services/phones.py` gives them."""

    def ask(self, account: Account, challenge: str, origin: Origin) -> None: ...
    def asked(self, account: Account, challenge: str) -> Asked | None: ...
    def prove(self, tx: Transaction, account: Account, challenge: str, typed: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """How it stands with what is answered on another device. Times are Unix seconds."""

    state: str
    number: str
    """What is typed there."""
    since: int
    until: int
    is_live: bool
    """It waits, or it was approved and waits to be used."""


class Requests(Protocol):
    """Log-ins that the account's other devices say yes to; `services/login_requests.py` gives them."""

    def ask(self, account: Account, challenge: str, phones: Sequence[Factor], origin: Origin) -> None: ...
    def standing(self, account: Account, challenge: str) -> RequestStatus | None: ...
    def use(self, tx: Transaction, account: Account, challenge: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """A challenge that is put to somebody: at log-in after a right password, or at step-up."""

    account: Account
    name: str
    """What a code is bound to, such as log-in:12."""
    codes: Codes
    ceremonies: Ceremonies
    factors: Sequence[Factor]
    """Those of the method that are on, the one that was proved last first."""
    requests: Requests


@dataclass(frozen=True, slots=True)
class Proof:
    """One attempt to prove a factor, inside the transaction that will let its owner in."""

    tx: Transaction
    secret: str
    """Of the first factor, opened."""
    clock: Clock
    policy: Policy
    asking: Asking

    @property
    def factor(self) -> Factor:
        return self.asking.factors[0]


def _nothing_asked(asking: Asking) -> Asked | None:
    return None


def _nothing_more(asking: Asking) -> dict[str, Any]:
    return {}


def _nothing_used(answers: Answers) -> str | None:
    return None


def _never_burnt(now: int) -> int:
    return -1


@dataclass(frozen=True, slots=True)
class Waits:
    """It is answered on another device, while the browser that asks waits and asks how it stands."""

    path: str
    """Where requests are listed; one of them has its number behind it."""
    title: Sentence
    """What that list is called."""
    standing: Callable[[Asking], RequestStatus | None]
    """None when nothing was asked for this challenge."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """How a method is proved at log-in and at step-up.

    `hint` names the factor on the chooser, `source` says where the code comes from. `verify` consumes what it
    compares by one conditional UPDATE, or raises a `Refusal`.
    """

    template: str
    fields: type
    hint: Callable[[Factor, Account], str]
    source: Callable[[Factor, Account], str]
    verify: Callable[[Proof, Answers], None]
    is_code: bool = True
    """A hundred wrong codes in a row stop the methods that are codes."""
    send: Callable[[Asking, Origin], None] | None = None
    """Sends what is to be typed, after a right password or at "Resend"; raises a `Refusal` when it may not."""
    asked: Callable[[Asking], Asked | None] = _nothing_asked
    """What was sent for this challenge and could still be typed."""
    show: Callable[[Asking], dict[str, Any]] = _nothing_more
    """What its page says beyond that, drawn anew each time."""
    uses: Callable[[Answers], str | None] = _nothing_used
    """What an attempt uses up for good, whatever comes of it; the same again is refused with `CeremonyOver`."""
    waits: Waits | None = None
    """Set where nothing is typed here: there is nothing to guess, so no try is spent."""


def _nothing_to_keep(account: Account, factors: Sequence[Factor], ceremonies: Ceremonies) -> dict[str, Any]:
    return {}


def _nothing_gone(factor: Factor, ceremonies: Ceremonies) -> dict[str, Any]:
    return {}


def _nothing_lacking(factor: Factor, origin: Origin) -> Sentence | None:
    return None


@dataclass(frozen=True, slots=True)
class Several:
    """An account may have many of it, each with a name of its own: where they are listed, and how told apart."""

    path: str
    title: Sentence
    template: str
    label: type
    """The fields in which its owner names one."""
    another: str
    """The step at which adding one more begins."""
    describe: Callable[[Factor, Origin], Sequence[str]]
    """What there is to say of one, to who looks from there."""
    tell_browser: Callable[[Account, Sequence[Factor], Ceremonies], dict[str, Any]] = _nothing_to_keep
    """What keeps the browser's own list in step with ours."""
    gone: Callable[[Factor, Ceremonies], dict[str, Any]] = _nothing_gone
    """The same when one was deleted."""
    lacks: Callable[[Factor, Origin], Sentence | None] = _nothing_lacking
    """What turning one on anew from there would add to it, as the words of a link."""
    is_here: Callable[[Factor, Origin], bool] | None = None
    """Set where one of them is this very browser: then that one is what the list of methods turns on and off."""

    def shown(self, factors: Sequence[Factor], origin: Origin) -> list[Factor]:
        """The ones of `factors` that the list of methods speaks of."""
        return [f for f in factors if self.is_here is None or self.is_here(f, origin)]


@dataclass(frozen=True, slots=True)
class Alone:
    """It opens an account by itself, password and second factor in one, and says whose account it is."""

    ask: Callable[[Ceremonies, str], dict[str, Any]]
    """What the browser is asked, whoever sits there."""
    unknown: Callable[[Ceremonies, Answers], dict[str, Any]]
    """What the browser is told of a key that opens nothing."""
    is_here: Callable[[Factor, Origin], bool]
    """True for one that is kept on the very device that asks."""
    external_id: Callable[[Answers], str]
    """By which `Factor.slot` it is found. Raises a `Refusal`."""
    verify: Callable[[Proof, Answers], None]
    """As in `Challenge`."""


@dataclass(frozen=True, slots=True)
class Method:
    slug: str
    title: Sentence
    overview: Overview
    steps: tuple[Step, ...]
    challenge: Challenge
    begin: Callable[[Visit], dict[str, Any]] = _nothing
    """What a new draft holds."""
    counter_at: Callable[[int], int] = _never_burnt
    """The `last_step` that makes every proof up to this moment (Unix seconds) a used one."""
    needs: str | None = None
    """The way out of the house that it cannot do without: where there is none, it is not offered."""
    several: Several | None = None
    alone: Alone | None = None
    phones_only: Sentence | None = None
    """Turned on from the very phone; elsewhere this says where, with the phones' `site`."""
    stands_in: Callable[[Account], bool] | None = None
    """For whom it may take the place of one that waits elsewhere, though it is not turned on."""

    def step(self, slug: str) -> Step | None:
        return next((s for s in self.steps if s.slug == slug), None)
