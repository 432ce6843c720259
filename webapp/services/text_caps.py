"""Limits of texts, by recipient, sender and cost, so that fraudsters cannot earn from texts to their numbers.

Every text is counted and committed before it is sent (ASVS V2.4.1). The name of a bucket must not contain a number: it
has a keyed HMAC of the number or its prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from sqlalchemy import insert, select, update

from ..domain.language import ENGLISH, speaking
from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.refusals import Refusal, TextLimitReached, TooManyTexts, TooSoon, Waiting
from ..models.database import Transaction, changed_one_row
from ..models.messages import TextCount
from ..models.site_values import set_site_value, site_value
from ..policy import DAY, Window
from .attempt_rules import SlidingWindows, Unlimited
from .attempts import Attempts, Bucket
from .core import Core
from .outbox import Outbox

SENT = "sent"
BUDGET, BUDGET_OF_NEW = "texts", "texts-new"

log = structlog.get_logger()


def stops(why: str, *windows: Window) -> SlidingWindows:
    """Windows that refuse with `TextLimitReached`, where `why` names the limit for the operator."""
    return SlidingWindows(windows, lambda wait: TextLimitReached(wait, why))


Recipient = Literal["factor", "own", "new"]
"""What a number is to the account that has it texted: confirmed and texted after a right password, confirmed and texted
for an enrollment or change, or not confirmed and possibly another person's."""


@dataclass(frozen=True, slots=True)
class TextCaps:
    core: Core
    attempts: Attempts
    outbox: Outbox
    daily_budget: int
    operator: str
    """The e-mail address that is warned before the budget is used up."""

    def count_text(
        self, account_id: int, challenge: str, number: PhoneNumber, origin: Origin, recipient: Recipient
    ) -> None:
        """Counts one text, or refuses it. Raises `TooSoon`, `TooManyTexts` or `TextLimitReached`."""
        try:
            if self.daily_budget == 0:
                raise TextLimitReached(DAY, "budget")
            counted = self.attempts.count(*self._buckets(account_id, challenge, number, origin, recipient))
        except Refusal as refusal:
            self.count(number.country, _why(refusal))
            raise
        with self.core.db.write() as tx:
            self._note(tx, number.country, SENT)
            self._warn(tx, counted[BUDGET])

    def count_warning(self, tx: Transaction, number: PhoneNumber) -> bool:
        """Counts a warning of a change in the transaction of the change. False where no text may be sent at all.

        A budget that is used up does not stop it, or who used it up could change a number unnoticed. Few come after
        that: a change of number needs a code, which the budget stops.
        """
        if self.daily_budget == 0:
            return False
        counted = self.attempts.count_within(tx, Bucket(BUDGET, Unlimited(DAY)))
        self._note(tx, number.country, SENT)
        self._warn(tx, counted[BUDGET])
        return True

    def wait(self, account_id: int, number: PhoneNumber) -> int:
        """Seconds until another text may be sent to the account's own number."""
        return self.attempts.wait(self._gap(account_id, number))

    def _buckets(
        self, account_id: int, challenge: str, number: PhoneNumber, origin: Origin, recipient: Recipient
    ) -> list[Bucket]:
        """What one text is counted by. An account's own number needs no bucket beside the account's.

        The texts of accounts whose number it is not are counted apart, so that they keep no code from its owner.
        """
        policy, budget = self.core.policy, self.daily_budget
        is_new, is_factor = recipient == "new", recipient == "factor"
        of_challenge = SlidingWindows((Window(policy.text_sends_challenge, DAY),), lambda _wait: TooManyTexts())
        strangers = Bucket(f"text-number:{self.key(number.e164)}", stops("number", policy.text_sends_others))
        for_new = Window(budget - budget * policy.text_budget_kept // 100, DAY)
        enrolling = [
            Bucket(f"text-prefix:{self.key(number.prefix)}", stops("prefix", policy.text_sends_prefix)),
            Bucket(f"text-network:{origin.network}", stops("network", policy.text_sends_network)),
            Bucket(BUDGET_OF_NEW, stops("new numbers", for_new)),
        ]
        return [
            self._gap(account_id, number),
            *([self._gap("others", number)] if is_new else []),
            Bucket(f"text-challenge:{challenge}", of_challenge),
            Bucket(f"text-account:{account_id}", stops("account", *policy.text_sends)),
            *([strangers] if is_new else []),
            *([] if is_factor else enrolling),
            Bucket(f"text-address:{origin.rate_limit_key}", stops("address", policy.text_sends_address)),
            Bucket(BUDGET, stops("budget", Window(budget, DAY))),
        ]

    def _gap(self, sender: int | str, number: PhoneNumber) -> Bucket:
        """The bucket for the shortest time between two texts of an account, or of all others, to one number."""
        rule = SlidingWindows((self.core.policy.text_gap,), TooSoon)
        return Bucket(f"text-gap:{sender}:{self.key(number.e164)}", rule)

    def key(self, text: str) -> str:
        """A keyed hash in place of a number or prefix in the database: equal for equal text, and not reversible."""
        return self.core.keyring.mac(text, "phone").rpartition(".")[2]

    def count(self, country: str, outcome: str) -> None:
        """Adds one to the day's texts to a country with this outcome."""
        with self.core.db.write() as tx:
            self._note(tx, country, outcome)

    def _note(self, tx: Transaction, country: str, outcome: str) -> None:
        log.info("text_counted", country=country, outcome=outcome)
        row = {"day": self.core.clock.now() // DAY, "country": country, "outcome": outcome}
        same = TextCount.day == row["day"], TextCount.country == country, TextCount.outcome == outcome
        self.core.db.serialize(tx, f"text-count:{row['day']}:{country}:{outcome}")
        if not changed_one_row(tx, update(TextCount).where(*same).values(count=TextCount.count + 1)):
            tx.execute(insert(TextCount).values(**row, count=1))

    def report(self, days: int) -> Sequence[TextCount]:
        """The counts of the last `days` days, newest day first."""
        since = self.core.clock.now() // DAY - days
        query = select(TextCount).where(TextCount.day > since)
        with self.core.db.read() as tx:
            return tx.objects.scalars(query.order_by(TextCount.day.desc(), TextCount.country, TextCount.outcome)).all()

    def _warn(self, tx: Transaction, spent: int) -> None:
        """E-mails the operator when a share of the budget is used up, once a day for each share."""
        for share in self.core.policy.text_budget_warnings:
            if spent * 100 >= share * self.daily_budget and self._is_first_today(tx, f"text-budget-{share}"):
                log.warning("text_budget", spent=spent, budget=self.daily_budget, share=share)
                # the operator's language, and not that of the request for a text
                with speaking(ENGLISH):
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

    def _is_first_today(self, tx: Transaction, name: str) -> bool:
        today = self.core.clock.now() // DAY
        self.core.db.serialize(tx, name)
        if today <= site_value(tx, name) <= today + 1:  # one further ahead is of a clock that was wrong
            return False
        set_site_value(tx, name, today)
        return True


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, TextLimitReached):
        return f"refused: {refusal.why}"
    return "refused: too soon" if isinstance(refusal, Waiting) else "refused: challenge"
