"""Log-ins to apps on devices without a browser (RFC 8628): from the device's request to the approval in a browser.

The person types the code by hand in a session, and only that session sees the request and answers it. So a link
leads no user to approve a device (RFC 8628 section 5.4).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...domain.refusals import ChallengeExhausted, CodeAlreadyUsed, CodeExpired, CodeRefusal, StepClosed, WrongCode
from ...models.accounts import share_account
from ...models.database import Transaction, changed_one_row
from ...models.device_logins import APPROVED, DENIED, WAITING, DeviceRequest
from ...models.registered_apps import RegisteredApp
from ...models.user import User
from ..attempt_rules import SlidingWindows, Total
from ..attempts import Attempts, Bucket
from ..core import Core
from .authorizations import Authorizations
from .discovery import MODES
from .requests import CONSENT, CheckedRequest, ReplyTo
from .steps import Ready, RequestContext, Step, Steps

CONSONANTS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 section 6.1: no vowels, so that no word comes out, and no digits, which look like letters."""
LENGTH = 8
BOUND = "device-user-code"


@dataclass(frozen=True, slots=True)
class Shown:
    """A request, its app and what is left to do, for the person who typed its code."""

    row: DeviceRequest
    asked: CheckedRequest
    step: Step


@dataclass(frozen=True, slots=True)
class DeviceRequests:
    core: Core
    attempts: Attempts
    steps: Steps
    authorizations: Authorizations

    # -- The device ------------------------------------------------------------------------------------

    def count(self, origin: Origin) -> None:
        """Counts a request before it is stored, by network. Raises `TooManyAttempts`."""
        rule = SlidingWindows((self.core.policy.device_requests,))
        self.attempts.count(Bucket(f"device-from:{origin.network}", rule))

    def draw_user_code(self) -> str:
        return "".join(CONSONANTS[self.core.entropy.below(len(CONSONANTS))] for _ in range(LENGTH))

    def keep(self, tx: Transaction, app: RegisteredApp, scopes: Sequence[str], codes: Any, origin: Origin) -> None:
        """Stores a request. `codes` has `device_code` and `user_code`."""
        values = {
            "device_code_hash": hash_of(codes["device_code"]),
            "user_code_mac": self.core.keyring.mac(tidy_user_code(codes["user_code"]), BOUND),
            "app_id": app.id,
            "scopes": list(scopes),
            "asked_at": self.core.clock.now(),
            "address": origin.address,
            "device": origin.device,
            "interval": self.core.policy.device_interval,
        }
        tx.execute(insert(DeviceRequest).values(values))

    def by_device_code(self, tx: Transaction, app_id: int, device_code: str) -> DeviceRequest | None:
        own = DeviceRequest.app_id == app_id, DeviceRequest.device_code_hash == hash_of(device_code)
        return tx.objects.scalars(select(DeviceRequest).where(*own)).one_or_none()

    def is_expired(self, row: DeviceRequest) -> bool:
        return not self.core.is_within(row.asked_at, self.core.policy.device_code_seconds)

    def is_too_early(self, tx: Transaction, row: DeviceRequest) -> bool:
        """Notes a poll. True for one that came too early, which makes the interval longer (RFC 8628 section 3.5)."""
        now, table = self.core.clock.now(), DeviceRequest
        is_in_time = table.polled_at.is_(None) | (table.polled_at <= now - table.interval)
        if changed_one_row(tx, update(table).where(table.id == row.id, is_in_time).values(polled_at=now)):
            return False
        slower = {"polled_at": now, "interval": table.interval + self.core.policy.device_interval}
        tx.execute(update(table).where(table.id == row.id).values(slower))
        return True

    def use(self, tx: Transaction, row: DeviceRequest) -> bool:
        """True once for each approved request."""
        unused = DeviceRequest.id == row.id, DeviceRequest.state == APPROVED, DeviceRequest.used_at.is_(None)
        return changed_one_row(tx, update(DeviceRequest).where(*unused).values(used_at=self.core.clock.now()))

    # -- The person ------------------------------------------------------------------------------------

    def type(self, user: User, typed: str, origin: Origin) -> int:
        """The id of the request whose code was typed. It now belongs to this session.

        Counted before it is compared; a right code is not counted. Raises `WrongCode`, `CodeExpired`,
        `CodeAlreadyUsed`, `ChallengeExhausted` and `TooManyAttempts`.
        """
        policy, session = self.core.policy, user.session
        buckets = (
            Bucket(f"device-code-session:{session.id}", Total(policy.device_codes_session)),
            Bucket(f"device-code-network:{origin.network}", SlidingWindows((policy.device_codes_network,))),
        )
        counts = self.attempts.count(*buckets)
        macs = self.core.keyring.macs(tidy_user_code(typed), BOUND)
        of_code = select(DeviceRequest.id).where(DeviceRequest.user_code_mac.in_(macs), *self._waiting())
        values = {"typed_at": self.core.clock.now(), "session_id": session.id, "session_hash": session.token_hash}
        with self.core.db.write() as tx:
            found = tx.scalars(of_code).all()
            # two devices with one code cannot be told apart
            one = DeviceRequest.id.in_(found[:1]), *self._waiting()
            if len(found) == 1 and changed_one_row(tx, update(DeviceRequest).where(*one).values(values)):
                self.attempts.take_back(tx, *buckets)
                return int(found[0])
        left = policy.device_codes_session - counts[buckets[0].name]
        raise self._refusal_of(macs, left) if left else ChallengeExhausted()

    def _refusal_of(self, macs: Sequence[str], left: int) -> CodeRefusal:
        """Why no request waits for this code. Who is told has typed all of it, and it opens nothing anymore."""
        of_code = select(DeviceRequest.state).where(DeviceRequest.user_code_mac.in_(macs))
        with self.core.db.read() as tx:
            state = tx.scalar(of_code.order_by(DeviceRequest.id.desc()).limit(1))
        if state is None:
            return WrongCode(left)
        return CodeExpired(left) if state == WAITING else CodeAlreadyUsed(left)

    def find(self, user: User, request_id: int) -> Shown:
        """The request whose code was typed in this session. Raises `CodeExpired`."""
        with self.core.db.read() as tx:
            row, app = self._typed(tx, user, request_id, *self._waiting())
        asked = _asked(app, row)
        return Shown(row, asked, self.steps.next(asked, self._context(row), user))

    def approve(self, user: User, request_id: int, origin: Origin) -> None:
        """Gives the device what it waits for.

        Account, app and proof are judged as they are in this transaction. Raises `CodeExpired`, also for a request that
        was answered, `LoginExpired`, and `StepClosed` when a log-in step or an enrollment has to come first.
        """
        self.steps.subjects.ready()
        with self.core.db.write() as tx:
            share_account(tx, user.account)
            self.authorizations.sessions.demand_open(tx, user.session)
            row, app = self._decide(tx, user, request_id, APPROVED)
            asked, context = _asked(app, row), replace(self._context(row), agreed_hash=user.session.token_hash)
            step = self.steps.next_within(tx, asked, context, user)
            if not isinstance(step, Ready):
                raise StepClosed()
            code = draw_token(self.core.entropy)  # its row needs one; no one is told this one
            given = self.authorizations.give(tx, user, asked, step, code, origin, event="device-connected")
            agreed = {"authorization_id": given, "scopes": list(asked.scopes)}
            tx.execute(update(DeviceRequest).where(DeviceRequest.id == row.id).values(agreed))

    def deny(self, user: User, request_id: int, origin: Origin) -> None:
        """Raises `CodeExpired`, also for a request that was answered."""
        with self.core.db.write() as tx:
            _, app = self._decide(tx, user, request_id, DENIED)
            self.authorizations.notices.record(tx, user.account.id, "device-denied", origin, name=app.name)

    def _decide(self, tx: Transaction, user: User, request_id: int, state: str) -> tuple[DeviceRequest, RegisteredApp]:
        """Answers a request once."""
        waiting = *self._own(user, request_id), *self._waiting()
        if not changed_one_row(tx, update(DeviceRequest).where(*waiting).values(state=state)):
            raise CodeExpired()
        return self._typed(tx, user, request_id)

    def _typed(
        self, tx: Transaction, user: User, request_id: int, *which: ColumnElement[bool]
    ) -> tuple[DeviceRequest, RegisteredApp]:
        joined = select(DeviceRequest, RegisteredApp).join(RegisteredApp, RegisteredApp.id == DeviceRequest.app_id)
        own = joined.where(*self._own(user, request_id), RegisteredApp.device_allowed, *which)
        found = tx.objects.execute(own).one_or_none()
        if found is None:
            raise CodeExpired()
        return found[0], found[1]

    def _own(self, user: User, request_id: int) -> tuple[ColumnElement[bool], ...]:
        return DeviceRequest.id == request_id, DeviceRequest.session_id == user.session.id

    def _context(self, row: DeviceRequest) -> RequestContext:
        return RequestContext(row.typed_at or row.asked_at, row.session_hash)

    def _waiting(self) -> tuple[ColumnElement[bool], ...]:
        is_recent = self.core.within(DeviceRequest.asked_at, self.core.policy.device_code_seconds)
        return DeviceRequest.state == WAITING, is_recent


def tidy_user_code(typed: str) -> str:
    """Upper case, and without all characters that no code has, such as the hyphen and spaces (RFC 8628 section 6.1)."""
    return "".join(c for c in unicodedata.normalize("NFKC", typed).upper() if c in CONSONANTS)


def _asked(app: RegisteredApp, row: DeviceRequest) -> CheckedRequest:
    """What the device asks for. A person is always asked, whatever they agreed to before."""
    reply = ReplyTo(app.client_id, "", MODES[0], None, is_silent=False)
    scopes = [scope for scope in row.scopes if scope in app.scopes]
    prompts = frozenset({CONSENT})
    return CheckedRequest(app, reply, scopes, None, None, prompts, None, (), False, {}, "", None, (), None, None)
