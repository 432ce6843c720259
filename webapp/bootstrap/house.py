"""The whole house: every service that pages, commands and the worker may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..domain.language import Language
from ..domain.ports import Clock, Entropy, Mail, Places, Pushes, TextMessages
from ..enrollment.ceremonies import Ceremonies
from ..enrollment.method import Method
from ..enrollment.service import Enrollment
from ..models.database import Database
from ..services.accounts import Accounts
from ..services.active_access import ActiveAccess
from ..services.activity import ActivityPages
from ..services.app_sessions import AppSessions
from ..services.approvals import Approvals
from ..services.attempts import Attempts
from ..services.challenge import Challenges
from ..services.contacts import Contacts
from ..services.delivery import Delivery
from ..services.email_addresses import EmailAddresses
from ..services.legacy_access import LegacyAccess
from ..services.links import Links
from ..services.login import Login
from ..services.login_requests import LoginRequests
from ..services.maintenance import Maintenance
from ..services.named_factors import NamedFactors
from ..services.not_you import NotYou
from ..services.notices import Notices
from ..services.outbox import Outbox
from ..services.passkeys import Passkeys
from ..services.password_changes import PasswordChanges
from ..services.passwords import Passwords
from ..services.phone_numbers import PhoneNumbers
from ..services.restoration import Restoration
from ..services.second_factors import SecondFactors
from ..services.sessions import Sessions
from ..services.shown_once import ShownOnce
from ..services.sign_up import SignUp
from ..services.step_up import StepUp
from ..services.temporary_passwords import TemporaryPasswords
from ..services.text_caps import TextCaps
from ..settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    languages: Mapping[str, Language]
    clock: Clock
    entropy: Entropy
    db: Database
    attempts: Attempts
    sessions: Sessions
    active_access: ActiveAccess
    activity: ActivityPages
    not_you: NotYou
    passwords: Passwords
    sign_up: SignUp
    login: Login
    passkeys: Passkeys
    challenges: Challenges
    ceremonies: Ceremonies
    step_up: StepUp
    shown_once: ShownOnce
    password_changes: PasswordChanges
    email_addresses: EmailAddresses
    phone_numbers: PhoneNumbers
    text_caps: TextCaps
    contacts: Contacts
    second_factors: SecondFactors
    named_factors: NamedFactors
    temporary_passwords: TemporaryPasswords
    app_sessions: AppSessions
    legacy_access: LegacyAccess
    enrollment: Enrollment
    links: Links
    notices: Notices
    outbox: Outbox
    mail: Mail
    texts: TextMessages
    pushes: Pushes
    places: Places
    login_requests: LoginRequests
    approvals: Approvals
    delivery: Delivery
    accounts: Accounts
    maintenance: Maintenance
    restoration: Restoration
    ways_out: frozenset[str]
    """What a method may need and this house has."""

    def offers(self, method: Method) -> bool:
        return method.needs is None or method.needs in self.ways_out
