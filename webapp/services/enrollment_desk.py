"""What an enrollment asks of the rest of the house (`enrollment.visit.Desk`)."""

from __future__ import annotations

from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Clock
from ..domain.push import PushHosts, read_subscription
from ..enrollment.method import Asked, Method
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.presence import Opened, Presence
from ..policy import Policy
from .backup_codes import BackupCodes
from .challenge import used_up
from .email_addresses import EmailAddresses
from .notices import Notices
from .phones import Phones
from .sessions import Sessions
from .step_up import StepUp
from .tries import Bucket, Tries, Windows


class EnrollmentDesk:
    def __init__(
        self,
        *,
        clock: Clock,
        policy: Policy,
        tries: Tries,
        sessions: Sessions,
        step_up: StepUp,
        email_addresses: EmailAddresses,
        phones: Phones,
        backup_codes: BackupCodes,
        notices: Notices,
        push_hosts: PushHosts,
        push_key: str | None,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._tries = tries
        self._sessions = sessions
        self._step_up = step_up
        self._email_addresses = email_addresses
        self._phones = phones
        self._backup_codes = backup_codes
        self._notices = notices
        self._push_hosts = push_hosts
        self._push_key = push_key

    def is_fresh(self, presence: Presence) -> bool:
        return self._sessions.is_fresh(presence)

    def spend_try(self, account_id: int, name: str) -> None:
        rule = Windows(self._policy.second_factor_tries[1:])  # the account is its owner's already: 20 an hour do
        self._tries.spend(Bucket(f"enroll:{name}:{account_id}", rule))

    def use_up(self, name: str) -> None:
        self._tries.spend(used_up(name))

    def prove_password(self, presence: Presence, typed: str) -> Opened:
        return self._step_up.with_password(presence, typed)

    def read_subscription(self, said: str) -> str:
        return read_subscription(said, self._push_hosts)

    def push_key(self) -> str | None:
        return self._push_key

    def ask_email(self, account: Account, challenge: str, typed: str) -> None:
        self._email_addresses.ask(account, challenge, typed)

    def email_asked(self, account_id: int, challenge: str) -> Asked | None:
        return self._email_addresses.asked(account_id, challenge)

    def confirm_email(self, account: Account, challenge: str, typed: str, origin: Origin) -> None:
        self._email_addresses.confirm(account, challenge, typed, origin)

    def read_phone(self, typed: str, country: str) -> PhoneNumber:
        return self._phones.read(typed, country)

    def ask_phone(self, account: Account, challenge: str, origin: Origin, number: PhoneNumber | None = None) -> None:
        self._phones.ask(account, challenge, origin, number)

    def ask_phone_again(self, account: Account, challenge: str, origin: Origin) -> None:
        self._phones.ask_again(account, challenge, origin)

    def phone_asked(self, account: Account, challenge: str) -> Asked | None:
        return self._phones.asked(account, challenge)

    def confirm_phone(
        self, account: Account, challenge: str, typed: str, origin: Origin, discoverable: bool | None
    ) -> None:
        # that the factor is on is told next, in one letter with this
        self._phones.confirm(account, challenge, typed, origin, discoverable, tell_first=False)

    def factor_on(
        self, tx: Transaction, presence: Presence, method: Method, label: str, replaced: bool, origin: Origin
    ) -> tuple[Opened, str | None]:
        """Tells the owner. With a first factor: the backup code, and every other session ends."""
        account_id, now = presence.account.id, self._clock.now()
        kind = "factor-added" if label else "factor-replaced" if replaced else "factor-on"
        facts = {"method": method.title.msgid} | ({"name": label} if label else {})
        self._notices.tell(tx, presence.account, kind, origin, **facts)
        code = None
        if not presence.factors:
            self._sessions.end_others(tx, account_id, presence.session.id)
            code = self._backup_codes.make(tx, account_id)
        opened = self._sessions.rotate(tx, presence.session, second_factor_at=now)
        return opened, code
