"""Pushes about login requests: to which approving devices, with which text, and when none is sent.

A push must not contain the number: a person who sees the phone's lock screen must not learn what to type.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select, update

from ...domain.devices import device
from ...domain.language import gettext, spoken
from ...domain.ports import KeyMissing, Places, PushMessage
from ...models.accounts import Account
from ...models.database import Transaction
from ...models.factors import Factor, factor_bound
from ...models.login_requests import APPROVED, DENIED, USED, LoginRequest
from ..core import Core
from ..notices import sentence_for, subject_for
from ..outbox import Outbox

TOPIC = "login-request"
DECLARATIVE = 8030  # the value that marks Declarative Web Push, after RFC 8030
ANSWERS = (APPROVED, USED, DENIED)


@dataclass(frozen=True, slots=True)
class RequestPushes:
    core: Core
    outbox: Outbox
    places: Places
    site_name: str
    mobile_url: str
    """The URL of the mobile host, whose pages the notifications open."""
    are_sent: bool
    """False when the site cannot send pushes."""

    def post(
        self, tx: Transaction, account: Account, phones: Sequence[Factor], request: LoginRequest, list_path: str
    ) -> None:
        """Adds a push to the outbox for each device with a subscription, unless denials have paused them."""
        if not self.are_sent or self._is_paused(tx, account.id):
            return
        lasts = self.core.policy.request_seconds
        for phone in phones:
            text = self._text(account, request, f"{self.mobile_url}{list_path}/{request.id}")
            self._owe(tx, account, phone, TOPIC, text, lasts)

    def warn(self, tx: Transaction, account: Account, kind: str, details: dict[str, str | int]) -> None:
        """Adds a push about an event to the outbox, for each device of the account with a subscription."""
        if not self.are_sent:
            return
        on = Factor.account_id == account.id, Factor.turned_off_at.is_(None)
        for phone in tx.objects.scalars(select(Factor).where(*on)).all():
            if json.loads(phone.attributes).get("pushes"):
                with self.outbox.speaking_to(account):
                    text = self._notification(
                        title=subject_for(kind, details),
                        body=sentence_for(kind, details),
                        navigate=f"{self.mobile_url}/",
                        tag=kind,
                    )
                self._owe(tx, account, phone, kind, text, self.core.policy.text_warning_seconds)

    def _owe(self, tx: Transaction, account: Account, phone: Factor, topic: str, text: str, lasts: int) -> None:
        """Adds the push to the outbox, if the device has a subscription that can be opened."""
        subscription = ""
        with suppress(KeyMissing):  # a push is only a hint
            subscription = self.core.keyring.open(phone.sealed, factor_bound(account.id, phone.method))
        if subscription:
            self.outbox.post_push(
                tx,
                template=topic,
                account=account,
                factor_id=phone.id,
                subscription=subscription,
                text=text,
                lasts=lasts,
            )

    def drop(self, message: PushMessage) -> None:
        """Deletes a subscription that no longer exists. The device stays on, and may subscribe again."""
        with self.core.db.write() as tx:
            phone = tx.objects.get(Factor, message.factor_id)
            if phone is None:
                return
            bound = factor_bound(phone.account_id, phone.method)
            if self.core.keyring.open(phone.sealed, bound) == message.subscription:
                attributes = json.dumps({**json.loads(phone.attributes), "pushes": False})
                same = Factor.id == phone.id, Factor.sealed == phone.sealed
                tx.execute(
                    update(Factor).where(*same).values(sealed=self.core.keyring.seal("", bound), attributes=attributes)
                )

    def _is_paused(self, tx: Transaction, account_id: int) -> bool:
        """True for an hour after two denials in a row: the owner did not make those requests."""
        answered = LoginRequest.account_id == account_id, LoginRequest.state.in_(ANSWERS)
        newest = select(LoginRequest.state, LoginRequest.ended_at).where(*answered)
        rows = tx.execute(newest.order_by(LoginRequest.id.desc()).limit(self.core.policy.denials_that_pause)).all()
        if len(rows) < self.core.policy.denials_that_pause or any(state != DENIED for state, _ in rows):
            return False
        return self.core.is_within(rows[0][1] or 0, self.core.policy.pushes_paused)

    def _text(self, account: Account, request: LoginRequest, url: str) -> str:
        """Declarative Web Push JSON, in the account's language; our service worker reads it too."""
        with self.outbox.speaking_to(account):
            where = self.places.near(request.address) or request.address
            return self._notification(
                title=gettext("Are you trying to log in to %(site)s?", site=self.site_name),
                body=gettext("%(device)s, %(place)s", device=device(request.device), place=where),
                navigate=url,
                tag=TOPIC,
                actions=[
                    {"action": "review", "title": gettext("Review"), "navigate": url},
                    {"action": "deny", "title": gettext("Deny"), "navigate": f"{url}#deny"},
                ],
            )

    def _notification(self, *, title: str, body: str, navigate: str, tag: str, **more: object) -> str:
        language = {"lang": spoken().code.replace("_", "-"), "dir": spoken().direction}
        shown = {"title": title, "body": body, **language, "navigate": navigate, "tag": tag, "requireInteraction": True}
        return json.dumps({"web_push": DECLARATIVE, "notification": {**shown, **more}}, ensure_ascii=False)
