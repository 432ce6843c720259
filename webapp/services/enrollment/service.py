"""The enrollment of any method: which step is shown, what its buttons do, and how the factor is turned on."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import and_, delete, insert, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from ...domain.origin import Origin
from ...domain.refusals import AlreadyDone, EmailRequired, FactorExists, NotFresh, Refusal, StepClosed
from ...models.accounts import lock_for_change
from ...models.database import Transaction, changed_one_row
from ...models.drafts import Draft, draft_bound
from ...models.factors import Factor, factor_bound, sole_external_id
from ...models.user import SessionToken, User
from ..account_lookup import has_factor
from ..attempts import Attempts
from ..backup_codes import BackupCodes
from ..core import Core
from ..email_addresses import EmailAddresses
from ..method import Answers, Method, NewFactor, Step, Visit
from ..method_kinds import Several
from ..notices import Notices
from ..password_proof import PasswordProof
from ..sessions import Sessions
from . import progress
from .common_steps import plan


@dataclass(frozen=True, slots=True)
class Enrollment:
    core: Core
    attempts: Attempts
    sessions: Sessions
    password_proof: PasswordProof
    email_addresses: EmailAddresses
    backup_codes: BackupCodes
    notices: Notices

    def visit(self, user: User, method: Method, origin: Origin, step: str | None = None) -> Visit:
        """The enrollment in its present state, with its draft unless that was not used for 30 minutes.

        Of a method that an account may have several of, a finished draft counts for the last step only: any other
        `step` begins a new enrollment.
        """
        query = select(Draft).where(Draft.account_id == user.account.id, Draft.method == method.slug)
        with self.core.db.read() as tx:
            draft = tx.objects.scalars(query).one_or_none()
        if draft is not None and not self._is_live(draft, user):
            draft = None
        if draft is not None and draft.finished_at is not None and isinstance(method, Several):
            draft = draft if step in (None, method.steps()[-1].slug) else None
        notes = json.loads(self.core.keyring.open(draft.sealed, _bound(user, method))) if draft else {}
        return Visit(
            method=method,
            user=user,
            origin=origin,
            draft=draft,
            notes=notes,
            core=self.core,
            attempts=self.attempts,
            sessions=self.sessions,
            password_proof=self.password_proof,
            email_addresses=self.email_addresses,
        )

    def submit(self, visit: Visit, step: Step, answers: Answers, act: str | None = None) -> Refusal | None:
        """Does what the button of the step says: `act`, or else Next. Returns the refusal of the next step's `arrive`.

        Raises `StepClosed`, `NotFresh`, `AlreadyDone` or what the step raises.
        """
        is_last = step.slug == progress.last_step(visit).slug
        if progress.is_finished(visit) and not is_last:
            raise AlreadyDone()
        if not progress.may_show(visit, step) or (act is not None and act not in step.acts):
            raise StepClosed()
        if progress.is_step_up_due(visit, step):
            raise NotFresh()
        if visit.draft is None:
            self._begin(visit)
        try:
            if act is None:
                step.submit(visit, answers)
            else:
                step.act(visit, act)
            refusal = None if visit.new_factor is not None or is_last else _arrive(visit, step)
        finally:
            self._keep_notes(visit)
        if visit.new_factor is not None:
            self._turn_on(visit, visit.new_factor)
        elif is_last:
            self.forget(visit)
            self.backup_codes.saved(visit.user)
        return refusal

    def start_anew(self, user: User, method: Method) -> None:
        """Deletes a finished draft whose last step was left without Got it, when the method is chosen again."""
        own = Draft.account_id == user.account.id, Draft.method == method.slug
        with self.core.db.write() as tx:
            tx.execute(delete(Draft).where(*own, Draft.finished_at.is_not(None)))

    def backup_code(self, visit: Visit) -> str | None:
        """The code that a first enrollment generated, on its last page, for the session that finished it."""
        return self.backup_codes.kept(visit.user) if progress.is_finished(visit) else None

    def forget(self, visit: Visit) -> None:
        """Deletes the draft with its notes."""
        if visit.draft is not None:
            with self.core.db.write() as tx:
                tx.execute(delete(Draft).where(Draft.id == visit.draft.id))
            visit.draft = None

    def _begin(self, visit: Visit) -> None:
        """Two tabs of a session use one draft. That of another session is deleted."""
        now, session_id = self.core.clock.now(), visit.user.session.id
        visit.notes = visit.method.begin(visit)
        visit.notes["plan"] = plan(visit)
        own = Draft.account_id == visit.account.id, Draft.method == visit.method.slug
        is_live = self.core.within(Draft.touched_at, self.core.policy.draft_seconds)
        usable = and_(is_live, Draft.session_id == session_id, Draft.finished_at.is_(None))
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, _bound(visit.user, visit.method))
            tx.execute(delete(Draft).where(*own, not_(usable)))
            draft = tx.objects.scalars(select(Draft).where(*own)).one_or_none()
            if draft is None:
                made = {"session_id": session_id, "started_at": now, "touched_at": now, "finished_at": None}
                draft = Draft(account_id=visit.account.id, method=visit.method.slug, sealed=self._seal(visit), **made)
                tx.objects.add(draft)
        visit.draft = draft
        visit.notes = json.loads(self.core.keyring.open(draft.sealed, _bound(visit.user, visit.method)))

    def _keep_notes(self, visit: Visit) -> None:
        assert visit.draft is not None  # `submit` began one
        values: dict[str, object] = {"touched_at": self.core.clock.now()}
        if visit.changed:
            values["sealed"] = self._seal(visit)
        with self.core.db.write() as tx:
            tx.execute(update(Draft).where(Draft.id == visit.draft.id).values(values))

    def _turn_on(self, visit: Visit, new: NewFactor) -> None:
        """Creates the factor, the backup code and the notice, and ends other sessions, in one transaction.

        Raises `EmailRequired`, `NotFresh`, `AlreadyDone`, `FactorExists` when its external id is taken, or what
        `lock_for_change` and `NewFactor.store` raise.
        """
        if visit.account.email is None:
            raise EmailRequired()
        if not visit.is_fresh:
            raise NotFresh()
        assert visit.draft is not None  # `submit` began one
        try:
            with self.core.db.write() as tx:
                lock_for_change(tx, visit.account.id)
                unfinished = update(Draft).where(Draft.id == visit.draft.id, Draft.finished_at.is_(None))
                if not changed_one_row(tx, unfinished.values(finished_at=self.core.clock.now())):
                    raise AlreadyDone()
                if new.store is not None:
                    new.store(tx)
                is_first = not has_factor(tx, visit.account.id)
                self._make_factor(tx, visit, new)
                visit.token = self._notify_and_secure(tx, visit, new, is_first=is_first)
                self._finish(tx, visit, visit.draft)
        except IntegrityError:
            raise FactorExists() from None

    def _make_factor(self, tx: Transaction, visit: Visit, new: NewFactor) -> None:
        """Creates the factor in place of the earlier one, unless an account may have several."""
        account_id, slug, several = visit.account.id, visit.method.slug, isinstance(visit.method, Several)
        earlier = [f for f in visit.factors if not several or f.id == new.replaces]
        external_id = new.external_id or sole_external_id(account_id)
        own = Factor.account_id == account_id, Factor.method == slug
        turned_off = and_(*own, Factor.external_id == external_id, Factor.turned_off_at.is_not(None))
        tx.execute(delete(Factor).where(or_(Factor.id.in_([f.id for f in earlier]), turned_off)))
        values = {
            "account_id": account_id,
            "method": slug,
            "external_id": external_id,
            "label": new.label,
            "attributes": new.attributes,
            "sealed": self.core.keyring.seal(new.secret, factor_bound(account_id, slug)),
            "added_at": self.core.clock.now(),
            "counter": new.counter,
            "logged_in_at": max((f.logged_in_at for f in earlier), default=0),
        }
        tx.execute(insert(Factor).values(values))

    def _notify_and_secure(self, tx: Transaction, visit: Visit, new: NewFactor, *, is_first: bool) -> SessionToken:
        """Notifies the owner, and ends the offline access of apps. With a first factor, makes a backup code and ends
        other sessions (ASVS V7.4.3)."""
        user, replaced = visit.user, bool(visit.factors) and not isinstance(visit.method, Several)
        kind = "factor-added" if new.label else "factor-replaced" if replaced else "factor-on"
        details = {"method": visit.method.title.msgid} | ({"name": new.label} if new.label else {})
        self.notices.tell(tx, user.account, kind, visit.origin, **details)
        if is_first:
            self.sessions.end_others(tx, user.account.id, user.session.id)
            code = self.backup_codes.make(tx, user.account.id)
            self.backup_codes.keep(tx, user.account.id, user.session.id, code)
        else:
            self.sessions.end_offline(tx, user.account.id)
        return self.sessions.rotate(tx, user.session, visit.method.slug)

    def _finish(self, tx: Transaction, visit: Visit, draft: Draft) -> None:
        """Keeps the draft for the last step, without the secret, which must be stored in the factor only."""
        visit.notes = {"plan": visit.notes["plan"]}
        if not progress.is_last_needed(visit):
            tx.execute(delete(Draft).where(Draft.id == draft.id))
            return
        kept = {"sealed": self._seal(visit), "session_id": visit.user.session.id}
        tx.execute(update(Draft).where(Draft.id == draft.id).values(kept))

    def _seal(self, visit: Visit) -> str:
        return self.core.keyring.seal(json.dumps(visit.notes), _bound(visit.user, visit.method))

    def _is_live(self, draft: Draft, user: User) -> bool:
        """True for a recent draft of this session: an attacker's secret or proof must not become the owner's factor."""
        own = draft.session_id == user.session.id
        return own and self.core.is_within(draft.touched_at, self.core.policy.draft_seconds)


def _arrive(visit: Visit, step: Step) -> Refusal | None:
    following = progress.open_step(visit)
    if following.slug != step.slug:
        try:
            following.arrive(visit)
        except Refusal as refusal:
            return refusal
    return None


def _bound(user: User, method: Method) -> str:
    return draft_bound(user.account.id, method.slug)
