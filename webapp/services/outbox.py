"""Adds messages to the outbox, in the transaction of the change they are about. Nothing may be sent here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from sqlalchemy import insert

from ..domain.language import ENGLISH, Language, speaking, spoken
from ..domain.origin import Origin
from ..domain.phone_numbers import PhoneNumber
from ..domain.ports import Email, LogOut, MessageRenderer, PushMessage, TextMessage
from ..models.accounts import Account
from ..models.database import Transaction
from ..models.messages import OWED, Message
from .core import Core

EMAIL, TEXT, PUSH, LOG_OUT = "email", "text", "push", "log-out"
NOWHERE = "nowhere"
"""The channel of an e-mail that is not sent, where the page must not tell that from one that is."""
UID_BYTES = 16  # random, and enough to be unique
INSERT_MESSAGE = insert(Message).returning(Message.id)  # built once, because every login from a new browser runs it


@dataclass(frozen=True, slots=True)
class Outbox:
    core: Core
    renderer: MessageRenderer
    languages: Mapping[str, Language]

    def post_email(
        self,
        tx: Transaction,
        *,
        to: str,
        template: str,
        account: Account | None,
        channel: str = EMAIL,
        lasts: int | None = None,
        **context: object,
    ) -> int:
        """Adds an e-mail, which is owed as soon as the caller's transaction commits, and returns its id.

        It is rendered when it is sent, in the account's language; without an account, in the current one. `context` is
        what its template reads besides the account's `name` and `username`: JSON values, and `origin`. On the channel
        `NOWHERE` it is never sent. With `lasts` it is useful for so many seconds, and not sent later.
        """
        if account is not None:
            context = {"name": account.name, "username": account.username, **context}
        content: dict[str, object] = {"to": to, "language": self.language_of(account).code, "context": context}
        if lasts is not None:
            content["until"] = self.core.clock.now() + lasts
        return self._owe(tx, channel, template, account, content)

    def post_text(
        self, tx: Transaction, *, to: PhoneNumber, template: str, account: Account, lasts: int, **context: object
    ) -> int:
        """The same for a text, which is one segment in every language and useful for `lasts` seconds."""
        with self.speaking_to(account):
            text = self.renderer.render_text_message(template, **context)
        until = self.core.clock.now() + lasts
        content = {"to": to.e164, "country": to.country, "text": text, "until": until}
        return self._owe(tx, TEXT, template, account, content)

    def post_push(
        self,
        tx: Transaction,
        *,
        template: str,
        account: Account,
        factor_id: int,
        subscription: str,
        text: str,
        lasts: int,
    ) -> int:
        """The same for a push to one approving device, useful for `lasts` seconds. `template` is its topic."""
        until = self.core.clock.now() + lasts
        content = {"subscription": subscription, "text": text, "until": until, "factor": factor_id}
        return self._owe(tx, PUSH, template, account, content)

    def post_log_out(self, tx: Transaction, told: LogOut, app_name: str) -> int:
        """The same for an app that is told of the end of a session. What it is sent is signed when it is sent."""
        return self._owe(tx, LOG_OUT, "app-log-out", None, asdict(told), app_name)

    def _owe(
        self,
        tx: Transaction,
        channel: str,
        template: str,
        account: Account | None,
        content: Mapping[str, object],
        app_name: str | None = None,
    ) -> int:
        tx.flush()  # an account added in this transaction gets its id now
        uid, now = self.core.entropy.bytes(UID_BYTES).hex(), self.core.clock.now()
        row = {
            "uid": uid,
            "channel": channel,
            "template": template,
            "account_id": account.id if account else None,
            "app_name": app_name,
            "sealed": self.core.keyring.seal(_as_json(content), bound_to=message_bound(uid)),
            "state": OWED,
            "attempts": 0,
            "made_at": now,
            "due_at": now,
        }
        return int(tx.execute(INSERT_MESSAGE, row).scalar_one())

    def read(self, message: Message) -> Email | TextMessage | PushMessage | LogOut:
        """The message as it is sent.

        Raises `ValueError` when its content was removed or its key is missing, and what the renderer raises.
        """
        if message.sealed is None:
            raise ValueError("the content of this message is no longer kept")
        content = json.loads(self.core.keyring.open(message.sealed, bound_to=message_bound(message.uid)))
        # not longer than at first, which it would of a clock that was ahead
        lasts = content.get("until", 0) - max(self.core.clock.now(), message.made_at)
        if message.channel == TEXT:
            return TextMessage(message.uid, content["to"], content["text"], lasts)
        if message.channel == PUSH:
            what = message.template, content["subscription"], content["text"]
            return PushMessage(message.uid, *what, lasts, content["factor"])
        if message.channel == LOG_OUT:
            return LogOut(**content)
        if "html" in content:  # a version before this one rendered it when it was added
            return Email(message.uid, content["to"], content["subject"], content["text"], content["html"])
        with speaking(self.languages.get(content["language"], ENGLISH)):
            email = self.renderer.render_email(message.template, **content["context"])
        ends = lasts if "until" in content else None
        return Email(message.uid, content["to"], email.subject, email.text, email.html, ends)

    def language_of(self, account: Account | None) -> Language:
        """The language of messages to an account; without one, the current language."""
        return spoken() if account is None else self.languages.get(account.language, ENGLISH)

    def speaking_to(self, account: Account | None) -> AbstractContextManager[None]:
        """Sets that language, for sentences in a message: they must not be in the language of the request."""
        return speaking(self.language_of(account))


def _as_json(content: Mapping[str, object]) -> str:
    """An `Origin` becomes what messages say of it."""
    return json.dumps(content, ensure_ascii=False, default=_as_said)


def _as_said(value: object) -> Mapping[str, str]:
    if isinstance(value, Origin):
        return {"address": value.address, "user_agent": value.user_agent}
    raise TypeError(f"a message cannot have a {type(value).__name__}")


def message_bound(uid: str) -> str:
    """What the content of a message is bound to."""
    return f"message:{uid}"
