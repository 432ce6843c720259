"""Logging in, and stepping up by the same proof of a second factor."""

from __future__ import annotations

from .login import Login
from .login_links import LoginLinks
from .passkeys import Passkeys
from .remembered_browsers import RememberedBrowsers
from .services import LoginServices
from .session_opening import SessionOpening
from .step_up import StepUp
from .wrong_codes import WrongCodes

__all__ = [
    "Login",
    "LoginLinks",
    "LoginServices",
    "Passkeys",
    "RememberedBrowsers",
    "SessionOpening",
    "StepUp",
    "WrongCodes",
]
