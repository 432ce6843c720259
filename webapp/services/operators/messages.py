"""What the outbox sent and what failed, and a test message, which is sent at once: the one that no worker sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from ...domain.ports import OTHER_FAULT, Email, Mail, TextMessage, TextMessages, Undelivered
from ...domain.refusals import EmailRequired, Refusal
from ...models.accounts import Account
from ...models.messages import FAILED, Message
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..outbox import EMAIL, NOWHERE, TEXT, UID_BYTES, Outbox
from ..phone_numbers import PhoneNumbers
from .acts import Actor, Acts

log = structlog.get_logger()
TEMPLATE = "test"
KEPT = "kept"
"""The outcome on a site without a server: the message went nowhere."""


@dataclass(frozen=True, slots=True)
class Tested:
    """How one test message went: `fault` is None when it was taken, else a fault of `domain/ports.py`, or `KEPT`."""

    channel: str
    fault: str | None = None
    complaint: str = ""
    refusal: Refusal | None = None
    """A limit of this site, because of which nothing was sent."""


@dataclass(frozen=True, slots=True)
class OperatedMessages:
    core: Core
    acts: Acts
    attempts: Attempts
    outbox: Outbox
    numbers: PhoneNumbers
    mail: Mail
    texts: TextMessages

    def newest(self, *, failed: bool = False) -> Sequence[Message]:
        """The newest messages, or those that failed. Their content and recipients are sealed."""
        wanted = [Message.channel != NOWHERE, *([Message.state == FAILED] if failed else [])]
        query = select(Message).where(*wanted).order_by(Message.id.desc()).limit(self.core.policy.messages_shown)
        with self.core.db.read() as tx:
            return tx.objects.scalars(query).all()

    def test(self, account: Account, actor: Actor) -> list[Tested]:
        """Sends an email to the operator's confirmed address and, where there is a number, a text to it.

        Each takes at most `mail_timeout` or `text_timeout` seconds. Raises `TooManyAttempts`, and `EmailRequired`.
        """
        if account.email is None:
            raise EmailRequired()
        rule = SlidingWindows((self.core.policy.test_messages,))
        self.attempts.count(Bucket(f"test-messages:{account.id}", rule, account.id))
        with self.acts.write(actor) as act:
            act.note("operator-message-tested")
        results = [self._email(account, account.email)]
        if account.phone_number is not None and self.texts.available:
            results.append(self._text(account, actor))
        for result in results:
            log.info("test_message", channel=result.channel, fault=result.fault, complaint=result.complaint)
        return results

    def _email(self, account: Account, to: str) -> Tested:
        with self.outbox.speaking_to(account):
            made = self.outbox.renderer.render_email(TEMPLATE, name=account.name, username=account.username)
        email = Email(self._uid(), to, made.subject, made.text, made.html)
        return _tried(EMAIL, self.mail.keeps, lambda: self.mail.send(email))

    def _text(self, account: Account, actor: Actor) -> Tested:
        """The text is counted as every other one is."""
        uid = self._uid()
        try:
            number = self.numbers.count_text(account, f"test:{uid}", actor.origin)
        except Refusal as refusal:
            return Tested(TEXT, OTHER_FAULT, refusal=refusal)
        with self.outbox.speaking_to(account):
            text = self.outbox.renderer.render_text_message(TEMPLATE)
        message = TextMessage(uid, number.e164, text, self.core.policy.text_code_seconds)
        return _tried(TEXT, self.texts.keeps, lambda: self.texts.send(message))

    def _uid(self) -> str:
        return self.core.entropy.bytes(UID_BYTES).hex()


def _tried(channel: str, keeps: bool, send: Callable[[], None]) -> Tested:
    if keeps:
        return Tested(channel, KEPT)
    try:
        send()
    except Undelivered as error:
        return Tested(channel, error.fault, str(error))
    return Tested(channel)
