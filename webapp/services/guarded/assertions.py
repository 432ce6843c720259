"""The signed statement of who an application's user is, for applications that verify it by /oauth/keys."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

from cachetools import LRUCache

from ...models.accounts import Account
from ...models.registered_apps import RegisteredApp
from ..core import Core
from ..openid.signing_keys import SigningKeys
from ..openid.subjects import Subjects

TYPE = "JWT"
MOST = 1000
"""Assertions that a process keeps, for as many users at once."""


class KeptAssertions:
    """Those of the last seconds, so that not every request of a page costs a signature."""

    def __init__(self, core: Core) -> None:
        self._core, self._lock = core, Lock()
        self._cache = LRUCache[Any, tuple[str, int]](MOST)

    def get(self, key: Any) -> str | None:
        """None for one that is too old, or from the future: the clock was set back."""
        with self._lock:
            kept, at = self._cache.get(key, ("", 0))
        return kept if 0 <= self._core.clock.now() - at < self._core.policy.assertion_cached else None

    def put(self, key: Any, assertion: str, at: int) -> None:
        with self._lock:
            self._cache[key] = assertion, at


@dataclass(frozen=True, slots=True)
class Assertions:
    core: Core
    issuer: str
    signing_keys: SigningKeys
    subjects: Subjects
    kept: KeptAssertions

    def of(self, app: RegisteredApp, account: Account, newest_key: int) -> str:
        """A JWT (RFC 7519) about the account for the application at `app.host`. It is valid for a minute.

        `newest_key` is the result of `NEWEST`: a new signing key is used at once.
        """
        subject = self.subjects.of(app, account.id)
        key = app.host, app.signing_algorithm, subject, account.username, newest_key
        kept = self.kept.get(key)
        if kept is not None:
            return kept
        now = self.core.clock.now()
        claims = {
            "iss": self.issuer,
            "aud": app.host,
            "sub": subject,
            "preferred_username": account.username,
            "iat": now,
            "exp": now + self.core.policy.assertion_seconds,
        }
        published = self.signing_keys.published(newest_key)
        made = self.signing_keys.sign(published, claims, app.signing_algorithm, TYPE)
        self.kept.put(key, made, now)
        return made
