"""The security key that operators prove for each of their acts."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ...models.user import User
from ..core import Core
from ..method_kinds import Methods


@dataclass(frozen=True, slots=True)
class KeyProof:
    """Only a method counts whose answer cannot be relayed by another site (NIST SP 800-63B-4 section 3.2.5)."""

    core: Core
    methods: Methods

    def has_key(self, user: User) -> bool:
        """True when the account has a security key or passkey."""
        return any(self.methods.is_passwordless(factor.method) for factor in user.factors)

    def is_fresh(self, user: User) -> bool:
        """True when this session proved a security key in the last ten minutes."""
        proofs: dict[str, int] = json.loads(user.session.proofs)
        at = max((at for name, at in proofs.items() if self.methods.is_passwordless(name)), default=None)
        return at is not None and self.core.is_within(at, self.core.policy.fresh)
