"""The keys that sign the tokens for apps: made once, published before they are used, rotated, kept while needed.

A key is published for a day before it signs, so that an app that keeps /oauth/keys for an hour knows it by then
(OpenID Connect Core 1.0 section 10.1.1). It stays published until its last token has expired, and the previous one
until the next rotation, unless it was withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, KeyParameters, KeySet, RSAKey
from sqlalchemy import delete, func, insert, select, update

from ...models.database import Transaction
from ...models.registered_apps import ALGORITHMS, RS256
from ...models.signing_keys import SigningKey, signing_key_bound
from ..core import Core

RSA_BITS = 2048  # NIST SP 800-131A
CURVE = "P-256"
LOCK = "signing-keys"
NEXT, PRESENT, PREVIOUS = "next", "present", "previous"
NEWEST = select(func.coalesce(func.max(SigningKey.id), 0))
"""A new key always has a new row, so this number tells whether what a process has read is still all there is."""


class RotatedLately(Exception):
    """The keys were rotated within a day. `at` is when the newest one signs first, in Unix seconds."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


@dataclass(frozen=True)
class PublishedKey:
    """A key as a process keeps it. Times are Unix seconds."""

    kid: str
    algorithm: str
    public: dict[str, Any]
    """The public JWK (RFC 7517)."""
    sealed: str
    made_at: int
    signs_from: int
    signs_until: int | None

    def signs(self, now: int) -> bool:
        return self.signs_from <= now and (self.signs_until is None or now < self.signs_until)

    @cached_property
    def verifier(self) -> Key:
        return JWKRegistry.import_key(self.public)


@dataclass(frozen=True)
class PublishedKeys:
    """All keys that are published, as they were read at one time."""

    newest: int
    """The number of the newest row."""
    read_at: int
    keys: Sequence[PublishedKey]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517 section 5)."""
        return {"keys": [key.public for key in self.keys]}

    @cached_property
    def verifier(self) -> KeySet:
        return KeySet([key.verifier for key in self.keys])


@dataclass
class KeyCache:
    """What a process has read, and the private keys that it has opened, by `kid`."""

    published: PublishedKeys | None = None
    signers: dict[str, Key] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key for the operator's list. Times are Unix seconds."""

    kid: str
    algorithm: str
    state: str
    signs_from: int
    signs_until: int | None


