"""Confirming and changing the e-mail address of an account.

An address becomes the account's own only when a code sent to it is entered. The page must not tell whether an address
belongs to another account: it is the same, and that account's owner gets an e-mail about it.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.channels import EMAIL, Sent
from ..domain.codes import hash_of
from ..domain.names import LONGEST_TYPED, key_of, without_marks
from ..domain.origin import Origin
from ..domain.refusals import (
    CodeExpired,
    EmailMalformed,
    MailLimitReached,
    NetworkMailLimitReached,
    TooSoon,
    WrongCode,
)
from ..models.accounts import Account, lock_for_change
from ..models.database import Transaction
from ..models.user import User
from ..policy import DAY
from .attempt_rules import SlidingWindows
from .attempts import Attempts, Bucket
from .core import Core
from .links import Links
from .notices import Notices
from .one_time_codes import OneTimeCodes, Terms
from .outbox import EMAIL as BY_EMAIL
from .outbox import NOWHERE, Outbox
from .sessions import Sessions

NO_MAIL = (".invalid", ".onion", ".arpa")
"""Top-level domains that no mail server has (RFC 6761, RFC 7686, RFC 3172)."""
CLOSED_NETWORKS = ("local", "localhost", "test", "arpa")
ODD_DOTS = re.compile(r"^\.+|(?<=\.)\.+|\.+$")
"""Those that a local part has in quotes only (RFC 5321 section 4.1.2). Some carriers gave out such addresses, which
people write without the quotes."""
# the list is changed in place, as the library's documentation shows
SPECIAL_USE_DOMAIN_NAMES[:] = [name for name in SPECIAL_USE_DOMAIN_NAMES if name not in CLOSED_NETWORKS]


@dataclass(frozen=True, slots=True)
class EmailAddresses:
    core: Core
    attempts: Attempts
    codes: OneTimeCodes
    sessions: Sessions
    links: Links
    notices: Notices
    outbox: Outbox
    main_url: str

    @property
    def _terms(self) -> Terms:
        policy = self.core.policy
        return Terms(policy.email_code_seconds, policy.email_code_attempts, policy.resend_after)

    def send_code(self, account: Account, challenge: str, typed: str, origin: Origin) -> None:
        """Sends a code to the address; if it is another account's, sends that account's owner a notice instead.

        An address that enough other accounts claim gets no e-mail, and the page is the same. Raises `EmailMalformed`,
        `TooSoon`, `TooManyAttempts`, `MailLimitReached` or `NetworkMailLimitReached`.
        """
        address = normalize(typed)
        key = key_of(address)
        with self.core.db.write() as tx:
            is_own = account.email is not None and key_of(account.email) == key
            is_sent = is_own or self._claimants(tx, account, address) < self.core.policy.email_claimants
            if is_sent:  # the account before the code, as when a code is entered
                unconfirmed = Account.id == account.id, Account.email.is_(None)
                claim = {"unconfirmed_email": address, "claimed_at": self.core.clock.now()}
                tx.execute(update(Account).where(*unconfirmed).values(claim))
            code_id, code = self.codes.draw(tx, account.id, challenge, address, self._terms)
            self.attempts.count_within(
                tx,
                *self._senders(account, origin),
                *(self._recipients(account, key, origin, is_own=is_own) if is_sent else ()),
            )
            owner = tx.objects.scalars(select(Account).where(Account.email_key == key)).one_or_none()
            if not is_sent:
                message_id = self._post_code(tx, address, account, code, channel=NOWHERE)
            elif owner is not None and owner.id != account.id:
                url = f"{self.main_url}/forgot-password"
                lasts = self.core.policy.email_code_seconds  # as of a code, so that the page cannot tell them apart
                to, template = owner.email or address, "address-in-use"
                message_id = self.outbox.post_email(tx, to=to, template=template, account=owner, lasts=lasts, url=url)
            else:
                message_id = self._post_code(tx, address, account, code)
            self.codes.sent_with(tx, code_id, message_id)

    def send_unless_sent(self, account: Account, challenge: str, typed: str, origin: Origin) -> None:
        """As `send_code`, for an address that was entered: who went back and entered the same has a code already. Only
        for the same address can it be too soon."""
        with suppress(TooSoon):
            self.send_code(account, challenge, typed, origin)

    def _post_code(self, tx: Transaction, address: str, account: Account, code: str, channel: str = BY_EMAIL) -> int:
        lasts = self.core.policy.email_code_seconds
        return self.outbox.post_email(
            tx,
            to=address,
            template="code",
            account=account,
            channel=channel,
            lasts=lasts,
            code=code,
            minutes=lasts // 60,
        )

    def _claimants(self, tx: Transaction, account: Account, address: str) -> int:
        """How many other accounts claimed the address in the last 24 hours."""
        others = (
            Account.id != account.id,
            Account.email.is_(None),
            Account.unconfirmed_email.in_([address, key_of(address)]),
            self.core.within(Account.claimed_at, DAY),
        )
        return tx.scalar(select(func.count()).select_from(Account).where(*others)) or 0

    def _senders(self, account: Account, origin: Origin) -> list[Bucket]:
        """Counts who asks: the account and its network."""
        policy = self.core.policy
        of_network = SlidingWindows(policy.email_sends_network, NetworkMailLimitReached)
        return [
            Bucket(f"email-code:{account.id}", SlidingWindows((policy.email_sends,))),
            Bucket(f"email-code-from:{origin.network}", of_network),
        ]

    def _recipients(self, account: Account, key: str, origin: Origin, *, is_own: bool) -> list[Bucket]:
        """Counts what one box gets: for its confirmed owner, and apart from that for all others together.

        One account, or one network, has only a part of what the others have together: a newcomer must get a code for
        an address that a stranger entered many times.
        """
        policy, box = self.core.policy, hash_of(key)
        together = SlidingWindows((policy.email_sends, policy.email_sends_day), MailLimitReached)
        if is_own:
            return [Bucket(f"email-code-own:{box}", together)]
        alone = SlidingWindows((policy.email_sends_stranger,), MailLimitReached)
        return [
            Bucket(f"email-code-to:{box}", together),
            Bucket(f"email-code-to:{box}:{account.id}", alone),
            Bucket(f"email-code-to:{box}:{origin.network}", alone),
        ]

    def sent(self, account_id: int, challenge: str) -> Sent | None:
        """The code that was sent for this challenge and is still valid."""
        code = self.codes.newest(account_id, challenge, self._terms)
        if code is None or code.used_at is not None:
            return None
        return Sent(code.target, EMAIL, code.message_id, code.made_at + self.core.policy.resend_after)

    def was_confirmed(self, account_id: int, challenge: str, typed: str) -> bool:
        """True when this code was entered for the challenge before: the form was sent twice."""
        return self.codes.was_used(account_id, challenge, typed, self._terms)

    def confirm(self, user: User, challenge: str, typed: str, origin: Origin) -> None:
        """Makes the address the account's own. Raises what `OneTimeCodes.check` and `lock_for_change` raise.

        Since the request began, `CodeExpired` too when the address was changed, and `LoginExpired` when the session was
        ended.
        """
        account = user.account
        code = self.codes.check(account.id, challenge, typed, self._terms)
        try:
            with self.core.db.write() as tx:
                now = lock_for_change(tx, account.id)
                self.sessions.demand_open(tx, user.session)
                if now.email != account.email:
                    raise CodeExpired()
                self.codes.consume(tx, code)
                self._keep(tx, account, code.target)
                if now.email is not None and now.email != code.target:
                    self._notify_old_address(tx, account, now.email, code.target, origin)
                now.email = code.target
                self.notices.tell(tx, now, "email-confirmed", origin, email=code.target)
        except IntegrityError:  # another account confirmed it meanwhile, which the page must not tell
            raise WrongCode() from None
        account.email = code.target

    def _keep(self, tx: Transaction, account: Account, address: str) -> None:
        values = {"email": address, "email_key": key_of(address), "unconfirmed_email": None, "claimed_at": None}
        tx.execute(update(Account).where(Account.id == account.id).values(values))

    def _notify_old_address(self, tx: Transaction, account: Account, old: str, new: str, origin: Origin) -> None:
        url = self.links.draw(tx, account, "undo-email", old, self.core.policy.email_undo_seconds)
        days = self.core.policy.email_undo_seconds // DAY
        self.outbox.post_email(
            tx,
            to=old,
            template="email-changed",
            account=account,
            address=masked(new),
            at=self.core.clock.now(),
            origin=origin,
            undo_url=url,
            days=days,
        )


def normalize(typed: str) -> str:
    """The normalized address. Raises `EmailMalformed` for what no mail server would accept (RFC 5321, RFC 6531).

    Names of closed networks are accepted, such as office.local; whether mail arrives is for the operator's server.
    """
    if len(typed) > LONGEST_TYPED:
        raise EmailMalformed()
    visible = without_marks(unicodedata.normalize("NFKC", typed)).strip()
    local, _, of_local = visible.rpartition("@")
    plain = ODD_DOTS.sub("", local)
    try:
        parts = validate_email(f"{plain}@{of_local}", check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise EmailMalformed() from None
    domain = parts.ascii_domain.lower()
    is_closed = domain == "localhost" or domain.endswith("home.arpa")
    if not is_closed and ("." not in domain or domain.endswith(NO_MAIL)):
        raise EmailMalformed()
    return parts.normalized if plain == local else f"{local}@{parts.domain}"


def masked(address: str) -> str:
    """The address with only the first character of its local part: a...@example.org."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}...@{domain}"
