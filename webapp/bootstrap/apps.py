"""Puts together what apps that only know a password come in by."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.ports import Clock, Entropy
from ..models.database import Database
from ..policy import Policy
from ..services.app_sessions import AppSessions
from ..services.knocks import Knocks
from ..services.legacy_door import LegacyDoor
from ..services.notices import Notices
from ..services.outbox import Outbox
from ..services.password_tries import PasswordTries
from ..services.passwords import Passwords
from ..services.phones import Phones
from ..services.sessions import Sessions
from ..services.temporary_passwords import TemporaryPasswords
from ..services.tries import Tries


@dataclass(frozen=True, slots=True)
class Apps:
    temporary_passwords: TemporaryPasswords
    sessions: AppSessions
    knocks: Knocks
    door: LegacyDoor


def build(
    db: Database,
    clock: Clock,
    entropy: Entropy,
    policy: Policy,
    tries: Tries,
    password_tries: PasswordTries,
    passwords: Passwords,
    sessions: Sessions,
    phones: Phones,
    outbox: Outbox,
    notices: Notices,
    can_text: bool,
) -> Apps:
    temporary_passwords = TemporaryPasswords(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        tries=tries,
        sessions=sessions,
        phones=phones,
        outbox=outbox,
        notices=notices,
    )
    knocks = Knocks(db=db, clock=clock, policy=policy, temporary_passwords=temporary_passwords, can_text=can_text)
    app_sessions = AppSessions(db, clock, entropy, policy)
    door = LegacyDoor(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        password_tries=password_tries,
        passwords=passwords,
        temporary_passwords=temporary_passwords,
        app_sessions=app_sessions,
        knocks=knocks,
        notices=notices,
    )
    return Apps(temporary_passwords, app_sessions, knocks, door)
