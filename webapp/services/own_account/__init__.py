"""What owners do with their account as a whole: they rename it, download its data and delete it."""

from __future__ import annotations

from .deletions import Deletions
from .exports import Exports
from .renames import Renames

__all__ = ["Deletions", "Exports", "Renames"]
