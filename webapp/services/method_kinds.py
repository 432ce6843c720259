"""What some methods can do and others cannot, as base classes; and all methods of a site together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..domain.language import Sentence
from ..domain.origin import Origin
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.factors import Factor
from .method import Answers, Challenge, Method


class Several(Method):
    """An account may have many of it, each with a name, in a list of their own."""

    path: ClassVar[str]
    list_title: ClassVar[Sentence]
    list_template: ClassVar[str]
    label_fields: ClassVar[type]
    """The fields in which its owner names one."""
    first_step: ClassVar[str]
    """The slug of the step at which adding one more begins."""
    is_this_browser: ClassVar[bool] = False
    """One of them may be this very browser: then the list of methods turns that one on and off."""

    @abstractmethod
    def describe(self, factor: Factor, origin: Origin) -> Sequence[str]:
        """What there is to say of one, to a reader at `origin`."""

    @abstractmethod
    def is_here(self, factor: Factor, origin: Origin) -> bool:
        """True for one that is, or is kept on, the device that asks."""

    def shown(self, factors: Sequence[Factor], origin: Origin) -> Sequence[Factor]:
        return [f for f in factors if not self.is_this_browser or self.is_here(f, origin)]

    def lacks(self, factor: Factor, origin: Origin) -> Sentence | None:
        """The words of a link to turn it on anew from there, where that would add something."""
        return None

    def browser_hints(self, account: Account, factors: Sequence[Factor]) -> dict[str, Any]:
        """What keeps the browser's own list in step with this one."""
        return {}

    def removal_hints(self, factor: Factor) -> dict[str, Any]:
        """The same when one was deleted."""
        return {}


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """How a request stands that is answered on another device. Times are Unix seconds."""

    state: str
    number: str
    """What is entered there."""
    since: int
    until: int
    is_live: bool
    """It waits, or it was approved and waits to be used."""


@dataclass(frozen=True, slots=True)
class Glance:
    """The same as far as the browser that waits asks for it every two seconds."""

    state: str
    since: int


class OutOfBand(Several):
    """Answered on another device, while the browser that asks waits. Nothing is entered here, so nothing is guessed."""

    requests_path: ClassVar[str]
    """Where requests are listed; one of them has its number behind it."""
    requests_title: ClassVar[Sentence]

    @abstractmethod
    def status(self, challenge: Challenge) -> RequestStatus | None:
        """None when nothing was asked for this challenge."""

    @abstractmethod
    def glance(self, pending_token: str) -> Glance | None:
        """How it stands with the pending login of that token, in one statement that never writes."""

    @abstractmethod
    def withdraw(self, tx: Transaction, account_id: int, challenge_name: str) -> None:
        """The challenge is answered otherwise, or not at all."""


class Passwordless(Several):
    """One factor that opens an account by itself and says whose it is."""

    @abstractmethod
    def ask(self, challenge_name: str) -> dict[str, Any]:
        """What the browser is asked, without knowing whose it is. Writes nothing."""

    @abstractmethod
    def unknown_hints(self, answers: Answers) -> dict[str, Any]:
        """What the browser is told of a factor that opens nothing here."""

    @abstractmethod
    def external_id(self, answers: Answers) -> str:
        """The `Factor.external_id` it is found by. Raises a `Refusal`."""

    @abstractmethod
    def verify_alone(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """As `verify`, for an answer that must do without a password."""


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method of the site, in display order."""

    all: Sequence[Method]

    def __iter__(self) -> Iterator[Method]:
        return iter(self.all)

    def named(self, slug: str) -> Method | None:
        return next((method for method in self.all if method.slug == slug), None)

    @property
    def out_of_band(self) -> list[OutOfBand]:
        return [method for method in self.all if isinstance(method, OutOfBand)]

    @property
    def several(self) -> list[Several]:
        return [method for method in self.all if isinstance(method, Several)]

    @property
    def passwordless(self) -> Passwordless | None:
        """The one that is offered on the login page; None where no method can."""
        return next((method for method in self.all if isinstance(method, Passwordless)), None)
