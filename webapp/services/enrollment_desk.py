"""What an enrollment asks of the rest of the house (`enrollment.visit.Desk`)."""

from __future__ import annotations

from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Clock
from ..domain.push import PushHosts, read_subscription
from ..enrollment.method import Asked, Method
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.user import SessionToken, User
from ..policy import Policy
from .attempts import Attempts, Bucket, SlidingWindows
from .backup_codes import BackupCodes
from .challenge import single_use
from .email_addresses import EmailAddresses
from .notices import Notices
from .phone_numbers import PhoneNumbers
from .sessions import Sessions
from .step_up import StepUp


class EnrollmentDesk:
    def __init__(
        self,
        *,
        clock: Clock,
        policy: Policy,
        attempts: Attempts,
        sessions: Sessions,
        step_up: StepUp,
        email_addresses: EmailAddresses,
        phones: PhoneNumbers,
        backup_codes: BackupCodes,
        notices: Notices,
        push_hosts: PushHosts,
        push_key: str | None,
    ) -> None:
        self._clock = clock
        self._policy = policy
        self._attempts = attempts
        self._sessions = sessions
        self._step_up = step_up
        self._email_addresses = email_addresses
        self._phone_numbers = phones
        self._backup_codes = backup_codes
        self._notices = notices
        self._push_hosts = push_hosts
        self._push_key = push_key

    def is_fresh(self, user: User) -> bool:
        return self._sessions.is_fresh(user)

    def count_attempt(self, account_id: int, name: str) -> None:
        rule = SlidingWindows(
            self._policy.second_factor_attempts[1:]
        )  # the account is its owner's already: 20 an hour do
        self._attempts.count(Bucket(f"enroll:{name}:{account_id}", rule))

    def consume_single_use(self, name: str) -> None:
        self._attempts.count(single_use(name))

    def prove_password(self, user: User, typed: str) -> SessionToken:
        return self._step_up.with_password(user, typed)

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
        return self._phone_numbers.read(typed, country)

    def ask_phone(self, account: Account, challenge: str, origin: Origin, number: PhoneNumber | None = None) -> None:
        self._phone_numbers.ask(account, challenge, origin, number)

    def ask_phone_again(self, account: Account, challenge: str, origin: Origin) -> None:
        self._phone_numbers.ask_again(account, challenge, origin)

    def phone_asked(self, account: Account, challenge: str) -> Asked | None:
        return self._phone_numbers.asked(account, challenge)

    def confirm_phone(
        self, account: Account, challenge: str, typed: str, origin: Origin, discoverable: bool | None
    ) -> None:
        # that the factor is on is told next, in one letter with this
        self._phone_numbers.confirm(account, challenge, typed, origin, discoverable, tell_first=False)

    def factor_on(
        self, tx: Transaction, user: User, method: Method, label: str, replaced: bool, origin: Origin
    ) -> tuple[SessionToken, str | None]:
        """Tells the owner. With a first factor: the backup code, and every other session ends."""
        account_id, now = user.account.id, self._clock.now()
        kind = "factor-added" if label else "factor-replaced" if replaced else "factor-on"
        facts = {"method": method.title.msgid} | ({"name": label} if label else {})
        self._notices.tell(tx, user.account, kind, origin, **facts)
        code = None
        if not user.factors:
            self._sessions.end_others(tx, account_id, user.session.id)
            code = self._backup_codes.make(tx, account_id)
        opened = self._sessions.rotate(tx, user.session, second_factor_at=now)
        return opened, code
