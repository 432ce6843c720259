"""Links that make a browser known, for an owner whose password is not compared in an unknown one.

Answer, work and limits must be the same for every name. A link gives no access: it only lets a browser enter the
password with a count of its own. It must never make known the browser that asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...domain.codes import hash_of
from ...domain.names import key_of, login_key
from ...domain.origin import Origin
from ...domain.refusals import LinkInvalid, TooManyAttempts
from ...models.accounts import Account
from ...models.database import Transaction
from ..account_lookup import find_by_name
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..links import Links
from ..notices import Notices
from ..outbox import Outbox

PURPOSE = "log-in-here"


@dataclass(frozen=True, slots=True)
class LoginLinks:
    core: Core
    attempts: Attempts
    links: Links
    outbox: Outbox
    notices: Notices

    def send(self, typed_name: str, origin: Origin) -> bool:
        """Mails a link to the confirmed address of the account, at most once an hour.

        False when a link for this name was asked for within the hour: the earlier e-mail still works. Raises
        `TooManyAttempts` for too many requests from one network address.
        """
        policy, name = self.core.policy, hash_of(login_key(typed_name))
        by_address = SlidingWindows((policy.reset_sends_address,))
        self.attempts.count(Bucket(f"login-link-from:{origin.rate_limit_key}", by_address))
        found, _ = find_by_name(self.core.db, typed_name)
        can_log_in = found is not None and found.email is not None and found.locked_at is None
        account = found if can_log_in else None
        with self.core.db.write() as tx:
            if not self._count(tx, f"?{name}"):
                return False
            is_first = self._count(tx, str(account.id) if account is not None else f"none:{name}")
            if account is not None and account.email is not None and is_first:
                url = self.links.draw(tx, account, PURPOSE, account.email, policy.login_link_seconds)
                self._post(tx, account.email, account, url)
            else:  # an e-mail is written and rolled back, so that the time does not tell
                with tx.connection.begin_nested() as unsent:
                    self._post(tx, "unsent@example.org", None, "")
                    unsent.rollback()
        return True

    def find(self, token: str) -> Account:
        """The account of a valid link. Raises `LinkInvalid`, also when its address is no longer the confirmed one."""
        opened = self.links.find(PURPOSE, token)
        if key_of(opened.account.email or "") != key_of(opened.link.email):
            raise LinkInvalid()
        return opened.account

    def use(self, token: str, origin: Origin) -> Account:
        """The account that the browser of `origin` is known for from now on. Raises `LinkInvalid`.

        The link is not used up: until it expires it works in the owner's other browsers too.
        """
        account = self.find(token)
        with self.core.db.write() as tx:
            self.notices.record(tx, account.id, "browser-known", origin)
        return account

    def _count(self, tx: Transaction, whose: str) -> bool:
        """False when there was one within the hour."""
        try:
            self.attempts.count_within(
                tx, Bucket(f"login-link:{whose}", SlidingWindows((self.core.policy.login_links,)))
            )
        except TooManyAttempts:
            return False
        return True

    def _post(self, tx: Transaction, to: str, account: Account | None, url: str) -> None:
        self.outbox.post_email(
            tx,
            to=to,
            template="log-in-link",
            account=account,
            lasts=self.core.policy.login_link_seconds,
            url=url,
            minutes=self.core.policy.login_link_seconds // 60,
        )
