"""Mails to the owner about wrong codes that followed a right password: someone else may know it.

After five more wrong codes than the last mail knew of, but at most one an hour and five a day; each says how many
there were.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from ...domain.origin import Origin
from ...domain.refusals import TooManyAttempts
from ...models.accounts import Account
from ...models.sessions import Attempt
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..notices import Notices


@dataclass(frozen=True, slots=True)
class WrongCodes:
    core: Core
    attempts: Attempts
    notices: Notices

    def tell(self, account: Account, bucket: str, origin: Origin) -> None:
        """Mails the owner if it is time. `bucket` has the wrong codes since the last full log-in."""
        policy = self.core.policy
        mails = Bucket(f"wrong-code-mails:{account.id}", SlidingWindows(policy.wrong_code_mails))
        last = select(func.coalesce(func.max(Attempt.id), 0)).where(Attempt.bucket == mails.name).scalar_subquery()
        wrong = select(func.count(), func.count().filter(Attempt.id > last)).where(Attempt.bucket == bucket)
        with self.core.db.read() as tx:
            in_all, since_then = tx.execute(wrong).one()
        if since_then < policy.wrong_codes_told:
            return
        try:
            with self.core.db.write() as tx:
                self.attempts.count_within(tx, mails)
                self.notices.mail(tx, account, "wrong-codes", origin, count=str(in_all))
        except TooManyAttempts:
            return
