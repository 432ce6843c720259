"""The networks from which an account's apps reached legacy access.

Apps keep no cookie that would make them known as a browser is. A known network is counted apart and skips nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from ...domain.origin import Origin
from ...models.accounts import NO_ACCOUNT, Account
from ...models.apps import KnownNetwork
from ...models.base import rows_of
from ...models.database import Transaction, changed_one_row
from ..core import Core
from ..password_attempts import KnownBrowser

NETWORK = KnownNetwork.account_id == bindparam("owner"), KnownNetwork.network == bindparam("here")
FIND = select(KnownNetwork.id).where(*NETWORK, KnownNetwork.at > bindparam("since"))
RENEW = update(KnownNetwork).where(*NETWORK).values(at=bindparam("now"))
ADD = insert(rows_of(KnownNetwork))


@dataclass(frozen=True, slots=True)
class KnownNetworks:
    core: Core

    def find(self, account: Account | None, origin: Origin) -> KnownBrowser | None:
        """The network of `origin`, if an app of this account succeeded there in the last 30 days."""
        account_id = account.id if account is not None else NO_ACCOUNT
        since = self.core.clock.now() - self.core.policy.known_network
        with self.core.db.read() as tx:
            found = tx.scalar(FIND, {"owner": account_id, "here": origin.network, "since": since})
        return KnownBrowser(f"network {origin.network}", frozenset({account_id})) if found is not None else None

    def note(self, tx: Transaction, account_id: int, origin: Origin) -> None:
        """Records that an app succeeded from there."""
        now, network = self.core.clock.now(), origin.network
        self.core.db.serialize(tx, f"known-network:{account_id}")  # else two requests at once would both add it
        if not changed_one_row(tx, RENEW, {"owner": account_id, "here": network, "now": now}):
            tx.execute(ADD, {"account_id": account_id, "network": network, "at": now})
