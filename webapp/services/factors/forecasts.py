"""What an account can log in with, from what its methods say: for the lock-out forecast. It reads nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ...domain.forecast import Authenticator, Holdings, Outlook, forecast
from ...models.user import User
from ..method_kinds import Methods


@dataclass(frozen=True, slots=True)
class Forecasts:
    methods: Methods

    def of(self, user: User) -> list[Outlook]:
        return forecast(self.holdings(user))

    def holdings(self, user: User) -> Holdings:
        return Holdings(
            tuple(self._authenticators(user)),
            second_factor_on=bool(user.factors),
            backup_code=user.account.backup_code_hash is not None,
            mailed_link=user.account.email is not None,  # an unconfirmed one may become another account's
        )

    def _authenticators(self, user: User) -> list[Authenticator]:
        """Without those of a method that this site lost the means for, such as a gateway for texts."""
        account = user.account
        of_method = {method.slug: user.factors_of(method.slug) for method in self.methods}
        stand_in = self.methods.stand_in(account, {f.method for f in user.factors})
        return [
            authenticator
            for method in self.methods
            if method.is_offered and (of_method[method.slug] or method is stand_in)
            for authenticator in method.authenticators(account, of_method[method.slug])
        ]
