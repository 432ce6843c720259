"""The pages on which a second factor is proved: one set, for a pending login and for a session that steps up.

No page here may know a method or a channel. What differs between the two beginnings is in the pages that derive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from flask import Blueprint, request
from flask.wrappers import Response
from flask_login import login_required

from ..domain.language import gettext as _
from ..domain.refusals import ChallengeExhausted, LoginExpired, Refusal
from ..domain.request_refusals import NotApproved
from ..models.login_requests import APPROVED, DENIED, WAITING
from ..services.method_kinds import Glance, OutOfBand
from ..services.proof import Choice, Claim, ProofFlow
from . import backup_card, current, layouts, render, shown_once, words
from .forms import BackupCodeForm, Form, form_of

BACKUP_CODE = "backup-code"
"""The value of the button that chooses it among the methods."""


class ProofPages(ABC):
    blueprint: ClassVar[str]

    def add_to(self, bp: Blueprint) -> None:
        both = ["GET", "POST"]
        bp.add_url_rule("/verify", "verify", self.verify, methods=both)
        bp.add_url_rule("/waiting", "waiting", self.waiting, methods=both)
        bp.add_url_rule("/waiting/news", "news", self.news)
        bp.add_url_rule("/methods", "methods", self.methods, methods=both)
        bp.add_url_rule("/backup-code", "backup_code", self.backup_code, methods=both)
        bp.add_url_rule("/backup-code/new", "new_backup_code", login_required(self.new_backup_code))
        for refusal in (LoginExpired, ChallengeExhausted):
            bp.register_error_handler(refusal, self.lost)

    # -- What differs ------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def flow(self) -> ProofFlow[Any, Any]: ...

    @abstractmethod
    def claim(self) -> Claim:
        """Who proves a factor here. Raises a `Refusal` that a handler of the blueprint answers."""

    @abstractmethod
    def lost(self, refusal: Refusal) -> Response:
        """The answer when there is nothing to be proved any more."""

    @abstractmethod
    def done(self, result: Any) -> Response:
        """The answer to a right proof."""

    @abstractmethod
    def done_with_backup_code(self, result: Any, successor: str) -> Response:
        """To the page that shows the code's successor."""

    @abstractmethod
    def give_up(self, claim: Claim) -> Response:
        """The answer to Cancel on the page that waits."""

    @abstractmethod
    def glance(self) -> Glance | None:
        """How the request on another device stands, in as few statements as there can be."""

    @abstractmethod
    def after_backup_code(self) -> dict[str, Any]:
        """The context of the page that shows the successor: where Got it leads."""

    @property
    @abstractmethod
    def cancel_url(self) -> str: ...

    def was_denied(self) -> bool:
        """True for a claim that its owner ended on another device."""
        return False

    def extra_fields(self) -> tuple[type, ...]:
        return ()

    def options(self) -> dict[str, Any]:
        """What the flow is told beyond the answer."""
        return {}

    def to(self, page: str, **values: Any) -> str:
        return layouts.to(f"{self.blueprint}.{page}", **values)

    # -- The pages ---------------------------------------------------------------------------------------

    def verify(self) -> Any:
        claim, slug = self.claim(), request.args.get("method")
        choice = self.flow.choice(claim, slug)
        if isinstance(choice.method, OutOfBand):
            return render.go(self.to("waiting", method=slug))
        form = form_of(choice.method.fields, *self.extra_fields())()
        if form.trusted():
            try:
                if "resend" in request.form:
                    self.flow.resend(claim, slug, current.origin())
                    return render.go(current.here())
                return self.done(self.flow.verify(claim, slug, request.form, current.origin(), **self.options()))
            except (LoginExpired, ChallengeExhausted):
                raise
            except Refusal as refusal:
                words.place(refusal, form)
        return render.page(choice.method.template, form, **_context(choice), **self._ways_out())

    def waiting(self) -> Any:
        """Where the answer comes from another device: a number to enter there, and on as soon as it approved."""
        if request.method == "GET" and self.was_denied():
            again_url = layouts.to("entrance.log_in")
            template = current.services().methods.out_of_band[0].template
            return render.page(template, state=DENIED, number=None, again_url=again_url)
        claim, slug = self.claim(), request.args.get("method")
        choice = self.flow.choice(claim, slug)
        if not isinstance(choice.method, OutOfBand):
            return render.go(self.to("verify", method=slug))
        form = form_of(*self.extra_fields())()
        if form.trusted():
            try:
                return self._answer_waiting(claim, slug)
            except (LoginExpired, ChallengeExhausted):
                raise
            except Refusal as refusal:
                status = choice.method.status(choice.challenge)
                if isinstance(refusal, NotApproved) and (status is None or not status.is_live):
                    return render.go(current.here())  # the page itself says how it ended
                words.place(refusal, form)
        return self._waiting_page(claim, choice, choice.method, form)

    def _answer_waiting(self, claim: Claim, slug: str | None) -> Response:
        stand_in = self.flow.stand_in(claim)
        if "cancel" in request.form:
            return self.give_up(claim)
        if "instead" in request.form and stand_in is not None:
            instead = stand_in.method.slug
            _choice, unsent = self.flow.choose(claim, instead, current.origin())
            return render.go_on(self.to("verify", method=instead), unsent)
        if "resend" in request.form:
            self.flow.resend(claim, slug, current.origin())
            return render.go(current.here())
        return self.done(self.flow.verify(claim, slug, request.form, current.origin(), **self.options()))

    def _waiting_page(self, claim: Claim, choice: Choice, method: OutOfBand, form: Form) -> Response:
        status, stand_in = method.status(choice.challenge), self.flow.stand_in(claim)
        is_here = any(method.is_here(factor, current.origin()) for factor in choice.challenge.factors)
        return render.page(
            method.template,
            form,
            source=method.source(choice.challenge),
            state=status.state if status else None,
            number=status.number if status and status.is_live else None,
            every=current.services().settings.policy.asks_every,
            answer_url=layouts.to("requests.listed", method=method.slug) if is_here else None,
            state_url=self.to("news", method=request.args.get("method")),
            instead=stand_in.label if stand_in is not None else None,
            **self._ways_out(),
        )

    def news(self) -> Any:
        """204 while nothing is new; else what makes the page ask less often, send its form, or show how it ended."""
        seen, policy = self.glance(), current.services().settings.policy
        slug = request.args.get("method")
        if seen is not None and seen.state == WAITING:
            is_late = current.services().clock.now() - seen.since >= policy.asks_slower_after
            if not is_late or "slower" in request.args:
                return "", 204
            url = self.to("news", method=slug, slower="1")
            return render.part("parts/asking.html", state_url=url, every=policy.asks_slower_every)
        is_approved = seen is not None and seen.state == APPROVED
        return render.part("parts/answered.html", url=self.to("waiting", method=slug), is_approved=is_approved)

    def methods(self) -> Any:
        claim, form = self.claim(), Form()
        if form.submitted():
            chosen = request.form.get("method")
            if chosen == BACKUP_CODE:
                return render.go(self.to("backup_code"))
            choice, unsent = self.flow.choose(claim, chosen, current.origin())
            return render.go_on(self.to("verify", method=choice.method.slug), unsent)
        offered = [(c.method.hint(c.challenge), c.method.slug) for c in self.flow.choices(claim)]
        choices = [*offered, (_("Backup code"), BACKUP_CODE)]
        return render.page("challenge/methods.html", form, choices=choices, cancel_url=self.cancel_url)

    def backup_code(self) -> Any:
        claim, form = self.claim(), BackupCodeForm()
        if form.trusted():
            typed = request.form.get("code", "")
            try:
                proved = self.flow.verify_backup_code(claim, typed, current.origin(), **self.options())
                return self.done_with_backup_code(*proved)
            except (LoginExpired, ChallengeExhausted):
                raise
            except Refusal as refusal:
                words.place(refusal, form)
        return render.page("challenge/backup_code.html", form, choose_url=self.to("methods"))

    def new_backup_code(self) -> Any:
        """In place of the one that was used."""
        context = self.after_backup_code()
        code = shown_once.take(backup_card.BACKUP_CODE)
        if code is None:
            return render.go(context["next_path"] or self.cancel_url)
        card = backup_card.card(current.user().account, code)
        return render.page("challenge/new_backup_code.html", context["form"], card=card, done_url=context["done_url"])

    def _ways_out(self) -> dict[str, Any]:
        return {"choose_url": self.to("methods"), "backup_url": self.to("backup_code")}


def _context(choice: Choice) -> dict[str, Any]:
    """Where the answer comes from and, where a code is sent, what became of it."""
    method, challenge = choice.method, choice.challenge
    context = {"source": method.source(challenge), **method.show(challenge)}
    if method.sends_code:
        code = method.sent(challenge)
        context.update(render.sent(code, 0 if code else method.wait(challenge)))
    return context
