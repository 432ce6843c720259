"""The pages on which a second factor is proved, for a pending login and for step-up.

They must never name a method or a channel. What differs between the two is in the derived classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required
from prometheus_client import Counter

from ..domain.language import gettext as _
from ..domain.refusals import ChallengeExhausted, LoginExpired, NotFound, Refusal
from ..domain.request_refusals import NotApproved
from ..metrics import Attempt
from ..models.login_requests import APPROVED, DENIED, WAITING
from ..services.login.proof import Choice, Claim, ProofFlow
from ..services.method import Method
from ..services.method_kinds import Glance, OutOfBand
from . import app_flow, backup_card, current, layouts, render, words
from .forms import BackupCodeForm, Form, form_of

BACKUP_CODE = "backup-code"
"""The value of the button for a backup code, in the list of methods."""


class ProofPages(ABC):
    blueprint: ClassVar[str]
    counter: ClassVar[Counter]
    """Counts the proofs by method and outcome."""

    def add_to(self, bp: Blueprint) -> None:
        both = ["GET", "POST"]
        bp.add_url_rule("/verify", "verify", self.verify, methods=both)
        bp.add_url_rule("/waiting", "waiting", self.waiting, methods=both)
        bp.add_url_rule("/waiting/news", "news", self.news)
        bp.add_url_rule("/methods", "methods", self.methods, methods=both)
        bp.add_url_rule("/backup-code", "backup_code", self.backup_code, methods=both)
        bp.add_url_rule("/backup-code/new", "new_backup_code", login_required(self.new_backup_code), methods=both)
        for refusal in (LoginExpired, ChallengeExhausted):
            bp.register_error_handler(refusal, self.lost)

    # -- What derived classes define ------------------------------------------------------------------------

    @property
    @abstractmethod
    def flow(self) -> ProofFlow[Any, Any]: ...

    @abstractmethod
    def claim(self) -> Claim:
        """Who has to prove a factor. Raises a `Refusal` that an error handler of the blueprint answers."""

    @abstractmethod
    def lost(self, refusal: Refusal) -> Response:
        """The response when the pending login or the challenge has ended."""

    @abstractmethod
    def done(self, result: Any) -> Response:
        """The response to a right answer."""

    @abstractmethod
    def done_with_backup_code(self, result: Any) -> Response:
        """The response to a right backup code: a redirect to the page that shows the new one."""

    @abstractmethod
    def give_up(self, claim: Claim) -> Response:
        """The response to Cancel on the waiting page and on the list of methods."""

    @abstractmethod
    def glance(self) -> Glance | None:
        """The state of the request on another device. The waiting page polls it, so it must take few statements."""

    @abstractmethod
    def after_backup_code(self) -> Response:
        """The response to Got it on the page that shows the new backup code, and to that page without one."""

    @property
    @abstractmethod
    def cancel_label(self) -> str:
        """The label of the button on the list of methods that ends what is proved."""

    def was_denied(self) -> bool:
        """True when the owner denied the login request on another device."""
        return False

    def awaited(self, claim: Claim) -> str | None:
        """The slug of the method whose answer the waiting page waits for: its address says nothing else."""
        named = request.args.get("method")
        waits = (c.method.slug for c in self.flow.choices(claim) if isinstance(c.method, OutOfBand))
        return named or next(waits, None)

    def extra_fields(self) -> tuple[type, ...]:
        return ()

    def options(self) -> dict[str, Any]:
        """Further arguments of `ProofFlow.verify`."""
        return {}

    def url(self, page: str, **values: Any) -> str:
        return layouts.page_url(f"{self.blueprint}.{page}", **values)

    # -- The pages ---------------------------------------------------------------------------------------

    def verify(self) -> Any:
        claim, slug = self.claim(), request.args.get("method")
        choice = self.flow.choice(claim, slug)
        if isinstance(choice.method, OutOfBand):
            return render.go(self.url("waiting"))
        form = form_of(choice.method.fields, *self.extra_fields())()
        if form.trusted():
            with words.placing(form, but=(LoginExpired, ChallengeExhausted)):
                if "resend" in request.form:
                    self.flow.resend(claim, slug, current.origin())
                    return render.go(current.path())
                with Attempt(self.counter, choice.method.slug):
                    proved = self.flow.verify(claim, slug, request.form, current.origin(), **self.options())
                return self.done(proved)
        return render.page(choice.method.template, form, **_context(choice), **self._links(claim, choice.method))

    def waiting(self) -> Any:
        """The page of an out-of-band method: shows the number to type on the other device, and waits for approval."""
        if request.method == "GET" and self.was_denied():
            again_url = app_flow.log_in_url()
            template = current.services().methods.out_of_band[0].template
            return render.page(template, state=DENIED, number=None, again_url=again_url)
        claim = self.claim()
        slug = self.awaited(claim)
        choice = self.flow.choice(claim, slug)
        if not isinstance(choice.method, OutOfBand):
            return render.go(self.url("verify", method=slug))
        form = form_of(*self.extra_fields())()
        if form.trusted():
            try:
                return self._answer_waiting(claim, slug, choice)
            except (LoginExpired, ChallengeExhausted):
                raise
            except Refusal as refusal:
                status = choice.method.status(choice.challenge)
                if isinstance(refusal, NotApproved) and (status is None or not status.is_live):
                    return render.go(current.path())  # the page says how the request ended
                words.place(refusal, form)
        return self._waiting_page(claim, choice, choice.method, form)

    def _answer_waiting(self, claim: Claim, slug: str | None, choice: Choice) -> Response:
        stand_in = self.flow.stand_in(claim)
        if "cancel" in request.form:
            return self.give_up(claim)
        if "instead" in request.form and stand_in is not None:
            instead = stand_in.method.slug
            _choice, unsent = self.flow.choose(claim, instead, current.origin())
            return render.go_on(self.url("verify", method=instead), unsent)
        if "resend" in request.form:
            self.flow.resend(claim, slug, current.origin())
            return render.go(current.path())
        with Attempt(self.counter, choice.method.slug):
            proved = self.flow.verify(claim, slug, request.form, current.origin(), **self.options())
        return self.done(proved)

    def _waiting_page(self, claim: Claim, choice: Choice, method: OutOfBand, form: Form) -> Response:
        status, stand_in = method.status(choice.challenge), self.flow.stand_in(claim)
        is_here = any(method.is_here(factor, current.origin()) for factor in choice.challenge.factors)
        left = max(0, status.until - current.services().clock.now()) if status else 0
        return render.page(
            method.template,
            form,
            source=method.source(choice.challenge),
            devices=[factor.label for factor in choice.challenge.factors],
            left=left,
            left_text=_("This request expires in %(time)s.", time=words.until(left)),
            state=status.state if status else None,
            number=status.number if status and status.is_live else None,
            every=current.services().settings.policy.asks_every,
            answer_url=layouts.page_url("requests.listed", method=method.slug) if is_here else None,
            state_url=self.url("news"),
            instead=stand_in.label if stand_in is not None else None,
            **self._links(claim, method),
        )

    def news(self) -> Any:
        """Polled by the waiting page: 204 without news, else a fragment that polls less often, or leaves the page."""
        seen, policy = self.glance(), current.services().settings.policy
        if seen is not None and seen.state == WAITING:
            is_late = current.services().clock.now() - seen.since >= policy.asks_slower_after
            if not is_late or "slower" in request.args:
                return "", 204
            url = self.url("news", slower="1")
            return render.part("parts/asking.html", state_url=url, every=policy.asks_slower_every)
        is_approved = seen is not None and seen.state == APPROVED
        url, every = self.url("waiting"), policy.asks_slower_every
        return render.part("parts/answered.html", url=url, every=every, is_approved=is_approved)

    def methods(self) -> Any:
        claim, form = self.claim(), Form()
        if form.submitted():
            if "cancel" in request.form:
                return self.give_up(claim)
            chosen = request.form.get("method")
            if chosen == BACKUP_CODE:
                return render.go(self.url("backup_code"))
            choice, unsent = self.flow.choose(claim, chosen, current.origin())
            if isinstance(choice.method, OutOfBand):
                return render.go_on(self.url("waiting"), unsent)
            return render.go_on(self.url("verify", method=choice.method.slug), unsent)
        offered = [(c.method.hint(c.challenge), c.method.slug) for c in self.flow.choices(claim)]
        choices = [*offered, *([(_("Backup code"), BACKUP_CODE)] if _has_backup_code(claim) else [])]
        up, cancel = self._shown_before(claim), self.cancel_label
        return render.page("challenge/methods.html", form, choices=choices, up=up, cancel_label=cancel)

    def _shown_before(self, claim: Claim) -> tuple[str, str] | None:
        """The URL and name of the method from whose page the list was opened; None without one, or if it is not on."""
        slug = request.args.get("method")
        if slug is None:
            return None
        if slug == BACKUP_CODE and _has_backup_code(claim):
            return self.url("backup_code"), _("Backup code")
        try:
            method = self.flow.choice(claim, slug).method
        except NotFound:
            return None
        page = self.url("waiting") if isinstance(method, OutOfBand) else self.url("verify", method=slug)
        return page, str(method.general_title)

    def backup_code(self) -> Any:
        claim, form = self.claim(), BackupCodeForm()
        if form.trusted():
            typed = request.form.get("code", "")
            with words.placing(form, but=(LoginExpired, ChallengeExhausted)):
                with Attempt(self.counter, BACKUP_CODE):
                    proved = self.flow.verify_backup_code(claim, typed, current.origin(), **self.options())
                response = self.done_with_backup_code(proved)
                render.receipt(_("All your other devices were logged out."))
                return response
        return render.page("challenge/backup_code.html", form, choose_url=self.url("methods", method=BACKUP_CODE))

    def new_backup_code(self) -> Any:
        """Shows the backup code that replaces the used one, until Got it."""
        return backup_card.page(self.after_backup_code)

    def _links(self, claim: Claim, method: Method) -> dict[str, Any]:
        backup_url = self.url("backup_code") if _has_backup_code(claim) else None
        return {"choose_url": self.url("methods", method=method.slug), "backup_url": backup_url}


def _has_backup_code(claim: Claim) -> bool:
    """False after a database was restored, until a new one is made."""
    return claim.account.backup_code_hash is not None


def _context(choice: Choice) -> dict[str, Any]:
    """The context of the page of a method: the source of the answer, and the delivery if it sends a code."""
    method, challenge = choice.method, choice.challenge
    context = {"source": method.source(challenge), "browser_needs": method.browser_needs, **method.show(challenge)}
    if method.sends_code:
        code = method.sent(challenge)
        context.update(render.sent(code, 0 if code else method.wait(challenge)))
    return context
