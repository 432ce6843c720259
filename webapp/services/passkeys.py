"""Logging in with nothing but a key that knows whose it is and checks who holds it: both factors in one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from ..domain.key_refusals import KeyUnknown
from ..domain.origin import Origin
from ..enrollment.ceremonies import Ceremonies
from ..enrollment.method import Answers
from ..methods.catalogue import method_that_stands_alone
from ..models.accounts import Account, share_account
from ..models.database import Database
from ..models.factors import Factor
from .challenge import Challenges, Choice, shared_bucket
from .entry import Entry, LoggedIn
from .password_attempts import KnownBrowser


class Passkeys:
    def __init__(self, db: Database, challenges: Challenges, ceremonies: Ceremonies, entry: Entry) -> None:
        self._db = db
        self._challenges = challenges
        self._ceremonies = ceremonies
        self._entry = entry

    def ask(self, browser: str) -> dict[str, Any]:
        """What `browser`, known by a random name, is asked: PublicKeyCredentialRequestOptionsJSON. Writes nothing."""
        _method, alone = method_that_stands_alone()
        return alone.ask(self._ceremonies, _challenge(browser))

    def unknown(self, answers: Answers) -> dict[str, Any]:
        """What a browser is told, so that it offers that key no more."""
        _method, alone = method_that_stands_alone()
        return alone.unknown(self._ceremonies, answers)

    def log_in(
        self,
        browser: str,
        answers: Answers,
        *,
        keep: bool,
        next_path: str,
        origin: Origin,
        known_browser: KnownBrowser | None = None,
    ) -> LoggedIn:
        """Raises a `KeyRefused`. Who is not known is told so: an id cannot be guessed.

        Nor can a signature, so no try of the account's is spent: a stranger who once saw the id would lock it.
        """
        method, alone = method_that_stands_alone()
        mine = (
            Factor.external_id == alone.external_id(answers),
            Factor.method == method.slug,
            Factor.turned_off_at.is_(None),
        )
        query = select(Account, Factor).join(Factor, Factor.account_id == Account.id).where(*mine)
        with self._db.read() as tx:
            found = tx.objects.execute(query).first()
        if found is None:
            raise KeyUnknown()
        account, factor = found
        choice, name = Choice(method, [factor]), _challenge(browser)
        self._challenges.consume_single_use(choice, answers)
        with self._challenges.proving(account, origin) as tx:
            share_account(tx, account.id)
            alone.verify(self._challenges.proof(tx, choice, account, name), answers)
            return self._entry.let_in(
                tx,
                account,
                known_browser,
                keep=keep,
                next_path=next_path,
                origin=origin,
                failures=[shared_bucket(account.id)],
                alone=factor.label,
            )


def _challenge(browser: str) -> str:
    return f"passkey:{browser}"
