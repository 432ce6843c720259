"""Login requests from the side of approving devices: listed, approved, denied.

An approving device is recognized by its own token, logged in or not. A logged-in browser may list and deny requests,
but must not approve them: a thief could otherwise use a stolen session to approve further log-ins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select, update

from ...domain.codes import is_digits, tidy_digits
from ...domain.origin import Origin
from ...domain.refusals import NotFound
from ...domain.request_refusals import NotThisPhone, NumberMalformed, RequestEnded, WrongNumber
from ...models.accounts import Account
from ...models.database import changed_one_row
from ...models.factors import Factor
from ...models.login_requests import APPROVED, CANCELLED, DENIED, WAITING, WRONG, LoginRequest
from ...models.sessions import PendingLogin
from ...models.user import User
from ..core import Core
from ..method_kinds import OutOfBand
from ..notices import Notices
from .login_requests import LoginRequests

RECENT = 20  # requests in the list


@dataclass(frozen=True, slots=True)
class Viewer:
    """The accounts whose requests a browser may see, by id, and its factor where it is their approving device."""

    accounts: Mapping[int, Account]
    phones: Mapping[int, Factor]


@dataclass(frozen=True, slots=True)
class Approvals:
    core: Core
    requests: LoginRequests
    notices: Notices

    def viewer(self, method: OutOfBand, user: User | None, origin: Origin) -> Viewer | None:
        """None for a browser that is neither logged in nor an approving device."""
        phones: dict[int, Factor] = {}
        accounts = {} if user is None else {user.account.id: user.account}
        if origin.external_ids:
            query = select(Factor, Account).join(Account, Account.id == Factor.account_id).where(*_on(method, origin))
            with self.core.db.read() as tx:
                for phone, account in tx.objects.execute(query):
                    phones[account.id] = phone
                    accounts.setdefault(account.id, account)
        return Viewer(accounts, phones) if accounts else None

    def waiting_here(self, method: OutOfBand, origin: Origin) -> tuple[dict[int, str], list[LoginRequest]]:
        """For an approving device, logged in or not: the username of each of its accounts by id, and the requests to
        them that wait, newest first. One statement; empty for any other browser."""
        waiting = and_(LoginRequest.account_id == Factor.account_id, *self._waiting())
        query = (
            select(Account.id, Account.username, LoginRequest)
            .join_from(Factor, Account, Account.id == Factor.account_id)
            .outerjoin(LoginRequest, waiting)
            .where(*_on(method, origin))
            .order_by(LoginRequest.id.desc())
        )
        with self.core.db.read() as tx:
            rows = tx.objects.execute(query).all()
        return {number: username for number, username, _ in rows}, [
            request for *_, request in rows if request is not None
        ]

    def waiting_for(self, account_id: int) -> Sequence[LoginRequest]:
        """The requests of an account that wait for an answer, newest first."""
        query = select(LoginRequest).where(LoginRequest.account_id == account_id, *self._waiting())
        with self.core.db.read() as tx:
            return tx.objects.scalars(query.order_by(LoginRequest.id.desc())).all()

    def listed(self, viewer: Viewer) -> Sequence[LoginRequest]:
        """The newest requests first, including those that have ended."""
        query = select(LoginRequest).where(LoginRequest.account_id.in_(viewer.accounts))
        with self.core.db.read() as tx:
            return tx.objects.scalars(query.order_by(LoginRequest.id.desc()).limit(RECENT)).all()

    def one(self, viewer: Viewer, request_id: int) -> LoginRequest:
        """One request. Raises `NotFound`, also for another account's."""
        with self.core.db.read() as tx:
            request = tx.objects.get(LoginRequest, request_id)
        if request is None or request.account_id not in viewer.accounts:
            raise NotFound()
        return request

    def state(self, request: LoginRequest) -> str:
        return self.requests.state_of(request.state, request.made_at)

    def approve(self, viewer: Viewer, request_id: int, typed: str, origin: Origin) -> None:
        """Approves the request if the number is right, else ends it. The one attempt is committed before comparing.

        Raises `NotFound`, `NotThisPhone`, `NumberMalformed`, `RequestEnded` or `WrongNumber`.
        """
        request = self.one(viewer, request_id)
        phone = viewer.phones.get(request.account_id)
        if phone is None:
            raise NotThisPhone()
        number = tidy_digits(typed)
        if not is_digits(number):
            raise NumberMalformed()
        live = self._live(request)
        with self.core.db.write() as tx:
            untried = update(LoginRequest).where(*live, LoginRequest.tried_at.is_(None))
            if not changed_one_row(tx, untried.values(tried_at=self.core.clock.now())):
                raise RequestEnded()
        is_right = number in self.requests.numbers(request)
        with self.core.db.write() as tx:
            state = APPROVED if is_right else WRONG
            values = {"state": state, "ended_at": self.core.clock.now(), "factor_id": phone.id}
            if not changed_one_row(tx, update(LoginRequest).where(*live).values(values)):
                raise RequestEnded()
            kind = "request-approved" if is_right else "request-wrong"
            details = {"device": request.device, "name": phone.label}
            self.notices.record(tx, request.account_id, kind, origin, **details)
        if not is_right:
            raise WrongNumber()

    def deny(self, viewer: Viewer, request_id: int, origin: Origin) -> None:
        """Ends the request and its pending login, and warns the owner that another person has the password.

        Raises `NotFound` or `RequestEnded`.
        """
        request = self.one(viewer, request_id)
        account, now = viewer.accounts[request.account_id], self.core.clock.now()
        with self.core.db.write() as tx:
            denied = update(LoginRequest).where(*self._live(request))
            if not changed_one_row(tx, denied.values(state=DENIED, ended_at=now)):
                raise RequestEnded()
            query = select(PendingLogin).where(PendingLogin.account_id == account.id, PendingLogin.ended_at.is_(None))
            denied_ids = [pending.id for pending in tx.objects.scalars(query) if pending.challenge == request.challenge]
            tx.execute(update(PendingLogin).where(PendingLogin.id.in_(denied_ids)).values(ended_at=now))
            self.notices.tell(tx, account, "request-denied", origin, device=request.device)

    def cancel(self, viewer: Viewer, request_id: int, origin: Origin) -> None:
        """Ends the request and nothing else, because its owner made it. Raises `NotFound` or `RequestEnded`."""
        request = self.one(viewer, request_id)
        with self.core.db.write() as tx:
            cancelled = update(LoginRequest).where(*self._live(request))
            if not changed_one_row(tx, cancelled.values(state=CANCELLED, ended_at=self.core.clock.now())):
                raise RequestEnded()
            details = {"device": request.device}
            self.notices.record(tx, request.account_id, "request-cancelled", origin, **details)

    def _live(self, request: LoginRequest) -> tuple[ColumnElement[bool], ...]:
        return LoginRequest.id == request.id, *self._waiting()

    def _waiting(self) -> tuple[ColumnElement[bool], ...]:
        is_recent = self.core.within(LoginRequest.made_at, self.core.policy.request_seconds)
        return LoginRequest.state == WAITING, is_recent


def _on(method: OutOfBand, origin: Origin) -> tuple[ColumnElement[bool], ...]:
    """The factors of the method that the browser of `origin` is."""
    return (
        Factor.external_id.in_(origin.external_ids),
        Factor.method == method.slug,
        Factor.turned_off_at.is_(None),
    )
