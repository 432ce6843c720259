"""An operator's reset of an account's second factors: carrying it out, and stopping one that waits.

The wait is begun, stopped and finished in `services/operators/recoveries.py`. A full log-in stops it too.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from ..domain.origin import NO_BROWSER, Origin
from ..models.accounts import NO_RECOVERY, OPERATOR, Account
from ..models.codes import Link
from ..models.database import Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor
from .notices import Notices
from .sessions import Sessions

PURPOSE = "stop-recovery"


def reset_factors(tx: Transaction, sessions: Sessions, notices: Notices, account: Account, why: str) -> None:
    """Deletes every factor and the backup code, ends every session, and tells the owner why.

    The caller must have locked the account.
    """
    tx.execute(delete(Factor).where(Factor.account_id == account.id))
    tx.execute(delete(Draft).where(Draft.account_id == account.id))
    values = {"backup_code_hash": None, "backup_code_made_at": None, **NO_RECOVERY}
    tx.execute(update(Account).where(Account.id == account.id).values(values))
    notices.links.void_all(tx, account.id, Link.purpose == PURPOSE)
    sessions.end_others(tx, account.id, None)
    notices.tell(tx, account, "factors-reset", NO_BROWSER, why=why)


def stop_recovery(
    tx: Transaction, notices: Notices, account: Account, origin: Origin, operator: int | None = None
) -> bool:
    """Stops the recovery that waits, and tells the owner and who started it. False when none waits any more.

    The caller must have locked the account. `operator` is the account id of an operator who stops it.
    """
    waits = Account.id == account.id, Account.recovery_at.is_not(None)
    if not changed_one_row(tx, update(Account).where(*waits).values(NO_RECOVERY)):
        return False
    notices.links.void_all(tx, account.id, Link.purpose == PURPOSE)
    notices.tell(tx, account, "recovery-stopped", origin)
    if account.recovery_by != operator:
        note_stop(tx, notices, account)
    return True


def note_stop(tx: Transaction, notices: Notices, account: Account) -> None:
    """Adds to the activity of the operator who started the recovery that waits, if one does, that it was stopped.

    One who is no operator any more is told nothing.
    """
    if account.recovery_by is None:
        return
    is_operator = Account.id == account.recovery_by, Account.role == OPERATOR
    operator = tx.scalar(select(Account.id).where(*is_operator))
    if operator is not None:
        notices.record(tx, operator, "operator-recovery-stopped", NO_BROWSER, username=account.username)
