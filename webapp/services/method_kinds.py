"""Base classes for what only some methods can do, and the list of a site's methods."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..domain.language import Sentence
from ..domain.origin import Origin
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.factors import Factor
from .method import Answers, Challenge, Method


class Several(Method):
    """A method of which an account may have several factors, each with a name, on a page of their own."""

    path: ClassVar[str]
    list_title: ClassVar[Sentence]
    list_template: ClassVar[str]
    label_fields: ClassVar[type]
    """The WTForms fields in which the owner names one."""
    first_step: ClassVar[str]
    """The slug of the step at which adding one more begins."""
    is_this_browser: ClassVar[bool] = False
    """A factor may be this browser itself: then the list of methods turns that one on and off."""

    @abstractmethod
    def describe(self, factor: Factor, origin: Origin) -> Sequence[str]:
        """Short descriptions of one factor, for a reader at `origin`."""

    @abstractmethod
    def is_here(self, factor: Factor, origin: Origin) -> bool:
        """True for a factor that is the requesting browser, or is stored on its device."""

    @abstractmethod
    def icon_of(self, factor: Factor) -> str:
        """The name of its drawing in web/icons.py."""

    def shown(self, factors: Sequence[Factor], origin: Origin) -> Sequence[Factor]:
        return [f for f in factors if not self.is_this_browser or self.is_here(f, origin)]

    def lacks(self, factor: Factor, origin: Origin) -> Sentence | None:
        """The text of a link to turn the factor on again from `origin`, when that would add something; else None."""
        return None

    def browser_hints(self, account: Account, factors: Sequence[Factor]) -> dict[str, Any]:
        """Data with which the browser updates its own list of keys."""
        return {}

    def removal_hints(self, factor: Factor) -> dict[str, Any]:
        """The same when one was deleted."""
        return {}


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """The state of a request that is answered on another device. Times are Unix seconds."""

    state: str
    number: str
    """The number to enter on that device."""
    since: int
    until: int
    is_live: bool
    """It waits for an answer, or was approved and not used yet."""


@dataclass(frozen=True, slots=True)
class Glance:
    """The part of the status that the waiting browser polls."""

    state: str
    since: int


class OutOfBand(Several):
    """Answered on another device while this browser waits. Nothing can be guessed here, so no attempt is counted."""

    requests_path: ClassVar[str]
    """The path of the list of requests; the page of one request has its id appended."""
    requests_title: ClassVar[Sentence]

    @property
    def general_title(self) -> Sentence:
        return self.requests_title

    @abstractmethod
    def status(self, challenge: Challenge) -> RequestStatus | None:
        """The newest request for this challenge; None when there is none."""

    @abstractmethod
    def glance(self, pending_token: str) -> Glance | None:
        """The state for the pending login with that token, in one statement. Must not write."""

    @abstractmethod
    def withdraw(self, tx: Transaction, account_id: int, challenge_name: str) -> None:
        """Ends the requests of a challenge that was answered by another method or cancelled."""


class Passwordless(Several):
    """A method whose factor logs in without a password, because it names the account."""

    @abstractmethod
    def ask(self, challenge_name: str) -> dict[str, Any]:
        """The options for the browser, before the account is known. Must not write."""

    @abstractmethod
    def unknown_hints(self, answers: Answers) -> dict[str, Any]:
        """Data that tells the browser that the factor of an answer is not known here."""

    @abstractmethod
    def external_id(self, answers: Answers) -> str:
        """The `Factor.external_id` in an answer. Raises a `Refusal`."""

    @abstractmethod
    def verify_alone(self, tx: Transaction, challenge: Challenge, answers: Answers) -> None:
        """As `verify`, for a log-in without a password."""


@dataclass(frozen=True, slots=True)
class Methods:
    """Every method of the site, in display order."""

    all: Sequence[Method]

    def __iter__(self) -> Iterator[Method]:
        return iter(self.all)

    def named(self, slug: str) -> Method | None:
        return next((method for method in self.all if method.slug == slug), None)

    def is_passwordless(self, slug: str) -> bool:
        """True for a method that opens an account by itself."""
        return isinstance(self.named(slug), Passwordless)

    @property
    def out_of_band(self) -> list[OutOfBand]:
        return [method for method in self.all if isinstance(method, OutOfBand)]

    @property
    def several(self) -> list[Several]:
        return [method for method in self.all if isinstance(method, Several)]

    def stand_in(self, account: Account, on: Collection[str]) -> Method | None:
        """The method that can be used in place of an out-of-band method, if one of those is among the slugs `on`."""
        if not any(method.slug in on for method in self.out_of_band):
            return None
        return next((method for method in self.all if method.stands_in(account) is not None), None)

    @property
    def passwordless(self) -> Passwordless | None:
        """The method that the log-in page offers in place of a password; None when there is none."""
        return next((method for method in self.all if isinstance(method, Passwordless)), None)
