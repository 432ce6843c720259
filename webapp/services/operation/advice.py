"""What the operator should know although nothing is broken: in `flask check`, and in the log of a starting worker."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from ...domain.ports import PasswordHasher
from ...models.apps import AppSession
from ..apps.app_sessions import AppSessions
from ..core import Core
from ..usernames import Usernames

MUCH = 0.4
"""The kernel's part of a hash from which on huge pages are worth a line of configuration."""


def about_hashing(hasher: PasswordHasher) -> str | None:
    """What huge pages would save, as `flask check` measures it. Raises `Busy`."""
    cost = hasher.measure()
    if cost.huge_pages or cost.kernel_milliseconds < MUCH * cost.milliseconds:
        return None
    return (
        f"a hash takes {cost.milliseconds:.1f} ms of CPU, of which the kernel takes {cost.kernel_milliseconds:.1f} to"
        " hand out memory; transparent huge pages save most of that: see Huge pages in docs/operating.md"
    )


@dataclass(frozen=True, slots=True)
class Advice:
    core: Core
    app_sessions: AppSessions
    usernames: Usernames
    sign_up_open: bool
    legacy_access: bool

    def about_access(self) -> dict[str, str]:
        """A sentence for each event that the log names at the start."""
        if self.legacy_access and self.sign_up_open:
            return {
                "legacy_access_open_to_all": "NIGHTLATCH_LEGACY_ACCESS is on and NIGHTLATCH_SIGN_UP is open: everyone"
                " who signs up and confirms an email address gets in at the sites behind /legacy/verify"
            }
        apps = 0 if self.legacy_access else self._apps()
        if apps:
            return {
                "legacy_access_off": f"NIGHTLATCH_LEGACY_ACCESS is off, so {apps} logged-in apps get no access; set it"
                " to on if they should"
            }
        return {}

    def about_usernames(self) -> str | None:
        names = self.usernames.reserved_in_use()
        return f"these are reserved now, and accounts have them: {', '.join(names)}" if names else None

    def _apps(self) -> int:
        with self.core.db.read() as tx:
            live = select(func.count()).select_from(AppSession).where(self.app_sessions.live())
            return tx.scalar(live) or 0
