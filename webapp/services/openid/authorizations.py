"""The authorization endpoint: a request of an app, until the app has its code or an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from ...domain.codes import draw_token, hash_of
from ...domain.origin import Origin
from ...models.accounts import share_account
from ...models.app_logins import AGREED, CANCELED, AppAuthorization, AuthorizationRequest
from ...models.database import Transaction, changed_one_row
from ...models.registered_apps import RegisteredApp
from ...models.user import User
from ..attempt_rules import SlidingWindows
from ..attempts import Attempts, Bucket
from ..core import Core
from ..notices import Notices
from ..sessions import Sessions
from .back_channel import BackChannel
from .claims import allowed
from .clients import Clients
from .connections import Connections
from .requests import KNOWN, AuthorizationError, CheckedRequest, Parameters, ReplyTo, Unanswerable, check, reply_to
from .steps import Forbidden, Ready, RequestContext, Step, Steps


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app is sent, through the browser."""

    reply: ReplyTo
    parameters: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """A stored request."""

    id: int
    asked: CheckedRequest
    context: RequestContext
    canceled: bool


@dataclass(frozen=True, slots=True)
class Authorizations:
    core: Core
    attempts: Attempts
    issuer: str
    clients: Clients
    connections: Connections
    steps: Steps
    back_channel: BackChannel
    sessions: Sessions
    notices: Notices

    def ask(self, parameters: Parameters) -> CheckedRequest:
        """The checked request. Raises `Unanswerable`, or `AuthorizationError`."""
        return check(*self.addressed(parameters), parameters)

    def addressed(self, parameters: Parameters) -> tuple[RegisteredApp, ReplyTo]:
        """The app and where its answer goes, and no other check. Raises `Unanswerable`."""
        client_id = dict(parameters).get("client_id", "")
        return reply_to(self.clients.app(client_id), parameters)

    def keep(self, app: RegisteredApp, parameters: Parameters, user: User | None, origin: Origin) -> str:
        """Stores what is understood of the request, for a person. Returns the handle that its address has.

        Raises `Unanswerable` for a request that is too long, and `TooManyAttempts` for too many without a session.
        """
        known = [[name, value] for name, value in parameters if name in KNOWN]
        if sum(len(name) + len(value) for name, value in known) > self.core.policy.authorize_characters:
            raise Unanswerable("long")
        if user is None:
            count_request(self.attempts, origin)
        handle = draw_token(self.core.entropy)
        values = {
            "handle_hash": hash_of(handle),
            "app_id": app.id,
            "parameters": known,
            "asked_at": self.core.clock.now(),
            "session_hash": user.session.token_hash if user is not None else None,
        }
        with self.core.db.write() as tx:
            tx.execute(insert(AuthorizationRequest).values(values))
        return handle

    def find(self, handle: str) -> PendingRequest:
        """The stored request, checked again: the operator may have changed the app. Raises as `ask` does, and
        `Unanswerable` for one that was answered or is too old."""
        row, seconds = AuthorizationRequest, self.core.policy.authorization_request_seconds
        is_recent = self.core.within(row.asked_at, seconds)
        live = row.handle_hash == hash_of(handle), row.answered_at.is_(None), is_recent
        with self.core.db.read() as tx:
            found = tx.execute(select(row.__table__).where(*live)).one_or_none()
        if found is None:
            raise Unanswerable("expired")
        parameters = [(name, value) for name, value in found.parameters]
        agreed = found.decided_hash if found.decision == AGREED else None
        context = RequestContext(found.asked_at, found.session_hash, agreed)
        return PendingRequest(found.id, self.ask(parameters), context, found.decision == CANCELED)

    def now(self, user: User | None) -> RequestContext:
        """The context of a request that comes now."""
        return RequestContext(self.core.clock.now(), user.session.token_hash if user is not None else None)

    def next(self, asked: CheckedRequest, context: RequestContext, user: User | None) -> Step:
        """What is to happen next. Raises `AuthorizationError`, for all of it when the app wants no page."""
        step = self.steps.next(asked, context, user)
        if asked.reply.is_silent and not isinstance(step, Ready):
            raise AuthorizationError(asked.reply, step.silent, "A page would be needed, but prompt is none.")
        return step

    def grant(
        self, user: User, asked: CheckedRequest, context: RequestContext, origin: Origin, waiting: int | None = None
    ) -> Answer:
        """The code for the app. `waiting` is the id of the stored request.

        Raises `Unanswerable` when more is needed or it was answered meanwhile, `LoginExpired` when the session was
        ended, and `AuthorizationError` as `next` does.
        """
        self.steps.check_hint(asked, user)
        code = draw_token(self.core.entropy)
        with self.core.db.write() as tx:
            share_account(tx, user.account)
            self.sessions.demand_open(tx, user.session)
            step = self.steps.next_within(tx, asked, context, user)
            if not isinstance(step, Ready):
                raise Unanswerable("access" if isinstance(step, Forbidden) else "unproved")
            self._answered(tx, waiting)
            self.give(tx, user, asked, step, code, origin)
        return self.answer(asked.reply, code=code)

    def give(
        self,
        tx: Transaction,
        user: User,
        asked: CheckedRequest,
        step: Ready,
        code: str,
        origin: Origin,
        *,
        event: str = "",
    ) -> int:
        """Stores what the app is given, and returns its `AppAuthorization.id`. The caller has judged that it may be.

        `event` is recorded for the owner; by default only the first use of an app is.
        """
        proved, sid = step.proved, self.steps.subjects.session(asked.app, user.session.id)
        given: int = tx.execute(
            insert(AppAuthorization)
            .returning(AppAuthorization.id)
            .values(
                uid=draw_token(self.core.entropy)[:32],
                app_id=asked.app.id,
                account_id=user.account.id,
                session_id=user.session.id,
                code_hash=hash_of(code),
                redirect_uri=asked.reply.address,
                code_challenge=asked.code_challenge,
                dpop_jkt=asked.dpop_jkt,
                scopes=list(asked.scopes),
                claims=allowed(asked.claims, asked.app.scopes),
                resource=asked.resource,
                nonce=asked.nonce,
                auth_time=proved.at,
                acr=proved.told(asked.acr_values),
                amr=list(proved.methods),
                sid=sid,
                offline=asked.offline,
                made_at=self.core.clock.now(),
            )
        ).scalar_one()
        self.back_channel.note(tx, asked.app.id, user.session, sid)
        is_first = self.connections.note(tx, asked.app, user.account, asked.learned, agreed=step.agreed)
        if event or is_first:
            self.notices.record(tx, user.account.id, event or "app-connected", origin, name=asked.app.name)
        used = update(RegisteredApp).where(RegisteredApp.id == asked.app.id)
        tx.execute(used.values(used_at=self.core.clock.now()))
        return given

    def decide(self, waiting: PendingRequest, user: User | None, *, agreed: bool) -> None:
        """Stores what the user of this session decided; the app gets its answer then. Without a session, a request can
        only be canceled. Raises `Unanswerable`."""
        unanswered = AuthorizationRequest.id == waiting.id, AuthorizationRequest.answered_at.is_(None)
        values = {"decision": AGREED if agreed else CANCELED, "decided_hash": user and user.session.token_hash}
        with self.core.db.write() as tx:
            if not changed_one_row(tx, update(AuthorizationRequest).where(*unanswered).values(values)):
                raise Unanswerable("answered")

    def cancel(self, waiting: PendingRequest) -> AuthorizationError:
        """The error for the app of a request that its user canceled. Raises `Unanswerable`."""
        with self.core.db.write() as tx:
            self._answered(tx, waiting.id)
        return AuthorizationError(waiting.asked.reply, "access_denied", "The user canceled the request.")

    def answer(self, reply: ReplyTo, **parameters: str) -> Answer:
        """With `state` as it was sent, and `iss` (RFC 9207)."""
        given = [*parameters.items(), *([("state", reply.state)] if reply.state is not None else [])]
        return Answer(reply, [*given, ("iss", self.issuer)])

    def refuse(self, error: AuthorizationError, number: str) -> Answer:
        """`number` is the error id under which it was noted."""
        facts = {"error": error.code, "error_description": error.description, "error_id": number}
        return self.answer(error.reply, **facts)

    def _answered(self, tx: Transaction, waiting: int | None) -> None:
        """A stored request is answered once."""
        if waiting is None:
            return
        unanswered = AuthorizationRequest.id == waiting, AuthorizationRequest.answered_at.is_(None)
        if not changed_one_row(
            tx, update(AuthorizationRequest).where(*unanswered).values(answered_at=self.core.clock.now())
        ):
            raise Unanswerable("answered")


def count_request(attempts: Attempts, origin: Origin) -> None:
    """Counts a request that is stored without a session. Raises `TooManyAttempts`."""
    rule = SlidingWindows((attempts.core.policy.authorize_requests,))
    attempts.count(Bucket(f"authorize-from:{origin.rate_limit_key}", rule))
