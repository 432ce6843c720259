"""Why a login request is not sent, not answered or not followed; and why a phone's notifications stay off."""

from __future__ import annotations

from typing import ClassVar

from .refusals import CodeRefusal, Refusal, Waiting


class TooManyRequests(Waiting):
    """Three in ten minutes, ten a day: more would only wear their owner down (NIST SP 800-63B-4 section 3.1.3)."""

    status = 429


class NotApproved(Refusal):
    """No phone has said yes to it, or not any more."""


class RequestEnded(Refusal):
    """It was answered, replaced, withdrawn, or is older than five minutes."""


class NotThisPhone(Refusal):
    """Only a phone on which the account turned on login requests says yes to one."""

    status = 403


class NumberMalformed(Refusal):
    """Not six digits: nothing was compared."""

    field = "number"


class WrongNumber(CodeRefusal):
    """Its one try: the request is over."""

    field: ClassVar[str | None] = "number"


class SubscriptionRefused(Refusal):
    """Not what a browser says of a push service, or of none that we call."""
