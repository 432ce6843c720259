"""Refusals of login requests, and of push subscriptions."""

from __future__ import annotations

from typing import ClassVar

from .refusals import CodeRefusal, Refusal, Waiting


class TooManyRequests(Waiting):
    """The limit of login requests is reached, so that an attacker cannot tire the owner into approving one
    (NIST SP 800-63B-4 section 3.1.3)."""


class NotApproved(Refusal):
    """No approving device approved the request, or the approval has expired or was used."""


class RequestEnded(Refusal):
    """The request was answered, replaced or withdrawn, or is older than five minutes."""


class NotThisPhone(Refusal):
    """Only an approving device of the account can approve a request."""

    status = 403


class NumberMalformed(Refusal):
    """Not six digits. Nothing was compared, so the one attempt is not used up."""

    field = "number"


class WrongNumber(CodeRefusal):
    """The one attempt of the request was wrong, so it has ended."""

    field: ClassVar[str | None] = "number"


class SubscriptionRefused(Refusal):
    """Not a push subscription, or one of a push service that is not in the settings."""
