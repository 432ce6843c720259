"""What operators do: roles, groups and registered apps; and who may use an app."""

from __future__ import annotations

from .acts import COMMAND_LINE, Actor, Acts
from .app_access import Access, AppAccess, Verdict
from .app_options import AppOptions
from .apps import RegisteredApps
from .groups import Groups
from .operators import Operators
from .roles import Roles

__all__ = [
    "COMMAND_LINE",
    "Access",
    "Actor",
    "Acts",
    "AppAccess",
    "AppOptions",
    "Groups",
    "Operators",
    "RegisteredApps",
    "Roles",
    "Verdict",
]
