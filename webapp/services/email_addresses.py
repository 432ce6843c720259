"""Confirming and changing the e-mail address of an account.

An address becomes the account's own only when a code sent to it is entered. The page must not tell whether an address
belongs to another account: it is the same, and that account's owner gets an e-mail about it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from ..domain.channels import EMAIL, Sent
from ..domain.codes import hash_of
from ..domain.names import key_of, without_marks
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

NO_MAIL = (".invalid", ".onion", ".arpa")
"""Top-level domains that no mail server has (RFC 6761, RFC 7686, RFC 3172)."""
for closed in ("local", "localhost", "test", "arpa"):  # the list is changed as the library's documentation shows
    if closed in SPECIAL_USE_DOMAIN_NAMES:
        SPECIAL_USE_DOMAIN_NAMES.remove(closed)


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
        """Sends a code to the address; if it is another account's, sends that account's owner a notice instead.

        Raises `EmailMalformed`, `TooSoon`, `TooManyAttempts` or `MailLimitReached`.
        """
        address, rule = normalize(typed), SlidingWindows((self.core.policy.email_sends,))
        key = key_of(address)
        # over all accounts: an attacker could use many of them to flood one mailbox
        recipient = Bucket(f"email-code-to:{hash_of(key)}", WithRefusal(rule, MailLimitReached))
        with self.core.db.write() as tx:
            code_id, code = self.codes.draw(tx, account.id, challenge, address, self._terms)
            self.attempts.count_within(tx, Bucket(f"email-code:{account.id}", rule), recipient)
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
        """The code that was sent for this challenge and is still valid."""
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
                    self._notify_old_address(tx, account, old, code.target)
                account.email = code.target
                self.notices.tell(tx, account, "email-confirmed", origin, email=code.target)
        except IntegrityError:  # another account confirmed it meanwhile, which the page must not tell
            account.email = old
            raise WrongCode() from None

    def undo(self, opened: OpenLink, origin: Origin) -> None:
        """Restores the earlier address and ends every session, an attacker's too. Raises `LinkInvalid`."""
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

    def _notify_old_address(self, tx: Transaction, account: Account, old: str, new: str) -> None:
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
    """The normalized address. Raises `EmailMalformed` for what no mail server would accept (RFC 5321, RFC 6531).

    Names of closed networks are accepted, such as office.local; whether mail arrives is for the operator's server.
    """
    visible = without_marks(unicodedata.normalize("NFKC", typed)).strip()
    try:
        parts = validate_email(visible, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise EmailMalformed() from None
    domain = parts.ascii_domain.lower()
    is_closed = domain == "localhost" or domain.endswith("home.arpa")
    if not is_closed and ("." not in domain or domain.endswith(NO_MAIL)):
        raise EmailMalformed()
    return parts.normalized


def masked(address: str) -> str:
    """The address with only the first character of its local part: a...@example.org."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}...@{domain}"
