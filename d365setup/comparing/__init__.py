"""Two contact centers side by side, by the names people read: ids, which differ anyway, are never compared. Pure."""

from d365setup.comparing.differing import compare
from d365setup.comparing.values import Comparison, Difference, NotCompared, Side

__all__ = ["Comparison", "Difference", "NotCompared", "Side", "compare"]
