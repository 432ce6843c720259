"""Why the answer of a security key is refused (WebAuthn Level 3)."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import CodeRefusal


class KeyRefused(CodeRefusal):
    """The answer is malformed, or does not match the challenge, the origin or the stored key (sections 7.1, 7.2)."""

    field = None


class NoCredential(KeyRefused):
    """The form came without the answer of a key, because JavaScript did not run."""


class CeremonyExpired(KeyRefused):
    """The challenge is older than five minutes, was used before, or belongs to another ceremony."""


class KeyUnknown(KeyRefused):
    """The key is not a factor of this account or, at a log-in without a password, of any account."""


class KeyChanged(KeyRefused):
    """Its backup eligibility is not what it was at registration, which must not change (section 6.1.3)."""


class KeyUnverified(KeyRefused):
    """A log-in without a password needs user verification (PIN or biometrics), which the key did not do."""


@dataclass(eq=False)
class KeyCloned(KeyRefused):
    """The signature count did not rise, so there may be a copy of the key (section 6.1.1). `name` is its label."""

    name: str = ""
