"""Apps that send a username and a password: legacy access, temporary passwords and the sessions of apps."""

from __future__ import annotations

from .app_sessions import AppSessions
from .known_networks import KnownNetworks
from .legacy_access import CallerCache, LegacyAccess
from .refused_accesses import RefusedAccesses
from .temporary_passwords import TemporaryPasswords

__all__ = ["AppSessions", "CallerCache", "KnownNetworks", "LegacyAccess", "RefusedAccesses", "TemporaryPasswords"]
