"""What the paper proves and what is known exactly: formulas of integers, no state needed."""

from .rank_law import rank_bound

__all__ = ["rank_bound"]
