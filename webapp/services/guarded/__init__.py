"""Guarded hosts: applications behind a reverse proxy that asks Nightlatch about each request."""

from __future__ import annotations

from ..active_access import GuardedKind
from ..apps import LegacyAccess
from ..attempts import Attempts
from ..core import Core
from ..notices import Notices
from ..openid import OpenId
from ..sessions import Sessions
from .assertions import Assertions, KeptAssertions
from .checks import Checks
from .logins import Logins
from .visits import Visits

__all__ = ["Guarded"]


class Guarded:
    """The services of guarded hosts: what a proxy asks, the log-ins on the way to one, and the sessions at one."""

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        sessions: Sessions,
        notices: Notices,
        openid: OpenId,
        legacy_access: LegacyAccess,
    ) -> None:
        proofs = openid.proofs
        assertions = Assertions(core, openid.issuer, openid.signing_keys, openid.subjects, KeptAssertions(core))
        self.logins = Logins(core, attempts, openid.clients, proofs, sessions)
        self.checks = Checks(core, sessions, proofs, assertions, self.logins, legacy_access)
        self.visits = Visits(core, openid.clients, sessions, notices, GuardedKind(core, sessions))
