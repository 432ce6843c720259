"""Why what a browser sends in the name of a security key does not count (WebAuthn Level 3)."""

from __future__ import annotations

from dataclasses import dataclass

from .refusals import CodeRefusal


class KeyRefused(CodeRefusal):
    """Not what was asked for, or not from this site, or not what a key says (sections 7.1 and 7.2)."""

    field = None


class NoCredential(KeyRefused):
    """The form came without what the key says: there was no JavaScript to ask it."""


class CeremonyExpired(KeyRefused):
    """The challenge is older than five minutes, was used, or was meant for something else."""


class KeyUnknown(KeyRefused):
    """No key of this account."""


class KeyUnverified(KeyRefused):
    """Alone it opens an account only when it checked who holds it."""


@dataclass(eq=False)
class KeyCloned(KeyRefused):
    """Its count of signatures did not rise: there may be two of it (section 6.1.1)."""

    name: str = ""
