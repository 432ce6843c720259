"""What the site owes people in writing. A letter is committed with the change that owes it, and never sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..domain.language import ENGLISH, Language, speaking, spoken
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Email, MessageRenderer, PushMessage, TextMessage
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.messages import OWED, Message
from .core import Core

EMAIL, TEXT, PUSH = "email", "text", "push"
UID_BYTES = 16  # enough that no two messages ever share one


@dataclass(frozen=True, slots=True)
class Outbox:
    core: Core
    renderer: MessageRenderer
    languages: Mapping[str, Language]

    def post_email(
        self, tx: Transaction, *, to: str, template: str, account: Account | None, **facts: object
    ) -> Message:
        """Owes `to` a letter as soon as the caller's transaction commits.

        It is written in the account's own language; with no account, in the one now spoken.
        """
        tx.objects.flush()  # an account made in this transaction has its id only now
        with self.speaking_to(account):
            letter = self.renderer.render_email(template, **facts)
        content = {"to": to, "subject": letter.subject, "text": letter.text, "html": letter.html}
        return self._owe(tx, EMAIL, template, account, content)

    def post_text(
        self, tx: Transaction, *, to: PhoneNumber, template: str, account: Account, lasts: int, **facts: object
    ) -> Message:
        """The same for a text, which fits in one segment in every language and is of use for `lasts` seconds."""
        with self.speaking_to(account):
            text = self.renderer.render_text_message(template, **facts)
        until = self.core.clock.now() + lasts
        content = {"to": to.e164, "country": to.country, "text": text, "until": until}
        return self._owe(tx, TEXT, template, account, content)

    def post_push(
        self, tx: Transaction, *, account: Account, factor_id: int, subscription: str, text: str, lasts: int
    ) -> Message:
        """The same for a push to one phone, of use for `lasts` seconds."""
        until = self.core.clock.now() + lasts
        content = {"subscription": subscription, "text": text, "until": until, "factor": factor_id}
        return self._owe(tx, PUSH, "login-request", account, content)

    def _owe(
        self, tx: Transaction, channel: str, template: str, account: Account | None, content: Mapping[str, object]
    ) -> Message:
        uid, now = self.core.entropy.bytes(UID_BYTES).hex(), self.core.clock.now()
        message = Message(
            uid=uid,
            channel=channel,
            template=template,
            account_id=account.id if account else None,
            sealed=self.core.keyring.seal(json.dumps(content, ensure_ascii=False), bound_to=message_bound(uid)),
            state=OWED,
            attempts=0,
            made_at=now,
            due_at=now,
        )
        tx.objects.add(message)
        tx.objects.flush()
        return message

    def read(self, message: Message) -> Email | TextMessage | PushMessage:
        """The message as it goes out. Raises `ValueError` when its content is gone or its key is."""
        if message.sealed is None:
            raise ValueError("the content of this message is no longer kept")
        content = json.loads(self.core.keyring.open(message.sealed, bound_to=message_bound(message.uid)))
        if message.channel == TEXT:
            return TextMessage(message.uid, content["to"], content["text"], content["until"] - self.core.clock.now())
        if message.channel == PUSH:
            lasts = content["until"] - self.core.clock.now()
            return PushMessage(message.uid, content["subscription"], content["text"], lasts, content["factor"])
        return Email(message.uid, content["to"], content["subject"], content["text"], content["html"])

    def speaking_to(self, account: Account | None) -> AbstractContextManager[None]:
        """For facts that are sentences themselves: they must be in the letter's language, not in the request's."""
        return speaking(spoken() if account is None else self.languages.get(account.language, ENGLISH))


def message_bound(uid: str) -> str:
    """What the content of a message is bound to."""
    return f"message:{uid}"
