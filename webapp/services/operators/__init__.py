"""What operators do: roles, groups, accounts and registered apps."""

from __future__ import annotations

from .acts import COMMAND_LINE, Actor, Acts
from .app_options import AppOptions
from .apps import RegisteredApps
from .groups import Groups
from .operators import Operators
from .roles import Roles

__all__ = [
    "COMMAND_LINE",
    "Actor",
    "Acts",
    "AppOptions",
    "Groups",
    "Operators",
    "RegisteredApps",
    "Roles",
]
