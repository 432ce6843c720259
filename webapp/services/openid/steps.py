"""What has to happen before an app gets its answer: log-in, step-up, an enrollment, consent, or nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...models.database import Transaction
from ...models.registered_apps import KEY, PUBLIC, TWO_FACTOR
from ...models.user import User
from ..sessions import Sessions
from . import redirects
from .clients import Clients
from .connections import Connections
from .discovery import MFA, PHR, SFA
from .proofs import Proofs, Proved
from .requests import CONSENT, LOGIN, SELECT_ACCOUNT, AuthorizationError, CheckedRequest
from .signing_keys import SigningKeys
from .subjects import Subjects

ID_TOKEN = "JWT"  # noqa: S105  # the `typ` of ID tokens


@dataclass(frozen=True, slots=True)
class LogIn:
    """There is no session."""

    silent: ClassVar[str] = "login_required"
    """The error for an app that wants no page (OpenID Connect Core 1.0 section 3.1.2.6)."""


@dataclass(frozen=True, slots=True)
class StepUp:
    """The session's proof is too old or too weak. `password`: it begins with the password, else with a second factor;
    `method` is the slug of the one that the app needs, None for any."""

    password: bool
    method: str | None = None
    silent: str = "login_required"


@dataclass(frozen=True, slots=True)
class Enroll:
    """The account lacks a method that the app demands: any second factor, or a security key (`key`)."""

    key: bool
    silent: ClassVar[str] = "interaction_required"


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The account may not use the app."""

    silent: ClassVar[str] = "access_denied"


@dataclass(frozen=True, slots=True)
class Consent:
    """The user has to agree, or to choose the account."""

    silent: ClassVar[str] = "consent_required"


@dataclass(frozen=True, slots=True)
class Ready:
    """The app may have its answer, with what the session proved. `agreed`: the user was asked."""

    proved: Proved
    agreed: bool = False


Step = LogIn | StepUp | Enroll | Forbidden | Consent | Ready


@dataclass(frozen=True, slots=True)
class RequestContext:
    """When a request came, in Unix seconds, and `Session.token_hash` then; None without a session. `agreed_hash` is
    that of the session whose user agreed since."""

    at: int
    session_hash: str | None
    agreed_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    clients: Clients
    connections: Connections
    proofs: Proofs
    subjects: Subjects
    signing_keys: SigningKeys
    sessions: Sessions

    def next(self, asked: CheckedRequest, context: RequestContext, user: User | None) -> Step:
        """Raises `AuthorizationError` when another account than the hinted one is logged in."""
        if user is None:
            return LogIn()
        self.check_hint(asked, user)
        with self.sessions.core.db.read() as tx:
            return self.next_within(tx, asked, context, user)

    def next_within(self, tx: Transaction, asked: CheckedRequest, context: RequestContext, user: User) -> Step:
        """The same in the caller's transaction. Must come after `check_hint`, for a request that may have hints."""
        may_use = self.clients.may_use(tx, asked.app, user.account)
        connection = self.connections.find(tx, asked.app.id, user.account.id)
        if not may_use:
            return Forbidden()
        proved = self.proofs.of(user)
        missing = self._too_old(asked, context, user, proved) or self._too_weak(asked, user, proved)
        if missing is not None:
            return missing
        if context.agreed_hash == user.session.token_hash:
            return Ready(proved, agreed=True)
        agreed = connection is not None and set(asked.learned) <= set(connection.consented)
        if asked.prompts & {CONSENT, SELECT_ACCOUNT}:
            return Consent()
        on_device = asked.app.kind == PUBLIC and redirects.is_on_device(asked.reply.address)
        if asked.app.trusted and not on_device:
            return Ready(proved)
        return Ready(proved) if agreed and not asked.offline and not on_device else Consent()

    def check_hint(self, asked: CheckedRequest, user: User) -> None:
        """OpenID Connect Core 1.0 sections 3.1.2.1 (id_token_hint) and 5.5.1 (the claim `sub`).

        Must come before a transaction, because it reads keys. Raises `AuthorizationError`.
        """
        subject = self.subjects.of(asked.app, user.account.id)
        wanted = (asked.claims.get("id_token", {}).get("sub") or {}).get("value", subject)
        if asked.id_token_hint is not None:
            hint = self.signing_keys.verified(asked.id_token_hint, ID_TOKEN)
            if hint is None or hint.get("aud") != asked.app.client_id:
                raise AuthorizationError(
                    asked.reply, "invalid_request", "The id_token_hint is not a token of this app."
                )
            wanted = hint.get("sub") if hint.get("sub") != subject else wanted
        if wanted != subject:
            raise AuthorizationError(asked.reply, "login_required", "Another account is logged in.")

    def _too_old(self, asked: CheckedRequest, context: RequestContext, user: User, proved: Proved) -> Step | None:
        """`prompt=login`, and a `max_age` of the request or of the app.

        An age counts from now, however long the request has waited; but a proof that came after the request counts for
        a minute, so that no age is too short to read what the app learns. `prompt=login` and `max_age=0` ask for a
        proof that came after the request.
        """
        ages = [age for age in (asked.max_age, asked.app.max_age) if age is not None]
        is_anew, now, session = LOGIN in asked.prompts or 0 in ages, self.sessions.core.clock.now(), user.session
        for_this = max(context.at, now - self.sessions.core.policy.proof_for_request)
        times = [*([context.at] if is_anew else []), *(min(now - age, for_this) for age in ages if age)]
        if not times:
            return None
        since = max(times)
        is_unchanged = is_anew and session.token_hash == context.session_hash
        if proved.since(asked.app.proof) >= since and not is_unchanged:
            return None
        is_old = is_unchanged or (session.password_at or 0) < since
        acr = {KEY: PHR, TWO_FACTOR: MFA}.get(asked.app.proof, SFA)
        if not self.proofs.can_reach(user, acr):  # what was proved once is no longer on
            return Enroll(key=acr == PHR)
        return self._step_up(user, password=is_old or not user.factors, acr=acr, silent="login_required")

    def _too_weak(self, asked: CheckedRequest, user: User, proved: Proved) -> Step | None:
        if not proved.is_enough(asked.app.proof):
            acr = PHR if asked.app.proof == KEY else MFA
            if self.proofs.can_reach(user, acr):
                return self._step_up(user, acr=acr)
            return Enroll(key=acr == PHR)
        if not asked.acr_values or set(asked.acr_values) & set(proved.classes):
            return None
        possible = [acr for acr in asked.acr_values if self.proofs.can_reach(user, acr)]
        if possible:
            return self._step_up(user, acr=possible[0])
        if asked.essential_acr and set(asked.acr_values) & {MFA, PHR}:
            return Enroll(key=MFA not in asked.acr_values)
        if asked.essential_acr:
            raise AuthorizationError(
                asked.reply, "unmet_authentication_requirements", "No requested class can be proved here."
            )
        return None

    def _step_up(
        self, user: User, *, password: bool = False, acr: str = "", silent: str = "interaction_required"
    ) -> StepUp:
        method = self.proofs.method_for(user, acr)
        first = password or not self.sessions.password_is_fresh(user)
        return StepUp(first, method.slug if method is not None else None, silent)
