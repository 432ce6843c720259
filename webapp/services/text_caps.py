"""How many texts go out, to whom, and what that costs: nobody earns by making the site text their numbers.

Every cap is counted in its own commit before anything is sent (ASVS V2.4.1). The number itself is in no bucket:
a keyed HMAC stands for it, and for its prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import insert, select, update

from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Clock, Keyring
from ..domain.refusals import Refusal, TextsStopped, TooManyTexts, TooSoon, Waiting
from ..models.database import Database, won
from ..models.messages import Fact, TextCount
from ..policy import DAY, Policy, Window
from .outbox import Outbox
from .tries import Bucket, Rule, Tries, Windows

SENT = "sent"
BUDGET = "texts"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stops:
    """Windows whose refusal says that no text may go now, and tells the operator why."""

    why: str
    windows: tuple[Window, ...]

    @property
    def reaches_back(self) -> int | None:
        return Windows(self.windows).reaches_back

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        refusal = Windows(self.windows).refusal(hits, now)
        return TextsStopped(refusal.wait or 1, self.why) if refusal is not None else None


@dataclass(frozen=True, slots=True)
class Gap:
    """One text at a time to a number."""

    window: Window

    @property
    def reaches_back(self) -> int | None:
        return self.window.seconds

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:
        refusal = Windows((self.window,)).refusal(hits, now)
        return TooSoon(refusal.wait or 1) if refusal is not None else None


@dataclass(frozen=True, slots=True)
class OfOneChallenge:
    most: int

    @property
    def reaches_back(self) -> int | None:
        return DAY

    def refusal(self, hits: Sequence[int], now: int) -> Refusal | None:  # noqa: ARG002  # other rules look at the time
        return TooManyTexts() if len(hits) >= self.most else None


class TextCaps:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        keyring: Keyring,
        policy: Policy,
        tries: Tries,
        outbox: Outbox,
        daily_budget: int,
        operator: str,
    ) -> None:
        """`operator` is the address that is warned before the budget is spent."""
        self._db = db
        self._clock = clock
        self._keyring = keyring
        self._policy = policy
        self._tries = tries
        self._outbox = outbox
        self._budget = daily_budget
        self._operator = operator

    def spend(self, account_id: int, challenge: str, number: PhoneNumber, origin: Origin) -> None:
        """Counts one text, or refuses it. Raises `TooSoon`, `TooManyTexts` or `TextsStopped`."""
        policy = self._policy
        rules: list[tuple[str, Rule]] = [
            (self._gap(number), Gap(policy.text_gap)),
            (f"text-challenge:{challenge}", OfOneChallenge(policy.text_sends_challenge)),
            (f"text-account:{account_id}", Stops("account", policy.text_sends)),
            (f"text-number:{self.key(number.e164)}", Stops("number", policy.text_sends)),
            (f"text-prefix:{self.key(number.prefix)}", Stops("prefix", (policy.text_sends_prefix,))),
            (f"text-address:{origin.neighbourhood}", Stops("address", (policy.text_sends_address,))),
            (BUDGET, Stops("budget", (Window(self._budget, DAY),))),
        ]
        try:
            if self._budget == 0:
                raise TextsStopped(DAY, "budget")
            counted = self._tries.spend(*(Bucket(name, rule) for name, rule in rules))
        except Refusal as refusal:
            self.count(number.country, _why(refusal))
            raise
        self.count(number.country, SENT)
        self._warn(counted[BUDGET])

    def wait(self, number: PhoneNumber) -> int:
        """Seconds until another text may go to it."""
        return self._tries.wait(Bucket(self._gap(number), Gap(self._policy.text_gap)))

    def _gap(self, number: PhoneNumber) -> str:
        return f"text-gap:{self.key(number.e164)}"

    def key(self, text: str) -> str:
        """What stands for a number in the database: the same text, the same key, and no way back."""
        return self._keyring.mac(text, "phone").rpartition(".")[2]

    def count(self, country: str, outcome: str) -> None:
        """One more of the day's texts to a country, by what became of it."""
        log.info("text_counted", country=country, outcome=outcome)
        row = {"day": self._clock.now() // DAY, "country": country, "outcome": outcome}
        mine = TextCount.day == row["day"], TextCount.country == country, TextCount.outcome == outcome
        with self._db.write() as tx:
            self._db.serialize(tx, f"text-count:{row['day']}:{country}:{outcome}")
            if not won(tx, update(TextCount).where(*mine).values(count=TextCount.count + 1)):
                tx.execute(insert(TextCount).values(**row, count=1))

    def report(self, days: int) -> Sequence[TextCount]:
        """The counts of the last days, newest day first."""
        since = self._clock.now() // DAY - days
        query = select(TextCount).where(TextCount.day > since)
        with self._db.read() as tx:
            return tx.scalars(query.order_by(TextCount.day.desc(), TextCount.country, TextCount.outcome)).all()

    def _warn(self, spent: int) -> None:
        """Tells the operator once a day for each share of the budget, when it is reached."""
        for share in self._policy.text_budget_warnings:
            if spent * 100 >= share * self._budget and self._is_first_today(f"text-budget-{share}"):
                log.warning("text_budget", spent=spent, budget=self._budget, share=share)
                with self._db.write() as tx:
                    self._outbox.post_email(
                        tx,
                        to=self._operator,
                        template="text-budget",
                        account=None,
                        name="",
                        share=share,
                        spent=spent,
                        budget=self._budget,
                    )

    def _is_first_today(self, name: str) -> bool:
        today = self._clock.now() // DAY
        with self._db.write() as tx:
            self._db.serialize(tx, name)
            if won(tx, update(Fact).where(Fact.name == name, Fact.value < today).values(value=today)):
                return True
            if tx.get(Fact, name) is not None:
                return False
            tx.execute(insert(Fact).values(name=name, value=today))
        return True


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, TextsStopped):
        return f"refused: {refusal.why}"
    return "refused: too soon" if isinstance(refusal, Waiting) else "refused: challenge"
