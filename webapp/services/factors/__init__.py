"""The factors that an account has: turning off, renaming, deleting, and the forecast of what is left."""

from __future__ import annotations

from .forecasts import Forecasts
from .named_factors import NamedFactors
from .second_factors import SecondFactors

__all__ = ["Forecasts", "NamedFactors", "SecondFactors"]
