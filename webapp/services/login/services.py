"""Builds the services of log-in and step-up, which share how a second factor is proved."""

from __future__ import annotations

from ..attempts import Attempts
from ..backup_codes import BackupCodes
from ..core import Core
from ..links import Links
from ..method_kinds import Methods
from ..notices import Notices
from ..outbox import Outbox
from ..password_attempts import PasswordAttempts
from ..passwords import Passwords
from ..sessions import Sessions
from .login import Login
from .login_links import LoginLinks
from .passkeys import Passkeys
from .remembered_browsers import RememberedBrowsers
from .session_opening import SessionOpening
from .step_up import StepUp
from .wrong_codes import WrongCodes


class LoginServices:
    """Log-in by password, by passkey and by link, step-up, and the browsers that are remembered at a log-in."""

    def __init__(
        self,
        core: Core,
        attempts: Attempts,
        backup_codes: BackupCodes,
        notices: Notices,
        methods: Methods,
        sessions: Sessions,
        guesses: PasswordAttempts,
        passwords: Passwords,
        links: Links,
        outbox: Outbox,
    ) -> None:
        opening, self.remembered = SessionOpening(sessions, attempts, notices), RememberedBrowsers(core)
        proof = (core, attempts, backup_codes, notices, WrongCodes(core, attempts, notices), methods, sessions)
        self.login = Login(*proof, guesses, passwords, self.remembered, opening)
        self.step_up = StepUp(*proof)
        self.links = LoginLinks(core, attempts, links, outbox, notices)
        self.passkeys = Passkeys(core, attempts, notices, opening, methods)
