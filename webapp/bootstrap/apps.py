"""Puts together what apps that only know a password come in by."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.ports import Clock, Entropy
from ..models.database import Database
from ..policy import Policy
from ..services.app_sessions import AppSessions
from ..services.attempts import Attempts
from ..services.legacy_access import LegacyAccess
from ..services.notices import Notices
from ..services.outbox import Outbox
from ..services.password_attempts import PasswordAttempts
from ..services.passwords import Passwords
from ..services.phone_numbers import PhoneNumbers
from ..services.refused_accesses import RefusedAccesses
from ..services.sessions import Sessions
from ..services.temporary_passwords import TemporaryPasswords


@dataclass(frozen=True, slots=True)
class Apps:
    temporary_passwords: TemporaryPasswords
    sessions: AppSessions
    refused_accesses: RefusedAccesses
    access: LegacyAccess


def build(
    db: Database,
    clock: Clock,
    entropy: Entropy,
    policy: Policy,
    attempts: Attempts,
    password_attempts: PasswordAttempts,
    passwords: Passwords,
    sessions: Sessions,
    phones: PhoneNumbers,
    outbox: Outbox,
    notices: Notices,
    can_text: bool,
) -> Apps:
    temporary_passwords = TemporaryPasswords(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        attempts=attempts,
        sessions=sessions,
        phones=phones,
        outbox=outbox,
        notices=notices,
    )
    refused_accesses = RefusedAccesses(
        db=db, clock=clock, policy=policy, temporary_passwords=temporary_passwords, can_text=can_text
    )
    app_sessions = AppSessions(db, clock, entropy, policy)
    access = LegacyAccess(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        password_attempts=password_attempts,
        passwords=passwords,
        temporary_passwords=temporary_passwords,
        app_sessions=app_sessions,
        refused_accesses=refused_accesses,
        notices=notices,
    )
    return Apps(temporary_passwords, app_sessions, refused_accesses, access)
