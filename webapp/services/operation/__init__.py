"""What the operator does and is told: accounts, advice, upkeep, restores and proxies."""

from __future__ import annotations

from .accounts import Accounts
from .advice import Advice
from .maintenance import Maintenance
from .proxies import Proxies
from .restoration import Restoration

__all__ = ["Accounts", "Advice", "Maintenance", "Proxies", "Restoration"]
