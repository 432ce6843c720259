"""The one way in which any method is turned on, in every layout."""

from __future__ import annotations

import json

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from ..domain.origin import Origin
from ..domain.ports import Clock, Entropy, Keyring
from ..domain.refusals import AlreadyDone, EmailRequired, FactorExists, NotFresh, StepClosed
from ..models.accounts import lock_account
from ..models.database import Database, Transaction, changed_one_row
from ..models.drafts import Draft
from ..models.factors import Factor, sole_external_id
from ..models.user import User
from ..policy import Policy
from . import progress
from .ceremonies import Ceremonies
from .common_steps import plan
from .method import Answers, Method, Step
from .visit import Desk, Proved, Visit


class Enrollment:
    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        entropy: Entropy,
        keyring: Keyring,
        policy: Policy,
        desk: Desk,
        site_name: str,
        ceremonies: Ceremonies,
    ) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._keyring = keyring
        self._policy = policy
        self._desk = desk
        self._site_name = site_name
        self._ceremonies = ceremonies

    def visit(self, user: User, method: Method, origin: Origin, step: str | None = None) -> Visit:
        """The enrollment as it stands: with its draft, unless that is 30 minutes old.

        Where an account may have several, a finished one stands for its last step only: at another `step` one more
        begins.
        """
        query = select(Draft).where(Draft.account_id == user.account.id, Draft.method == method.slug)
        with self._db.read() as tx:
            draft = tx.objects.scalars(query).one_or_none()
        if draft is not None and not self._lives(draft, user):
            draft = None
        if draft is not None and draft.finished_at is not None and method.several is not None:
            draft = draft if step in (None, method.steps[-1].slug) else None
        notes = json.loads(self._keyring.open(draft.sealed, _bound(user, method))) if draft else {}
        return Visit(
            method=method,
            user=user,
            origin=origin,
            draft=draft,
            notes=notes,
            desk=self._desk,
            clock=self._clock,
            entropy=self._entropy,
            policy=self._policy,
            site_name=self._site_name,
            ceremonies=self._ceremonies,
        )

    def submit(self, visit: Visit, step: Step, answers: Answers, act: str | None = None) -> None:
        """Does what the step's button says. Raises `StepClosed`, `NotFresh`, `AlreadyDone` or the step's own."""
        is_last = step.slug == visit.method.steps[-1].slug
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
                step.acts[act](visit)
            if visit.proved is None and not is_last and (after := progress.open_step(visit)) is not step:
                after.arrive(visit)
        finally:
            self._keep_notes(visit)
        if visit.proved is not None:
            self._turn_on(visit, visit.proved)
        elif is_last:
            self.forget(visit)

    def start_anew(self, user: User, method: Method) -> None:
        """Choosing a method again after an earlier enrollment was finished and left without Got it."""
        mine = Draft.account_id == user.account.id, Draft.method == method.slug
        with self._db.write() as tx:
            tx.execute(delete(Draft).where(*mine, Draft.finished_at.is_not(None)))

    def backup_code(self, visit: Visit) -> str | None:
        """The code made at the end of a first enrollment, for the log-in that made it, until Got it.

        Raises `NotFresh` when that was more than ten minutes ago.
        """
        draft = visit.draft
        if draft is None or draft.sealed_backup_code is None:
            return None
        just_made = self._clock.now() - (draft.finished_at or 0) < self._policy.fresh
        if not just_made and not visit.is_fresh:
            raise NotFresh()
        return self._keyring.open(draft.sealed_backup_code, backup_code_bound(visit.account.id, visit.method.slug))

    def forget(self, visit: Visit) -> None:
        """Drops the draft, and with it all that it held."""
        if visit.draft is not None:
            with self._db.write() as tx:
                tx.execute(delete(Draft).where(Draft.id == visit.draft.id))
            visit.draft = None

    def _begin(self, visit: Visit) -> None:
        now = self._clock.now()
        visit.notes = visit.method.begin(visit)
        visit.notes["plan"] = plan(visit)
        mine = Draft.account_id == visit.account.id, Draft.method == visit.method.slug
        values = {
            "account_id": visit.account.id,
            "method": visit.method.slug,
            "session_id": visit.user.session.id,
            "started_at": now,
            "touched_at": now,
            "sealed": self._seal(visit),
        }
        try:
            with self._db.write() as tx:
                lapsed = Draft.touched_at <= now - self._policy.draft_seconds
                others = Draft.session_id != visit.user.session.id
                tx.execute(delete(Draft).where(*mine, lapsed | others | Draft.finished_at.is_not(None)))
                tx.execute(insert(Draft).values(values))
        except IntegrityError:
            pass  # a second tab was first: both go on with its draft
        fresh = self.visit(visit.user, visit.method, visit.origin)
        visit.draft, visit.notes = fresh.draft, fresh.notes

    def _keep_notes(self, visit: Visit) -> None:
        assert visit.draft is not None  # `submit` began one
        values: dict[str, object] = {"touched_at": self._clock.now()}
        if visit.changed:
            values["sealed"] = self._seal(visit)
        with self._db.write() as tx:
            tx.execute(update(Draft).where(Draft.id == visit.draft.id).values(values))

    def _turn_on(self, visit: Visit, proved: Proved) -> None:
        """Factor, backup code, notice and the end of other sessions: all or nothing.

        Raises `EmailRequired`, `NotFresh`, `AlreadyDone`, or `FactorTaken` when there is one in its slot.
        """
        if visit.account.email is None:
            raise EmailRequired()
        if not visit.is_fresh:
            raise NotFresh()
        assert visit.draft is not None  # `submit` began one
        try:
            with self._db.write() as tx:
                lock_account(tx, visit.account.id)
                mine = update(Draft).where(Draft.id == visit.draft.id, Draft.finished_at.is_(None))
                if not changed_one_row(tx, mine.values(finished_at=self._clock.now())):
                    raise AlreadyDone()
                self._make_factor(tx, visit, proved)
                replaced = bool(visit.factors) and visit.method.several is None
                visit.opened, code = self._desk.factor_on(
                    tx, visit.user, visit.method, proved.label, replaced, visit.origin
                )
                self._finish(tx, visit, visit.draft, code)
        except IntegrityError:
            raise FactorExists() from None

    def _make_factor(self, tx: Transaction, visit: Visit, proved: Proved) -> None:
        """In the place of the earlier one, unless an account may have several."""
        account_id, slug = visit.account.id, visit.method.slug
        earlier = [f for f in visit.factors if visit.method.several is None or f.id == proved.instead_of]
        external_id = proved.external_id or sole_external_id(account_id)
        mine = Factor.account_id == account_id, Factor.method == slug
        turned_off = and_(*mine, Factor.external_id == external_id, Factor.turned_off_at.is_not(None))
        tx.execute(delete(Factor).where(or_(Factor.id.in_([f.id for f in earlier]), turned_off)))
        values = {
            "account_id": account_id,
            "method": slug,
            "external_id": external_id,
            "label": proved.label,
            "attributes": proved.facts,
            "sealed": self._keyring.seal(proved.secret, factor_bound(account_id, slug)),
            "added_at": self._clock.now(),
            "counter": proved.counter,
            "logged_in_at": max((f.logged_in_at for f in earlier), default=0),
        }
        tx.execute(insert(Factor).values(values))

    def _finish(self, tx: Transaction, visit: Visit, draft: Draft, code: str | None) -> None:
        """The draft stays for the last step, without the secret: that lives in the factor now, and nowhere else."""
        visit.notes = {"plan": visit.notes["plan"]}
        if not progress.is_last_needed(visit):
            tx.execute(delete(Draft).where(Draft.id == draft.id))
            return
        kept = {"sealed": self._seal(visit), "session_id": visit.user.session.id}
        if code is not None:
            bound = backup_code_bound(visit.account.id, visit.method.slug)
            kept["sealed_backup_code"] = self._keyring.seal(code, bound)
        tx.execute(update(Draft).where(Draft.id == draft.id).values(kept))

    def _seal(self, visit: Visit) -> str:
        return self._keyring.seal(json.dumps(visit.notes), _bound(visit.user, visit.method))

    def _lives(self, draft: Draft, user: User) -> bool:
        """Only for the log-in that began it: what somebody else drew or proved must not become its owner's factor."""
        mine = draft.session_id == user.session.id
        return mine and self._clock.now() - draft.touched_at < self._policy.draft_seconds


def factor_bound(account_id: int, slug: str) -> str:
    """What a factor's sealed secret is bound to."""
    return f"account:{account_id}:factor:{slug}"


def draft_bound(account_id: int, slug: str) -> str:
    """What a draft's sealed notes are bound to."""
    return f"account:{account_id}:draft:{slug}"


def backup_code_bound(account_id: int, slug: str) -> str:
    """What the backup code of a finished draft is bound to."""
    return f"{draft_bound(account_id, slug)}:backup-code"


def _bound(user: User, method: Method) -> str:
    return draft_bound(user.account.id, method.slug)
