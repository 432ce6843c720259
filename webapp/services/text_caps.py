"""Limits of texts, by recipient, sender and cost, so that fraudsters cannot earn from texts to their numbers.

Every text is counted and committed before it is sent (ASVS V2.4.1). The name of a bucket must not contain a number: it
has a keyed HMAC of the number or its prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import insert, select, update

from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.refusals import Refusal, TextLimitReached, TooManyTexts, TooSoon, Waiting
from ..models.database import changed_one_row
from ..models.messages import SiteValue, TextCount
from ..policy import DAY, Window
from .attempts import Attempts, Bucket, SlidingWindows, WithRefusal
from .core import Core
from .outbox import Outbox

SENT = "sent"
BUDGET = "texts"

log = structlog.get_logger()


def stops(why: str, *windows: Window) -> WithRefusal:
    """Windows that refuse with `TextLimitReached`, where `why` names the limit for the operator."""
    return WithRefusal(SlidingWindows(windows), lambda wait: TextLimitReached(wait, why))


@dataclass(frozen=True, slots=True)
class TextCaps:
    core: Core
    attempts: Attempts
    outbox: Outbox
    daily_budget: int
    operator: str
    """The e-mail address that is warned before the budget is used up."""

    def count_text(self, account_id: int, challenge: str, number: PhoneNumber, origin: Origin) -> None:
        """Counts one text, or refuses it. Raises `TooSoon`, `TooManyTexts` or `TextLimitReached`."""
        policy = self.core.policy
        of_challenge = SlidingWindows((Window(policy.text_sends_challenge, DAY),))
        buckets = (
            self._gap(number),
            Bucket(f"text-challenge:{challenge}", WithRefusal(of_challenge, lambda _wait: TooManyTexts())),
            Bucket(f"text-account:{account_id}", stops("account", *policy.text_sends)),
            Bucket(f"text-number:{self.key(number.e164)}", stops("number", *policy.text_sends)),
            Bucket(f"text-prefix:{self.key(number.prefix)}", stops("prefix", policy.text_sends_prefix)),
            Bucket(f"text-address:{origin.rate_limit_key}", stops("address", policy.text_sends_address)),
            Bucket(BUDGET, stops("budget", Window(self.daily_budget, DAY))),
        )
        try:
            if self.daily_budget == 0:
                raise TextLimitReached(DAY, "budget")
            counted = self.attempts.count(*buckets)
        except Refusal as refusal:
            self.count(number.country, _why(refusal))
            raise
        self.count(number.country, SENT)
        self._warn(counted[BUDGET])

    def wait(self, number: PhoneNumber) -> int:
        """Seconds until another text may be sent to the number."""
        return self.attempts.wait(self._gap(number))

    def _gap(self, number: PhoneNumber) -> Bucket:
        """The bucket for the shortest time between two texts to one number."""
        return Bucket(
            f"text-gap:{self.key(number.e164)}", WithRefusal(SlidingWindows((self.core.policy.text_gap,)), TooSoon)
        )

    def key(self, text: str) -> str:
        """A keyed hash in place of a number or prefix in the database: equal for equal text, and not reversible."""
        return self.core.keyring.mac(text, "phone").rpartition(".")[2]

    def count(self, country: str, outcome: str) -> None:
        """Adds one to the day's texts to a country with this outcome."""
        log.info("text_counted", country=country, outcome=outcome)
        row = {"day": self.core.clock.now() // DAY, "country": country, "outcome": outcome}
        same = TextCount.day == row["day"], TextCount.country == country, TextCount.outcome == outcome
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, f"text-count:{row['day']}:{country}:{outcome}")
            if not changed_one_row(tx, update(TextCount).where(*same).values(count=TextCount.count + 1)):
                tx.execute(insert(TextCount).values(**row, count=1))

    def report(self, days: int) -> Sequence[TextCount]:
        """The counts of the last `days` days, newest day first."""
        since = self.core.clock.now() // DAY - days
        query = select(TextCount).where(TextCount.day > since)
        with self.core.db.read() as tx:
            return tx.objects.scalars(query.order_by(TextCount.day.desc(), TextCount.country, TextCount.outcome)).all()

    def _warn(self, spent: int) -> None:
        """E-mails the operator when a share of the budget is used up, once a day for each share."""
        for share in self.core.policy.text_budget_warnings:
            if spent * 100 >= share * self.daily_budget and self._is_first_today(f"text-budget-{share}"):
                log.warning("text_budget", spent=spent, budget=self.daily_budget, share=share)
                with self.core.db.write() as tx:
                    self.outbox.post_email(
                        tx,
                        to=self.operator,
                        template="text-budget",
                        account=None,
                        name="",
                        share=share,
                        spent=spent,
                        budget=self.daily_budget,
                    )

    def _is_first_today(self, name: str) -> bool:
        today = self.core.clock.now() // DAY
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, name)
            if changed_one_row(
                tx, update(SiteValue).where(SiteValue.name == name, SiteValue.value < today).values(value=today)
            ):
                return True
            if tx.objects.get(SiteValue, name) is not None:
                return False
            tx.execute(insert(SiteValue).values(name=name, value=today))
        return True


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, TextLimitReached):
        return f"refused: {refusal.why}"
    return "refused: too soon" if isinstance(refusal, Waiting) else "refused: challenge"
