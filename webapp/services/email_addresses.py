"""Confirming and changing the e-mail address of an account.

An address is kept as the account's own only once a code sent to it came back. Whether an address already
belongs to somebody is never told: the page is the same, and its owner gets a mail that says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..domain.channels import EMAIL, Sent
from ..domain.codes import hash_of
from ..domain.names import key_of
from ..domain.origin import Origin
from ..domain.refusals import EmailMalformed, LinkInvalid, MailLimitReached, WrongCode
from ..models.accounts import Account
from ..models.database import Transaction
from .attempts import Attempts, Bucket, SlidingWindows, WithRefusal
from .core import Core
from .links import Links, OpenLink
from .notices import Notices
from .one_time_codes import OneTimeCodes, Terms
from .outbox import Outbox
from .sessions import Sessions


@dataclass(frozen=True, slots=True)
class EmailAddresses:
    core: Core
    attempts: Attempts
    codes: OneTimeCodes
    outbox: Outbox
    notices: Notices
    links: Links
    sessions: Sessions
    main_url: str

    @property
    def _terms(self) -> Terms:
        policy = self.core.policy
        return Terms(policy.email_code_seconds, policy.email_code_attempts, policy.resend_after)

    def send_code(self, account: Account, challenge: str, typed: str) -> None:
        """Sends a code to the address, or its owner a word that somebody else typed it.

        Raises `EmailMalformed`, `TooSoon`, `TooManyTries`, `MailStopped`.
        """
        address, rule = normalize(typed), SlidingWindows((self.core.policy.email_sends,))
        key = key_of(address)
        # whoever asks: many accounts may be made to fill one box
        reader = Bucket(f"email-code-to:{hash_of(key)}", WithRefusal(rule, MailLimitReached))
        with self.core.db.write() as tx:
            code_id, code = self.codes.draw(tx, account.id, challenge, address, self._terms)
            self.attempts.count_within(tx, Bucket(f"email-code:{account.id}", rule), reader)
            owner = tx.objects.scalars(select(Account).where(Account.email_key == key)).one_or_none()
            if owner is not None and owner.id != account.id:
                url = f"{self.main_url}/forgot-password"
                message = self.outbox.post_email(
                    tx, to=owner.email or address, template="address-in-use", account=owner, name=owner.name, url=url
                )
            else:
                minutes = self.core.policy.email_code_seconds // 60
                message = self.outbox.post_email(
                    tx, to=address, template="code", account=account, code=code, minutes=minutes, name=account.name
                )
            self.codes.sent_with(tx, code_id, message.id)
            if account.email is None:
                tx.execute(update(Account).where(Account.id == account.id).values(unconfirmed_email=address))

    def sent(self, account_id: int, challenge: str) -> Sent | None:
        """The code that was sent for this challenge and could still be entered."""
        code = self.codes.newest(account_id, challenge, self._terms)
        if code is None or code.used_at is not None:
            return None
        return Sent(code.target, EMAIL, code.message_id, code.made_at + self.core.policy.resend_after)

    def confirm(self, account: Account, challenge: str, typed: str, origin: Origin) -> None:
        """Makes the address the account's own. Raises what `OneTimeCodes.check` raises."""
        code = self.codes.check(account.id, challenge, typed, self._terms)
        old = account.email
        try:
            with self.core.db.write() as tx:
                self.codes.consume(tx, code)
                self._keep(tx, account, code.target)
                if old is not None and key_of(old) != key_of(code.target):
                    self._tell_the_old(tx, account, old, code.target)
                account.email = code.target
                self.notices.tell(tx, account, "email-confirmed", origin, email=code.target)
        except IntegrityError:  # somebody else confirmed it a moment ago; which is not for us to say
            account.email = old
            raise WrongCode() from None

    def undo(self, opened: OpenLink, origin: Origin) -> None:
        """Puts the earlier address back and ends every session: whoever changed it is out. Raises `LinkDead`."""
        account, address = opened.account, opened.link.email
        try:
            with self.core.db.write() as tx:
                self.links.use(tx, opened.link)
                self.links.void_later(tx, opened.link)
                self.links.void_elsewhere(tx, opened.link)
                self._keep(tx, account, address)
                self.sessions.end_others(tx, account.id, None)
                account.email = address
                self.notices.tell(tx, account, "email-restored", origin, email=address)
        except IntegrityError:
            raise LinkInvalid() from None

    def _keep(self, tx: Transaction, account: Account, address: str) -> None:
        values = {"email": address, "email_key": key_of(address), "unconfirmed_email": None}
        tx.execute(update(Account).where(Account.id == account.id).values(values))

    def _tell_the_old(self, tx: Transaction, account: Account, old: str, new: str) -> None:
        url = self.links.draw(tx, account, "undo-email", old, self.core.policy.email_undo_seconds)
        days = self.core.policy.email_undo_seconds // 86400
        self.outbox.post_email(
            tx,
            to=old,
            template="email-changed",
            account=account,
            name=account.name,
            address=masked(new),
            undo_url=url,
            days=days,
        )


def normalize(typed: str) -> str:
    """Raises `EmailMalformed` for what no mail server would take (RFC 5321, RFC 6531)."""
    from email_validator import EmailNotValidError, validate_email  # 40 ms, and few requests need it

    try:
        return validate_email(typed.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        raise EmailMalformed() from None


def masked(address: str) -> str:
    """a...@example.org"""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}...@{domain}"
