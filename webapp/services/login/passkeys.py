"""Logging in with a passkey and no password. The key names the account and must have verified its user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from ...domain.key_refusals import KeyCloned, KeyRefused, KeyUnknown
from ...domain.origin import Origin
from ...models.accounts import Account, share_account
from ...models.factors import Factor
from ..attempts import Attempts
from ..core import Core
from ..method import Answers, Challenge
from ..method_kinds import Methods, Passwordless
from ..notices import Notices
from ..password_attempts import KnownBrowser
from .proof import shared_bucket, single_use_of
from .session_opening import LoggedIn, SessionOpening


@dataclass(frozen=True, slots=True)
class Passkeys:
    core: Core
    attempts: Attempts
    notices: Notices
    opening: SessionOpening
    methods: Methods

    @property
    def are_offered(self) -> bool:
        return self.methods.passwordless is not None

    def ask(self, browser: str) -> dict[str, Any]:
        """PublicKeyCredentialRequestOptionsJSON for the browser with the random id `browser`. Writes nothing.

        Raises `KeyUnknown` when no method is passwordless.
        """
        return self._method().ask(_challenge_name(browser))

    def unknown_hints(self, answers: Answers) -> dict[str, Any]:
        """Data that tells the browser not to offer the key again. Raises `KeyUnknown` as `ask` does."""
        return self._method().unknown_hints(answers)

    def log_in(
        self,
        browser: str,
        answers: Answers,
        *,
        persistent: bool,
        next_path: str,
        origin: Origin,
        known_browser: KnownBrowser | None = None,
    ) -> LoggedIn:
        """Logs in with the answer of a passkey. Raises a `KeyRefused`, for a locked account as for a wrong signature.

        The page may tell that a key is unknown, because its id cannot be guessed. Nor can a signature, so no attempt
        of the account is counted: otherwise a person who knows the id could lock the account.
        """
        method = self._method()
        on = Factor.method == method.slug, Factor.turned_off_at.is_(None)
        query = select(Account, Factor).join(Factor, Factor.account_id == Account.id).where(*on)
        with self.core.db.read() as tx:
            found = tx.objects.execute(query.where(Factor.external_id == method.external_id(answers))).first()
        if found is None:
            raise KeyUnknown()
        account, factor = found
        if account.locked_at is not None:  # not as an unknown key, which browsers would delete
            raise KeyRefused()
        buckets = single_use_of(method, answers)
        if buckets:
            self.attempts.count(*buckets)
        try:
            with self.core.db.write() as tx:
                share_account(tx, account, method.slug)
                method.verify_alone(tx, Challenge(account, _challenge_name(browser), [factor]), answers)
                return self.opening.open(
                    tx,
                    account,
                    known_browser,
                    persistent=persistent,
                    next_path=next_path,
                    origin=origin,
                    proofs=[method.slug],
                    failures=[shared_bucket(account.id)],
                    passkey=factor.label,
                )
        except KeyCloned as refusal:
            with self.core.db.write() as tx:
                self.notices.tell(tx, account, "factor-copied", origin, name=refusal.name)
            raise

    def _method(self) -> Passwordless:
        method = self.methods.passwordless
        if method is None:
            raise KeyUnknown()
        return method


def _challenge_name(browser: str) -> str:
    return f"passkey:{browser}"