@dataclass(frozen=True, slots=True)
class SigningKeys:
    core: Core
    kept: KeyCache = field(default_factory=KeyCache)

    def published(self, newest: int | None = None) -> PublishedKeys:
        """The keys that are published now; the first ones are made here, once for all processes.

        What was read is kept for an hour, or until there is a newer key. `newest` is the result of `NEWEST`, for a
        caller that has read it with something else.
        """
        if newest is None:
            with self.core.db.read() as tx:
                newest = tx.scalar(NEWEST) or 0
        kept, now = self.kept.published, self.core.clock.now()
        if (
            kept is not None
            and kept.newest == newest
            and abs(now - kept.read_at) < self.core.policy.signing_keys_cached
        ):
            return kept
        if newest == 0:
            self._make_first()
        self.kept.published = found = self._read()
        self.kept.signers = {key.kid: signer for key in found.keys if (signer := self.kept.signers.get(key.kid))}
        return found

    def sign(self, published: PublishedKeys, claims: dict[str, Any], algorithm: str, kind: str) -> str:
        """A JWT (RFC 7519) under the present key of the algorithm. `kind` is its `typ`, such as `at+jwt`.

        `published` was read before, because a transaction that writes cannot wait for the first keys to be made.
        """
        now = self.core.clock.now()
        known = [key for key in published.keys if key.algorithm == algorithm]
        # the oldest one, when all are from the future: they were made while the clock was ahead
        present = next((key for key in known if key.signs(now)), known[-1])
        signer = self.kept.signers.get(present.kid)
        if signer is None:
            private = self.core.keyring.open(present.sealed, signing_key_bound(present.kid))
            signer = self.kept.signers[present.kid] = JWKRegistry.import_key(json.loads(private))
        header = {"typ": kind, "alg": algorithm, "kid": present.kid}
        return jwt.encode(header, claims, signer, [algorithm])

    def verified(self, token: str, kind: str) -> dict[str, Any] | None:
        """The claims of a token of this site with the `typ` `kind`, whether or not it has expired; None for any other.

        The algorithm is that of the key, never one that the token chooses (RFC 8725 section 3.1), and the header has
        nothing that this site does not write.
        """
        keys = self.published()
        try:
            found = jwt.decode(token, keys.verifier, ALGORITHMS)
        except (JoseError, ValueError, TypeError):  # joserfc raises TypeError for a `crit` that is no list of texts
            return None
        algorithm = next(key.algorithm for key in keys.keys if key.kid == found.header.get("kid"))
        ours = {"typ": kind, "alg": algorithm, "kid": found.header["kid"]}
        return found.claims if found.header == ours else None

    def rotate(self, *, at_once: bool = False, withdraw: bool = False) -> int:
        """Publishes the next key of each algorithm, which signs a day later. Returns when, in Unix seconds.

        `at_once` makes a new key that signs from now on, in place of one that waits. `withdraw` does too, for a key
        that may be known to others: nothing that an earlier key signed is believed any more. Raises `RotatedLately` for
        a second rotation within a day that is neither.
        """
        at_once = at_once or withdraw
        now, made = self.core.clock.now(), {algorithm: _generate(algorithm) for algorithm in ALGORITHMS}
        self.published()  # so that there is a first one
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, LOCK)
            latest = [self._latest(tx, algorithm) for algorithm in ALGORITHMS]
            lately = [row for row in latest if row.generation > 1 and now - row.made_at < self._ahead]
            if lately and not at_once:
                raise RotatedLately(max(row.signs_from for row in lately))
            if at_once:
                waits = SigningKey.signs_from > now, SigningKey.generation > 1  # the first one waited for nothing
                tx.execute(delete(SigningKey).where(*waits))
                latest = [self._latest(tx, algorithm) for algorithm in ALGORITHMS]
            starts = now if at_once else now + self._ahead
            for row, key in zip(latest, made.values(), strict=True):
                self._follow(tx, row, key, starts)
            if withdraw:
                earlier = SigningKey.id <= max(row.id for row in latest), SigningKey.withdrawn_at.is_(None)
                tx.execute(update(SigningKey).where(*earlier).values(withdrawn_at=now))
        return starts

    def rotate_due(self) -> None:
        """For the worker: publishes the next keys a day before the present ones have signed for 90 days."""
        with self.core.db.read() as tx:
            latest = [self._latest_or_none(tx, algorithm) for algorithm in ALGORITHMS]
        for row in latest:
            if row is not None and self._is_due(row):
                key = _generate(row.algorithm)
                with self.core.db.write() as tx:
                    self.core.db.serialize(tx, LOCK)
                    newest = self._latest(tx, row.algorithm)
                    if newest.id == row.id:
                        self._follow(tx, newest, key, self._tomorrow())

    def states(self) -> list[KeyState]:
        """The published keys for the operator, newest first."""
        now = self.core.clock.now()
        listed = []
        for key in self.published().keys:
            state = PRESENT if key.signs(now) else NEXT if key.signs_from > now else PREVIOUS
            listed.append(KeyState(key.kid, key.algorithm, state, key.signs_from, key.signs_until))
        return listed

    @property
    def _ahead(self) -> int:
        return self.core.policy.signing_key_ahead

    def _tomorrow(self) -> int:
        return self.core.clock.now() + self._ahead

    def _is_due(self, row: SigningKey) -> bool:
        return row.signs_from + self.core.policy.signing_key_seconds <= self._tomorrow()

    def _make_first(self) -> None:
        """One of several processes makes them; the others find them made."""
        now, made = self.core.clock.now(), [_generate(algorithm) for algorithm in ALGORITHMS]
        with self.core.db.write() as tx:
            self.core.db.serialize(tx, LOCK)
            if not tx.scalar(NEWEST):
                tx.execute(insert(SigningKey), [self._row(key, 1, now) for key in made])

    def _follow(self, tx: Transaction, row: SigningKey, key: Key, starts: int) -> None:
        """Stores `key` as the successor of `row`."""
        tx.execute(update(SigningKey).where(SigningKey.id == row.id).values(signs_until=starts))
        tx.execute(insert(SigningKey).values(self._row(key, row.generation + 1, starts)))

    def _row(self, key: Key, generation: int, starts: int) -> dict[str, Any]:
        kid = key.thumbprint()
        private = json.dumps(key.as_dict(private=True, kid=kid))
        return {
            "kid": kid,
            "algorithm": str(key.alg),
            "generation": generation,
            "public": json.dumps(key.as_dict(private=False, kid=kid)),
            "sealed": self.core.keyring.seal(private, signing_key_bound(kid)),
            "made_at": self.core.clock.now(),
            "signs_from": starts,
        }

    def _latest_or_none(self, tx: Transaction, algorithm: str) -> SigningKey | None:
        of_algorithm = select(SigningKey).where(SigningKey.algorithm == algorithm)
        return tx.objects.scalars(of_algorithm.order_by(SigningKey.generation.desc()).limit(1)).one_or_none()

    def _latest(self, tx: Transaction, algorithm: str) -> SigningKey:
        found = self._latest_or_none(tx, algorithm)
        assert found is not None, f"there is no key of {algorithm}"
        return found

    def _read(self) -> PublishedKeys:
        now = self.core.clock.now()
        with self.core.db.read() as tx:
            newest = tx.scalar(NEWEST) or 0
            trusted = select(SigningKey.__table__).where(SigningKey.withdrawn_at.is_(None))
            rows = tx.execute(trusted.order_by(SigningKey.generation.desc(), SigningKey.id)).all()
        kept, previous = [], set[str]()
        for row in rows:
            has_ended = row.signs_until is not None and row.signs_until <= now
            is_previous = has_ended and row.algorithm not in previous
            if is_previous:
                previous.add(row.algorithm)
            if not has_ended or is_previous or row.signs_until > now - self.core.policy.token_seconds:
                public = json.loads(row.public)
                times = row.made_at, row.signs_from, row.signs_until
                kept.append(PublishedKey(row.kid, row.algorithm, public, row.sealed, *times))
        return PublishedKeys(newest, now, kept)


def _generate(algorithm: str) -> Key:
    parameters: KeyParameters = {"use": "sig", "alg": algorithm}
    if algorithm == RS256:
        return RSAKey.generate_key(RSA_BITS, parameters)
    return ECKey.generate_key(CURVE, parameters)
