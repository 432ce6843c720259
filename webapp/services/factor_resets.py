"""An operator's reset of an account's second factors: carrying it out, and stopping one that waits.

The wait is begun, stopped and finished in `services/operators/recoveries.py`. A full log-in stops it too.
"""

from __future__ import annotations

from sqlalchemy import delete, update

from ..domain.origin import NO_BROWSER, Origin
from ..models.accounts import NO_RECOVERY, Account, lock_account
from ..models.codes import Link
from ..models.database import Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from .notices import Notices
from .sessions import Sessions

PURPOSE = "stop-recovery"


def reset_factors(tx: Transaction, sessions: Sessions, notices: Notices, account: Account, why: str) -> None:
    """Deletes every factor and the backup code, ends every session, and tells the owner why."""
    lock_account(tx, account.id)
    tx.execute(delete(Factor).where(Factor.account_id == account.id))
    tx.execute(delete(Draft).where(Draft.account_id == account.id))
    values = {"backup_code_hash": None, "backup_code_made_at": None, **NO_RECOVERY}
    tx.execute(update(Account).where(Account.id == account.id).values(values))
    notices.links.void_all(tx, account.id, Link.purpose == PURPOSE)
    sessions.end_others(tx, account.id, None)
    notices.tell(tx, account, "factors-reset", NO_BROWSER, why=why)


def stop_recovery(tx: Transaction, notices: Notices, account: Account, origin: Origin) -> bool:
    """Stops the recovery that waits, and tells the owner. False when none waits any more.

    The caller must have locked the account.
    """
    waits = Account.id == account.id, Account.recovery_at.is_not(None)
    if not changed_one_row(tx, update(Account).where(*waits).values(NO_RECOVERY)):
        return False
    notices.links.void_all(tx, account.id, Link.purpose == PURPOSE)
    notices.tell(tx, account, "recovery-stopped", origin)
    return True
